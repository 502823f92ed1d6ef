//! How tensors come to be.

use std::sync::Arc;

use ndarray::{Array, ArrayBase, ArrayRef, ArrayView, Data, Dimension, IntoDimension};

use super::element::Element;
use super::layout::{CheckedLayout, Layout};
use super::owned::Tensor;
use super::pointer::{self, Located};
use crate::dims::Dims;
use crate::segment::extent::Extent;
use crate::segment::kind::{Segments, segments};
use crate::segment::pool::{self, Bytes};
use crate::segment::stranger::{Reach, Stranger};
use crate::segment::{ShmExhausted, Shortage};

/// Where a tensor is to lie.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Home {
    /// In a segment of this kind, which trusted processes may use.
    Common(Segments),
    /// In a guarded segment of its own, which this untrusted worker may read.
    For(Stranger),
}

impl<A: Element, D: Dimension> Tensor<A, D> {
    /// Makes a tensor of zeros (`false` for `bool`).
    ///
    /// The shape is one of ndarray's: `5`, `(3, 4)`, `[2, 3, 4]`, `IxDyn(&[..])`. The elements lie in
    /// row-major order; for column-major, make the reversed shape and take
    /// [`reversed_axes`](Self::reversed_axes).
    ///
    /// # Errors
    /// [`ShmExhausted`] if the memory can't be had.
    pub fn zeros<S: IntoDimension<Dim = D>>(shape: S) -> Result<Self, ShmExhausted> {
        Self::zeros_in(Home::Common(segments()), shape)
    }

    /// As [`zeros`](Self::zeros), in this home.
    pub(crate) fn zeros_in<S: IntoDimension<Dim = D>>(
        home: Home,
        shape: S,
    ) -> Result<Self, ShmExhausted> {
        let (mut tensor, bytes) = allocate(home, shape, &[])?;
        if bytes != Bytes::Zero {
            tensor.located_mut().zero();
        }
        Ok(tensor)
    }

    /// Makes a tensor whose contents are unspecified: zeros, or whatever an earlier tensor of this
    /// process left there. It saves [`zeros`](Self::zeros) a pass over recycled memory.
    ///
    /// Every element is a valid value of its type all the same, so nothing here is undefined:
    /// `bool`s are `false`.
    ///
    /// # Errors
    /// [`ShmExhausted`] if the memory can't be had.
    pub fn uninit<S: IntoDimension<Dim = D>>(shape: S) -> Result<Self, ShmExhausted> {
        if A::DTYPE == super::DType::Bool {
            return Self::zeros(shape);
        }
        Self::uninit_in(Home::Common(segments()), shape)
    }

    /// As [`uninit`](Self::uninit), for contents that are written at once, in this home.
    pub(crate) fn uninit_in<S: IntoDimension<Dim = D>>(
        home: Home,
        shape: S,
    ) -> Result<Self, ShmExhausted> {
        Ok(allocate(home, shape, &[])?.0)
    }

    /// Makes a tensor with `element` everywhere.
    ///
    /// # Errors
    /// [`ShmExhausted`] if the memory can't be had.
    pub fn from_elem<S: IntoDimension<Dim = D>>(
        shape: S,
        element: A,
    ) -> Result<Self, ShmExhausted> {
        let mut tensor = Self::uninit(shape)?;
        tensor.fill_with(|mut elements| elements.fill(element));
        Ok(tensor)
    }

    /// Makes a tensor whose element at each index is `element(index)`.
    ///
    /// # Errors
    /// [`ShmExhausted`] if the memory can't be had.
    pub fn from_shape_fn<S: IntoDimension<Dim = D>>(
        shape: S,
        mut element: impl FnMut(D::Pattern) -> A,
    ) -> Result<Self, ShmExhausted> {
        let mut tensor = Self::uninit(shape)?;
        tensor.fill_with(|mut elements| {
            for (index, place) in elements.indexed_iter_mut() {
                *place = element(index);
            }
        });
        Ok(tensor)
    }

    /// Copies an array or a view into a tensor, in row-major order.
    ///
    /// # Errors
    /// [`ShmExhausted`] if the memory can't be had.
    pub fn copy_of(array: &ArrayRef<A, D>) -> Result<Self, ShmExhausted> {
        Self::copy_in(Home::Common(segments()), array)
    }

