use ndarray::{ArrayView2, ArrayViewMutD, Ix3};
use reedbed::{SegmentView, Tensor, remote_module};

#[remote_module]
mod m {
    use super::*;

    pub fn alone(image: ArrayView2<'_, u16>) -> usize {
        image.len()
    }

    pub fn optional(mask: Option<ArrayViewMutD<'_, u8>>, stack: (Tensor<f32, Ix3>, Tensor<f32, Ix3>)) {
        drop((mask, stack));
    }

    pub fn raw(bytes: SegmentView<'_>) {
        drop(bytes);
    }
}

fn main() {}
