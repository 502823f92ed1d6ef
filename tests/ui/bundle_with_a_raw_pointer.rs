use ndarray::ArrayView1;
use reedbed::Bundle;

#[derive(Bundle)]
struct Pointer<'a> {
    #[ndarray]
    values: ArrayView1<'a, u8>,
    first: *const u8,
}

fn main() {}
