//! What holds for whatever bytes a decoder of Reedbed's is given.
//!
//! Each [`Decoder`] has a check: a function that feeds bytes to it, and panics unless all that is
//! promised holds. It tells whether the bytes were [accepted](Verdict::Accepted), so that whoever
//! makes them up knows how deep they reach. The fuzz targets in `tests/fuzz` call the checks with
//! bytes of libFuzzer's; this package's own tests call them with the [`seeds`], with every input that
//! once was a finding, and with mutations of both.
//!
//! What a decoder allocates is counted by [`Counting`], which a program that calls checks has as its
//! global allocator.

#![expect(
    clippy::unwrap_used,
    reason = "a check that doesn't hold panics, as a test does"
)]

mod allocation;
mod checks;
pub mod seeds;

pub use allocation::Counting;

/// What a decoder made of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// They spell something, at least in part.
    Accepted,
    /// They are an error.
    Refused,
}

impl Verdict {
    fn of(is_accepted: bool) -> Self {
        match is_accepted {
            true => Self::Accepted,
            false => Self::Refused,
        }
    }
}

/// A decoder, and what holds for it.
#[derive(Clone, Copy, Debug)]
pub struct Decoder {
    /// Its name, which is the fuzz target's.
    pub name: &'static str,
    /// Panics unless what is promised holds for the bytes.
    pub check: fn(&[u8]) -> Verdict,
    /// Inputs longer than this show nothing new.
    pub longest_bytes: usize,
}

/// Frames.
pub const FRAME: Decoder = Decoder {
    name: "frame",
    check: checks::frame::check,
    longest_bytes: 512,
};

/// The messages before all frames.
pub const FIRST_MESSAGE: Decoder = Decoder {
    name: "first_message",
    check: checks::first_message::check,
    longest_bytes: 256,
};

/// Handles, and the layouts in them.
pub const HANDLE: Decoder = Decoder {
    name: "handle",
    check: checks::handle::check,
    longest_bytes: 256,
};

/// Arrays in a frame.
pub const INLINE: Decoder = Decoder {
    name: "inline",
    check: checks::inline::check,
    longest_bytes: 256,
};

/// Rings.
pub const RING: Decoder = Decoder {
    name: "ring",
    check: checks::ring::check,
    longest_bytes: 128,
};

/// Descriptions of modules, and of types.
pub const SCHEMA: Decoder = Decoder {
    name: "schema",
    check: checks::schema::check,
    longest_bytes: 512,
};

/// Arguments and results.
pub const BODY: Decoder = Decoder {
    name: "body",
    check: checks::body::check,
    longest_bytes: 256,
};

/// NumPy's files.
pub const NPY: Decoder = Decoder {
    name: "npy",
    check: checks::npy::check,
    longest_bytes: 512,
};

/// All of them.
pub const DECODERS: [Decoder; 8] = [
    FRAME,
    FIRST_MESSAGE,
    HANDLE,
    INLINE,
    RING,
    SCHEMA,
    BODY,
    NPY,
];

/// Returns the decoder of this name.
#[must_use]
pub fn decoder(name: &str) -> Option<Decoder> {
    DECODERS.into_iter().find(|decoder| decoder.name == name)
}
