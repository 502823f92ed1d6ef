//! What stands for `words` in models: loom's atomics, on the heap. There is one process, and whoever
//! shares the words shares the value.

use std::io;
use std::os::fd::BorrowedFd;

use crate::sync::atomic::{AtomicU32, AtomicU64};

/// The half words in front. There is no need to keep them in lines of their own.
const N_CONTROL: usize = 8;
/// Their bytes.
pub(crate) const CONTROL_BYTES: usize = N_CONTROL * size_of::<u32>();

/// Words that two threads access at once.
#[derive(Debug)]
pub(crate) struct Words {
    control: Vec<AtomicU32>,
    words: Vec<AtomicU64>,
}

impl Words {
    /// Makes some, of no segment.
    pub(crate) fn map(_: BorrowedFd<'_>, len: usize) -> io::Result<Self> {
        Ok(Self::new(len))
    }

    /// Makes as many as a segment of `len` bytes has.
    pub(crate) fn new(len: usize) -> Self {
        let n_words = (len - CONTROL_BYTES) / size_of::<u64>();
        Self {
            control: (0..N_CONTROL).map(|_| AtomicU32::new(0)).collect(),
            words: (0..n_words).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    pub(crate) fn control(&self) -> &[AtomicU32] {
        &self.control
    }

    pub(crate) fn words(&self) -> &[AtomicU64] {
        &self.words
    }
}
