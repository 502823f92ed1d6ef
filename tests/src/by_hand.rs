//! The wire spoken by hand: a small implementation of `docs/wire.md`, made from that text alone.
//!
//! It shares no code with the crate that it tests, checks nothing that it sends, and panics at
//! whatever it receives and doesn't understand: it is the peer that tests need, not one to use.
//!
//! - [`bytes`] writes and reads values, [`frame`] and [`handle`] what is made of them;
//! - [`end`] is one end of a connection, [`memory`] what is lent over it, [`rings`] the other way;
//! - [`host`] starts a worker and talks to it, [`worker`] is one.

pub mod bytes;
pub mod end;
pub mod frame;
pub mod handle;
pub mod host;
pub mod memory;
pub mod rings;
pub mod worker;

/// Continues an FNV-1a hash, or begins one with `0xcbf29ce484222325`.
#[must_use]
pub fn fnv1a(bytes: &[u8], hash: u64) -> u64 {
    bytes.iter().fold(hash, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// The number of a function.
#[must_use]
pub fn function(module: &str, function: &str) -> u64 {
    fnv1a(
        format!("{module}.{function}").as_bytes(),
        0xcbf2_9ce4_8422_2325,
    )
}
