//! Bare segments, seen as arrays.

use ndarray::{ArrayView2, ArrayViewMut2};
use reedbed::{Element, SegmentView, SegmentViewMut};

use crate::SegmentationError;

/// Sees all bytes of a segment as rows and columns.
pub(crate) fn rows<'a, A: Element>(
    name: &str,
    segment: &SegmentView<'a>,
    shape: (usize, usize),
) -> Result<ArrayView2<'a, A>, SegmentationError> {
    let len_bytes = segment.as_bytes().len();
    check::<A>(name, len_bytes, shape)?;
    let misfit = || misfit::<A>(name, len_bytes, shape);
    let elements = segment.as_slice().map_err(|_| misfit())?;
    ArrayView2::from_shape(shape, elements).map_err(|_| misfit())
}

/// As [`rows`], for writing.
pub(crate) fn rows_mut<'a, A: Element>(
    name: &str,
    mut segment: SegmentViewMut<'a>,
    shape: (usize, usize),
) -> Result<ArrayViewMut2<'a, A>, SegmentationError> {
    let len_bytes = segment.as_bytes().len();
    check::<A>(name, len_bytes, shape)?;
    let misfit = || misfit::<A>(name, len_bytes, shape);
    let elements = segment.into_slice().map_err(|_| misfit())?;
    ArrayViewMut2::from_shape(shape, elements).map_err(|_| misfit())
}

fn check<A>(name: &str, len_bytes: usize, shape: (usize, usize)) -> Result<(), SegmentationError> {
    if needed_bytes::<A>(shape) == Some(len_bytes) {
        Ok(())
    } else {
        Err(misfit::<A>(name, len_bytes, shape))
    }
}

fn needed_bytes<A>((rows, columns): (usize, usize)) -> Option<usize> {
    rows.checked_mul(columns)?.checked_mul(size_of::<A>())
}

fn misfit<A>(name: &str, len_bytes: usize, shape: (usize, usize)) -> SegmentationError {
    SegmentationError::Bytes {
        segment: name.to_owned(),
        len_bytes,
        rows: shape.0,
        columns: shape.1,
        needed_bytes: needed_bytes::<A>(shape),
    }
}
