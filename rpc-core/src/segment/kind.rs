//! What new segments are made of.

use std::sync::atomic::{AtomicU32, Ordering};

/// What segments are made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u32)]
#[non_exhaustive]
pub enum Segments {
    /// memfds, which travel as descriptors: sealed, without a name, and gone with their last user.
    #[default]
    Memfd = 0,
    /// Named POSIX segments (files in `/dev/shm`), which travel by name. Their length can't be
    /// sealed, and all of them must fit into `/dev/shm`; otherwise there is no difference.
    #[cfg(feature = "posix-shm")]
    Named = 1,
}

/// The kind of new segments in this process.
static KIND: AtomicU32 = AtomicU32::new(Segments::Memfd as u32);

impl Segments {
    /// Returns the kind with this number on the wire.
    pub(crate) fn from_number(number: u32) -> Option<Self> {
        match number {
            0 => Some(Self::Memfd),
            #[cfg(feature = "posix-shm")]
            1 => Some(Self::Named),
            _ => None,
        }
    }
}

/// Returns what the tensors that this process makes from now on lie in.
#[must_use]
pub fn segments() -> Segments {
    Segments::from_number(KIND.load(Ordering::Relaxed)).unwrap_or_default()
}

/// Chooses what the tensors that this process makes from now on lie in, and what it shares with
/// workers that it starts from now on (unless
/// [`WorkerBuilder::segments`](crate::WorkerBuilder::segments) says otherwise).
///
/// Call it first in `main`. A tensor of one kind that is lent to a worker of the other is copied.
#[cfg(feature = "posix-shm")]
pub fn set_segments(segments: Segments) {
    set(segments);
}

/// As `set_segments`.
pub(crate) fn set(segments: Segments) {
    KIND.store(segments as u32, Ordering::Relaxed);
}
