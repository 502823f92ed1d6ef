//! Arrays and tensors as arguments.

use std::fmt;

use ndarray::{ArrayBase, ArrayView, ArrayViewMut, Data, DataMut, Dimension};

use super::{HandleArg, SendArg};
use crate::call::error::SendError;
use crate::call::incoming::Incoming;
use crate::call::outgoing::{Outgoing, size_bytes};
use crate::segment::mapping::Access;
use crate::tensor::{Element, FrozenTensor, Tensor, TensorView, TensorViewMut};
use crate::wire::frame::Failure;
use crate::wire::schema::SchemaWriter;

/// What a stub takes where the function takes an [`ArrayView`].
///
/// It is made by `into()` from `&Tensor`, `&FrozenTensor` and [`TensorView`], which are lent
/// without a copy, and from `&Array` and [`ArrayView`], which are copied into the message, if they
/// are small, or into a segment.
pub enum Arg<'a, A, D> {
    /// Lent from its segment.
    Tensor(TensorView<'a, A, D>),
    /// Copied into the message or a segment.
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

/// Writes `access ndarray<dtype, rank>`.
fn describe_array<A: Element, D: Dimension>(access: &str, writer: &mut SchemaWriter) {
    let rank = D::NDIM.map_or_else(|| "any".to_owned(), |rank| rank.to_string());
    writer.leaf(&format!("{access} ndarray<{}, {rank}>", A::DTYPE));
}

/// Writes what a returned array is into a schema.
pub(crate) fn describe_returned<A: Element, D: Dimension>(writer: &mut SchemaWriter) {
    describe_array::<A, D>("own", writer);
}

impl<'a, A: Element, D: Dimension + 'a> SendArg<'a> for Arg<'a, A, D> {
    fn send(self, argument: &str, outgoing: &mut Outgoing<'a>) -> Result<(), SendError> {
        self.send_to(argument, outgoing)
    }
}

impl<'b, A: Element, D: Dimension> Arg<'b, A, D> {
    /// Adds it to a call that it outlives.
    pub(crate) fn send_to<'a>(
        self,
        argument: &str,
        outgoing: &mut Outgoing<'a>,
    ) -> Result<(), SendError>
    where
        'b: 'a,
        D: 'a,
    {
        let copied_bytes = match &self {
            Self::Tensor(view) => outgoing.copied_bytes(view.located(), Access::Read),
            Self::Array(view) => size_bytes(view),
        };
        outgoing.now_or_later(
            argument,
            copied_bytes,
            move |argument, outgoing| match self {
                Self::Tensor(view) => outgoing.lend(argument, view.located()),
                Self::Array(view) => outgoing.copy_in(argument, &view),
            },
        )
    }
}

impl<'a, A: Element, D: Dimension + 'a> HandleArg<'a> for ArrayView<'a, A, D> {
    type Sent = Arg<'a, A, D>;

    fn describe(writer: &mut SchemaWriter) {
        describe_array::<A, D>("read", writer);
    }

    fn bind(argument: &str, incoming: &mut Incoming<'a>) -> Result<Self, Failure> {
        incoming.view(argument)
    }
}

impl<'a, A: Element, D: Dimension + 'a> SendArg<'a> for ArgMut<'a, A, D> {
    fn send(self, argument: &str, outgoing: &mut Outgoing<'a>) -> Result<(), SendError> {
        self.send_to(argument, outgoing)
    }
}

impl<'b, A: Element, D: Dimension> ArgMut<'b, A, D> {
    /// Adds it to a call that it outlives.
    pub(crate) fn send_to<'a>(
        self,
        argument: &str,
        outgoing: &mut Outgoing<'a>,
    ) -> Result<(), SendError>
    where
        'b: 'a,
        D: 'a,
    {
        let copied_bytes = self.copied_bytes(outgoing, Access::ReadWrite);
        outgoing.now_or_later(
            argument,
            copied_bytes,
            move |argument, outgoing| match self {
                Self::Tensor(view) => outgoing.lend_mut(argument, view),
                Self::Array(view) => outgoing.copy_in_and_back(argument, view),
            },
        )
    }

    /// Adds it to a call for reading alone.
    pub(crate) fn send_for_reading<'a>(
        self,
        argument: &str,
        outgoing: &mut Outgoing<'a>,
    ) -> Result<(), SendError>
    where
        'b: 'a,
        D: 'a,
    {
        let copied_bytes = self.copied_bytes(outgoing, Access::Read);
        outgoing.now_or_later(
            argument,
            copied_bytes,
            move |argument, outgoing| match self {
                Self::Tensor(view) => outgoing.lend(argument, view.located()),
                Self::Array(view) => outgoing.copy_in(argument, &view),
            },
        )
    }

    fn copied_bytes(&self, outgoing: &Outgoing<'_>, access: Access) -> usize {
        match self {
            Self::Tensor(view) => outgoing.copied_bytes(view.located(), access),
            Self::Array(view) => size_bytes(view),
        }
    }
}

impl<'a, A: Element, D: Dimension + 'a> HandleArg<'a> for ArrayViewMut<'a, A, D> {
    type Sent = ArgMut<'a, A, D>;

    fn describe(writer: &mut SchemaWriter) {
        describe_array::<A, D>("write", writer);
    }

    fn bind(argument: &str, incoming: &mut Incoming<'a>) -> Result<Self, Failure> {
        incoming.view_mut(argument)
    }
}

impl<'a, A: Element, D: Dimension + 'static> SendArg<'a> for Tensor<A, D> {
    fn send(self, argument: &str, outgoing: &mut Outgoing<'a>) -> Result<(), SendError> {
        let copied = outgoing.copied_bytes(self.located(), Access::ReadWrite);
        outgoing.now_or_later(argument, copied, move |argument, outgoing| {
            outgoing.give(argument, self, Tensor::located)
        })
    }
}

impl<'a, A: Element, D: Dimension + 'static> HandleArg<'a> for Tensor<A, D> {
    type Sent = Self;

    fn describe(writer: &mut SchemaWriter) {
        describe_array::<A, D>("own", writer);
    }

    fn bind(argument: &str, incoming: &mut Incoming<'a>) -> Result<Self, Failure> {
        incoming.tensor(argument)
    }
}
