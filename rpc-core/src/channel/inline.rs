//! Small arrays of the heap, which travel in the frame itself.
//!
//! The sender puts their elements one behind the other. The receiver copies them to memory of its
//! own, in as many bytes as came, whatever the handles claim; nobody waits for anything back.

use std::sync::Arc;

use ndarray::{ArrayRef, Dimension, Ix1};

use super::bind::{BindError, Bound, move_to, place, refuse};
use crate::dims::Dims;
use crate::segment::ShmExhausted;
use crate::segment::extent::Extent;
use crate::segment::mapping::Access;
use crate::tensor::layout::Layout;
use crate::tensor::pointer::{self, Lent};
use crate::tensor::{Element, Tensor};
use crate::wire::handle::{Handle, Terms};

/// The elements of all arrays in one frame have so many bytes at most.
///
/// This leaves three quarters of a message to handles and serde arguments.
const INLINE_BYTES: usize = 16 * 1024;

/// An array that is lent has so many bytes at most.
///
/// Lent memory is given back in the answer, at no cost; so an argument in the frame spares nothing but
/// the lease, and its elements are copied more often on their way: by `cargo ratios inline`, it takes 0.9
/// times what it takes by handle at 64 B, as much at 2 KiB, and took 1.3 times at 16.
const LENT_BYTES: usize = 2 * 1024;

/// An array that is given away has so many bytes at most.
///
/// Its elements are copied more often in the frame, but nothing needs to be given back. By `cargo ratios
/// inline`, where both sides find each other awake, a result took 0.9 times what it takes by handle at
/// 64 B, as much at 2 KiB, 1.14 times at 4 and 1.55 at 16; where other programs want the processors, 0.75 to
/// 0.97 times. So this is more than what is best on a quiet machine, and less than on a busy one.
const GIVEN_BYTES: usize = 4 * 1024;

/// Where an array may begin. Every element type is content with it.
const BOUNDARY: usize = 16;

/// The elements that a frame takes along.
#[derive(Debug, Default)]
pub(crate) struct Inline(Vec<u8>);

impl Inline {
    /// Tells whether an array of so many bytes may be added.
    fn has_room_for(&self, size_bytes: usize) -> bool {
        let start = self.0.len().next_multiple_of(BOUNDARY);
        size_bytes <= INLINE_BYTES.saturating_sub(start)
    }

    /// Tells whether an array of so many bytes, which is lent, had better be added.
    pub(crate) fn is_for_lending(&self, size_bytes: usize) -> bool {
        size_bytes <= LENT_BYTES && self.has_room_for(size_bytes)
    }

    /// Tells whether an array of so many bytes, which is given away, had better be added.
    pub(crate) fn is_for_giving(&self, size_bytes: usize) -> bool {
        size_bytes <= GIVEN_BYTES && self.has_room_for(size_bytes)
    }

    /// Adds the elements in row-major order; returns where they are.
    pub(crate) fn push<A: Element, D: Dimension>(&mut self, array: &ArrayRef<A, D>) -> Layout {
        let start = self.0.len().next_multiple_of(BOUNDARY);
        self.0.resize(start, 0);
        match array.as_slice() {
            Some(elements) => self.0.extend_from_slice(pointer::bytes_of(elements)),
            None => array.iter().for_each(|element| {
                let bytes = pointer::bytes_of(std::slice::from_ref(element));
                self.0.extend_from_slice(bytes);
            }),
        }
        let shape: Dims<_> = array.shape().iter().map(|n| *n as u64).collect();
        Layout {
            offset_bytes: start as u64,
            strides: row_major(&shape),
            shape,
        }
    }

    /// The bytes so far.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Puts the bytes back that were taken for a frame which was not sent.
    pub(crate) fn put_back(&mut self, bytes: Vec<u8>) {
        self.0 = bytes;
    }

    /// The bytes.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }
}

/// The strides of an array without gaps whose last dimension is the innermost.
pub(super) fn row_major(shape: &[u64]) -> Dims<i64> {
    let mut strides = Dims::from_elem(1, shape.len());
    let mut step = 1i64;
    for (stride, n) in strides.iter_mut().zip(shape).rev() {
        *stride = step;
        // The product fits, but for arrays without elements, where the steps don't matter.
        step = step.saturating_mul(i64::try_from(*n).unwrap_or(i64::MAX).max(1));
    }
    strides
}

/// The elements that a frame brought, and what became of them.
pub(super) struct Placed<'a> {
    bytes: &'a [u8],
    /// A copy of all of them, which views of any number of handles share.
    extent: Option<Arc<Extent>>,
    /// How many of them were copied for arrays that own their elements.
    n_given_bytes: usize,
}

