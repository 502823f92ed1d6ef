//! n-dimensional arrays in segments.
//!
//! - [`element`] says what an element may be, [`layout`] checks shapes and strides (pure);
//! - [`pointer`] turns checked layouts into ndarray's raw views (the home of unsafe);
//! - [`owned`] is the [`Tensor`], [`create`] its constructors, [`view`] its borrows,
//!   [`frozen`] the one that many readers share;
//! - [`npy`] reads and writes NumPy's file format.

mod create;
pub(crate) mod element;
mod frozen;
pub(crate) mod layout;
mod npy;
mod owned;
#[cfg(feature = "internals")]
pub(crate) mod parts;
pub(crate) mod pointer;
mod view;

pub(crate) use create::{Home, copy, locate};
pub use element::{DType, Element};
pub use frozen::FrozenTensor;
pub use npy::NpyError;
pub use owned::{
    CopyError, NotContiguous, RecoverError, Tensor, Tensor0, Tensor1, Tensor2, Tensor3, Tensor4,
    Tensor5, Tensor6, TensorD,
};
pub use view::{TensorView, TensorViewMut};
