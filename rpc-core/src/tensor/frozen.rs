//! A tensor that nobody writes any more.

use std::fmt;
use std::sync::Arc;

use ndarray::{ArrayView, Dimension, SliceArg};

use super::element::Element;
use super::owned::Tensor;
use super::view::TensorView;
use crate::segment::{AccessError, SegmentIdentity};

/// A tensor that is shared by any number of readers, here and in workers. Cloning it copies a
/// pointer.
///
/// ```
/// use reedbed::{AccessError, Tensor, ndarray::array};
///
/// let weights = Tensor::from(array![1.0, 2.0]).freeze().map_err(|(error, _)| error)?;
/// let mine = weights.clone();
/// let sum = std::thread::spawn(move || Ok::<_, AccessError>(mine.view()?.sum())).join().unwrap()?;
/// assert_eq!(sum, 3.0);
/// let thawed = weights.thaw().expect("the last one");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct FrozenTensor<A, D> {
    tensor: Arc<Tensor<A, D>>,
}

impl<A: Element, D: Dimension> FrozenTensor<A, D> {
    pub(crate) fn new(tensor: Tensor<A, D>) -> Self {
        Self {
            tensor: Arc::new(tensor),
        }
    }

    /// Borrows the elements as ndarray's view, to read them in this process.
    ///
    /// # Errors
    /// None in practice, since no call can write a frozen tensor; the type is that of
    /// [`Tensor::view`].
    pub fn view(&self) -> Result<ArrayView<'_, A, D>, AccessError> {
        self.tensor.view()
    }

    /// Borrows all of it as a view that stays in the segment.
    #[must_use]
    pub fn tensor_view(&self) -> TensorView<'_, A, D> {
        self.tensor.tensor_view()
    }

    /// Borrows a slice of it that stays in the segment.
    ///
    /// # Panics
    /// As [`Tensor::slice`].
    #[track_caller]
    pub fn slice<I: SliceArg<D>>(&self, info: I) -> TensorView<'_, A, I::OutDim> {
        self.tensor.slice(info)
    }

    /// Returns the number of elements along each dimension.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        self.tensor.shape()
    }

    /// Returns the tensor, for all that can be done with a shared borrow of it.
    #[must_use]
    pub fn as_tensor(&self) -> &Tensor<A, D> {
        &self.tensor
    }

    /// Returns the device and inode of the segment it lies in, equal in every process.
    #[must_use]
    pub fn identity(&self) -> SegmentIdentity {
        self.tensor.identity()
    }

    /// Makes it mutable again.
    ///
    /// # Errors
    /// Returns it unchanged while another clone exists.
    pub fn thaw(self) -> Result<Tensor<A, D>, Self> {
        Arc::try_unwrap(self.tensor).map_err(|tensor| Self { tensor })
    }
}

impl<A, D> Clone for FrozenTensor<A, D> {
    fn clone(&self) -> Self {
        Self {
            tensor: Arc::clone(&self.tensor),
        }
    }
}

impl<A: Element, D: Dimension> fmt::Debug for FrozenTensor<A, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FrozenTensor").field(&self.tensor).finish()
    }
}
