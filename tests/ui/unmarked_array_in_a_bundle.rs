use ndarray::{Array2, ArrayView1};
use reedbed::{Bundle, SegmentView, Tensor1};

#[derive(Bundle)]
struct Unmarked<'a> {
    values: ArrayView1<'a, u8>,
    #[ndarray]
    tensors: Vec<Tensor1<u8>>,
    more: Vec<Tensor1<u8>>,
    raw: SegmentView<'a>,
    heap: Array2<u8>,
}

fn main() {}
