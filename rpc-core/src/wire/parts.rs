//! The decoders of the wire, for fuzzers: what was decoded can be compared and encoded again.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::codec;
use super::frame::{Frame, Outcome};
use super::handle::{Handle, Origin, Terms};
use super::handshake::{self, Hello, Limits, Welcome};
use super::quick;
use super::schema::ModuleSchema;

/// A frame.
#[derive(Debug, PartialEq, Eq)]
pub struct AnyFrame(Frame);

impl AnyFrame {
    /// Reads one, as a channel does.
    ///
    /// # Errors
    /// What is wrong with the bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, String> {
        let decoded = Frame::decode(bytes).map_err(|error| error.to_string());
        decoded.map(Self)
    }

    /// Reads one, as any other value is read.
    ///
    /// # Errors
    /// What is wrong with the bytes.
    pub fn decode_by_codec(bytes: &[u8]) -> Result<Self, String> {
        decode_part(bytes).map(Self)
    }

    /// Reads one of those that are read by hand.
    #[must_use]
    pub fn decode_quickly(bytes: &[u8]) -> Option<Self> {
        quick::decode(bytes).map(Self)
    }

    /// Writes it, as a channel does.
    ///
    /// # Errors
    /// If it can't be expressed.
    pub fn encode(&self) -> Result<Vec<u8>, String> {
        let encoded = self.0.with_encoded(<[u8]>::to_vec);
        encoded.map_err(|error| error.to_string())
    }

    /// Writes it, as any other value is written.
    ///
    /// # Errors
    /// If it can't be expressed.
    pub fn encode_by_codec(&self) -> Result<Vec<u8>, String> {
        encode_part(&self.0)
    }

    /// The handles of a call or a reply, and the elements that it brought.
    #[must_use]
    pub fn arrays(&self) -> Option<(Vec<AnyHandle>, &[u8])> {
        let (handles, inline) = match &self.0 {
            Frame::Call(call) => (&call.handles, &call.inline),
            Frame::Reply(reply) => match &reply.outcome {
                Outcome::Returned {
                    handles, inline, ..
                } => (handles, inline),
                Outcome::Failed(_) => return None,
            },
            _ => return None,
        };
        Some((handles.iter().cloned().map(AnyHandle).collect(), &inline.0))
    }
}

/// A handle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnyHandle(pub(crate) Handle);

impl AnyHandle {
    /// Reads one.
    ///
    /// # Errors
    /// What is wrong with the bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, String> {
        decode_part(bytes).map(Self)
    }

    /// Names an array whose elements are in the frame, lent or given.
    #[must_use]
    pub fn inline(
        is_given: bool,
        dtype: u8,
        offset_bytes: u64,
        (shape, strides): (Vec<u64>, Vec<i64>),
    ) -> Self {
        let terms = match is_given {
            true => Terms::Moved { transfer: 0 },
            false => Terms::Read,
        };
        Self(Handle {
            origin: Origin::Frame,
            segment: 0,
            terms,
            dtype,
            offset_bytes,
            shape: shape.into(),
            strides: strides.into(),
        })
    }

    /// Writes it.
    ///
    /// # Errors
    /// If it can't be expressed.
    pub fn encode(&self) -> Result<Vec<u8>, String> {
        encode_part(&self.0)
    }

    /// Tells whether its elements are in the frame.
    #[must_use]
    pub fn is_inline(&self) -> bool {
        self.0.origin == Origin::Frame
    }

    /// The number of the element type, and where the first element is.
    #[must_use]
    pub fn element(&self) -> (u8, u64) {
        (self.0.dtype, self.0.offset_bytes)
    }

    /// The shape and the strides.
    #[must_use]
    pub fn claim(&self) -> (&[u64], &[i64]) {
        (&self.0.shape, &self.0.strides)
    }
}

/// A first message.
#[derive(Debug, PartialEq, Eq)]
pub struct FirstMessage(Sides);

#[derive(Debug, PartialEq, Eq)]
enum Sides {
    Hello(Hello),
    Welcome(Welcome),
}

impl FirstMessage {
    /// Reads a host's.
    ///
    /// # Errors
    /// What is wrong with the bytes.
    pub fn decode_hello(bytes: &[u8]) -> Result<Self, String> {
        let decoded = handshake::decode(bytes).map_err(|error| error.to_string());
        decoded.map(Sides::Hello).map(Self)
    }

    /// Reads a worker's.
    ///
    /// # Errors
    /// What is wrong with the bytes.
    pub fn decode_welcome(bytes: &[u8]) -> Result<Self, String> {
        let decoded = handshake::decode(bytes).map_err(|error| error.to_string());
        decoded.map(Sides::Welcome).map(Self)
    }

    /// Writes it.
    ///
    /// # Errors
    /// If it can't be expressed.
    pub fn encode(&self) -> Result<Vec<u8>, String> {
        let encoded = match &self.0 {
            Sides::Hello(hello) => handshake::encode(hello),
            Sides::Welcome(welcome) => handshake::encode(welcome),
        };
        encoded.map_err(|error| error.to_string())
    }

    /// Its limits, and what this crate makes of them: the length of a frame, calls, handles, segments.
    #[must_use]
    pub fn limits(&self) -> ([u64; 4], [u64; 4]) {
        let theirs = match &self.0 {
            Sides::Hello(hello) => hello.limits,
            Sides::Welcome(welcome) => welcome.limits,
        };
        let numbers = |limits: Limits| {
            let [n_calls, n_handles, n_segments] =
                [limits.n_calls, limits.n_handles, limits.n_segments].map(u64::from);
            [limits.frame_bytes, n_calls, n_handles, n_segments]
        };
        (numbers(theirs), numbers(Limits::OURS.negotiate(theirs)))
    }
}

/// Reads the description of a module.
///
/// # Errors
/// What is wrong with the bytes.
pub fn decode_module(bytes: &[u8]) -> Result<ModuleSchema, String> {
    decode_part(bytes)
}

/// Writes the description of a module.
///
/// # Errors
/// If it can't be expressed.
pub fn encode_module(module: &ModuleSchema) -> Result<Vec<u8>, String> {
    encode_part(module)
}

/// Reads a value that takes all of `bytes`, as an argument is read.
///
/// # Errors
/// What is wrong with the bytes.
pub fn decode_part<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    codec::decode(bytes).map_err(|error| error.to_string())
}

/// Writes a value, as an argument is written.
///
/// # Errors
/// If it can't be expressed.
pub fn encode_part<T: Serialize>(value: &T) -> Result<Vec<u8>, String> {
    codec::encode(value).map_err(|error| error.to_string())
}
