//! The array that owns its place in a segment.

use std::fmt;
use std::future::Future;
use std::io::{self, Write};
use std::sync::Arc;

use ndarray::{
    Array, ArrayView, ArrayViewMut, Axis, Dimension, IntoDimension, IxDyn, RemoveAxis, SliceArg,
};

use super::element::{DType, Element};
use super::pointer::Located;
use super::view::{TensorView, TensorViewMut};
use super::{FrozenTensor, create};
use crate::segment::{AccessError, Segment, SegmentIdentity, ShmExhausted};

/// An n-dimensional array in shared memory, which other processes use without a copy.
///
/// It is to [`Array`] what a page in a segment is to a page of the heap: the same shape, strides
/// and element types (see [`Element`]), and the same views. What differs:
///
/// - Passing `&tensor`, `&mut tensor` or `tensor` to a stub sends a *handle*, of a few dozen bytes.
/// - While a call holds a lease on it, the borrow checker's rules go on: [`view`](Self::view) and
///   [`view_mut`](Self::view_mut) return an [`AccessError`] where a borrow would not compile. That
///   only shows when a call's future was dropped, forgotten or timed out before its answer came.
/// - It isn't `Clone`. [`try_clone`](Self::try_clone) copies; [`freeze`](Self::freeze) makes a
///   tensor that many readers share.
///
/// Dropping it gives the memory back: to the pool at once, or, while it is leased, when the last
/// lease ends.
///
/// ```
/// use reedbed::{Tensor2, ndarray::{Axis, array, s}};
///
/// let mut image = Tensor2::<u16>::zeros((3, 4))?;
/// image.view_mut()?.slice_mut(s![1, ..]).fill(7);
/// assert_eq!(image.view()?.sum(), 28);
/// assert_eq!(image.slice(s![.., 0]).view()?, array![0, 7, 0]);
/// assert_eq!(image.index_axis(Axis(0), 1).view()?, array![7, 7, 7, 7]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Tensor<A, D> {
    located: Located<A, D>,
}

/// Names the tensors of each number of dimensions, as ndarray does its arrays.
macro_rules! ranks {
    ($($name:ident = $dimension:ident, $docs:literal;)+) => {$(
        #[doc = $docs]
        pub type $name<A> = Tensor<A, ndarray::$dimension>;
    )+};
}

ranks! {
    Tensor0 = Ix0, "A tensor without dimensions: one element.";
    Tensor1 = Ix1, "A tensor of one dimension.";
    Tensor2 = Ix2, "A tensor of two dimensions.";
    Tensor3 = Ix3, "A tensor of three dimensions.";
    Tensor4 = Ix4, "A tensor of four dimensions.";
    Tensor5 = Ix5, "A tensor of five dimensions.";
    Tensor6 = Ix6, "A tensor of six dimensions.";
    TensorD = IxDyn, "A tensor of any number of dimensions.";
}

impl<A: Element, D: Dimension> Tensor<A, D> {
    pub(crate) fn from_located(located: Located<A, D>) -> Self {
        Self { located }
    }

    pub(crate) fn located(&self) -> &Located<A, D> {
        &self.located
    }

    pub(crate) fn located_mut(&mut self) -> &mut Located<A, D> {
        &mut self.located
    }

