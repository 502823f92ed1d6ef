//! What a test worker does at the edges: tables that are full, memory that runs out, time that passes.

use reedbed::remote_module;

/// Functions that go as far as a process may.
#[remote_module]
pub mod edges {
    use std::fs::File;
    use std::path::PathBuf;
    use std::sync::Mutex;

    use ndarray::Ix1;
    use reedbed::Tensor;

    use crate::gate::Gate;

    static FILES: Mutex<Vec<File>> = Mutex::new(Vec::new());
    static TENSORS: Mutex<Vec<Tensor<u8, Ix1>>> = Mutex::new(Vec::new());

    /// Opens files until the table of descriptors is full; returns how many.
    pub fn fill_descriptors() -> usize {
        let mut files = FILES.lock().expect("no function panics with it");
        files.extend(std::iter::from_fn(|| File::open("/dev/null").ok()));
        files.len()
    }

    /// Closes the files again, but for the first `n`.
    pub fn free_descriptors(n: usize) {
        FILES
            .lock()
            .expect("no function panics with it")
            .truncate(n);
    }

    /// Uses a processor for ever.
    #[reedbed(blocking)]
    pub fn spin() {
        loop {
            std::hint::spin_loop();
        }
    }

    /// Makes tensors and keeps them, until there is no memory for one more; returns how many there
    /// are, and why.
    pub fn keep_tensors(len_bytes: usize) -> (usize, String) {
        let mut tensors = TENSORS.lock().expect("no function panics with it");
        loop {
            match Tensor::zeros(len_bytes) {
                Ok(tensor) => tensors.push(tensor),
                Err(error) => return (tensors.len(), error.to_string()),
            }
        }
    }

    /// Drops the tensors.
    pub fn drop_tensors() {
        TENSORS.lock().expect("no function panics with it").clear();
    }

    /// Makes a tensor of ones, or says why it can't.
    pub fn ones(len_bytes: usize) -> Result<Tensor<u8, Ix1>, String> {
        Tensor::from_elem(len_bytes, 1).map_err(|error| error.to_string())
    }

    /// Passes the first gate, then waits at the second; returns the sum of the elements.
    pub fn hold(#[ndarray] values: ndarray::ArrayView1<'_, u8>, gates: (PathBuf, PathBuf)) -> u64 {
        Gate::at(gates.0).pass();
        Gate::at(gates.1).pass();
        values.iter().map(|value| u64::from(*value)).sum()
    }
}
