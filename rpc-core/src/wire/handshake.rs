//! The two messages that come before all frames.
//!
//! Each is the magic number, the version of the wire (32 bits, little-endian), and a body. Magic
//! number and version stay where they are in every version to come, so that two programs that
//! don't understand each other can say so.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::codec::{self, CodecError};

/// What every first message begins with.
pub(crate) const MAGIC: [u8; 8] = *b"REEDBED\0";
/// The version of the wire that this crate speaks.
pub const WIRE_VERSION: u32 = 1;

/// The longest message on the socket, in bytes. A longer frame lies in a segment.
pub(crate) const MESSAGE_BYTES: usize = 64 * 1024;

/// What one side is ready to take. What is negotiated is the smaller of both sides' numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Limits {
    /// The longest frame, in bytes, in a message or in a segment.
    pub(crate) frame_bytes: u64,
    /// Calls in flight.
    pub(crate) n_calls: u32,
    /// Arrays of one call or one reply.
    pub(crate) n_handles: u32,
    /// Segments of the peer that are mapped at a time.
    pub(crate) n_segments: u32,
}

impl Limits {
    /// What this crate takes.
    pub(crate) const OURS: Self = Self {
        frame_bytes: codec::LONGEST_BYTES as u64,
        n_calls: 1024,
        n_handles: 1024,
        n_segments: 16 * 1024,
    };

    /// The smaller of both sides' numbers, and at least one of each.
    pub(crate) fn negotiate(self, theirs: Self) -> Self {
        Self {
            frame_bytes: self.frame_bytes.min(theirs.frame_bytes).max(1),
            n_calls: self.n_calls.min(theirs.n_calls).max(1),
            n_handles: self.n_handles.min(theirs.n_handles).max(1),
            n_segments: self.n_segments.min(theirs.n_segments).max(1),
        }
    }
}

/// How far the host trusts the worker: what is shared with it, and what is copied.
///
/// A *trusted* worker is the user's own program. It can't hurt its host by what it sends, but it could
/// write memory that it was lent for reading, if it set about it; so nobody else's code should run in
/// one. From an *untrusted* worker the host keeps whatever it wasn't passed, and nothing that it does to
/// memory, at whatever moment, changes anything that the host looks at. That costs copies, each of which
/// the call's [`Report`](crate::Report) counts with its reason, and
/// [`forbid_copies`](crate::Call::forbid_copies) refuses, for arguments. What the worker does otherwise
/// (to files, to other processes) is for a sandbox to prevent.
///
/// | what | [`Trusted`](Self::Trusted) | [`Untrusted`](Self::Untrusted) |
/// |---|---|---|
/// | a tensor, lent for reading | shared. The worker's descriptor is for reading, so a stray write ends the worker | copied once, into the frame or a *guarded* segment ([`UntrustedReader`](crate::CopyReason::UntrustedReader)); with any strides, the elements alone |
/// | one made by [`Worker::zeros`](crate::Worker::zeros) or [`Worker::tensor`](crate::Worker::tensor), lent for reading | shared, as any | shared, again and again: it lies in a guarded segment of its own, all of which the worker may see and nobody but this process can ever write |
/// | an array of the heap, lent for reading | copied in ([`HeapArgument`](crate::CopyReason::HeapArgument)) | the same |
/// | a tensor, lent for writing | shared. Leased until the worker lets go; poisoned if the call ends without an answer | copied there and back ([`UntrustedWriter`](crate::CopyReason::UntrustedWriter)): neither leased nor poisoned. It changes when the call is answered, and what came is good; otherwise it stays as it was |
/// | an array of the heap, lent for writing | copied there and back ([`HeapResult`](crate::CopyReason::HeapResult)) | the same |
/// | a tensor, given away | moved | copied ([`UntrustedWriter`](crate::CopyReason::UntrustedWriter)), the elements alone; the host's own memory goes back to its pool |
/// | a returned tensor | moved here | copied out by the host ([`UntrustedResult`](crate::CopyReason::UntrustedResult)), and looked at afterwards: `bool`s in particular |
/// | a returned array of the heap | copied by the worker ([`HeapReturned`](crate::CopyReason::HeapReturned)) | the same, and copied out by the host, unless it came in the frame |
/// | a result, passed on to another worker | shared or moved | it is the host's own: as any tensor |
/// | a [`SharedCell`](crate::SharedCell) or [`SharedCells`](crate::SharedCells) | shared, with atomic access alone; its page is shared with small tensors | shared if it was made by [`Worker::cell`](crate::Worker::cell) or [`Worker::cells`](crate::Worker::cells), on pages of its own; any other is refused ([`NotForUntrusted`](crate::FailureCause::NotForUntrusted)) |
/// | a cell that the worker made | shared, and goes on to other workers | shared, and goes back to the worker, or on to trusted ones |
/// | a [`Segment`](crate::Segment) | as a tensor | as a tensor |
/// | small tensors | share segments | each has one of its own |
/// | memory that is no longer used | is for the next tenant | is for the next tenant of the same worker, and zero where that writes nothing; freed if two untrusted workers saw it |
/// | named segments | both sides may use them | refused at the start ([`UntrustedSegments`](crate::SpawnError::UntrustedSegments)): they can't be sealed |
/// | a tensor made for an untrusted worker | lent for reading as any; copied for whoever writes it ([`Guarded`](crate::CopyReason::Guarded)) | as above |
///
/// What an untrusted worker may write is reached by system calls alone, never by a reference. What is
/// copied back or out is copied once, and only the copy is looked at, so it makes no difference when the
/// worker writes. Elements that are no valid `bool`s fail the call, and those that were lent for writing
/// end the worker; no array of the caller's has changed then. Where there is no memory for a copy of a
/// result, the call fails with [`NoRoomForResult`](crate::FailureCause::NoRoomForResult).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Trust {
    /// The user's own worker: everything is shared, in any order, without a copy.
    #[default]
    Trusted,
    /// Somebody else's: what the host has is kept from it, but for what it is passed, and what it does
    /// to memory changes nothing that the host looks at.
    Untrusted,
}

