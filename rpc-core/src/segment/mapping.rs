//! A segment's pages in this process. This file is the only one that calls `mmap`.
//!
//! # Invariants
//! 1. `base` is the start of a live shared mapping of exactly `len` bytes, `len > 0`, made by this
//!    value and unmapped only by its `Drop`.
//! 2. The file behind it is a memfd whose length is sealed at `len` bytes or more, or a named segment
//!    that its maker, a process of this user's that is trusted, never shortens; its pages are
//!    reserved, so no access in `base..base + len` faults.
//! 3. The mapping is readable, and writable if `access` is [`Access::ReadWrite`].
//! 4. A `Mapping` hands out raw pointers alone. Whoever makes a reference of one proves, by a lease
//!    or by the borrow checker, that nobody writes those bytes meanwhile.

use std::io;
use std::os::fd::BorrowedFd;
use std::ptr::NonNull;

use rustix::mm::{Advice, MapFlags, ProtFlags};

/// What a mapping (or a lease) allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Access {
    /// Reading.
    Read,
    /// Reading and writing.
    ReadWrite,
    /// Reading and writing, by atomics alone, while others do the same. Mapped as `ReadWrite`.
    Shared,
}

/// A segment's pages in this process, unmapped on drop.
#[derive(Debug)]
pub(crate) struct Mapping {
    base: NonNull<u8>,
    len: usize,
    access: Access,
    /// The process that made it: a forked child doesn't have the pages.
    owner: u32,
}

// SAFETY: the mapping belongs to the process, not to a thread, and the value only hands out raw
// pointers (invariant 4).
unsafe impl Send for Mapping {}
// SAFETY: as for `Send`; all methods take `&self` and read plain fields.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps the first `len` bytes of a segment, with its pages present.
    ///
    /// # Errors
    /// The kernel's: `ENOMEM` beyond RLIMIT_AS or the number of mappings, `EPERM` or `EACCES` where
    /// a seal or the descriptor forbids `access`; `EINVAL` for a length of zero.
    pub(crate) fn new(fd: BorrowedFd<'_>, len: usize, access: Access) -> io::Result<Self> {
        let protection = match access {
            Access::Read => ProtFlags::READ,
            Access::ReadWrite | Access::Shared => ProtFlags::READ | ProtFlags::WRITE,
        };
        let flags = MapFlags::SHARED | MapFlags::POPULATE;
        // SAFETY: with a null hint and without MAP_FIXED, `mmap` touches no existing mapping.
        let base =
            unsafe { rustix::mm::mmap(std::ptr::null_mut(), len, protection, flags, fd, 0) }?;
        let base = NonNull::new(base.cast::<u8>()).ok_or(io::ErrorKind::AddrNotAvailable)?;
        let mapping = Self {
            base,
            len,
            access,
            owner: std::process::id(),
        };
        // A forked child must not keep the pages alive. A kernel that refuses changes nothing else.
        // SAFETY: the range is the mapping just made (invariant 1); DONTFORK alters no contents.
        let _ = unsafe { rustix::mm::madvise(base.as_ptr().cast(), len, Advice::LinuxDontFork) };
        Ok(mapping)
    }

    /// The mapped bytes.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// What the mapping allows.
    pub(crate) fn access(&self) -> Access {
        self.access
    }

    /// A pointer to the byte at `offset`, for `offset <= len`; `None` beyond.
    pub(crate) fn at(&self, offset: usize) -> Option<NonNull<u8>> {
        if offset > self.len {
            return None;
        }
        // SAFETY: `offset <= len`, so the result is inside the mapping or one past it (invariant 1).
        Some(unsafe { self.base.add(offset) })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        if std::process::id() != self.owner {
            // The range may be something else by now.
            return;
        }
        // SAFETY: the range was mapped by `new` and is unmapped once, here (invariant 1). Pointers
        // into it are kept only beside an `Arc` of what owns this value.
        let unmapped = unsafe { rustix::mm::munmap(self.base.as_ptr().cast(), self.len) };
        debug_assert!(
            unmapped.is_ok(),
            "unmapping our own range can't fail: {unmapped:?}"
        );
    }
}
