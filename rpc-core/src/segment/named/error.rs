//! How the exchange with foreign programs can fail.

use std::io;

use crate::segment::{AccessError, ShmExhausted};
use crate::tensor::DType;

/// Why a [`ForeignSegment`](crate::ForeignSegment) can't be had or used.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ForeignError {
    /// No segment can have this name.
    #[error("a segment can't be called {name:?}: {reason}")]
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// There is a segment of this name already.
    #[error(
        "there is a segment called `{name}` already; open it, or have whoever made it unlink it"
    )]
    Exists {
        /// The name.
        name: String,
    },
    /// There is no segment of this name, or no longer.
    #[error(
        "there is no segment called `{name}` (any more); whoever made it has unlinked it, or \
         hasn't made it yet (a Python process unlinks what it attached to when it exits, unless \
         its resource tracker is told not to)"
    )]
    Vanished {
        /// The name.
        name: String,
    },
    /// The segment belongs to another user.
    #[error(
        "segment `{name}` can't be opened for reading and writing by user {user}; it belongs to \
         user {owner}: run both programs as one user"
    )]
    Denied {
        /// The name.
        name: String,
        /// The user who owns it.
        owner: u32,
        /// The user who runs this process.
        user: u32,
    },
    /// A segment has at least one byte.
    #[error("segment `{name}` has no bytes")]
    Empty {
        /// The name.
        name: String,
    },
    /// The bytes aren't there.
    #[error(
        "bytes {offset_bytes} to {end_bytes} are outside of segment `{name}`, which has \
         {len_bytes} bytes"
    )]
    OutOfRange {
        /// The name.
        name: String,
        /// The first byte that was asked for.
        offset_bytes: usize,
        /// The byte after the last one.
        end_bytes: usize,
        /// The length of the segment when it was opened.
        len_bytes: usize,
    },
    /// Whoever owns the segment has shortened it.
    #[error(
        "segment `{name}` has been shortened by its owner: it had {len_bytes} bytes when it was \
         opened, and ends at byte {end_bytes} now; open it again"
    )]
    Shortened {
        /// The name.
        name: String,
        /// The length of the segment when it was opened.
        len_bytes: usize,
        /// Where it ends now.
        end_bytes: usize,
    },
    /// The bytes aren't elements of this type.
    #[error("byte {offset_bytes} of segment `{name}` doesn't begin an element of type {dtype}")]
    NotAligned {
        /// The name.
        name: String,
        /// The byte.
        offset_bytes: usize,
        /// The type that was asked for.
        dtype: DType,
    },
    /// The bytes are atomics of another size already.
    #[error(
        "byte {offset_bytes} of segment `{name}` can't be an atomic of {size_bytes} bytes: there is \
         one of {other_bytes} already; use one type for both"
    )]
    OtherSize {
        /// The name.
        name: String,
        /// The first byte that was asked for.
        offset_bytes: usize,
        /// The size that was asked for.
        size_bytes: usize,
        /// That of what is there.
        other_bytes: usize,
    },
    /// A `bool` would be neither 0 nor 1.
    #[error("segment `{name}` has a byte that is neither 0 nor 1, which can't be seen as a bool")]
    Invalid {
        /// The name.
        name: String,
    },
    /// There is no memory for the segment, or for a copy of it.
    #[error(transparent)]
    Exhausted(#[from] ShmExhausted),
    /// The tensor that was to be copied can't be read now.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The system refused something.
    #[error("segment `{name}` can't be used")]
    System {
        /// The name.
        name: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

crate::readable::debug_as_message!(ForeignError);