    /// Borrows the elements as ndarray's view, to read them in this process.
    ///
    /// # Errors
    /// [`AccessError::Leased`] while a call may write them, [`AccessError::Poisoned`] after such a
    /// call ended without an answer.
    pub fn view(&self) -> Result<ArrayView<'_, A, D>, AccessError> {
        self.located.view()
    }

    /// Borrows the elements as ndarray's mutable view, to change them in this process.
    ///
    /// # Errors
    /// [`AccessError::Leased`] while a call may read or write them, [`AccessError::Poisoned`] after
    /// one that could write them ended without an answer.
    pub fn view_mut(&mut self) -> Result<ArrayViewMut<'_, A, D>, AccessError> {
        self.located.view_mut()
    }

    /// Borrows all of it as a view that stays in the segment and can be sent without a copy.
    #[must_use]
    pub fn tensor_view(&self) -> TensorView<'_, A, D> {
        TensorView::new(self.located.again())
    }

    /// As [`tensor_view`](Self::tensor_view), for writing.
    #[must_use]
    pub fn tensor_view_mut(&mut self) -> TensorViewMut<'_, A, D> {
        TensorViewMut::new(self.located.again())
    }

    /// Borrows a slice of it that stays in the segment and can be sent without a copy.
    ///
    /// # Panics
    /// As [`ndarray::ArrayRef::slice`]: if an index is out of bounds or a step is zero.
    #[track_caller]
    pub fn slice<I: SliceArg<D>>(&self, info: I) -> TensorView<'_, A, I::OutDim> {
        self.tensor_view().slice(info)
    }

    /// As [`slice`](Self::slice), for writing.
    ///
    /// # Panics
    /// As [`slice`](Self::slice).
    #[track_caller]
    pub fn slice_mut<I: SliceArg<D>>(&mut self, info: I) -> TensorViewMut<'_, A, I::OutDim> {
        self.tensor_view_mut().slice(info)
    }

    /// Borrows what lies at `index` along `axis` (a row of a matrix, an image of a stack), as a view
    /// that stays in the segment.
    ///
    /// # Panics
    /// If `axis` or `index` is out of bounds.
    #[must_use]
    #[track_caller]
    pub fn index_axis(&self, axis: Axis, index: usize) -> TensorView<'_, A, D::Smaller>
    where
        D: RemoveAxis,
    {
        self.tensor_view().index_axis(axis, index)
    }

    /// As [`index_axis`](Self::index_axis), for writing.
    ///
    /// # Panics
    /// As [`index_axis`](Self::index_axis).
    #[must_use]
    #[track_caller]
    pub fn index_axis_mut(&mut self, axis: Axis, index: usize) -> TensorViewMut<'_, A, D::Smaller>
    where
        D: RemoveAxis,
    {
        self.tensor_view_mut().index_axis(axis, index)
    }

    /// Sets all elements.
    ///
    /// # Errors
    /// As [`view_mut`](Self::view_mut).
    pub fn fill(&mut self, element: A) -> Result<(), AccessError> {
        self.view_mut()?.fill(element);
        Ok(())
    }

    /// Returns the number of elements along each dimension, as a number or a tuple.
    #[must_use]
    pub fn dim(&self) -> D::Pattern {
        self.raw_dim().into_pattern()
    }

    /// Returns the number of elements along each dimension.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        self.located.raw().shape()
    }

    /// Returns the number of elements along each dimension, as ndarray's type.
    #[must_use]
    pub fn raw_dim(&self) -> D {
        self.located.raw().raw_dim()
    }

    /// Returns the steps between neighbours along each dimension, in elements.
    #[must_use]
    pub fn strides(&self) -> &[isize] {
        self.located.raw().strides()
    }

    /// Returns the number of dimensions.
    #[must_use]
    pub fn ndim(&self) -> usize {
        self.located.raw().ndim()
    }

    /// Returns the number of elements.
    #[must_use]
    pub fn len(&self) -> usize {
        self.located.raw().len()
    }

    /// Tells whether it has no elements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the type of the elements.
    #[must_use]
    pub fn dtype(&self) -> DType {
        A::DTYPE
    }

    /// Returns the bytes of all elements.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.len() * size_of::<A>()
    }

    /// Returns the device and inode of the segment it lies in, equal in every process.
    #[must_use]
    pub fn identity(&self) -> SegmentIdentity {
        self.located.extent().backing().identity()
    }

    /// Copies it into a tensor of its own, in row-major order.
    ///
    /// # Errors
    /// [`CopyError`]'s two cases: the elements can't be read, or there is no
    /// memory.
    pub fn try_clone(&self) -> Result<Self, CopyError> {
        Ok(Self::copy_of(&self.view()?)?)
    }

    /// Copies the elements into an ordinary array of the heap.
    ///
    /// # Errors
    /// As [`view`](Self::view).
    pub fn to_array(&self) -> Result<Array<A, D>, AccessError> {
        Ok(self.view()?.to_owned())
    }

    /// Makes it immutable, to be shared by any number of readers without a copy.
    ///
    /// # Errors
    /// [`AccessError`], with the tensor, while a call may write it or if it is poisoned.
    pub fn freeze(self) -> Result<FrozenTensor<A, D>, (AccessError, Self)> {
        match self.view().map(drop) {
            Ok(()) => Ok(FrozenTensor::new(self)),
            Err(error) => Err((error, self)),
        }
    }

    /// Borrows the elements as bytes, in the machine's (little-endian) order.
    ///
    /// # Errors
    /// [`NotContiguous::Layout`] unless they lie in row-major order without gaps,
    /// [`NotContiguous::Access`] as for [`view`](Self::view).
    pub fn as_bytes(&self) -> Result<&[u8], NotContiguous> {
        if !self.located.is_contiguous() {
            let (shape, strides) = (self.shape().to_vec(), self.strides().to_vec());
            return Err(NotContiguous::Layout { shape, strides });
        }
        Ok(self.located.bytes_of_run()?)
    }

    /// Writes the elements in row-major order, little-endian, without a header.
    ///
    /// # Errors
    /// The writer's; [`io::ErrorKind::ResourceBusy`] with an [`AccessError`] inside while the
    /// elements can't be read.
    pub fn write_raw(&self, writer: impl Write) -> io::Result<()> {
        self.tensor_view().write_raw(writer)
    }

    /// Gives the array another shape of the same number of elements.
    ///
    /// # Errors
    /// Returns the tensor unchanged if the number differs or its elements have gaps or another
    /// order than row-major.
    pub fn into_shape<S: IntoDimension>(self, shape: S) -> Result<Tensor<A, S::Dim>, Self> {
        let shape = shape.into_dimension();
        if !self.located.is_contiguous() || shape.size_checked() != Some(self.len()) {
            return Err(self);
        }
        let offset = self.located.bytes().start;
        create::locate(Arc::clone(self.located.extent()), offset, shape)
            .map_or(Err(self), |located| Ok(Tensor { located }))
    }

    /// Forgets the number of dimensions at compile time.
    #[must_use]
    pub fn into_dyn(self) -> Tensor<A, IxDyn> {
        Tensor {
            located: self.located.map(|raw| raw.into_dyn()),
        }
    }

    /// Fixes the number of dimensions at compile time.
    ///
    /// # Errors
    /// Returns the tensor unchanged if it has another number of dimensions.
    pub fn into_dimensionality<D2: Dimension>(self) -> Result<Tensor<A, D2>, Self> {
        if D2::NDIM.is_some_and(|n| n != self.ndim()) {
            return Err(self);
        }
        let located = self
            .located
            .map(|raw| match raw.into_dimensionality::<D2>() {
                Ok(raw) => raw,
                Err(_) => unreachable!("the numbers of dimensions are equal"),
            });
        Ok(Tensor { located })
    }

    /// Narrows it to a slice. The memory around the slice stays with it, unused.
    ///
    /// # Panics
    /// As [`slice`](Self::slice).
    #[must_use]
    #[track_caller]
    pub fn slice_move<I: SliceArg<D>>(self, info: I) -> Tensor<A, I::OutDim> {
        Tensor {
            located: self.located.map(|raw| raw.slice_move(info)),
        }
    }

    /// Transposes it: the order of its dimensions is reversed. No element moves.
    #[must_use]
    pub fn reversed_axes(self) -> Self {
        Self {
            located: self.located.map(|raw| raw.reversed_axes()),
        }
    }

    /// Takes the element at `index` along `axis`, which is removed. No element moves.
    ///
    /// # Panics
    /// If `axis` or `index` is out of bounds.
    #[must_use]
    #[track_caller]
    pub fn index_axis_move(self, axis: Axis, index: usize) -> Tensor<A, D::Smaller>
    where
        D: RemoveAxis,
    {
        Tensor {
            located: self.located.map(|raw| raw.index_axis_move(axis, index)),
        }
    }

    /// Takes the shape away and keeps the bytes, if they lie in row-major order without gaps.
    ///
    /// # Errors
    /// Returns the tensor unchanged if they don't.
    pub fn into_segment(self) -> Result<Segment, Self> {
        Segment::from_tensor(self)
    }

    /// Tells whether a call that could write it ended without an answer.
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        self.located.extent().leases().is_poisoned()
    }

    /// Accepts the contents as they are after a call that could write them ended without an
    /// answer: checks that every element is valid and takes the mark away.
    ///
    /// What the contents *mean* is for the caller to check or overwrite. After
    /// [`RecoverError::Invalid`], [`reset`](Self::reset) is the way on.
    ///
    /// # Errors
    /// [`RecoverError::Access`] while a call still holds the tensor, [`RecoverError::Invalid`] if
    /// a `bool` is neither 0 nor 1.
    pub fn recover(&mut self) -> Result<(), RecoverError> {
        let leases = self.located.extent().leases();
        let all = 0..self.located.extent().len();
        leases.check_leases(&all, crate::segment::mapping::Access::ReadWrite)?;
        if !self.located.are_elements_valid()? {
            return Err(RecoverError::Invalid);
        }
        self.located.extent().leases().recover();
        Ok(())
    }

    /// Sets all elements to zero, poisoned or not, and takes the mark away.
    ///
    /// # Errors
    /// [`AccessError::Leased`] while a call still holds the tensor.
    pub fn reset(&mut self) -> Result<(), AccessError> {
        let leases = self.located.extent().leases();
        let all = 0..self.located.extent().len();
        leases.check_leases(&all, crate::segment::mapping::Access::ReadWrite)?;
        self.located.zero();
        self.located.extent().leases().recover();
        Ok(())
    }

    /// Waits until no call holds a lease on the tensor.
    ///
    /// # Cancel safety
    /// It only waits: dropping it changes nothing.
    pub fn released(&self) -> impl Future<Output = ()> + Send + '_ {
        std::future::poll_fn(|cx| self.located.extent().leases().poll_released(cx))
    }

    /// Blocks the thread until no call holds a lease on the tensor.
    ///
    /// # Panics
    /// Inside an executor's `block_on`, as [`futures::executor::block_on`] does.
    pub fn wait_released(&self) {
        futures::executor::block_on(self.released());
    }
}