    /// As [`copy_of`](Self::copy_of), in this home.
    pub(crate) fn copy_in(home: Home, array: &ArrayRef<A, D>) -> Result<Self, ShmExhausted> {
        // A run of elements is the contents as they are; others are written one by one.
        let contents = array.as_slice().map_or(&[][..], pointer::bytes_of);
        let (mut tensor, bytes) = allocate::<A, D, D>(home, array.raw_dim(), contents)?;
        if bytes == Bytes::Written {
            return Ok(tensor);
        }
        if A::DTYPE == super::DType::Bool {
            // Only bytes that are valid may be written over as elements.
            tensor.located_mut().zero();
        }
        tensor.fill_with(|mut elements| copy(array, &mut elements));
        Ok(tensor)
    }

    /// Writes the elements of a tensor that nobody else has seen yet.
    fn fill_with(&mut self, write: impl FnOnce(ndarray::ArrayViewMut<'_, A, D>)) {
        match self.view_mut() {
            Ok(elements) => write(elements),
            Err(error) => unreachable!("a new tensor is neither leased nor poisoned: {error}"),
        }
    }
}

/// Copies elements: runs of them as the C library copies memory, whatever the optimiser makes of a
/// loop.
///
/// That is the best there is to have on two cores. Halves in two threads are no quicker
/// (`cargo bench --package reedbed --features internals --bench segments`): one core saturates the
/// memory. Whether the copy goes around the caches (non-temporal stores), which the C library decides by the
/// length, makes no difference that lasts until the other side has read it (0.96 to 1.03 times, `cargo ratios
/// copy`).
pub(crate) fn copy<A: Element, D: Dimension>(from: &ArrayRef<A, D>, to: &mut ArrayRef<A, D>) {
    match (from.as_slice(), to.as_slice_mut()) {
        (Some(from), Some(to)) if from.len() == to.len() => to.copy_from_slice(from),
        _ => to.assign(from),
    }
}

/// Takes memory for an array of `shape`, perhaps with its `contents`; also tells what is there.
fn allocate<A: Element, D: Dimension, S: IntoDimension<Dim = D>>(
    home: Home,
    shape: S,
    contents: &[u8],
) -> Result<(Tensor<A, D>, Bytes), ShmExhausted> {
    let shape = shape.into_dimension();
    let too_large = || ShmExhausted::new(usize::MAX, Shortage::Budget);
    let len = shape
        .size_checked()
        .and_then(|n_elements| n_elements.checked_mul(size_of::<A>()))
        .ok_or_else(too_large)?;
    let allocation = match home {
        Home::Common(segments) => pool::allocate_in(segments, len, contents)?,
        Home::For(stranger) => {
            let (allocation, stale) =
                pool::allocate_apart(stranger, Reach::Guarded, len, contents)?;
            let shape = ndarray::Ix1(stale.len());
            if let Some(mut stale) = locate::<u8, _>(allocation.extent.clone(), stale.start, shape)
            {
                stale.zero();
            }
            allocation
        }
    };
    let located = locate(allocation.extent, 0, shape).ok_or_else(too_large)?;
    Ok((Tensor::from_located(located), allocation.bytes))
}

/// Locates a row-major array of `shape` at `offset` bytes into `extent`, if it fits.
pub(crate) fn locate<A: Element, D: Dimension>(
    extent: Arc<Extent>,
    offset: usize,
    shape: D,
) -> Option<Located<A, D>> {
    let mut strides = Dims::from_elem(0i64, shape.ndim());
    let mut step = 1i64;
    for (stride, n) in strides.iter_mut().zip(shape.slice()).rev() {
        *stride = step;
        step = step.checked_mul(i64::try_from((*n).max(1)).ok()?)?;
    }
    let shape = shape.slice().iter().map(|n| *n as u64).collect();
    let layout = Layout {
        offset_bytes: offset as u64,
        shape,
        strides,
    };
    let checked = CheckedLayout::new(&layout, A::DTYPE, extent.len(), true).ok()?;
    Located::new(extent, &checked)
}

/// # Panics
/// If the memory can't be had; [`Tensor::copy_of`] returns an error instead.
impl<A: Element, D: Dimension> From<Array<A, D>> for Tensor<A, D> {
    #[track_caller]
    fn from(array: Array<A, D>) -> Self {
        Self::from(&array)
    }
}

/// # Panics
/// If the memory can't be had; [`Tensor::copy_of`] returns an error instead.
impl<A: Element, D: Dimension> From<ArrayView<'_, A, D>> for Tensor<A, D> {
    #[track_caller]
    fn from(view: ArrayView<'_, A, D>) -> Self {
        Self::from(&view)
    }
}

