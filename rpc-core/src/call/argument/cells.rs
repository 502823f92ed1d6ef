//! Cells as arguments: memory that both sides use at the same time.

use super::{HandleArg, SendArg};
use crate::call::error::SendError;
use crate::call::incoming::Incoming;
use crate::call::outgoing::Outgoing;
use crate::segment::{Atomic, SharedCell, SharedCells};
use crate::wire::frame::Failure;
use crate::wire::schema::SchemaWriter;

impl<'a, T: Atomic> SendArg<'a> for SharedCell<T> {
    fn send(self, argument: &str, outgoing: &mut Outgoing<'a>) -> Result<(), SendError> {
        outgoing.share(argument, self.shared(), 0)
    }
}

impl<'a, T: Atomic> HandleArg<'a> for SharedCell<T> {
    type Sent = Self;

    fn describe(writer: &mut SchemaWriter) {
        describe_cell::<T>(writer);
    }

    fn bind(argument: &str, incoming: &mut Incoming<'a>) -> Result<Self, Failure> {
        incoming.cell(argument)
    }
}

impl<'a, T: Atomic> SendArg<'a> for SharedCells<T> {
    fn send(self, argument: &str, outgoing: &mut Outgoing<'a>) -> Result<(), SendError> {
        outgoing.share(argument, self.shared(), 1)
    }
}

impl<'a, T: Atomic> HandleArg<'a> for SharedCells<T> {
    type Sent = Self;

    fn describe(writer: &mut SchemaWriter) {
        describe_cells::<T>(writer);
    }

    fn bind(argument: &str, incoming: &mut Incoming<'a>) -> Result<Self, Failure> {
        incoming.shared(argument, 1).map(Self::from_shared)
    }
}

/// Writes what a single cell is into a schema.
pub(crate) fn describe_cell<T: Atomic>(writer: &mut SchemaWriter) {
    writer.leaf(&format!("shared {}", T::DTYPE));
}

/// Writes what a run of cells is into a schema.
pub(crate) fn describe_cells<T: Atomic>(writer: &mut SchemaWriter) {
    writer.leaf(&format!("shared list<{}>", T::DTYPE));
}
