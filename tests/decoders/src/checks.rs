//! One check for each decoder.

pub(crate) mod body;
pub(crate) mod first_message;
pub(crate) mod frame;
pub(crate) mod handle;
pub(crate) mod inline;
mod model;
pub(crate) mod npy;
pub(crate) mod ring;
pub(crate) mod schema;

/// What may be allocated for a byte of the wire. The dearest are functions of a module: each takes 32
/// bytes there, and three strings and a list here.
const PER_BYTE: u64 = 24;
