//! What is called.

use reedbed::remote_module;

/// Functions that do next to nothing, so that what is counted is the call.
#[remote_module]
pub(crate) mod counted {
    use ndarray::{ArrayView1, Ix1};
    use reedbed::{ShmExhausted, Tensor};

    use crate::allocations;

    /// The length of an array of 1 MiB.
    pub(crate) const LEN: usize = 1 << 17;

    /// Does nothing.
    pub fn nothing() {}

    /// Reads one element.
    pub fn first(#[ndarray] numbers: ArrayView1<'_, u64>) -> u64 {
        numbers[0]
    }

    /// Makes an array of which one element is written.
    pub fn begun_with(first: u64) -> Result<Tensor<u64, Ix1>, String> {
        let mut numbers = Tensor::uninit(LEN).map_err(|error: ShmExhausted| error.to_string())?;
        let mut view = numbers.view_mut().map_err(|error| error.to_string())?;
        view[0] = first;
        Ok(numbers)
    }

    /// How many allocations the worker has made.
    pub fn allocations() -> u64 {
        allocations::so_far()
    }
}
