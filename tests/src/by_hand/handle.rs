//! Handles: how arrays are named.

use super::bytes::{Bytes, Reader};

/// An array, as a frame names it. Nothing of it is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handle {
    /// 0: the segment is its sender's. 1: its receiver's. 2: the elements are in the frame.
    pub origin: u32,
    /// The segment's number.
    pub segment: u64,
    /// On what terms it is handed over.
    pub terms: Terms,
    /// The number of the element type.
    pub dtype: u8,
    /// Where the first element is.
    pub offset_bytes: u64,
    /// The number of elements along each dimension.
    pub shape: Vec<u64>,
    /// The steps along each dimension, in elements.
    pub strides: Vec<i64>,
}

/// On what terms elements are handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Terms {
    /// Lent for reading.
    Read,
    /// Lent for writing.
    ReadWrite,
    /// Given away, under this number.
    Moved(u64),
    /// Given back, of this number.
    Returned(u64),
    /// Shared, under this number.
    Shared(u64),
}

/// The numbers of element types.
pub mod dtype {
    #![expect(missing_docs, reason = "each is named after its type")]
    pub const BOOL: u8 = 0;
    pub const U8: u8 = 1;
    pub const U32: u8 = 3;
    pub const U64: u8 = 4;
    pub const I64: u8 = 9;
    pub const F32: u8 = 13;
    pub const F64: u8 = 14;
}

impl Handle {
    /// One dimension of `n` elements from the start of the sender's segment, lent for reading.
    #[must_use]
    pub fn row(segment: u64, dtype: u8, n: u64) -> Self {
        Self {
            origin: 0,
            segment,
            terms: Terms::Read,
            dtype,
            offset_bytes: 0,
            shape: vec![n],
            strides: vec![1],
        }
    }

    /// One dimension of `n` elements from the start of the frame's `inline`.
    #[must_use]
    pub fn row_inline(dtype: u8, n: u64) -> Self {
        Self {
            origin: 2,
            ..Self::row(0, dtype, n)
        }
    }

    /// The same on other terms.
    #[must_use]
    pub fn on(self, terms: Terms) -> Self {
        Self { terms, ..self }
    }

    /// Adds it to `bytes`.
    #[must_use]
    pub fn write(&self, bytes: Bytes) -> Bytes {
        let bytes = bytes.u32(self.origin).u64(self.segment);
        let bytes = match self.terms {
            Terms::Read => bytes.u32(0),
            Terms::ReadWrite => bytes.u32(1),
            Terms::Moved(transfer) => bytes.u32(2).u64(transfer),
            Terms::Returned(transfer) => bytes.u32(3).u64(transfer),
            Terms::Shared(transfer) => bytes.u32(4).u64(transfer),
        };
        bytes
            .u8(self.dtype)
            .u64(self.offset_bytes)
            .list(&self.shape, |bytes, n| bytes.u64(*n))
            .list(&self.strides, |bytes, stride| bytes.i64(*stride))
    }

    /// Reads one.
    ///
    /// # Panics
    /// If it is none.
    pub fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            origin: reader.u32(),
            segment: reader.u64(),
            terms: match reader.u32() {
                0 => Terms::Read,
                1 => Terms::ReadWrite,
                2 => Terms::Moved(reader.u64()),
                3 => Terms::Returned(reader.u64()),
                4 => Terms::Shared(reader.u64()),
                other => panic!("{other} are no terms"),
            },
            dtype: reader.u8(),
            offset_bytes: reader.u64(),
            shape: reader.list(Reader::u64),
            strides: reader.list(Reader::i64),
        }
    }
}
