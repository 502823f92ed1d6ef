use ndarray::{Array1, ArrayView1};
use reedbed::Bundle;

#[derive(Bundle)]
struct Named<'a> {
    #[ndarray]
    values: ArrayView1<'a, u8>,
    name: &'a str,
}

#[derive(Bundle)]
struct Lent<'a> {
    #[ndarray]
    values: &'a Array1<u8>,
}

fn main() {}
