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

/// How far the host trusts the worker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Trust {
    /// The user's own worker: everything is shared, in any order, without a copy.
    #[default]
    Trusted,
    /// Somebody else's: what the host has is kept from it, but for what it is lent to read, and what it
    /// does to memory changes nothing that the host looks at.
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
    /// Reedbed's own: cancellation is acknowledged, so leases end as soon as the worker let go.
    #[default]
    Reedbed,
    /// tarpc's. Its cancellation is not acknowledged: the leases of a call whose future was dropped
    /// last until the worker ends.
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
