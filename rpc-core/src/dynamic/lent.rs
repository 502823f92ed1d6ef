//! What is lent to a call: arrays, segments and shared cells, whatever their element type.

use std::fmt;

use ndarray::{Dimension, IxDyn};

use super::array::{AnyTensor, describe, with_element};
use super::types::Access;
use crate::call::argument::{Arg, ArgMut};
use crate::call::error::SendError;
use crate::call::outgoing::Outgoing;
use crate::segment::{Atomic, SharedCell, SharedCells};
use crate::tensor::{DType, Element};

/// What is passed where a function takes what travels by handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Elements {
    /// An array.
    Array { dtype: DType, rank: usize },
    /// A segment.
    Segment,
    /// A shared cell, or a run of them.
    Cells { dtype: DType, is_list: bool },
}

/// What an argument that travels by handle must be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    Array { dtype: DType, rank: Option<usize> },
    Segment,
    Cells { dtype: DType, is_list: bool },
}

impl Expected {
    pub(super) fn is_tensor(self, tensor: &AnyTensor) -> bool {
        let (dtype, rank) = (tensor.dtype(), tensor.ndim());
        self.is_met_by(Elements::Array { dtype, rank })
    }

    pub(super) fn is_met_by(self, found: Elements) -> bool {
        match (self, found) {
            (
                Self::Array { dtype, rank },
                Elements::Array {
                    dtype: found,
                    rank: n,
                },
            ) => found == dtype && rank.is_none_or(|rank| rank == n),
            (Self::Segment, Elements::Segment) => true,
            (
                Self::Cells { dtype, is_list },
                Elements::Cells {
                    dtype: found,
                    is_list: n,
                },
            ) => (found, n) == (dtype, is_list),
            _ => false,
        }
    }

    pub(super) fn to_text(self, access: Access) -> String {
        let what = match self {
            Self::Array { dtype, rank } => describe("an array", dtype, rank),
            Self::Segment => "a segment".to_owned(),
            Self::Cells { dtype, is_list } => return describe_cells(dtype, is_list),
        };
        let how = match access {
            Access::Read => "lent for reading (`&`)",
            Access::Write => "lent for writing (`&mut`)",
            Access::Own => "given away (by value)",
        };
        format!("{what}, {how},")
    }
}

/// Says which cells are meant.
pub(super) fn describe_cells(dtype: DType, is_list: bool) -> String {
    let what = if is_list {
        "shared cells"
    } else {
        "a shared cell"
    };
    format!("{what} of {dtype}")
}

/// What a stub takes for an array, whatever its element type and number of dimensions.
pub(super) trait Lend: Send + Sync {
    /// For what: [`Access::Read`] or [`Access::Write`].
    fn access(&self) -> Access;

    /// What is there.
    fn elements(&self) -> Elements;

    /// Adds it to a call. What was lent for writing may be passed on for reading alone.
    fn send<'a>(
        self: Box<Self>,
        argument: &str,
        access: Access,
        outgoing: &mut Outgoing<'a>,
    ) -> Result<(), SendError>
    where
        Self: 'a;
}

impl<A: Element, D: Dimension> Lend for Arg<'_, A, D> {
    fn access(&self) -> Access {
        Access::Read
    }

    fn elements(&self) -> Elements {
        let rank = match self {
            Self::Tensor(view) => view.shape().len(),
            Self::Array(view) => view.ndim(),
        };
        let dtype = A::DTYPE;
        Elements::Array { dtype, rank }
    }

    fn send<'a>(
        self: Box<Self>,
        argument: &str,
        _: Access,
        outgoing: &mut Outgoing<'a>,
    ) -> Result<(), SendError>
    where
        Self: 'a,
    {
        self.send_to(argument, outgoing)
    }
}

