use reedbed::Schema;

struct Inner;

#[derive(Schema)]
struct Outer {
    inner: Vec<Inner>,
}

fn main() {}
