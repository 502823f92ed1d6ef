use reedbed::Schema;

#[derive(Schema)]
struct Borrowing<'a> {
    text: &'a str,
    address: *const u8,
}

#[derive(Schema)]
union Either {
    a: u8,
    b: i8,
}

fn main() {}