impl<'a> Placed<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            extent: None,
            n_given_bytes: 0,
        }
    }

    /// Finds the memory of an array whose elements are in the frame.
    pub(super) fn bind(&mut self, handle: &Handle) -> Result<Bound, BindError> {
        if handle.segment != 0 {
            return Err(refuse(handle, "names a segment all the same"));
        }
        if !handle.offset_bytes.is_multiple_of(BOUNDARY as u64) {
            let at = handle.offset_bytes;
            let what = format!("begins at byte {at}, not at a multiple of {BOUNDARY}");
            return Err(refuse(handle, &what));
        }
        match handle.terms {
            Terms::Read => self.lend(handle),
            Terms::Moved { transfer: 0 } => self.give(handle),
            Terms::ReadWrite
            | Terms::Moved { .. }
            | Terms::Returned { .. }
            | Terms::Shared { .. } => Err(refuse(
                handle,
                "is handed over on terms that a copy can't keep",
            )),
        }
    }

    fn lend(&mut self, handle: &Handle) -> Result<Bound, BindError> {
        let checked = place(handle, self.bytes.len(), Access::Read)?;
        let extent = match &self.extent {
            Some(extent) => Arc::clone(extent),
            None => Arc::clone(self.extent.insert(copy(self.bytes)?)),
        };
        let backing = Arc::clone(extent.backing());
        let start = extent.range().start as u64 + handle.offset_bytes;
        let layout = move_to(handle, checked.dtype(), start, backing.mapping().len())?;
        Lent::new(backing, layout, Access::Read, extent)
            .map(Bound::Lent)
            .ok_or_else(|| {
                refuse(
                    handle,
                    "has a bool that is neither 0 nor 1, or more of them than bytes",
                )
            })
    }

    fn give(&mut self, handle: &Handle) -> Result<Bound, BindError> {
        let checked = place(handle, self.bytes.len(), Access::ReadWrite)?;
        let range = checked.bytes();
        // Each has a copy of its own, so several must not name the same bytes over and over.
        self.n_given_bytes += range.len();
        if self.n_given_bytes > self.bytes.len() {
            let len = self.bytes.len();
            let what = format!("gives more than the {len} bytes that there are");
            return Err(refuse(handle, &what));
        }
        let first = range.start / BOUNDARY * BOUNDARY;
        let extent = copy(&self.bytes[first..range.end])?;
        let offset = handle.offset_bytes - first as u64;
        let layout = move_to(handle, checked.dtype(), offset, extent.len())?;
        Ok(Bound::Given { extent, layout })
    }
}

/// Copies bytes to memory of this process, at a boundary of every element type.
fn copy(bytes: &[u8]) -> Result<Arc<Extent>, BindError> {
    let refused = |error: ShmExhausted| BindError::Refused(error.to_string());
    let mut tensor = Tensor::<u8, Ix1>::uninit(bytes.len()).map_err(refused)?;
    match tensor.located_mut().bytes_of_run_mut() {
        Ok(place) => place.copy_from_slice(bytes),
        Err(error) => unreachable!("a new tensor is not leased: {error}"),
    }
    Ok(Arc::clone(tensor.located().extent()))
}

