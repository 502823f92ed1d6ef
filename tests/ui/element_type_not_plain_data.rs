use ndarray::{Array1, ArrayView1};
use reedbed::remote_module;

#[remote_module]
mod m {
    use super::*;

    pub fn takes(#[ndarray] names: ArrayView1<'_, String>) -> usize {
        names.len()
    }

    pub fn returns() -> Array1<char> {
        Array1::from(vec!['a'])
    }
}

fn main() {}
