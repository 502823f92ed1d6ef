//! Values to bytes and back: little-endian, fixed-width integers, no padding, no names.
//!
//! The format is bincode 2's with `fixed_int_encoding`. bincode is unmaintained (RUSTSEC-2025-0141),
//! so this file is the only one that names it, and `docs/wire.md` specifies the bytes on its own.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use bincode::config::{Configuration, Fixint, Limit, LittleEndian};
use serde::de::{DeserializeOwned, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::bounded::Root;

/// A decoder allocates at most this much for a short message, whatever lengths the message claims.
const SHORT_BYTES: usize = 64 * 1024;
/// ... and this much for a longer one. No frame is longer (see [`crate::wire::handshake::Limits`]).
pub(crate) const LONGEST_BYTES: usize = 64 * 1024 * 1024;

type Short = Configuration<LittleEndian, Fixint, Limit<SHORT_BYTES>>;
type Long = Configuration<LittleEndian, Fixint, Limit<LONGEST_BYTES>>;

const fn short() -> Short {
    bincode::config::standard()
        .with_fixed_int_encoding()
        .with_limit::<SHORT_BYTES>()
}

const fn long() -> Long {
    bincode::config::standard()
        .with_fixed_int_encoding()
        .with_limit::<LONGEST_BYTES>()
}

/// Why bytes and a value didn't match.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum CodecError {
    /// The value can't be expressed, or is longer than any frame.
    #[error("{0}")]
    Encode(String),
    /// The bytes don't spell a value of the type.
    #[error("{0}")]
    Decode(String),
    /// The bytes spell a value and go on.
    #[error("{0} bytes are left over")]
    Trailing(usize),
}

/// Appends the bytes of `value`.
pub(crate) fn encode_into<T: Serialize + ?Sized>(
    value: &T,
    bytes: &mut Vec<u8>,
) -> Result<(), CodecError> {
    bincode::serde::encode_into_std_write(value, bytes, long())
        .map(|_| ())
        .map_err(|error| CodecError::Encode(error.to_string()))
}

/// Returns the bytes of `value`.
pub(crate) fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, CodecError> {
    let mut bytes = Vec::new();
    encode_into(value, &mut bytes)?;
    Ok(bytes)
}

/// A thread keeps a buffer of this length at most.
const KEPT_BYTES: usize = 64 * 1024;

/// Calls `with` with an empty buffer, which the thread keeps for the next time.
pub(crate) fn with_buffer<T>(with: impl FnOnce(&mut Vec<u8>) -> T) -> T {
    thread_local! {
        static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    }
    // Taken out, so that whoever encodes meanwhile (a farewell, say) has another one.
    let mut bytes = BUFFER.try_with(Cell::take).unwrap_or_default();
    bytes.clear();
    let result = with(&mut bytes);
    if bytes.capacity() <= KEPT_BYTES {
        let _ = BUFFER.try_with(|buffer| buffer.set(bytes));
    }
    result
}

/// Reads a value off the front of `bytes`; also returns how many bytes it took.
pub(crate) fn decode_prefix<T: DeserializeOwned>(bytes: &[u8]) -> Result<(T, usize), CodecError> {
    let root = Root::<T>::new();
    let decoded = if bytes.len() <= SHORT_BYTES {
        bincode::serde::seed_decode_from_slice(root, bytes, short())
    } else {
        bincode::serde::seed_decode_from_slice(root, bytes, long())
    };
    decoded.map_err(|error| CodecError::Decode(error.to_string()))
}

/// Reads a value that takes all of `bytes`.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    let (value, used) = decode_prefix(bytes)?;
    match bytes.len() - used {
        0 => Ok(value),
        rest => Err(CodecError::Trailing(rest)),
    }
}

/// Bytes that are encoded as one run (a 64-bit length, then the bytes), not one by one.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Bytes(pub(crate) Vec<u8>);

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Run;
        impl<'de> Visitor<'de> for Run {
            type Value = Cow<'de, [u8]>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a run of bytes")
            }

            fn visit_borrowed_bytes<E>(self, bytes: &'de [u8]) -> Result<Self::Value, E> {
                Ok(Cow::Borrowed(bytes))
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Self::Value, E> {
                Ok(Cow::Owned(bytes.to_vec()))
            }
        }
        Ok(Self(deserializer.deserialize_bytes(Run)?.into_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claimed_lengths_allocate_nothing() {
        let mut claim = (1u64 << 40).to_le_bytes().to_vec();
        claim.extend([0; 4]);
        assert!(matches!(
            decode::<String>(&claim),
            Err(CodecError::Decode(_))
        ));
        assert!(matches!(
            decode::<Bytes>(&claim),
            Err(CodecError::Decode(_))
        ));
        assert!(matches!(
            decode::<Vec<u64>>(&claim),
            Err(CodecError::Decode(_))
        ));
    }

    #[test]
    fn what_is_left_over_is_an_error() {
        assert_eq!(decode::<u8>(&[1, 2]), Err(CodecError::Trailing(1)));
        assert_eq!(decode_prefix::<u8>(&[1, 2]), Ok((1, 1)));
    }

    #[test]
    fn bytes_are_a_length_and_a_run() {
        let encoded = encode(&Bytes(vec![7, 8])).unwrap();
        assert_eq!(encoded, [2, 0, 0, 0, 0, 0, 0, 0, 7, 8]);
        assert_eq!(encode(&vec![7u8, 8]).unwrap(), encoded);
        assert_eq!(decode::<Bytes>(&encoded), Ok(Bytes(vec![7, 8])));
    }
}