impl<A: Element, D: Dimension> Lend for ArgMut<'_, A, D> {
    fn access(&self) -> Access {
        Access::Write
    }

    fn elements(&self) -> Elements {
        let rank = match self {
            Self::Tensor(view) => view.shape().len(),
            Self::Array(view) => view.ndim(),
        };
        let dtype = A::DTYPE;
        Elements::Array { dtype, rank }
    }

    fn send<'a>(
        self: Box<Self>,
        argument: &str,
        access: Access,
        outgoing: &mut Outgoing<'a>,
    ) -> Result<(), SendError>
    where
        Self: 'a,
    {
        match access {
            Access::Write => self.send_to(argument, outgoing),
            _ => self.send_for_reading(argument, outgoing),
        }
    }
}

/// Lends shared cells: both sides use them at once.
macro_rules! cells {
    ($($cells:ident: $is_list:literal),*) => {$(
        impl<T: Atomic> Lend for $cells<T> {
            fn access(&self) -> Access {
                Access::Write
            }

            fn elements(&self) -> Elements {
                let (dtype, is_list) = (T::DTYPE, $is_list);
                Elements::Cells { dtype, is_list }
            }

            fn send<'a>(
                self: Box<Self>,
                argument: &str,
                _: Access,
                outgoing: &mut Outgoing<'a>,
            ) -> Result<(), SendError>
            where
                Self: 'a,
            {
                outgoing.share(argument, self.shared(), usize::from($is_list))
            }
        }
    )*};
}

cells! { SharedCell: false, SharedCells: true }

/// What is lent to a call: an array, a segment, or shared cells. Made by `into()`, as a [`Value`],
/// from what a stub takes.
///
/// [`Value`]: super::Value
pub struct Lent<'a> {
    array: Box<dyn Lend + 'a>,
    is_segment: bool,
}

impl<'a> Lent<'a> {
    pub(super) fn new(array: impl Lend + 'a) -> Self {
        Self {
            array: Box::new(array),
            is_segment: false,
        }
    }

    /// Lends the bytes of a segment.
    pub(super) fn segment(bytes: impl Lend + 'a) -> Self {
        Self {
            array: Box::new(bytes),
            is_segment: true,
        }
    }

    /// Lends a tensor of any element type for reading.
    pub(super) fn any(tensor: &'a AnyTensor) -> Self {
        with_element!(tensor.dtype(), A => match tensor.tensor_view::<A, IxDyn>() {
            Some(view) => Self::new(Arg::Tensor(view)),
            None => unreachable!("the layout is of this element type"),
        })
    }

    /// Lends a tensor of any element type for writing.
    pub(super) fn any_mut(tensor: &'a mut AnyTensor) -> Self {
        with_element!(tensor.dtype(), A => match tensor.tensor_view_mut::<A, IxDyn>() {
            Some(view) => Self::new(ArgMut::Tensor(view)),
            None => unreachable!("the layout is of this element type"),
        })
    }

    /// For what it is lent: [`Access::Read`] or [`Access::Write`].
    #[must_use]
    pub fn access(&self) -> Access {
        self.array.access()
    }

    pub(super) fn elements(&self) -> Elements {
        if self.is_segment {
            return Elements::Segment;
        }
        self.array.elements()
    }

    pub(super) fn send(
        self,
        argument: &str,
        access: Access,
        outgoing: &mut Outgoing<'a>,
    ) -> Result<(), SendError> {
        self.array.send(argument, access, outgoing)
    }

    /// Says what it is, in an error.
    pub(super) fn summary(&self) -> String {
        let what = match self.elements() {
            Elements::Array { dtype, rank } => describe("an array", dtype, Some(rank)),
            Elements::Segment => "a segment".to_owned(),
            Elements::Cells { dtype, is_list } => return describe_cells(dtype, is_list),
        };
        match self.access() {
            Access::Write => format!("{what}, lent for writing"),
            _ => format!("{what}, lent for reading"),
        }
    }
}

impl fmt::Debug for Lent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Lent").field(&self.summary()).finish()
    }
}
