//! What may be passed where a function takes an array, and what the function gets.
//!
//! - [`arrays`] and [`segments`] are lent or given away, [`cells`] are shared;
//! - [`containers`] hold any number of them, and one another.
//!
//! A struct or an enum with arrays among its fields implements the two traits by
//! `#[derive(Bundle)]`.

mod arrays;
mod cells;
mod containers;
mod segments;

pub(crate) use arrays::describe_returned;
pub use arrays::{Arg, ArgMut};
pub(crate) use cells::{describe_cell, describe_cells};
pub(crate) use containers::name_entry;
pub use segments::{SegmentArg, SegmentArgMut};

use super::error::SendError;
use super::incoming::Incoming;
use super::outgoing::Outgoing;
use crate::wire::frame::Failure;
use crate::wire::schema::SchemaWriter;

/// What can be passed for an array argument.
pub trait SendArg<'a> {
    /// Adds it to a call that is about to be sent. What has parts adds them by
    /// [`Outgoing::handle`], which goes on behind one that can't be sent.
    ///
    /// # Errors
    /// If it is leased, poisoned, or finds no memory.
    fn send(self, argument: &str, outgoing: &mut Outgoing<'a>) -> Result<(), SendError>;
}

/// What a function can take as an array argument.
#[diagnostic::on_unimplemented(
    message = "`{Self}` isn't an array that can be lent to a worker",
    label = "not an array argument",
    note = "`#[ndarray]` is for `ArrayView<'_, A, D>` (lent for reading), `ArrayViewMut<'_, A, D>` \
            (lent for writing) and `Tensor<A, D>` (given away), for `Option`s, tuples, lists and \
            maps of them, and for types with `#[derive(reedbed::Bundle)]`; `#[segment]` is for `SegmentView`, `SegmentViewMut`, `Segment`, `SharedCell<T>` \
            and `SharedCells<T>`; anything else travels as a serde argument, without an attribute"
)]
pub trait HandleArg<'a>: Sized {
    /// What the stub takes in its place.
    type Sent: SendArg<'a>;

    /// Writes what it is into a schema.
    fn describe(writer: &mut SchemaWriter);

    /// Takes the next argument of a call.
    ///
    /// # Errors
    /// If the caller sent something else.
    fn bind(argument: &str, incoming: &mut Incoming<'a>) -> Result<Self, Failure>;
}
