use ndarray::{Array2, ArrayView1};
use reedbed::{Tensor, remote_module};

#[remote_module]
mod m {
    use super::*;

    pub fn owned(#[ndarray] image: Array2<u16>) -> usize {
        image.len()
    }

    pub fn unmarked(image: Array2<u16>) -> usize {
        image.len()
    }

    pub fn by_reference(#[ndarray] line: &ArrayView1<'_, u16>, #[ndarray] tensor: &Tensor<u16, ndarray::Ix2>) {
        drop((line, tensor));
    }
}

fn main() {}
