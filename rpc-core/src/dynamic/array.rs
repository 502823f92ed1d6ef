//! Arrays whose element type and number of dimensions only the program's run decides.

use std::fmt;
use std::sync::Arc;

use ndarray::{Dimension, IxDyn};

use crate::call::error::SendError;
use crate::call::outgoing::Outgoing;
use crate::segment::SegmentIdentity;
use crate::segment::extent::Extent;
use crate::tensor::layout::CheckedLayout;
use crate::tensor::pointer::Located;
use crate::tensor::{DType, Element, Tensor, TensorView, TensorViewMut};

/// A [`Tensor`] of any element type and any number of dimensions: what a function returned that was
/// called without a stub.
///
/// ```
/// use reedbed::dynamic::AnyTensor;
/// use reedbed::{Tensor, Tensor2, ndarray::array};
///
/// let any = AnyTensor::from(Tensor::from(array![[1u16, 2], [3, 4]]));
/// assert_eq!((any.dtype(), any.shape()), (reedbed::DType::U16, &[2, 2][..]));
/// let error = any.into_tensor::<f32, reedbed::ndarray::Ix2>().unwrap_err();
/// assert_eq!(error.to_string(), "a tensor of f32 with 2 dimensions is expected, not one of u16 with 2");
/// let matrix = Tensor2::<u16>::try_from(error.into_inner())?;
/// assert_eq!(matrix.view()?.sum(), 10);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct AnyTensor {
    extent: Arc<Extent>,
    /// In a box, so that a value is small.
    layout: Box<CheckedLayout>,
}

/// An [`AnyTensor`] has another element type, or another number of dimensions, than was asked for.
#[derive(Debug, thiserror::Error)]
#[error(
    "{} is expected, not one of {} with {}",
    describe("a tensor", *expected, *rank), inner.dtype(), inner.ndim()
)]
pub struct OtherTensor {
    expected: DType,
    rank: Option<usize>,
    inner: Box<AnyTensor>,
}

impl OtherTensor {
    /// Returns the tensor, unchanged.
    #[must_use]
    pub fn into_inner(self) -> AnyTensor {
        *self.inner
    }
}

/// Says which arrays are meant.
pub(super) fn describe(what: &str, dtype: DType, rank: Option<usize>) -> String {
    match rank {
        Some(1) => format!("{what} of {dtype} with 1 dimension"),
        Some(rank) => format!("{what} of {dtype} with {rank} dimensions"),
        None => format!("{what} of {dtype}"),
    }
}

/// Runs a block with `$element` as the type that `$dtype` names.
macro_rules! with_element {
    ($dtype:expr, $element:ident => $block:expr) => {{
        with_element! { @each $dtype, $element => $block;
            Bool bool, U8 u8, U16 u16, U32 u32, U64 u64, U128 u128, I8 i8, I16 i16, I32 i32,
            I64 i64, I128 i128, F16 half::f16, BF16 half::bf16, F32 f32, F64 f64,
            C32 num_complex::Complex32, C64 num_complex::Complex64
        }
    }};
    (@each $dtype:expr, $element:ident => $block:expr; $($name:ident $ty:ty),*) => {
        match $dtype {
            $(DType::$name => {
                type $element = $ty;
                $block
            })*
        }
    };
}

pub(super) use with_element;

impl AnyTensor {
    /// A tensor of the elements of `layout`, which was checked against the length of `extent`; they
    /// are nobody else's. `None` if a `bool` is neither 0 nor 1.
    pub(crate) fn new(extent: Arc<Extent>, layout: CheckedLayout) -> Option<Self> {
        if layout.dtype() == DType::Bool {
            let located = Located::<bool, IxDyn>::new(Arc::clone(&extent), &layout)?;
            located.are_elements_valid().ok().filter(|valid| *valid)?;
        }
        let layout = Box::new(layout);
        Some(Self { extent, layout })
    }

    fn located<A: Element, D: Dimension>(&self) -> Option<Located<A, D>> {
        Located::new(Arc::clone(&self.extent), &self.layout)
    }

    /// Returns the type of the elements.
    #[must_use]
    pub fn dtype(&self) -> DType {
        self.layout.dtype()
    }

    /// Returns the number of elements along each dimension.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        self.layout.shape()
    }

    /// Returns the number of dimensions.
    #[must_use]
    pub fn ndim(&self) -> usize {
        self.shape().len()
    }

    /// Returns the bytes of all elements.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.layout.size_bytes()
    }

    /// Returns the device and inode of the segment it lies in, equal in every process.
    #[must_use]
    pub fn identity(&self) -> SegmentIdentity {
        self.extent.backing().identity()
    }

    /// Fixes element type and number of dimensions at compile time. No element moves.
    ///
    /// # Errors
    /// [`OtherTensor`], with the tensor, if it has others.
    pub fn into_tensor<A: Element, D: Dimension>(self) -> Result<Tensor<A, D>, OtherTensor> {
        match self.located() {
            Some(located) => Ok(Tensor::from_located(located)),
            None => Err(OtherTensor {
                expected: A::DTYPE,
                rank: D::NDIM,
                inner: Box::new(self),
            }),
        }
    }

    /// Borrows it as a view of this element type and number of dimensions; `None` if it has others.
    #[must_use]
    pub fn tensor_view<A: Element, D: Dimension>(&self) -> Option<TensorView<'_, A, D>> {
        self.located().map(TensorView::new)
    }

    /// As [`tensor_view`](Self::tensor_view), for writing.
    #[must_use]
    pub fn tensor_view_mut<A: Element, D: Dimension>(&mut self) -> Option<TensorViewMut<'_, A, D>> {
        self.located().map(TensorViewMut::new)
    }

    /// Gives it away.
    pub(super) fn send(self, argument: &str, outgoing: &mut Outgoing<'_>) -> Result<(), SendError> {
        let loan = with_element!(self.dtype(), A => match self.located::<A, IxDyn>() {
            Some(located) => outgoing.offer(argument, &located),
            None => unreachable!("the layout is of this element type and fits its extent"),
        });
        outgoing.give_as(argument, self, loan)
    }
}

impl<A: Element, D: Dimension> From<Tensor<A, D>> for AnyTensor {
    fn from(tensor: Tensor<A, D>) -> Self {
        let located = tensor.located();
        let extent = Arc::clone(located.extent());
        match CheckedLayout::new(&located.layout(), A::DTYPE, extent.len(), false) {
            Ok(layout) => Self {
                extent,
                layout: Box::new(layout),
            },
            Err(error) => unreachable!("the layout of a tensor was checked: {error}"),
        }
    }
}

impl<A: Element, D: Dimension> TryFrom<AnyTensor> for Tensor<A, D> {
    type Error = OtherTensor;

    fn try_from(tensor: AnyTensor) -> Result<Self, OtherTensor> {
        tensor.into_tensor()
    }
}

impl fmt::Debug for AnyTensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnyTensor")
            .field("dtype", &self.dtype())
            .field("shape", &self.shape())
            .field("strides", &self.layout.strides())
            .field("identity", &self.identity())
            .finish_non_exhaustive()
    }
}
