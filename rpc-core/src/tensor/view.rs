//! Borrows of a tensor that stay in its segment, so that they are sent without a copy.

use std::fmt;
use std::io::{self, Write};
use std::marker::PhantomData;

use ndarray::{
    ArrayView, ArrayViewMut, Axis, Dimension, IntoDimension, IxDyn, RemoveAxis, SliceArg,
};

use super::element::Element;
use super::layout::{CheckedLayout, Layout};
use super::pointer::Located;
use crate::dims::Dims;
use crate::segment::AccessError;

/// A shared borrow of (part of) a [`Tensor`](crate::Tensor), with any strides.
///
/// It travels by handle: offset, shape and strides. [`view`](Self::view) gives ndarray's own view
/// to read the elements here; that one is copied when it is sent.
pub struct TensorView<'a, A, D> {
    located: Located<A, D>,
    borrow: PhantomData<&'a A>,
}

/// An exclusive borrow of (part of) a [`Tensor`](crate::Tensor), with any strides.
///
/// [`split_at`](Self::split_at) halves it, so that two calls can fill the halves at once.
pub struct TensorViewMut<'a, A, D> {
    located: Located<A, D>,
    borrow: PhantomData<&'a mut A>,
}

impl<'a, A: Element, D: Dimension> TensorView<'a, A, D> {
    /// The caller's borrow for `'a` keeps others from writing the elements in this process.
    pub(crate) fn new(located: Located<A, D>) -> Self {
        Self {
            located,
            borrow: PhantomData,
        }
    }

    pub(crate) fn located(&self) -> &Located<A, D> {
        &self.located
    }

    fn map<D2: Dimension>(
        self,
        narrow: impl FnOnce(ndarray::RawArrayView<A, D>) -> ndarray::RawArrayView<A, D2>,
    ) -> TensorView<'a, A, D2> {
        TensorView::new(self.located.map(narrow))
    }

    /// Borrows the elements as ndarray's view, to read them in this process.
    ///
    /// # Errors
    /// As [`Tensor::view`](crate::Tensor::view).
    pub fn view(&self) -> Result<ArrayView<'_, A, D>, AccessError> {
        self.located.view()
    }

    /// Returns the number of elements along each dimension.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        self.located.raw().shape()
    }

    /// Returns the steps between neighbours along each dimension, in elements.
    #[must_use]
    pub fn strides(&self) -> &[isize] {
        self.located.raw().strides()
    }

    /// Narrows it to a slice.
    ///
    /// # Panics
    /// As [`ndarray::ArrayRef::slice`]: if an index is out of bounds or a step is zero.
    #[must_use]
    #[track_caller]
    pub fn slice<I: SliceArg<D>>(self, info: I) -> TensorView<'a, A, I::OutDim> {
        self.map(|raw| raw.slice_move(info))
    }

    /// Narrows it to what lies at `index` along `axis`, which is no dimension any more.
    ///
    /// # Panics
    /// If `axis` or `index` is out of bounds.
    #[must_use]
    #[track_caller]
    pub fn index_axis(self, axis: Axis, index: usize) -> TensorView<'a, A, D::Smaller>
    where
        D: RemoveAxis,
    {
        self.map(|raw| raw.index_axis_move(axis, index))
    }

    /// Transposes it: the order of its dimensions is reversed.
    #[must_use]
    pub fn reversed_axes(self) -> Self {
        self.map(|raw| raw.reversed_axes())
    }

    /// Reverses one dimension.
    ///
    /// # Panics
    /// If `axis` is out of bounds.
    #[must_use]
    #[track_caller]
    pub fn reversed(self, axis: Axis) -> Self {
        self.map(|mut raw| {
            raw.slice_axis_inplace(axis, ndarray::Slice::new(0, None, -1));
            raw
        })
    }

    /// Reorders the dimensions.
    ///
    /// # Panics
    /// Unless `axes` names each dimension once.
    #[must_use]
    #[track_caller]
    pub fn permuted_axes<T: IntoDimension<Dim = D>>(self, axes: T) -> Self {
        self.map(|raw| raw.permuted_axes(axes))
    }

    /// Repeats it along new or single-element dimensions, as ndarray does; `None` if the shapes
    /// don't agree. No element is copied, now or when it is sent.
    #[must_use]
    pub fn broadcast<T: IntoDimension>(self, shape: T) -> Option<TensorView<'a, A, T::Dim>> {
        let target = shape.into_dimension();
        let mut layout = self.located.layout();
        let n_new = target.ndim().checked_sub(layout.shape.len())?;
        let mut strides = Dims::from_elem(0i64, n_new);
        for ((from, stride), to) in layout
            .shape
            .iter()
            .zip(&layout.strides)
            .zip(&target.slice()[n_new..])
        {
            strides.push(match *from {
                n if n == *to as u64 => *stride,
                1 => 0,
                _ => return None,
            });
        }
        layout = Layout {
            shape: target.slice().iter().map(|n| *n as u64).collect(),
            strides,
            ..layout
        };
        let extent = self.located.extent();
        let checked = CheckedLayout::new(&layout, A::DTYPE, extent.len(), false).ok()?;
        Located::new(extent.clone(), &checked).map(TensorView::new)
    }

    /// Halves it at `index` along `axis`.
    ///
    /// # Panics
    /// If `axis` or `index` is out of bounds.
    #[must_use]
    #[track_caller]
    pub fn split_at(self, axis: Axis, index: usize) -> (Self, Self) {
        let second = self.located.again();
        (
            self.map(|raw| raw.split_at(axis, index).0),
            Self::new(second.map(|raw| raw.split_at(axis, index).1)),
        )
    }

    /// Forgets the number of dimensions at compile time.
    #[must_use]
    pub fn into_dyn(self) -> TensorView<'a, A, IxDyn> {
        self.map(|raw| raw.into_dyn())
    }

    /// Writes the elements in row-major order, little-endian, without a header.
    ///
    /// # Errors
    /// The writer's; [`io::ErrorKind::ResourceBusy`] with an [`AccessError`] inside while the
    /// elements can't be read.
    pub fn write_raw(&self, mut writer: impl Write) -> io::Result<()> {
        let busy = |error: AccessError| io::Error::new(io::ErrorKind::ResourceBusy, error);
        if self.located.is_contiguous() {
            return writer.write_all(self.located.bytes_of_run().map_err(busy)?);
        }
        // Row by row, each gathered into a buffer of its own.
        let elements = self.located.view().map_err(busy)?;
        let mut row = Vec::new();
        for lane in elements.rows() {
            row.clear();
            lane.iter().for_each(|element| {
                row.extend_from_slice(super::pointer::bytes_of(std::slice::from_ref(element)))
            });
            writer.write_all(&row)?;
        }
        Ok(())
    }
}

