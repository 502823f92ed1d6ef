//! Bare shared memory, without shape or element type.

use std::fmt;

use ndarray::{Dimension, IntoDimension, Ix1};

use super::backing::SegmentIdentity;
use super::budget::ShmExhausted;
use super::lease::AccessError;
use crate::tensor::{DType, Element, Tensor, TensorView, TensorViewMut, pointer};

/// A run of bytes in shared memory, for programs that keep their own account of what lies in it.
///
/// A [`Tensor`] is a segment with a shape; [`into_tensor`](Self::into_tensor) and
/// [`Tensor::into_segment`] turn one into the other. The rules are the same: a stub lends
/// `&segment` or `&mut segment`, or moves `segment`, and its bytes are never copied.
///
/// ```
/// use reedbed::Segment;
///
/// let mut segment = Segment::zeroed(4 * size_of::<f32>())?;
/// segment.as_slice_mut::<f32>()?[2] = 0.5;
/// assert_eq!(segment.as_slice::<f32>()?, [0.0, 0.0, 0.5, 0.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Segment {
    bytes: Tensor<u8, Ix1>,
}

/// A shared borrow of a [`Segment`]: in a worker, the bytes that its caller lent for reading.
pub struct SegmentView<'a> {
    bytes: &'a [u8],
}

/// An exclusive borrow of a [`Segment`]: in a worker, the bytes that its caller lent for writing.
pub struct SegmentViewMut<'a> {
    bytes: &'a mut [u8],
}

/// Why bytes can't be seen as elements.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotAligned {
    /// They aren't a whole number of elements, or don't begin at their boundary.
    #[error("{len_bytes} bytes aren't a whole number of aligned elements of type {dtype}")]
    Length {
        /// The number of bytes.
        len_bytes: usize,
        /// The element type that was asked for.
        dtype: DType,
    },
    /// A `bool` would be neither 0 nor 1.
    #[error("a byte that is neither 0 nor 1 can't be seen as a bool")]
    Invalid,
    /// They can't be reached now.
    #[error(transparent)]
    Access(#[from] AccessError),
}

impl Segment {
    /// Takes `len_bytes` bytes of shared memory, all zero, beginning at a boundary of every
    /// element type.
    ///
    /// # Errors
    /// [`ShmExhausted`] if they can't be had.
    pub fn zeroed(len_bytes: usize) -> Result<Self, ShmExhausted> {
        Ok(Self {
            bytes: Tensor::zeros(len_bytes)?,
        })
    }

    pub(crate) fn from_tensor<A: Element, D: Dimension>(
        tensor: Tensor<A, D>,
    ) -> Result<Self, Tensor<A, D>> {
        if !tensor.located().is_contiguous() {
            return Err(tensor);
        }
        let located = tensor.located();
        let bytes = located.bytes();
        crate::tensor::locate(located.extent().clone(), bytes.start, Ix1(bytes.len())).map_or(
            Err(tensor),
            |bytes| {
                Ok(Self {
                    bytes: Tensor::from_located(bytes),
                })
            },
        )
    }

    pub(crate) fn from_bytes(bytes: Tensor<u8, Ix1>) -> Self {
        Self { bytes }
    }

    pub(crate) fn located(&self) -> &pointer::Located<u8, Ix1> {
        self.bytes.located()
    }

