//! The three ways of passing an image to a worker and getting its labels.
//!
//! | way | who makes the memory | what is called |
//! |---|---|---|
//! | [`Returned`] | the worker, which reads the file itself | `segment_file(path) -> Tensor` |
//! | [`InPlace`] | the host, as tensors | `segment_into(&image, &mut labels)` |
//! | [`Raw`] | the host, as bare segments and a shape | `segment_raw(&image, shape, &mut labels)` |
//!
//! In none of them a pixel is copied, and all give the same labels.

mod error;
mod in_place;
mod raw;
mod returned;

use std::fmt;
use std::path::Path;

use ndarray::Ix2;
use reedbed::{Report, Tensor};

pub use error::WayError;
pub use in_place::InPlace;
pub use raw::Raw;
pub use returned::Returned;

use crate::nuclei::{Client, Options};

/// One of the three ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// [`Returned`].
    Returned,
    /// [`InPlace`].
    InPlace,
    /// [`Raw`].
    Raw,
}

/// What a call says of its result, which stays in memory until [`Job::finish`].
#[derive(Clone, Debug)]
pub struct Called {
    /// The number of objects.
    pub n_objects: usize,
    /// The bytes that were shared and copied.
    pub report: Report,
}

/// An image and its labels, in shared memory.
#[derive(Debug)]
pub struct Segmented {
    /// The pixels.
    pub image: Tensor<u16, Ix2>,
    /// The number of the object that each pixel belongs to, 0 for none.
    pub labels: Tensor<u32, Ix2>,
}

/// An image that is to be segmented in one of the ways. The call can be repeated.
#[derive(Debug)]
pub enum Job {
    /// The worker makes the memory.
    Returned(Returned),
    /// The host makes tensors.
    InPlace(InPlace),
    /// The host makes bare segments.
    Raw(Raw),
}

impl Way {
    /// All ways.
    pub const ALL: [Self; 3] = [Self::Returned, Self::InPlace, Self::Raw];
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Returned => "returned",
            Self::InPlace => "in-place",
            Self::Raw => "raw",
        })
    }
}

impl Job {
    /// Prepares everything but the call: decodes the image, unless the worker does.
    ///
    /// # Errors
    /// [`WayError`] if the image can't be decoded or finds no memory.
    pub fn prepare(way: Way, path: &Path) -> Result<Self, WayError> {
        Ok(match way {
            Way::Returned => Self::Returned(Returned::new(path)),
            Way::InPlace => Self::InPlace(InPlace::decode(path)?),
            Way::Raw => Self::Raw(Raw::decode(path)?),
        })
    }

    /// Calls the worker.
    ///
    /// # Errors
    /// [`WayError::Call`].
    pub async fn call(&mut self, nuclei: &Client, options: &Options) -> Result<Called, WayError> {
        match self {
            Self::Returned(job) => job.call(nuclei, options).await,
            Self::InPlace(job) => job.call(nuclei, options).await,
            Self::Raw(job) => job.call(nuclei, options).await,
        }
    }

    /// Makes the call possible again after a worker died of it.
    ///
    /// # Errors
    /// [`WayError`] if there is no memory.
    pub fn renew(&mut self) -> Result<(), WayError> {
        match self {
            Self::Returned(_) => Ok(()),
            Self::InPlace(job) => job.renew(),
            Self::Raw(job) => job.renew(),
        }
    }

    /// Returns the result; `None` before a call has succeeded.
    #[must_use]
    pub fn finish(self) -> Option<Segmented> {
        match self {
            Self::Returned(job) => job.finish(),
            Self::InPlace(job) => Some(job.finish()),
            Self::Raw(job) => job.finish(),
        }
    }
}
