//! The worker makes the memory and returns it.

use std::path::{Path, PathBuf};

use super::{Called, Segmented, WayError};
use crate::nuclei::{Client, Options};

/// An image that the worker reads itself: only its path is sent, and two tensors come back.
#[derive(Debug)]
pub struct Returned {
    path: PathBuf,
    segmented: Option<Segmented>,
}

impl Returned {
    /// Names the image.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            segmented: None,
        }
    }

    /// Has the worker read and segment the image.
    ///
    /// # Errors
    /// [`WayError::Call`].
    pub async fn call(&mut self, nuclei: &Client, options: &Options) -> Result<Called, WayError> {
        let call = nuclei.segment_file(self.path.clone(), options.clone());
        let ((image, labels, n_objects), report) = call.forbid_copies().reported().await?;
        self.segmented = Some(Segmented { image, labels });
        Ok(Called { n_objects, report })
    }

    /// Returns the result; `None` before a call has succeeded.
    #[must_use]
    pub fn finish(self) -> Option<Segmented> {
        self.segmented
    }
}
