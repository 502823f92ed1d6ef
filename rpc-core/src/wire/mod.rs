//! What travels: pure descriptions of frames, without any input or output.
//!
//! - [`frame`] lists the frames, [`handshake`] the two messages that come before them,
//!   [`handle`] how a tensor is named, [`trace`] which trace a call belongs to;
//! - [`codec`] turns them into bytes and back (the one file that names bincode), [`quick`] does so for
//!   the two frames of every call;
//! - [`schema`] describes modules, so that both sides know they mean the same functions.
//!
//! `docs/wire.md` specifies all of it byte by byte, for programs in other languages.

mod bounded;
pub(crate) mod codec;
pub(crate) mod frame;
#[cfg(test)]
mod golden;
pub(crate) mod handle;
pub(crate) mod handshake;
#[cfg(feature = "internals")]
pub(crate) mod parts;
mod quick;
pub mod schema;
pub(crate) mod trace;
