//! The library's side of the interface between the stock worker and a module library.
//!
//! A module library `libsegmentation.so` has two functions with C's calling convention, which
//! [`export_modules!`](crate::export_modules) writes:
//!
//! - `uint32_t reedbed_wire_version_segmentation(void)` returns the version of the wire that it
//!   speaks. This function stays as it is in every version to come.
//! - `int reedbed_entry_segmentation(int channel)` takes a descriptor of the host's channel over,
//!   before any message was read from it, and serves on it until the host has no more use for it.
//!   It returns 0 then, or another number after it has said on standard error why it can't serve.
//!   It doesn't unwind. It may become another with another version of the wire.
//!
//! # Invariants
//! 1. Whoever calls an entry hands over a descriptor that is open and nobody else's.

use std::any::Any;
use std::ffi::c_int;
use std::os::fd::{FromRawFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};

use reedbed::{CANNOT_SERVE, Module, ServeOptions};

use crate::tell;

pub use reedbed::WIRE_VERSION;

/// Serves on `channel` what `modules` returns; the body of a library's entry.
///
/// # Safety
/// `channel` is an open descriptor that nobody else uses or closes (invariant 1).
pub unsafe fn serve<M: AsRef<[Module]>>(channel: c_int, modules: impl FnOnce() -> M) -> c_int {
    // SAFETY: the caller's promise (invariant 1).
    let channel = unsafe { OwnedFd::from_raw_fd(channel) };
    let served = catch_unwind(AssertUnwindSafe(|| {
        let options = ServeOptions::default();
        reedbed::serve_channel(channel, modules().as_ref(), options)
    }));
    match served {
        Ok(Ok(())) => return 0,
        Ok(Err(error)) => tell(&error),
        Err(panic) => eprintln!("the module library panicked: {}", message(&*panic)),
    }
    CANNOT_SERVE.into()
}

/// What a panic says. (The hook has printed the place, unless the library has set another one.)
fn message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("with something that isn't a text")
}
