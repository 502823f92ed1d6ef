use ndarray::{ArrayView1, Ix1};
use reedbed::{Bundle, Tensor};

#[derive(Bundle)]
struct Typed<A> {
    #[ndarray]
    values: Tensor<A, Ix1>,
}

#[derive(Bundle)]
struct Sized<const N: usize> {
    #[ndarray]
    values: [Tensor<u8, Ix1>; N],
}

#[derive(Bundle)]
struct Lent<'a, 'b> {
    #[ndarray]
    one: ArrayView1<'a, u8>,
    #[ndarray]
    other: ArrayView1<'b, u8>,
}

fn main() {}
