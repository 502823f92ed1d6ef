//! Tells a process from a child that it forked, without a system call. Like `mapping`, this file has
//! unsafe code: it maps a page.
//!
//! # Invariants
//! 1. The page is mapped once, readable and writable, and never unmapped.
//! 2. It is private to the process and only accessed as one `AtomicU32`.
//! 3. The kernel shows a forked child a page of zeros in its place (`MADV_WIPEONFORK`).

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::mm::{Advice, MapFlags, ProtFlags};

/// The page's length; more than one word is wasted.
const PAGE_BYTES: usize = 4096;

/// The number of this process, which a forked child reads as zero.
fn mark() -> Option<&'static AtomicU32> {
    static MARK: OnceLock<Option<&'static AtomicU32>> = OnceLock::new();
    *MARK.get_or_init(|| {
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: with a null hint and without MAP_FIXED, `mmap` touches no existing mapping: the
        // page is a new one (invariant 1).
        let page = unsafe {
            rustix::mm::mmap_anonymous(
                std::ptr::null_mut(),
                PAGE_BYTES,
                protection,
                MapFlags::PRIVATE,
            )
        };
        let page = page.ok()?;
        // SAFETY: the range is the page just mapped (invariant 1); a forked child alone finds it
        // wiped (invariant 3).
        let wiped = unsafe { rustix::mm::madvise(page, PAGE_BYTES, Advice::LinuxWipeOnFork) };
        wiped.ok()?;
        // SAFETY: the page is aligned, zero, never unmapped, and accessed in this way alone
        // (invariants 1 and 2).
        Some(unsafe { AtomicU32::from_ptr(page.cast()) })
    })
}

/// The number of this process.
pub(crate) fn process_id() -> u32 {
    let Some(mark) = mark() else {
        return std::process::id();
    };
    match mark.load(Ordering::Relaxed) {
        // The first time, in this process or in a forked child.
        0 => {
            let id = std::process::id();
            mark.store(id, Ordering::Relaxed);
            id
        }
        id => id,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_is_the_number_of_the_process() {
        assert_eq!(super::process_id(), std::process::id());
        assert_eq!(super::process_id(), std::process::id());
    }
}
