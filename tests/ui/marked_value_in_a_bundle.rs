use ndarray::Array2;
use reedbed::{Bundle, Tensor1};

#[derive(Bundle)]
struct Marked {
    #[ndarray]
    n: usize,
    #[ndarray]
    heap: Array2<u8>,
    #[segment]
    values: Tensor1<u8>,
}

#[derive(Bundle)]
struct Nothing {
    n: usize,
}

fn main() {}
