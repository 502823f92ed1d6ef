use reedbed::Bundle;

#[derive(Bundle)]
union Either {
    small: u8,
    large: u64,
}

fn main() {}
