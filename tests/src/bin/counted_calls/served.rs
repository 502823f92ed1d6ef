//! What is called.

use reedbed::remote_module;

/// Functions that do next to nothing, so that what is counted is the call.
#[remote_module]
pub(crate) mod counted {
    use ndarray::{ArrayView1, Ix1};
    use reedbed::Tensor;

    use crate::allocations;

    /// Does nothing.
    pub fn nothing() {}

    /// Reads one element.
    pub fn one(#[ndarray] numbers: ArrayView1<'_, u64>, index: usize) -> Option<u64> {
        numbers.get(index).copied()
    }

    /// Makes an array of which one element is written.
    pub fn made(len: usize, index: usize, number: u64) -> Result<Tensor<u64, Ix1>, String> {
        let mut numbers = Tensor::uninit(len).map_err(|error| error.to_string())?;
        let mut view = numbers.view_mut().map_err(|error| error.to_string())?;
        let element = view.get_mut(index).ok_or("it has no such element")?;
        *element = number;
        Ok(numbers)
    }

    /// How many allocations the worker has made.
    pub fn allocations() -> u64 {
        allocations::so_far()
    }
}
