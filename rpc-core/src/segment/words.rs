//! Pages that two processes access at once, word by word: what rings lie in. Like `mapping`, this
//! file has unsafe code: it makes references to atomics.
//!
//! # Invariants
//! 1. The mapping is writable, begins at a page, is at least [`CONTROL_BYTES`] long, and a whole
//!    number of words.
//! 2. Its memory is in no extent (`channel::imports` lets no array lie in it, whatever a peer
//!    announces), so nothing in this process makes a reference to plain data of it.
//!    The other side accesses it as atomics, too, or does as it likes; what is read is only a number.
//! 3. The first [`CONTROL_BYTES`] are only accessed as `AtomicU32`, the rest as `AtomicU64`: both are
//!    valid for all bytes, and may be changed through a shared reference.

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicU32, AtomicU64};

use super::mapping::{Access, Mapping};

/// The bytes at the beginning that are accessed as half words: one page.
pub(crate) const CONTROL_BYTES: usize = 4096;

/// Pages that two processes access at once.
#[derive(Debug)]
pub(crate) struct Words {
    mapping: Mapping,
}

impl Words {
    /// Maps a segment of `len` bytes that is sealed and reserved.
    ///
    /// # Errors
    /// The kernel's, where the pages can't be mapped; [`io::ErrorKind::InvalidInput`] for a length
    /// that isn't a whole number of words, or too short.
    pub(crate) fn map(fd: BorrowedFd<'_>, len: usize) -> io::Result<Self> {
        if len < CONTROL_BYTES || !len.is_multiple_of(size_of::<u64>()) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let mapping = Mapping::new(fd, len, Access::Shared)?;
        Ok(Self { mapping })
    }

    /// The half words of the first page.
    pub(crate) fn control(&self) -> &[AtomicU32] {
        let n = CONTROL_BYTES / size_of::<AtomicU32>();
        let Some(base) = self.mapping.at(0) else {
            return &[];
        };
        // SAFETY: the page is mapped, writable and aligned (invariant 1) for as long as `self`, and
        // accessed as these atomics alone (invariants 2 and 3).
        unsafe { std::slice::from_raw_parts(base.as_ptr().cast::<AtomicU32>(), n) }
    }

    /// The words behind the first page.
    pub(crate) fn words(&self) -> &[AtomicU64] {
        let n = (self.mapping.len() - CONTROL_BYTES) / size_of::<AtomicU64>();
        let Some(base) = self.mapping.at(CONTROL_BYTES) else {
            return &[];
        };
        // SAFETY: as in `control` (invariants 1 to 3); the words lie behind its page.
        unsafe { std::slice::from_raw_parts(base.as_ptr().cast::<AtomicU64>(), n) }
    }
}
