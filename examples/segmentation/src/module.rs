//! What the worker serves.

use reedbed::remote_module;

/// Finds nuclei in fluorescence images.
///
/// The same work in four signatures: who makes the memory for image and labels is all that
/// differs. In all but the last, [`segment`](nuclei::segment), every array is shared with the
/// caller; the rest travels as serde values.
#[remote_module]
pub mod nuclei {
    use std::path::PathBuf;

    use ndarray::{Array2, ArrayView2, ArrayViewMut2, Ix2};
    use reedbed::{SegmentView, SegmentViewMut, Tensor};

    pub use crate::SegmentationError;
    pub use crate::algorithm::Options;
    pub use crate::objects::Object;

    use crate::crash::{Running, crash_while_running};
    use crate::input::ImageSource;
    use crate::{algorithm, objects, raw};

    /// Reads an image file and returns its pixels, its labels and the number of objects.
    ///
    /// The worker makes both arrays in shared memory; returning them moves them to the caller.
    #[expect(
        clippy::type_complexity,
        reason = "three things are returned, and an alias would hide that two are shared"
    )]
    pub fn segment_file(
        path: PathBuf,
        options: Options,
    ) -> Result<(Tensor<u16, Ix2>, Tensor<u32, Ix2>, usize), SegmentationError> {
        let mut source = ImageSource::open(path)?;
        let mut image = Tensor::uninit(source.shape())?;
        let mut labels = Tensor::uninit(source.shape())?;
        source.read_into(image.view_mut()?)?;
        let n_objects = segment_into(image.view()?, options, labels.view_mut()?)?;
        Ok((image, labels, n_objects))
    }

    /// Labels the objects of `image` in `labels` and returns how many there are.
    ///
    /// Both arrays are the caller's: one is lent for reading, one for writing.
    pub fn segment_into(
        #[ndarray] image: ArrayView2<'_, u16>,
        options: Options,
        #[ndarray] labels: ArrayViewMut2<'_, u32>,
    ) -> Result<usize, SegmentationError> {
        if image.dim() != labels.dim() {
            return Err(SegmentationError::Shapes {
                image: image.dim(),
                labels: labels.dim(),
            });
        }
        let _running = Running::begin();
        Ok(algorithm::segment(image, &options, labels))
    }

    /// Does the same on bare memory: rows of `u16` pixels in, rows of `u32` labels out.
    pub fn segment_raw(
        #[segment] image: SegmentView<'_>,
        shape: (usize, usize),
        options: Options,
        #[segment] labels: SegmentViewMut<'_>,
    ) -> Result<usize, SegmentationError> {
        let image = raw::rows("image", &image, shape)?;
        let labels = raw::rows_mut("labels", labels, shape)?;
        segment_into(image, options, labels)
    }

    /// Returns the labels as an ordinary array. It is copied into shared memory on its way out;
    /// the caller's report says so.
    pub fn segment(
        #[ndarray] image: ArrayView2<'_, u16>,
        options: Options,
    ) -> Result<Array2<u32>, SegmentationError> {
        let mut labels = Array2::zeros(image.dim());
        segment_into(image, options, labels.view_mut())?;
        Ok(labels)
    }

    /// Measures the objects of a label map, in the order of their numbers.
    pub fn measure(
        #[ndarray] image: ArrayView2<'_, u16>,
        #[ndarray] labels: ArrayView2<'_, u32>,
    ) -> Result<Vec<Object>, SegmentationError> {
        objects::measure(labels, image).map_err(|error| SegmentationError::Shapes {
            image: error.image,
            labels: error.labels,
        })
    }

    /// Adds all pixels up: work that takes hardly longer than reading them once.
    pub fn sum(#[ndarray] pixels: ArrayView2<'_, u16>) -> u64 {
        pixels.fold(0, |sum, &pixel| sum + u64::from(pixel))
    }

    /// Ends the worker by SIGSEGV, in the middle of a segmentation.
    pub fn crash() {
        crash_while_running();
    }
}
