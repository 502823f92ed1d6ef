//! What may be passed where a function takes an array, and what the function gets.

use std::fmt;

use ndarray::{ArrayBase, ArrayView, ArrayViewMut, Data, DataMut, Dimension, Ix1};

use super::error::SendError;
use super::incoming::Incoming;
use super::outgoing::Outgoing;
use crate::segment::{Atomic, Segment, SegmentView, SegmentViewMut, SharedCell, SharedCells};
use crate::tensor::{Element, FrozenTensor, Tensor, TensorView, TensorViewMut};
use crate::wire::frame::Failure;
use crate::wire::schema::SchemaWriter;

/// What a stub takes where the function takes an [`ArrayView`].
///
/// It is made by `into()` from `&Tensor`, `&FrozenTensor` and [`TensorView`], which are lent
/// without a copy, and from `&Array` and [`ArrayView`], which are copied into a segment.
pub enum Arg<'a, A, D> {
    /// Lent from its segment.
    Tensor(TensorView<'a, A, D>),
    /// Copied into a segment.
    Array(ArrayView<'a, A, D>),
}

/// What a stub takes where the function takes an [`ArrayViewMut`].
///
/// It is made by `into()` from `&mut Tensor` and [`TensorViewMut`], which are lent without a copy,
/// and from `&mut Array` and [`ArrayViewMut`], which are copied into a segment and, when the
/// function has returned, back.
pub enum ArgMut<'a, A, D> {
    /// Lent from its segment.
    Tensor(TensorViewMut<'a, A, D>),
    /// Copied into a segment and back.
    Array(ArrayViewMut<'a, A, D>),
}

/// What a stub takes where the function takes a [`SegmentView`]: `&Segment`.
#[derive(Debug)]
pub struct SegmentArg<'a>(TensorView<'a, u8, Ix1>);

/// What a stub takes where the function takes a [`SegmentViewMut`]: `&mut Segment`.
#[derive(Debug)]
pub struct SegmentArgMut<'a>(TensorViewMut<'a, u8, Ix1>);

impl<A: Element, D: Dimension> fmt::Debug for Arg<'_, A, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tensor(view) => view.fmt(f),
            Self::Array(view) => view.fmt(f),
        }
    }
}

impl<A: Element, D: Dimension> fmt::Debug for ArgMut<'_, A, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tensor(view) => view.fmt(f),
            Self::Array(view) => view.fmt(f),
        }
    }
}

impl<'a, A: Element, D: Dimension> From<&'a Tensor<A, D>> for Arg<'a, A, D> {
    fn from(tensor: &'a Tensor<A, D>) -> Self {
        Self::Tensor(tensor.tensor_view())
    }
}

impl<'a, A: Element, D: Dimension> From<&'a mut Tensor<A, D>> for Arg<'a, A, D> {
    fn from(tensor: &'a mut Tensor<A, D>) -> Self {
        Self::Tensor(tensor.tensor_view())
    }
}

impl<'a, A: Element, D: Dimension> From<&'a FrozenTensor<A, D>> for Arg<'a, A, D> {
    fn from(tensor: &'a FrozenTensor<A, D>) -> Self {
        Self::Tensor(tensor.tensor_view())
    }
}

impl<'a, A, D> From<TensorView<'a, A, D>> for Arg<'a, A, D> {
    fn from(view: TensorView<'a, A, D>) -> Self {
        Self::Tensor(view)
    }
}

impl<'a, A, D: Dimension, S: Data<Elem = A>> From<&'a ArrayBase<S, D>> for Arg<'a, A, D> {
    fn from(array: &'a ArrayBase<S, D>) -> Self {
        Self::Array(array.view())
    }
}

impl<'a, A, D: Dimension> From<ArrayView<'a, A, D>> for Arg<'a, A, D> {
    fn from(view: ArrayView<'a, A, D>) -> Self {
        Self::Array(view)
    }
}

impl<'a, A: Element, D: Dimension> From<&'a mut Tensor<A, D>> for ArgMut<'a, A, D> {
    fn from(tensor: &'a mut Tensor<A, D>) -> Self {
        Self::Tensor(tensor.tensor_view_mut())
    }
}

impl<'a, A, D> From<TensorViewMut<'a, A, D>> for ArgMut<'a, A, D> {
    fn from(view: TensorViewMut<'a, A, D>) -> Self {
        Self::Tensor(view)
    }
}

impl<'a, A, D: Dimension, S: DataMut<Elem = A>> From<&'a mut ArrayBase<S, D>> for ArgMut<'a, A, D> {
    fn from(array: &'a mut ArrayBase<S, D>) -> Self {
        Self::Array(array.view_mut())
    }
}

impl<'a, A, D: Dimension> From<ArrayViewMut<'a, A, D>> for ArgMut<'a, A, D> {
    fn from(view: ArrayViewMut<'a, A, D>) -> Self {
        Self::Array(view)
    }
}

