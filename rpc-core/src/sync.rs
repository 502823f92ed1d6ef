//! Locks and atomics that models can take the place of.
//!
//! Whatever a model (`loom_..` in the tests beside the code) is to explore takes them from here.
//! Under `--cfg reedbed_loom` they are loom's, which work inside a model alone; a `static` can't hold
//! those, and keeps std's.

#[cfg(reedbed_loom)]
pub(crate) use loom::sync::{Mutex, MutexGuard, atomic};
#[cfg(not(reedbed_loom))]
pub(crate) use std::sync::{Mutex, MutexGuard, atomic};
