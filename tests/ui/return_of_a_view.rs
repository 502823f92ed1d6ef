use ndarray::{ArrayView2, CowArray, Ix2};
use reedbed::{SegmentView, TensorView, remote_module};

#[remote_module]
mod m {
    use super::*;

    pub fn view(#[ndarray] image: ArrayView2<'_, u16>) -> ArrayView2<'_, u16> {
        image
    }

    pub fn tensor_view() -> Option<TensorView<'static, u16, Ix2>> {
        None
    }

    pub fn copy_on_write() -> Result<CowArray<'static, u16, Ix2>, String> {
        Err(String::new())
    }

    pub fn raw(#[segment] raw: SegmentView<'_>) -> SegmentView<'_> {
        raw
    }
}

fn main() {}