impl<'a> From<&'a Segment> for SegmentArg<'a> {
    fn from(segment: &'a Segment) -> Self {
        Self(segment.tensor_view())
    }
}

impl<'a> From<&'a mut Segment> for SegmentArgMut<'a> {
    fn from(segment: &'a mut Segment) -> Self {
        Self(segment.tensor_view_mut())
    }
}

/// What can be passed for an array argument.
pub trait SendArg<'a> {
    /// Adds it to a call that is about to be sent.
    ///
    /// # Errors
    /// If it is leased, poisoned, or finds no memory.
    fn send(self, argument: &'static str, outgoing: &mut Outgoing<'a>) -> Result<(), SendError>;
}

/// What a function can take as an array argument.
#[diagnostic::on_unimplemented(
    message = "`{Self}` isn't an array that can be lent to a worker",
    label = "not an array argument",
    note = "`#[ndarray]` is for `ArrayView<'_, A, D>` (lent for reading), `ArrayViewMut<'_, A, D>` \
            (lent for writing) and `Tensor<A, D>` (given away), and for `Option`s and tuples of \
            them; `#[segment]` is for `SegmentView`, `SegmentViewMut`, `Segment`, `SharedCell<T>` \
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
    fn bind(argument: &'static str, incoming: &mut Incoming<'a>) -> Result<Self, Failure>;
}

/// Writes `access ndarray<dtype, rank>`.
fn describe_array<A: Element, D: Dimension>(access: &str, writer: &mut SchemaWriter) {
    let rank = D::NDIM.map_or_else(|| "any".to_owned(), |rank| rank.to_string());
    writer.leaf(&format!("{access} ndarray<{}, {rank}>", A::DTYPE));
}

/// Writes what a returned array is into a schema.
pub(crate) fn describe_returned<A: Element, D: Dimension>(writer: &mut SchemaWriter) {
    describe_array::<A, D>("own", writer);
}

impl<'a, A: Element, D: Dimension> SendArg<'a> for Arg<'a, A, D> {
    fn send(self, argument: &'static str, outgoing: &mut Outgoing<'a>) -> Result<(), SendError> {
        match self {
            Self::Tensor(view) => outgoing.lend(argument, view.located()),
            Self::Array(view) => outgoing.copy_in(argument, &view),
        }
    }
}

impl<'a, A: Element, D: Dimension> HandleArg<'a> for ArrayView<'a, A, D> {
    type Sent = Arg<'a, A, D>;

    fn describe(writer: &mut SchemaWriter) {
        describe_array::<A, D>("read", writer);
    }

    fn bind(argument: &'static str, incoming: &mut Incoming<'a>) -> Result<Self, Failure> {
        incoming.view(argument)
    }
}

impl<'a, A: Element, D: Dimension + 'a> SendArg<'a> for ArgMut<'a, A, D> {
    fn send(self, argument: &'static str, outgoing: &mut Outgoing<'a>) -> Result<(), SendError> {
        match self {
            Self::Tensor(view) => outgoing.lend_mut(argument, view.located()),
            Self::Array(view) => outgoing.copy_in_and_back(argument, view),
        }
    }
}

impl<'a, A: Element, D: Dimension + 'a> HandleArg<'a> for ArrayViewMut<'a, A, D> {
    type Sent = ArgMut<'a, A, D>;

    fn describe(writer: &mut SchemaWriter) {
        describe_array::<A, D>("write", writer);
    }

    fn bind(argument: &'static str, incoming: &mut Incoming<'a>) -> Result<Self, Failure> {
        incoming.view_mut(argument)
    }
}

impl<'a, A: Element, D: Dimension + 'static> SendArg<'a> for Tensor<A, D> {
    fn send(self, argument: &'static str, outgoing: &mut Outgoing<'a>) -> Result<(), SendError> {
        outgoing.give(argument, self, Tensor::located)
    }
}

impl<'a, A: Element, D: Dimension + 'static> HandleArg<'a> for Tensor<A, D> {
    type Sent = Self;

    fn describe(writer: &mut SchemaWriter) {
        describe_array::<A, D>("own", writer);
    }

    fn bind(argument: &'static str, incoming: &mut Incoming<'a>) -> Result<Self, Failure> {
        incoming.tensor(argument)
    }
}

impl<'a> SendArg<'a> for SegmentArg<'a> {
    fn send(self, argument: &'static str, outgoing: &mut Outgoing<'a>) -> Result<(), SendError> {
        outgoing.lend(argument, self.0.located())
    }
}

impl<'a> HandleArg<'a> for SegmentView<'a> {
    type Sent = SegmentArg<'a>;

    fn describe(writer: &mut SchemaWriter) {
        writer.leaf("read segment");
    }

    fn bind(argument: &'static str, incoming: &mut Incoming<'a>) -> Result<Self, Failure> {
        let view: ArrayView<'a, u8, Ix1> = incoming.view(argument)?;
        view.to_slice()
            .map(Self::new)
            .ok_or_else(|| not_a_run(argument))
    }
}

