//! What is called.

use reedbed::remote_module;

/// Functions on arrays, which come and go in both ways.
#[remote_module]
pub(crate) mod arrays {
    use reedbed::ndarray::{Array1, ArrayView1, Ix1};
    use reedbed::{ShmExhausted, Tensor};

    /// Does nothing.
    pub fn nothing() {}

    /// Adds all elements up.
    pub fn sum(#[ndarray] numbers: ArrayView1<'_, u64>) -> u64 {
        numbers.sum()
    }

    /// Makes an array of the heap, which travels in the frame if it is small.
    pub fn in_heap(len: usize) -> Array1<u64> {
        Array1::from_elem(len, 1)
    }

    /// Makes the same array and copies it to shared memory, from which it travels by handle.
    pub fn in_segment(len: usize) -> Result<Tensor<u64, Ix1>, String> {
        let message = |error: ShmExhausted| error.to_string();
        Tensor::copy_of(&Array1::from_elem(len, 1)).map_err(message)
    }
}
