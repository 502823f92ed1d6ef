//! The frames of a channel, after the handshake.

use serde::{Deserialize, Serialize};

use super::codec::{self, Bytes, CodecError};
use super::handle::Handle;
use super::quick;
use super::trace::TraceContext;

/// One message on a channel. The order of the variants is part of the wire's version 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Frame {
    /// Announces a segment; its descriptor is the attachment. A segment that is lent both ways is
    /// announced once for each.
    Segment {
        /// The sender's number for it.
        segment: u64,
        /// Its length.
        len_bytes: u64,
        /// Whether the receiver may write it.
        is_writable: bool,
    },
    /// The sender's segment is no more: unmap it.
    Forget {
        /// The sender's number for it.
        segment: u64,
    },
    /// The sender can't use a segment that the receiver announced; it counts as not announced.
    Refused {
        /// The receiver's number for it.
        segment: u64,
        /// Why, for people.
        reason: String,
    },
    /// The sender is done with a tensor that the receiver had moved to it.
    Ended {
        /// The number of the transfer.
        transfer: u64,
    },
    /// The sender asks for a function to be called.
    Call(CallFrame),
    /// The sender answers a call. All leases of the call have ended.
    Reply(ReplyFrame),
    /// The sender no longer wants the answer. A `Reply` or a `Released` follows all the same.
    Cancel {
        /// The call.
        call: u64,
    },
    /// The sender ended a cancelled call without an answer. All leases of the call have ended.
    Released {
        /// The call.
        call: u64,
        /// Whether the function had begun, so that arrays lent for writing may be half written.
        has_begun: bool,
    },
    /// The sender asks what a module consists of.
    Describe {
        /// A number for the answer, from the same sequence as the calls'.
        call: u64,
        /// The module's name.
        module: String,
    },
    /// The sender answers a `Describe`.
    Description {
        /// The number of the question.
        call: u64,
        /// The module, if the sender serves one of that name.
        module: Option<super::schema::ModuleSchema>,
    },
    /// The next frame is too long for a message; it lies in a segment.
    Oversize {
        /// Where: a moved, one-dimensional array of bytes.
        frame: Handle,
    },
    /// The sender wants no more calls: finish those in flight, then exit.
    Shutdown,
    /// A message of tarpc's dispatchers, which then stand where `Call`, `Reply` and `Cancel` do.
    Tarpc(Bytes),
    /// The sender no longer needs an instance that the receiver made for it.
    Dropped {
        /// The instance's number.
        instance: u64,
    },
    /// Announces a segment that is opened by its name; there is no attachment.
    NamedSegment {
        /// The sender's number for it.
        segment: u64,
        /// Its length.
        len_bytes: u64,
        /// Whether the receiver may write it.
        is_writable: bool,
        /// Its name: a file in `/dev/shm`.
        name: String,
    },
    /// The sender has put a frame into the ring, while the receiver slept: look there.
    Bell,
    /// The sender, a host, asks whether the receiver still reads.
    Ping {
        /// Counts the questions, from 1.
        n: u64,
    },
    /// The sender does.
    Pong {
        /// The number of the question.
        n: u64,
    },
    /// The sender had no room for a long frame of the receiver's: it is as if that had not been sent.
    Unread {
        /// The number of its transfer, which has ended.
        transfer: u64,
        /// Why, for people.
        reason: String,
    },
}

impl Frame {
    /// Calls `with` with the frame's bytes, which are written into a buffer that the thread keeps.
    pub(crate) fn with_encoded<T>(&self, with: impl FnOnce(&[u8]) -> T) -> Result<T, CodecError> {
        codec::with_buffer(|bytes| {
            if !quick::encode_into(self, bytes) {
                codec::encode_into(self, bytes)?;
            }
            Ok(with(bytes))
        })
    }

    /// Reads a frame that takes all of `bytes`.
    #[inline]
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        quick::decode(bytes).map_or_else(|| codec::decode(bytes), Ok)
    }
}

/// A call on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CallFrame {
    /// The caller's number for it, never used twice on a channel.
    pub(crate) call: u64,
    /// Which function (see [`method_id`](super::schema::method_id)).
    pub(crate) function: u64,
    /// How long the caller will wait, counted from the moment the frame was made.
    pub(crate) time_left_ns: Option<u64>,
    /// The trace that it belongs to. Boxed, because few calls have one and all frames move.
    pub(crate) trace: Option<Box<TraceContext>>,
    /// The arrays among the arguments.
    pub(crate) handles: Vec<Handle>,
    /// The elements of those that travel in the frame.
    pub(crate) inline: Bytes,
    /// The arguments one after another; an array is its index in `handles`, a `u32`.
    pub(crate) body: Bytes,
}

/// An answer on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReplyFrame {
    /// The call.
    pub(crate) call: u64,
    /// What came of it.
    pub(crate) outcome: Outcome,
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Outcome {
    /// The function returned (a value, or an error of its own).
    Returned {
        /// The arrays in what it returned.
        handles: Vec<Handle>,
        /// The elements of those that travel in the frame.
        inline: Bytes,
        /// What it returned; an array is its index in `handles`, a `u32`.
        body: Bytes,
        /// How many bytes of arrays were copied to send it.
        copied_bytes: u64,
    },
    /// It did not.
    Failed(Failure),
}

/// Why a function did not return.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Failure {
    /// The worker serves no function of that number. It has not begun.
    UnknownFunction,
    /// An argument isn't what the function takes. It has not begun.
    BadArgument {
        /// The argument's name.
        argument: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The worker could not use a segment, for lack of descriptors or memory. It has not begun.
    SegmentRefused {
        /// Why.
        reason: String,
    },
    /// The worker takes no more calls. It has not begun.
    ShuttingDown,
    /// The function panicked.
    Panicked {
        /// The panic's message.
        message: String,
        /// Where: file, line and column.
        location: Option<String>,
    },
    /// The function returned, and what it returned could not be sent.
    NotReturned {
        /// Why.
        reason: String,
    },
    /// The worker has no instance of that number, or one of another service. The method has not
    /// begun.
    UnknownInstance {
        /// The instance's number.
        instance: u64,
    },
    /// The worker still runs functions whose calls were cancelled, and takes no more calls until some
    /// have ended. It has not begun.
    Busy {
        /// The functions.
        n_functions: u64,
    },
}
