//! Segments microscopy images in a worker process; the pixels are shared with it, not copied.
//!
//! In reading order. What the worker does, on arrays that it never asks the origin of:
//!
//! 1. [`input`] decodes a grey TIFF or PNG straight into memory that the caller owns,
//! 2. [`algorithm`] turns the image into a label map, one number an object,
//! 3. [`objects`] measures the objects,
//! 4. [`output`] writes label maps, tables and pictures,
//! 5. [`score`] compares a label map with a ground truth.
//!
//! And how it becomes a call:
//!
//! 6. [`nuclei`] is the module that a worker serves, [`SegmentationError`] its own error,
//! 7. [`segmenter`] is a service, which is set up once for a series of images,
//! 8. [`ways`] are the host's three ways of passing an image and getting its labels,
//! 9. [`scikit`] is the same work in Python, by scikit-image,
//! 10. [`copying`] is a call that copies its argument, to compare with.
//!
//! The programs are in `src/bin`: `worker` is a line, `host` the pipeline, `launch` what
//! `cargo demo` runs.

#![forbid(unsafe_code)]

pub mod algorithm;
pub mod bundled;
pub mod copying;
mod crash;
mod error;
pub mod input;
mod module;
pub mod objects;
pub mod output;
mod raw;
pub mod scikit;
pub mod score;
pub mod segmenter;
pub mod ways;

pub use error::{SegmentationError, in_full};
pub use module::nuclei;
pub use segmenter::Segmenter;