#[cfg(feature = "internals")]
pub(super) mod parts;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::handle::Origin;
    use ndarray::{Array1, Array2, ArrayView2, Ix2, array};
    use proptest::prelude::*;

    fn handle(layout: Layout, dtype: u8, terms: Terms) -> Handle {
        Handle {
            origin: Origin::Frame,
            segment: 0,
            terms,
            dtype,
            offset_bytes: layout.offset_bytes,
            shape: layout.shape,
            strides: layout.strides,
        }
    }

    #[test]
    fn arrays_of_any_strides_come_out_as_they_went_in() {
        let matrix = Array2::from_shape_fn((3, 4), |(row, column)| (10 * row + column) as u64);
        let mut inline = Inline::default();
        let views = [matrix.view(), matrix.slice(ndarray::s![..;-1, ..;2])];
        let layouts = views.each_ref().map(|view| inline.push(view));
        let bytes = inline.take();
        let mut placed = Placed::new(&bytes);
        for (view, layout) in views.iter().zip(layouts) {
            let handle = handle(layout, u64::DTYPE as u8, Terms::Read);
            let Ok(Bound::Lent(lent)) = placed.bind(&handle) else {
                panic!("it is lent");
            };
            let found: ArrayView2<'_, u64> = lent.view::<u64, Ix2>().unwrap();
            assert_eq!(found, view);
        }
    }

    #[test]
    fn room_is_bounded_padding_included() {
        let mut inline = Inline::default();
        assert!(inline.has_room_for(INLINE_BYTES));
        assert!(!inline.has_room_for(INLINE_BYTES + 1));
        inline.push(&array![1u8]);
        assert!(inline.has_room_for(INLINE_BYTES - BOUNDARY));
        assert!(!inline.has_room_for(INLINE_BYTES - BOUNDARY + 1));
        inline.push(&Array1::from_elem(INLINE_BYTES - BOUNDARY, 0u8));
        assert!(inline.has_room_for(0));
        assert!(!inline.has_room_for(1));
    }

    #[test]
    fn larger_arrays_are_given_in_a_frame_than_lent() {
        let mut inline = Inline::default();
        assert!(inline.is_for_lending(LENT_BYTES));
        assert!(!inline.is_for_lending(LENT_BYTES + 1));
        assert!(inline.is_for_giving(GIVEN_BYTES));
        assert!(!inline.is_for_giving(GIVEN_BYTES + 1));
        inline.push(&Array1::from_elem(INLINE_BYTES - GIVEN_BYTES, 0u8));
        assert!(inline.is_for_giving(GIVEN_BYTES));
        inline.push(&Array1::from_elem(GIVEN_BYTES - LENT_BYTES, 0u8));
        assert!(inline.is_for_lending(LENT_BYTES));
        assert!(!inline.is_for_giving(GIVEN_BYTES));
        inline.push(&array![1u8]);
        assert!(!inline.is_for_lending(LENT_BYTES));
    }

    #[test]
    fn an_array_without_elements_needs_no_bytes() {
        let mut inline = Inline::default();
        let layout = inline.push(&Array2::<f64>::zeros((0, 1 << 40)));
        let bytes = inline.take();
        assert!(bytes.is_empty());
        let handle = handle(layout, f64::DTYPE as u8, Terms::Moved { transfer: 0 });
        let bound = Placed::new(&bytes).bind(&handle);
        assert!(matches!(bound, Ok(Bound::Given { .. })), "{bound:?}");
    }

    /// Looking at each of them would take longer than anybody waits.
    #[test]
    fn bools_that_a_handle_names_over_and_over_are_looked_at_once() {
        let bools = |shape: &[u64], strides: &[i64], bytes: &[u8]| {
            let layout = Layout {
                offset_bytes: 0,
                shape: shape.into(),
                strides: strides.into(),
            };
            let handle = handle(layout, bool::DTYPE as u8, Terms::Read);
            Placed::new(bytes).bind(&handle).is_ok()
        };
        assert!(bools(&[1 << 60, 2], &[0, 1], &[0, 1]));
        assert!(!bools(&[1 << 60, 2], &[0, 1], &[0, 2]));
        assert!(bools(&[0, 1 << 60], &[0, 0], &[]));
        // Rows that overlap all but for one element.
        assert!(!bools(&[1 << 13, 1 << 13], &[1, 1], &[1; 1 << 14]));
    }

    #[test]
    fn copies_take_no_more_than_what_came() {
        let mut inline = Inline::default();
        let layout = inline.push(&Array1::from_elem(100, 1u8));
        let bytes = inline.take();
        let handle = handle(layout, u8::DTYPE as u8, Terms::Moved { transfer: 0 });
        let mut placed = Placed::new(&bytes);
        assert!(placed.bind(&handle).is_ok());
        let Err(BindError::Violation(violation)) = placed.bind(&handle) else {
            panic!("the same bytes are given twice");
        };
        assert!(violation.to_string().contains("more than the 100 bytes"));
    }

    proptest! {
        #[test]
        fn claims_never_reach_outside(
            offset in 0u64..200, shape in prop::collection::vec(0u64..9, 0..4),
            strides in prop::collection::vec(-9i64..9, 0..4), is_given: bool,
        ) {
            let bytes: Vec<u8> = (0..128).collect();
            let terms = if is_given { Terms::Moved { transfer: 0 } } else { Terms::Read };
            let layout = Layout { offset_bytes: offset, shape: shape.into(), strides: strides.into() };
            let handle = handle(layout, u16::DTYPE as u8, terms);
            match Placed::new(&bytes).bind(&handle) {
                Ok(Bound::Lent(lent)) => {
                    let view = lent.view::<u16, ndarray::IxDyn>().unwrap();
                    prop_assert!(view.iter().all(|element| element.to_le_bytes()[0] < 128));
                }
                Ok(Bound::Given { extent, layout }) => {
                    prop_assert!(layout.bytes().end <= extent.len());
                }
                Ok(Bound::Shared { .. } | Bound::Theirs { .. }) => {
                    prop_assert!(false, "a copy is never shared");
                }
                Err(BindError::Violation(_)) => {}
                Err(BindError::Refused(reason)) => prop_assert!(false, "{}", reason),
            }
        }
    }
}
