//! The host makes the memory, as tensors, and lends it.

use std::path::Path;

use ndarray::{ArrayView2, Ix2};
use reedbed::{AccessError, Tensor};

use super::{Called, Segmented, WayError};
use crate::input::ImageSource;
use crate::nuclei::{Client, Options};

/// An image that the host decoded straight into shared memory, and room for its labels.
#[derive(Debug)]
pub struct InPlace {
    image: Tensor<u16, Ix2>,
    labels: Tensor<u32, Ix2>,
}

impl InPlace {
    /// Decodes the image.
    ///
    /// # Errors
    /// [`WayError::Input`] and [`WayError::Memory`].
    pub fn decode(path: &Path) -> Result<Self, WayError> {
        let mut source = ImageSource::open(path)?;
        let mut image = Tensor::uninit(source.shape())?;
        let labels = Tensor::uninit(source.shape())?;
        source.read_into(image.view_mut()?)?;
        Ok(Self { image, labels })
    }

    /// Lends the image for reading and the labels for writing.
    ///
    /// # Errors
    /// [`WayError::Call`].
    pub async fn call(&mut self, nuclei: &Client, options: &Options) -> Result<Called, WayError> {
        let call = nuclei.segment_into(&self.image, options.clone(), &mut self.labels);
        let (n_objects, report) = call.forbid_copies().reported().await?;
        Ok(Called { n_objects, report })
    }

    /// Borrows the labels.
    ///
    /// # Errors
    /// [`AccessError`] while a call may write them, and after a worker died that could.
    pub fn labels(&self) -> Result<ArrayView2<'_, u32>, AccessError> {
        self.labels.view()
    }

    /// Tells whether a worker died while it could write the labels, so that they may be half
    /// written.
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        self.labels.is_poisoned()
    }

    /// Blanks the labels, poisoned or not; the next call writes all of them.
    ///
    /// # Errors
    /// [`WayError::Access`] while a call still holds them.
    pub fn renew(&mut self) -> Result<(), WayError> {
        Ok(self.labels.reset()?)
    }

    /// Returns image and labels.
    #[must_use]
    pub fn finish(self) -> Segmented {
        let Self { image, labels } = self;
        Segmented { image, labels }
    }
}