impl<A: Element, D: Dimension> Clone for TensorView<'_, A, D> {
    fn clone(&self) -> Self {
        Self::new(self.located.again())
    }
}

impl<'a, A: Element, D: Dimension> TensorViewMut<'a, A, D> {
    /// The caller's borrow for `'a` keeps others from reading or writing the elements in this
    /// process.
    pub(crate) fn new(located: Located<A, D>) -> Self {
        Self {
            located,
            borrow: PhantomData,
        }
    }

    pub(crate) fn located(&self) -> &Located<A, D> {
        &self.located
    }

    fn map<D2: Dimension>(
        self,
        narrow: impl FnOnce(ndarray::RawArrayView<A, D>) -> ndarray::RawArrayView<A, D2>,
    ) -> TensorViewMut<'a, A, D2> {
        TensorViewMut::new(self.located.map(narrow))
    }

    /// Borrows the elements as ndarray's view, to read them in this process.
    ///
    /// # Errors
    /// As [`Tensor::view`](crate::Tensor::view).
    pub fn view(&self) -> Result<ArrayView<'_, A, D>, AccessError> {
        self.located.view()
    }

    /// Borrows the elements as ndarray's mutable view, to change them in this process.
    ///
    /// # Errors
    /// As [`Tensor::view_mut`](crate::Tensor::view_mut).
    pub fn view_mut(&mut self) -> Result<ArrayViewMut<'_, A, D>, AccessError> {
        self.located.view_mut()
    }

    /// Borrows it for a shorter time.
    #[must_use]
    pub fn reborrow(&mut self) -> TensorViewMut<'_, A, D> {
        TensorViewMut::new(self.located.again())
    }

    /// Returns the number of elements along each dimension.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        self.located.raw().shape()
    }

    /// Returns the steps between neighbours along each dimension, in elements.
    #[must_use]
    pub fn strides(&self) -> &[isize] {
        self.located.raw().strides()
    }

    /// Narrows it to a slice.
    ///
    /// # Panics
    /// As [`ndarray::ArrayRef::slice`]: if an index is out of bounds or a step is zero.
    #[must_use]
    #[track_caller]
    pub fn slice<I: SliceArg<D>>(self, info: I) -> TensorViewMut<'a, A, I::OutDim> {
        self.map(|raw| raw.slice_move(info))
    }

    /// Narrows it to what lies at `index` along `axis`, which is no dimension any more.
    ///
    /// # Panics
    /// If `axis` or `index` is out of bounds.
    #[must_use]
    #[track_caller]
    pub fn index_axis(self, axis: Axis, index: usize) -> TensorViewMut<'a, A, D::Smaller>
    where
        D: RemoveAxis,
    {
        self.map(|raw| raw.index_axis_move(axis, index))
    }

    /// Transposes it: the order of its dimensions is reversed.
    #[must_use]
    pub fn reversed_axes(self) -> Self {
        self.map(|raw| raw.reversed_axes())
    }

    /// Halves it at `index` along `axis`. Two calls may write the halves at the same time where
    /// their bytes don't interleave, as for halves along the first axis of a row-major tensor.
    ///
    /// # Panics
    /// If `axis` or `index` is out of bounds.
    #[must_use]
    #[track_caller]
    pub fn split_at(self, axis: Axis, index: usize) -> (Self, Self) {
        let second = self.located.again();
        (
            self.map(|raw| raw.split_at(axis, index).0),
            Self::new(second.map(|raw| raw.split_at(axis, index).1)),
        )
    }
}

impl<A: Element, D: Dimension> fmt::Debug for TensorView<'_, A, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TensorView").field(&self.located).finish()
    }
}

impl<A: Element, D: Dimension> fmt::Debug for TensorViewMut<'_, A, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TensorViewMut").field(&self.located).finish()
    }
}