impl<'a> SendArg<'a> for SegmentArgMut<'a> {
    fn send(self, argument: &'static str, outgoing: &mut Outgoing<'a>) -> Result<(), SendError> {
        outgoing.lend_mut(argument, self.0.located())
    }
}

impl<'a> HandleArg<'a> for SegmentViewMut<'a> {
    type Sent = SegmentArgMut<'a>;

    fn describe(writer: &mut SchemaWriter) {
        writer.leaf("write segment");
    }

    fn bind(argument: &'static str, incoming: &mut Incoming<'a>) -> Result<Self, Failure> {
        let view: ArrayViewMut<'a, u8, Ix1> = incoming.view_mut(argument)?;
        view.into_slice()
            .map(Self::new)
            .ok_or_else(|| not_a_run(argument))
    }
}

impl<'a> SendArg<'a> for Segment {
    fn send(self, argument: &'static str, outgoing: &mut Outgoing<'a>) -> Result<(), SendError> {
        outgoing.give(argument, self, Self::located)
    }
}

impl<'a> HandleArg<'a> for Segment {
    type Sent = Self;

    fn describe(writer: &mut SchemaWriter) {
        writer.leaf("own segment");
    }

    fn bind(argument: &'static str, incoming: &mut Incoming<'a>) -> Result<Self, Failure> {
        incoming.tensor(argument).map(Self::from_bytes)
    }
}

impl<'a, T: Atomic> SendArg<'a> for SharedCell<T> {
    fn send(self, argument: &'static str, outgoing: &mut Outgoing<'a>) -> Result<(), SendError> {
        outgoing.share(argument, self.shared(), 0)
    }
}

impl<'a, T: Atomic> HandleArg<'a> for SharedCell<T> {
    type Sent = Self;

    fn describe(writer: &mut SchemaWriter) {
        describe_cell::<T>(writer);
    }

    fn bind(argument: &'static str, incoming: &mut Incoming<'a>) -> Result<Self, Failure> {
        incoming.cell(argument)
    }
}

impl<'a, T: Atomic> SendArg<'a> for SharedCells<T> {
    fn send(self, argument: &'static str, outgoing: &mut Outgoing<'a>) -> Result<(), SendError> {
        outgoing.share(argument, self.shared(), 1)
    }
}

impl<'a, T: Atomic> HandleArg<'a> for SharedCells<T> {
    type Sent = Self;

    fn describe(writer: &mut SchemaWriter) {
        describe_cells::<T>(writer);
    }

    fn bind(argument: &'static str, incoming: &mut Incoming<'a>) -> Result<Self, Failure> {
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

fn not_a_run(argument: &str) -> Failure {
    Failure::BadArgument {
        argument: argument.to_owned(),
        reason: "the bytes of a segment must be one run".to_owned(),
    }
}

impl<'a, T: SendArg<'a>> SendArg<'a> for Option<T> {
    fn send(self, argument: &'static str, outgoing: &mut Outgoing<'a>) -> Result<(), SendError> {
        outgoing.value(argument, &u8::from(self.is_some()))?;
        self.map_or(Ok(()), |value| value.send(argument, outgoing))
    }
}

impl<'a, T: HandleArg<'a>> HandleArg<'a> for Option<T> {
    type Sent = Option<T::Sent>;

    fn describe(writer: &mut SchemaWriter) {
        writer.generic("option", &[T::describe]);
    }

    fn bind(argument: &'static str, incoming: &mut Incoming<'a>) -> Result<Self, Failure> {
        let is_some: bool = incoming.value(argument)?;
        is_some.then(|| T::bind(argument, incoming)).transpose()
    }
}

macro_rules! tuples {
    ($(($($part:ident),+)),* $(,)?) => {$(
        impl<'a, $($part: SendArg<'a>),+> SendArg<'a> for ($($part,)+) {
            fn send(
                self,
                argument: &'static str,
                outgoing: &mut Outgoing<'a>,
            ) -> Result<(), SendError> {
                #[expect(non_snake_case, reason = "the parts are named after their types")]
                let ($($part,)+) = self;
                $($part.send(argument, outgoing)?;)+
                Ok(())
            }
        }

        impl<'a, $($part: HandleArg<'a>),+> HandleArg<'a> for ($($part,)+) {
            type Sent = ($($part::Sent,)+);

            fn describe(writer: &mut SchemaWriter) {
                writer.generic("tuple", &[$($part::describe),+]);
            }

            fn bind(
                argument: &'static str,
                incoming: &mut Incoming<'a>,
            ) -> Result<Self, Failure> {
                Ok(($($part::bind(argument, incoming)?,)+))
            }
        }
    )*};
}

tuples! {
    (A), (A, B), (A, B, C), (A, B, C, D), (A, B, C, D, E), (A, B, C, D, E, F),
}