/// What carries the frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ChannelKind {
    /// The socket over which the handshake runs. Every peer speaks it; each call costs the kernel two
    /// messages and two wake-ups.
    Socket,
    /// Rings in memory that both sides map; the socket for descriptors, and for what finds no room.
    #[default]
    Ring,
}

/// Who matches calls and replies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Dispatcher {
    /// Reedbed's own.
    #[default]
    Reedbed,
    /// tarpc's. It acknowledges no cancellation, so that is done below it: calls are counted, and their
    /// leases last, until the worker has let go, as with Reedbed's own.
    Tarpc,
}

/// The host's first message. Its attachment, if any, is a pidfd of the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hello {
    /// What the host takes.
    pub(crate) limits: Limits,
    /// How far the host trusts the worker.
    pub(crate) trust: Trust,
    /// Who is to match calls and replies.
    pub(crate) dispatcher: Dispatcher,
    /// The number of the kind of segments that both sides make.
    pub(crate) segments: u32,
    /// The number of the [`WaitPolicy`](crate::WaitPolicy) of both sides.
    pub(crate) wait: u32,
    /// The numbers of the [`ChannelKind`]s that the host is ready to use, best first. `Socket` is
    /// always among them; a worker passes over those that it doesn't know.
    pub(crate) channels: Vec<u32>,
    /// The name under which the host logs the worker.
    pub(crate) worker: String,
}

/// The worker's first message. Its attachment, if it chose rings, is the segment where they lie.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Welcome {
    /// What the worker takes.
    pub(crate) limits: Limits,
    /// What carries the frames from now on.
    pub(crate) channel: ChannelKind,
    /// The modules that the worker serves.
    pub(crate) modules: Vec<ServedModule>,
}

/// A module that a worker serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ServedModule {
    /// Its name.
    pub(crate) name: String,
    /// Its [`ModuleSchema::hash`](super::schema::ModuleSchema::hash).
    pub(crate) schema: u64,
}

/// Why a first message is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unreadable {
    /// It isn't of this protocol at all.
    #[error("its first message doesn't begin with the magic number of reedbed's wire")]
    Magic,
    /// It is of another version.
    #[error(
        "it speaks version {0} of the wire, this program speaks {WIRE_VERSION}; build both with the same reedbed"
    )]
    Version(u32),
    /// The body is wrong.
    #[error("its first message is malformed: {0}")]
    Body(#[from] CodecError),
    /// It isn't a message with at most one descriptor.
    #[error("its first message is {0}")]
    Message(String),
    /// It wants another kind of segments.
    #[error(
        "it wants segments of kind {0} (0: memfd, 1: named), which this program can't make; build it \
         with the feature `posix-shm` of reedbed, or start it with `Segments::Memfd`"
    )]
    Segments(u32),
    /// It chose a channel without what belongs to it.
    #[error("its rings can't be used: {0}")]
    Rings(String),
    /// There is nothing to carry frames.
    #[error("it offers no channel that this program can use")]
    Channel,
}

/// Returns the bytes of a first message.
pub(crate) fn encode<T: Serialize>(body: &T) -> Result<Vec<u8>, CodecError> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(WIRE_VERSION.to_le_bytes());
    codec::encode_into(body, &mut bytes)?;
    Ok(bytes)
}

/// Reads a first message.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Unreadable> {
    let rest = bytes.strip_prefix(&MAGIC).ok_or(Unreadable::Magic)?;
    let (version, body) = rest.split_first_chunk::<4>().ok_or(Unreadable::Magic)?;
    match u32::from_le_bytes(*version) {
        WIRE_VERSION => Ok(codec::decode(body)?),
        version => Err(Unreadable::Version(version)),
    }
}
