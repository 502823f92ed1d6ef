//! The host makes the memory, as bare segments, and lends it; the shape travels beside them.

use std::path::Path;

use ndarray::ArrayViewMut2;
use reedbed::Segment;

use super::{Called, Segmented, WayError};
use crate::input::ImageSource;
use crate::nuclei::{Client, Options};

/// An image that the host decoded straight into a bare segment, and room for its labels.
///
/// For programs that keep their own account of what lies where: no array type helps here.
#[derive(Debug)]
pub struct Raw {
    shape: (usize, usize),
    image: Segment,
    labels: Segment,
}

impl Raw {
    /// Decodes the image.
    ///
    /// # Errors
    /// [`WayError::Input`] and [`WayError::Memory`].
    pub fn decode(path: &Path) -> Result<Self, WayError> {
        let mut source = ImageSource::open(path)?;
        let shape = source.shape();
        let mut image = Segment::zeroed(len_bytes::<u16>(shape))?;
        let labels = Segment::zeroed(len_bytes::<u32>(shape))?;
        source.read_into(ArrayViewMut2::from_shape(shape, image.as_slice_mut()?)?)?;
        Ok(Self {
            shape,
            image,
            labels,
        })
    }

    /// Lends both segments.
    ///
    /// # Errors
    /// [`WayError::Call`].
    pub async fn call(&mut self, nuclei: &Client, options: &Options) -> Result<Called, WayError> {
        let call = nuclei.segment_raw(&self.image, self.shape, options.clone(), &mut self.labels);
        let (n_objects, report) = call.forbid_copies().reported().await?;
        Ok(Called { n_objects, report })
    }

    /// Takes another segment for the labels: one that a worker died over may be half written.
    ///
    /// # Errors
    /// [`WayError::Memory`].
    pub fn renew(&mut self) -> Result<(), WayError> {
        self.labels = Segment::zeroed(self.labels.len_bytes())?;
        Ok(())
    }

    /// Gives both segments their shape, in place; `None` if they don't hold it.
    #[must_use]
    pub fn finish(self) -> Option<Segmented> {
        let image = self.image.into_tensor(self.shape).ok()?;
        let labels = self.labels.into_tensor(self.shape).ok()?;
        Some(Segmented { image, labels })
    }
}

/// Returns the bytes of an array; too many for any memory if they can't be counted.
fn len_bytes<A>((rows, columns): (usize, usize)) -> usize {
    rows.saturating_mul(columns).saturating_mul(size_of::<A>())
}
