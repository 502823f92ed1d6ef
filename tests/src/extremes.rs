//! What a test worker does at the edges: tables that are full, memory that runs out, time that passes.

use reedbed::{Schema, remote_module};
use serde::{Deserialize, Serialize};

/// What can't be sent while it is lit: it panics then.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, Schema)]
#[serde(from = "bool", into = "bool")]
#[schema(opaque = "1")]
pub struct Fuse {
    /// Whether it is.
    pub is_lit: bool,
}

impl From<Fuse> for bool {
    fn from(fuse: Fuse) -> Self {
        assert!(!fuse.is_lit, "a fuse that was lit");
        fuse.is_lit
    }
}

impl From<bool> for Fuse {
    fn from(is_lit: bool) -> Self {
        Self { is_lit }
    }
}

/// Functions that go as far as a process may.
#[remote_module]
pub mod edges {
    use std::fs::File;
    use std::path::PathBuf;
    use std::sync::Mutex;

    use ndarray::Ix1;
    use reedbed::Tensor;

    use super::Fuse;
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

    /// Adds one to each element of an array, if another one has anything but zeros.
    pub fn add_all(
        #[ndarray] mut target: ndarray::ArrayViewMut1<'_, u8>,
        #[ndarray] values: ndarray::ArrayView1<'_, u8>,
    ) {
        target += u8::from(values.iter().any(|value| *value > 0));
    }

    /// Takes a tensor; returns how many elements there are of both.
    pub fn take_beside(
        #[ndarray] given: Tensor<u8, Ix1>,
        #[ndarray] values: ndarray::ArrayView1<'_, u8>,
    ) -> usize {
        given.len() + values.len()
    }

    /// Takes a tensor, and passes the gates with it; returns how many elements it has.
    pub fn take_through(#[ndarray] values: Tensor<u8, Ix1>, gates: (PathBuf, PathBuf)) -> usize {
        Gate::at(gates.0).pass();
        Gate::at(gates.1).pass();
        values.len()
    }

    /// Reads an array, writes another one, takes a third, and returns a fourth: each has the sum of the
    /// first element of the others. Passes the gates between reading and writing.
    pub fn mix(
        #[ndarray] read: ndarray::ArrayView1<'_, u8>,
        #[ndarray] mut written: ndarray::ArrayViewMut1<'_, u8>,
        #[ndarray] given: Tensor<u8, Ix1>,
        gates: Option<(PathBuf, PathBuf)>,
    ) -> Tensor<u8, Ix1> {
        let sum = read[0] + given.view().map_or(0, |view| view[0]);
        if let Some((first, second)) = gates {
            Gate::at(first).pass();
            Gate::at(second).pass();
        }
        written.fill(sum);
        Tensor::from_elem(read.len(), sum).expect("memory for the test")
    }

    /// Adds one to each element.
    pub fn with_fuse(#[ndarray] mut values: ndarray::ArrayViewMut1<'_, u8>, fuse: Fuse) {
        values += u8::from(!fuse.is_lit);
    }

    /// Lets this worker make more shared memory than its host has told it.
    pub fn disobey(budget_bytes: u64) {
        reedbed::set_memory_budget(budget_bytes);
    }

    /// Adds one to each element, once the gates are passed.
    pub fn increment(
        #[ndarray] mut values: ndarray::ArrayViewMut1<'_, u8>,
        gates: Option<(PathBuf, PathBuf)>,
    ) {
        if let Some((first, second)) = gates {
            Gate::at(first).pass();
            Gate::at(second).pass();
        }
        values += 1;
    }

    /// Fills an array with ones, and panics with a message of so many bytes.
    pub fn panic_at_length(#[ndarray] mut values: ndarray::ArrayViewMut1<'_, u8>, n_bytes: usize) {
        values.fill(1);
        panic!("{}", "x".repeat(n_bytes));
    }

    /// Makes a tensor of ones, or says why it can't.
    pub fn ones(len_bytes: usize) -> Result<Tensor<u8, Ix1>, String> {
        Tensor::from_elem(len_bytes, 1).map_err(|error| error.to_string())
    }

    /// Passes the first gate, then waits at the second; returns how many elements there are, if all are
    /// one.
    pub fn hold(
        #[ndarray] values: ndarray::ArrayView1<'_, u8>,
        gates: (PathBuf, PathBuf),
    ) -> Option<u64> {
        Gate::at(gates.0).pass();
        Gate::at(gates.1).pass();
        // Compared as memory is, which is quick without the optimiser, too.
        let ones = vec![1; values.len()];
        (values.as_slice() == Some(&ones)).then_some(values.len() as u64)
    }
}
