//! What a process has inherited and doesn't pass on.
//!
//! # Invariants
//! 1. `close_range` with `CLOSE_RANGE_CLOEXEC` closes nothing: it marks descriptors, so whoever owns
//!    one in this process keeps it until it becomes another program.

use std::io;

/// The first descriptor that isn't one of the three that every program has.
const FIRST: libc::c_uint = 3;

/// Has all descriptors but the first three closed when this process becomes another program.
pub(super) fn keep_to_self() -> io::Result<()> {
    let flags = libc::CLOSE_RANGE_CLOEXEC;
    // SAFETY: nobody's descriptor is closed (invariant 1), and no memory is passed.
    let result = unsafe { libc::syscall(libc::SYS_close_range, FIRST, libc::c_uint::MAX, flags) };
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
