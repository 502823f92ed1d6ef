//! Arrays in a frame, for fuzzers.

use std::sync::Arc;

use ndarray::IxDyn;

use super::Placed;
use crate::channel::bind::{BindError, Bound};
use crate::segment::extent::Extent;
use crate::tensor::layout::CheckedLayout;
use crate::tensor::pointer::{Lent, Located, bytes_of};
use crate::tensor::{DType, Element};
use crate::wire::parts::AnyHandle;

/// No more elements of an array are read: few may be named over and over.
const MAX_ELEMENTS: usize = 1024;

/// What a handle of a frame led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// An array: the bytes of each of its first 1024 elements, in row-major order.
    Array(Vec<Vec<u8>>),
    /// The handle was refused.
    Violation(String),
    /// There was no memory for a copy.
    Exhausted,
}

/// Finds the arrays of a frame that brought `inline`, one after another, and reads their elements.
/// Every handle is taken for one of an array in the frame.
#[must_use]
pub fn bind_inline(handles: &[AnyHandle], inline: &[u8]) -> Vec<Found> {
    let mut placed = Placed::new(inline);
    let bind = |handle: &AnyHandle| match placed.bind(&handle.0) {
        Ok(bound) => read(bound).map_or_else(
            || Found::Violation("has an element that isn't valid".to_owned()),
            Found::Array,
        ),
        Err(BindError::Violation(violation)) => Found::Violation(violation.to_string()),
        Err(BindError::Refused(_)) => Found::Exhausted,
    };
    handles.iter().map(bind).collect()
}

macro_rules! elements {
    ($dtype:expr, $source:expr, $read:ident: $($name:ident $ty:ty),*) => {
        match $dtype {
            $(DType::$name => $read::<$ty>($source),)*
        }
    };
}

fn read(bound: Bound) -> Option<Vec<Vec<u8>>> {
    macro_rules! each {
        ($dtype:expr, $source:expr, $read:ident) => {
            elements!($dtype, $source, $read: Bool bool, U8 u8, U16 u16, U32 u32, U64 u64,
                U128 u128, I8 i8, I16 i16, I32 i32, I64 i64, I128 i128, F16 half::f16,
                BF16 half::bf16, F32 f32, F64 f64, C32 num_complex::Complex32,
                C64 num_complex::Complex64)
        };
    }
    match bound {
        Bound::Lent(lent) => each!(lent.layout().dtype(), &lent, read_lent),
        Bound::Given { extent, layout }
        | Bound::Theirs { extent, layout }
        | Bound::Shared { extent, layout } => {
            each!(layout.dtype(), (extent, &layout), read_given)
        }
    }
}

fn bytes<A: Element>(element: &A) -> Vec<u8> {
    bytes_of(std::slice::from_ref(element)).to_vec()
}

fn read_lent<A: Element>(lent: &Lent) -> Option<Vec<Vec<u8>>> {
    let view = lent.view::<A, IxDyn>()?;
    Some(view.iter().take(MAX_ELEMENTS).map(bytes).collect())
}

fn read_given<A: Element>((extent, layout): (Arc<Extent>, &CheckedLayout)) -> Option<Vec<Vec<u8>>> {
    let located = Located::<A, IxDyn>::new(extent, layout)?;
    if !located.are_elements_valid().ok()? {
        return None;
    }
    let view = located.view().ok()?;
    Some(view.iter().take(MAX_ELEMENTS).map(bytes).collect())
}
