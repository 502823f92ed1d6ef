//! How a tensor is named on the wire.

use serde::{Deserialize, Serialize};

use crate::dims::Dims;

/// The wire form of an array: where its elements are, and on what terms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Handle {
    /// Who announced the segment, or that there is none.
    pub(crate) origin: Origin,
    /// The segment's number, given by whoever announced it; never used twice on a channel. 0 for
    /// elements in the frame.
    pub(crate) segment: u64,
    /// On what terms the elements are handed over.
    pub(crate) terms: Terms,
    /// The number of the element type (see [`DType`](crate::DType)).
    pub(crate) dtype: u8,
    /// Where the first element is, in bytes from the start of the segment, or of the frame's
    /// `inline`.
    pub(crate) offset_bytes: u64,
    /// The number of elements along each dimension.
    #[serde(with = "dims")]
    pub(crate) shape: Dims<u64>,
    /// The steps between neighbours along each dimension, in elements.
    #[serde(with = "dims")]
    pub(crate) strides: Dims<i64>,
}

/// Where elements lie, as seen by whoever sends the handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Origin {
    /// In a segment that the sender of the handle announced.
    Sender,
    /// In a segment that its receiver announced.
    Receiver,
    /// In the frame that has the handle: in its `inline`.
    Frame,
}

/// On what terms elements are handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Terms {
    /// Lent for reading until the reply.
    Read,
    /// Lent for reading and writing until the reply.
    ReadWrite,
    /// Given away. The new owner sends `Ended` with this number when it is done with them.
    Moved {
        /// A number that the sender uses once on the channel; 0 for elements in the frame, which
        /// nobody wants back.
        transfer: u64,
    },
    /// Given back to the receiver, which once gave them away under this number.
    Returned {
        /// The number under which they came.
        transfer: u64,
    },
    /// Shared: both sides may access them at once, atomically, until the receiver sends `Ended`.
    /// Given back to the side that made them, they keep their number, and no `Ended` follows.
    Shared {
        /// A number that the side that made them uses once on the channel.
        transfer: u64,
    },
}

/// Numbers for each dimension go over the wire as any list does, and within what bounds those.
mod dims {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Dims;

    pub(super) fn serialize<T: Serialize, S: Serializer>(
        dims: &Dims<T>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        dims.as_slice().serialize(serializer)
    }

    pub(super) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Dims<T>, D::Error> {
        Vec::deserialize(deserializer).map(Dims::from_vec)
    }
}