    pub(crate) fn tensor_view(&self) -> TensorView<'_, u8, Ix1> {
        self.bytes.tensor_view()
    }

    pub(crate) fn tensor_view_mut(&mut self) -> TensorViewMut<'_, u8, Ix1> {
        self.bytes.tensor_view_mut()
    }

    /// Returns the number of bytes.
    #[must_use]
    pub fn len_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Returns the device and inode of the shared memory, equal in every process.
    #[must_use]
    pub fn identity(&self) -> SegmentIdentity {
        self.bytes.identity()
    }

    /// Borrows the bytes.
    ///
    /// # Errors
    /// As [`Tensor::view`].
    pub fn as_bytes(&self) -> Result<&[u8], AccessError> {
        self.bytes.located().bytes_of_run()
    }

    /// Borrows the bytes for writing.
    ///
    /// # Errors
    /// As [`Tensor::view_mut`].
    pub fn as_bytes_mut(&mut self) -> Result<&mut [u8], AccessError> {
        self.bytes.located_mut().bytes_of_run_mut()
    }

    /// Borrows the bytes as elements.
    ///
    /// # Errors
    /// [`NotAligned`], for any of its reasons.
    pub fn as_slice<A: Element>(&self) -> Result<&[A], NotAligned> {
        elements(self.as_bytes()?)
    }

    /// Borrows the bytes as elements, for writing.
    ///
    /// # Errors
    /// [`NotAligned`], for any of its reasons.
    pub fn as_slice_mut<A: Element>(&mut self) -> Result<&mut [A], NotAligned> {
        elements_mut(self.as_bytes_mut()?)
    }

    /// Tells whether a call that could write it ended without an answer.
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        self.bytes.is_poisoned()
    }

    /// Accepts the bytes as they are after a call that could write them ended without an answer.
    ///
    /// # Errors
    /// As [`Tensor::recover`].
    pub fn recover(&mut self) -> Result<(), crate::RecoverError> {
        self.bytes.recover()
    }

    /// Sets all bytes to zero, poisoned or not, and takes the mark away.
    ///
    /// # Errors
    /// As [`Tensor::reset`].
    pub fn reset(&mut self) -> Result<(), AccessError> {
        self.bytes.reset()
    }

    /// Waits until no call holds a lease on the segment.
    ///
    /// # Cancel safety
    /// It only waits: dropping it changes nothing.
    pub fn released(&self) -> impl Future<Output = ()> + Send + '_ {
        self.bytes.released()
    }

    /// Gives the bytes a shape and an element type, row-major. Nothing is copied.
    ///
    /// # Errors
    /// Returns the segment unchanged unless it has exactly the bytes of such an array (and they are
    /// valid, for `bool`).
    pub fn into_tensor<A: Element, S: IntoDimension>(
        self,
        shape: S,
    ) -> Result<Tensor<A, S::Dim>, Self> {
        let shape = shape.into_dimension();
        let needed = shape
            .size_checked()
            .and_then(|n| n.checked_mul(size_of::<A>()));
        let located = self.bytes.located();
        let tensor = crate::tensor::locate(located.extent().clone(), located.bytes().start, shape)
            .map(Tensor::<A, S::Dim>::from_located)
            .filter(|tensor| tensor.located().are_elements_valid().unwrap_or(false));
        match tensor {
            Some(tensor) if needed == Some(self.len_bytes()) => Ok(tensor),
            _ => Err(self),
        }
    }
}

impl<'a> SegmentView<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// Returns the bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Returns the bytes as elements.
    ///
    /// # Errors
    /// `Length` and `Invalid` of [`NotAligned`].
    pub fn as_slice<A: Element>(&self) -> Result<&'a [A], NotAligned> {
        elements(self.bytes)
    }
}

impl<'a> SegmentViewMut<'a> {
    pub(crate) fn new(bytes: &'a mut [u8]) -> Self {
        Self { bytes }
    }

    /// Borrows the bytes.
    #[must_use]
    pub fn as_bytes(&mut self) -> &mut [u8] {
        self.bytes
    }

    /// Borrows the bytes as elements.
    ///
    /// # Errors
    /// `Length` and `Invalid` of [`NotAligned`].
    pub fn as_slice<A: Element>(&mut self) -> Result<&mut [A], NotAligned> {
        elements_mut(self.bytes)
    }

    /// Returns the bytes as elements, for as long as they were lent.
    ///
    /// # Errors
    /// `Length` and `Invalid` of [`NotAligned`].
    pub fn into_slice<A: Element>(self) -> Result<&'a mut [A], NotAligned> {
        elements_mut(self.bytes)
    }
}

fn refusal(len_bytes: usize, dtype: DType) -> NotAligned {
    match dtype {
        DType::Bool => NotAligned::Invalid,
        dtype => NotAligned::Length { len_bytes, dtype },
    }
}

fn elements<A: Element>(bytes: &[u8]) -> Result<&[A], NotAligned> {
    pointer::elements_of(bytes).ok_or_else(|| refusal(bytes.len(), A::DTYPE))
}

fn elements_mut<A: Element>(bytes: &mut [u8]) -> Result<&mut [A], NotAligned> {
    let len_bytes = bytes.len();
    pointer::elements_of_mut(bytes).ok_or_else(|| refusal(len_bytes, A::DTYPE))
}

impl fmt::Debug for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Segment")
            .field("len_bytes", &self.len_bytes())
            .field("identity", &self.identity())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for SegmentView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SegmentView")
            .field("len_bytes", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for SegmentViewMut<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SegmentViewMut")
            .field("len_bytes", &self.bytes.len())
            .finish_non_exhaustive()
    }
}
