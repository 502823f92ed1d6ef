//! Untrusted workers, and what the memory that they may reach is like.
//!
//! What an untrusted worker may read lies in *guarded* segments, which a seal keeps anybody but their
//! maker from ever writing. What it may write lies in *exposed* ones: nothing here makes a reference
//! to their bytes, but to atomics; they are moved by system calls, which copy whatever is there at
//! that moment. Both have one tenant at a time, and are recycled for the same worker alone.

use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};

/// The source of numbers.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// An untrusted worker: a number that no other worker of this process has, and that it keeps when it
/// is restarted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Stranger(NonZeroU64);

impl Stranger {
    /// A worker that was unknown until now.
    pub(crate) fn new() -> Self {
        let number = NonZeroU64::new(NEXT.fetch_add(1, Ordering::Relaxed));
        Self(number.unwrap_or(NonZeroU64::MIN))
    }
}

/// Who, besides this process, may reach the bytes of a segment, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reach {
    /// Trusted processes, who keep to their leases.
    Trusted,
    /// Anybody it is shown to, for reading: nobody but its maker can ever map it writable.
    Guarded,
    /// Untrusted workers, who may write it at any moment.
    Exposed,
}

/// The untrusted workers that a segment was made for, or shown to.
#[derive(Debug, Default)]
pub(crate) struct Audience(AtomicU64);

/// Stands for more than one.
const SEVERAL: u64 = u64::MAX;

impl Audience {
    /// This one.
    pub(crate) fn of(stranger: Stranger) -> Self {
        Self(AtomicU64::new(stranger.0.get()))
    }

    /// Adds one.
    pub(crate) fn admit(&self, stranger: Stranger) {
        let number = stranger.0.get();
        let first = self
            .0
            .compare_exchange(0, number, Ordering::AcqRel, Ordering::Acquire);
        if first.is_err_and(|present| present != number) {
            self.0.store(SEVERAL, Ordering::Release);
        }
    }

    /// Tells whether it is this one alone.
    pub(crate) fn is_only(&self, stranger: Stranger) -> bool {
        self.0.load(Ordering::Acquire) == stranger.0.get()
    }

    /// Tells whether there is more than one.
    pub(crate) fn is_several(&self) -> bool {
        self.0.load(Ordering::Acquire) == SEVERAL
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_audience_remembers_one_and_that_there_are_more() {
        let (first, second) = (Stranger::new(), Stranger::new());
        let audience = Audience::default();
        assert!(!audience.is_only(first) && !audience.is_several());
        for _ in 0..2 {
            audience.admit(first);
            assert!(audience.is_only(first) && !audience.is_only(second));
        }
        for next in [second, first, second] {
            audience.admit(next);
            assert!(audience.is_several() && !audience.is_only(first));
        }
    }
}
