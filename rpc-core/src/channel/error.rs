//! What breaks a channel, and why something is not sent.

use std::io;

use super::outbox::Closed;
use crate::segment::ShmExhausted;
use crate::wire::codec::CodecError;

/// The peer did what the protocol forbids. The channel is closed.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Violation(pub(crate) String);

/// Why something could not be sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SendError {
    /// The channel is closed.
    #[error("the channel is closed")]
    Closed,
    /// The frame is longer than what was negotiated.
    #[error(
        "{len_bytes} bytes of serde arguments are more than the limit of {limit_bytes} bytes; mark arrays `#[ndarray]`, so that they travel by handle"
    )]
    TooLong {
        /// The length of the frame.
        len_bytes: u64,
        /// The limit.
        limit_bytes: u64,
    },
    /// A value can't be encoded.
    #[error("a value can't be encoded: {0}")]
    Encode(#[from] CodecError),
    /// There is no memory for a long frame, or for a copy.
    #[error(transparent)]
    Exhausted(#[from] ShmExhausted),
    /// A descriptor that would be needed can't be had.
    #[error(
        "no file descriptor is left to hand a segment over ({0}); drop tensors, or raise `ulimit -n`"
    )]
    NoDescriptor(io::Error),
    /// The descriptor of a received tensor was closed because descriptors were scarce.
    #[error(
        "the tensor came from another worker while file descriptors were scarce (or its name is gone, with the worker), so it can't be forwarded; copy it with `try_clone`"
    )]
    NotForwardable,
    /// Cells can't be copied into segments of another kind.
    #[error(
        "it lies in memory of another kind than the worker's (memfds, or named segments); make it \
         after `reedbed::set_segments`, or start the worker with `WorkerBuilder::segments`"
    )]
    OtherSegments,
    /// The worker isn't trusted, and has no business with the memory.
    #[error("an untrusted worker must not see the memory that it lies in")]
    Untrusted,
    /// A worker that isn't trusted may write the memory.
    #[error("an untrusted worker may write the memory that it lies in; copy it for this worker")]
    Exposed,
    /// The peer maps as many segments as it takes.
    #[error(
        "the worker maps {n_segments} segments already, its limit; drop tensors that were sent to it"
    )]
    TooManySegments {
        /// The limit.
        n_segments: u32,
    },
}

impl From<Closed> for SendError {
    fn from(_: Closed) -> Self {
        Self::Closed
    }
}