/// # Panics
/// If the memory can't be had; [`Tensor::copy_of`] returns an error instead.
impl<A: Element, D: Dimension, S: Data<Elem = A>> From<&ArrayBase<S, D>> for Tensor<A, D> {
    #[track_caller]
    fn from(array: &ArrayBase<S, D>) -> Self {
        match Self::copy_of(array) {
            Ok(tensor) => tensor,
            Err(error) => panic!("{error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Ix1, Ix2, array};

    #[test]
    fn recycled_memory_is_zeroed_where_zeros_are_asked_for() {
        for n in [100, 100_000] {
            for _ in 0..4 {
                let mut tensor = Tensor::<u32, Ix1>::zeros(n).unwrap();
                assert!(tensor.view().unwrap().iter().all(|element| *element == 0));
                tensor.view_mut().unwrap().fill(u32::MAX);
            }
        }
    }

    #[test]
    fn what_an_untrusted_worker_may_see_was_written_for_it() {
        let home = Home::For(Stranger::new());
        for n in [100, 3000] {
            drop(Tensor::<u8, Ix1>::copy_in(home, &Array::from_elem(4000, 9)).unwrap());
            let copy = Tensor::copy_in(home, &Array::from_elem(n, 1u8)).unwrap();
            let backing = copy.located().extent().backing();
            assert_eq!(backing.mapping().len(), 4096);
            let mut all = [7; 4096];
            backing.read(0, &mut all).unwrap();
            assert!(all[..n].iter().all(|byte| *byte == 1));
            assert!(all[n..].iter().all(|byte| *byte == 0), "behind {n} bytes");
        }
    }

    #[test]
    fn unspecified_contents_are_valid_all_the_same() {
        drop(Tensor::<u8, Ix1>::from_elem(100_000, 7).unwrap());
        let flags = Tensor::<bool, Ix1>::uninit(100_000).unwrap();
        assert!(flags.view().unwrap().iter().all(|flag| !flag));
    }

    #[test]
    fn arrays_are_copied_whatever_their_order() {
        let array = array![[1, 2, 3], [4, 5, 6]];
        let transposed = Tensor::<i32, Ix2>::from(array.t());
        assert_eq!(transposed.view().unwrap(), array.t());
        assert_eq!(transposed.strides(), [2, 1]);
        let counted = Tensor::from_shape_fn((2, 3), |(row, column)| (3 * row + column + 1) as u64);
        let array = array.mapv(i32::unsigned_abs).mapv(u64::from);
        assert_eq!(counted.unwrap().view().unwrap(), array);
    }

    #[test]
    fn runs_are_copied_into_fresh_and_recycled_memory() {
        // In an arena, in small pages, in huge pages with small ones behind them.
        for n in [100, 100_000, 3 << 20] {
            let bytes: Array<u8, Ix1> = (0..=250).cycle().take(n).collect();
            let flags = bytes.mapv(|byte| byte > 100);
            for _ in 0..2 {
                let copy = Tensor::<u8, Ix1>::from(&bytes);
                let fresh = Tensor::<bool, Ix1>::from(&flags);
                assert_eq!(copy.view().unwrap(), bytes);
                assert_eq!(fresh.view().unwrap(), flags);
            }
        }
    }

    #[test]
    fn absurd_shapes_are_errors() {
        for shape in [
            (usize::MAX, 1),
            (usize::MAX, 2),
            (1 << 62, 1 << 62),
            (0, usize::MAX),
        ] {
            assert!(Tensor::<u64, Ix2>::zeros(shape).is_err(), "{shape:?}");
        }
    }

    #[test]
    fn a_shape_can_change_while_the_elements_stay() {
        let tensor = Tensor::from(array![[1u8, 2], [3, 4]]);
        let identity = tensor.identity();
        let line = tensor.into_shape(4).unwrap();
        assert_eq!(
            (line.identity(), line.view().unwrap()),
            (identity, array![1, 2, 3, 4].view())
        );
        assert!(line.into_shape(5).is_err());
    }
}
