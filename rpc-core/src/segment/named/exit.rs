//! What happens to names when their process exits. It has unsafe code, because only C's `atexit`
//! runs when the process ends while tensors live in statics, pools, or other threads.
//!
//! # Invariants
//! 1. The handler neither unwinds nor allocates a thread, takes no lock of this crate, and touches
//!    no memory of segments: other threads may still be running.

use std::panic::catch_unwind;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether another process unlinks the names of this one when it has ended.
static IS_LEFT_TO_HOST: AtomicBool = AtomicBool::new(false);

/// Has the names outlast this process, a worker: its host may not have opened yet what was
/// announced last, and unlinks them when it has.
pub(crate) fn leave_to_host() {
    IS_LEFT_TO_HOST.store(true, Ordering::Relaxed);
}

/// Has the names of this process unlinked when it exits. (A process that is killed has them
/// collected by another one.)
pub(super) fn unlink_at_exit() {
    // SAFETY: the handler is a function of the program, which is never unloaded, and does nothing
    // that is forbidden while a process exits (invariant 1).
    let refused = unsafe { libc::atexit(at_exit) };
    if refused != 0 {
        tracing::debug!("names of segments stay until another process collects them");
    }
}

extern "C" fn at_exit() {
    if IS_LEFT_TO_HOST.load(Ordering::Relaxed) {
        return;
    }
    // In a forked child these are the child's names: it has none of its parent's.
    let _ = catch_unwind(super::unlink_own);
}