impl<A: Element, D: Dimension> fmt::Debug for Tensor<A, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tensor")
            .field("dtype", &A::DTYPE)
            .field("shape", &self.shape())
            .field("strides", &self.strides())
            .field("identity", &self.identity())
            .finish_non_exhaustive()
    }
}

/// Why the elements can't be had as one run of bytes.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum NotContiguous {
    /// They have gaps or another order than row-major.
    #[error(
        "elements of shape {shape:?} and strides {strides:?} don't lie in one run of bytes; copy them with `try_clone`"
    )]
    Layout {
        /// The number of elements along each dimension.
        shape: Vec<usize>,
        /// The steps between neighbours, in elements.
        strides: Vec<isize>,
    },
    /// They can't be reached now.
    #[error(transparent)]
    Access(#[from] AccessError),
}

/// Why a tensor stays poisoned.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum RecoverError {
    /// A call still holds it.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// Its contents aren't valid for the element type.
    #[error("an element of type bool is neither 0 nor 1; set all of them with `reset`")]
    Invalid,
}

/// Why a copy wasn't made.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum CopyError {
    /// The elements can't be read now.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// There is no memory for the copy.
    #[error(transparent)]
    Exhausted(#[from] ShmExhausted),
}

crate::readable::debug_as_message!(NotContiguous, RecoverError, CopyError);
