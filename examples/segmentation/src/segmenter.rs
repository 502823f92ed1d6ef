//! A segmenter that is set up once and stays warm in its worker.

use ndarray::{ArrayView2, ArrayViewMut2, Ix2};
use reedbed::{Schema, Tensor, remote_module};
use serde::{Deserialize, Serialize};

use crate::SegmentationError;
use crate::algorithm::{self, MAX_RADIUS_PX, Options};
use crate::module::nuclei;

/// Segments a series of images with the same options.
///
/// [`nuclei`] takes the options with every image and makes the best of odd ones. A series deserves
/// more: options that mean what they say, and objects of one size in all of its images, which are
/// measured once in a good one.
#[derive(Debug)]
pub struct Segmenter {
    /// All within their ranges.
    options: Options,
}

/// Why there is no segmenter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema, thiserror::Error)]
pub enum SegmenterError {
    /// An option is out of its range.
    #[error("the option `{option}` can't be {value}; the nearest that it can be is {nearest}")]
    OutOfRange {
        /// The option.
        option: String,
        /// What was asked for.
        value: f64,
        /// What would do.
        nearest: f64,
    },
    /// The reference image shows nothing to measure.
    #[error("the reference image has no objects to measure; choose one with some")]
    NoObjects,
}

#[remote_module]
impl Segmenter {
    /// Sets a segmenter up.
    pub fn new(options: Options) -> Result<Self, SegmenterError> {
        check(&options)?;
        Ok(Self { options })
    }

    /// Sets a segmenter up for objects of the size that those of `reference` have.
    pub fn calibrated(
        #[ndarray] reference: ArrayView2<'_, u16>,
        options: Options,
    ) -> Result<Self, SegmenterError> {
        check(&options)?;
        let radius_px = algorithm::object_radius_px(reference, &options);
        let radius_px = radius_px.ok_or(SegmenterError::NoObjects)?;
        Self::new(Options {
            object_radius_px: Some(radius_px),
            ..options
        })
    }

    /// Returns the radius that objects are expected to have, if one was given or measured.
    pub fn object_radius_px(&self) -> Option<f32> {
        self.options.object_radius_px
    }

    /// Labels the objects of `image` in `labels` and returns how many there are.
    pub fn segment_into(
        &self,
        #[ndarray] image: ArrayView2<'_, u16>,
        #[ndarray] labels: ArrayViewMut2<'_, u32>,
    ) -> Result<usize, SegmentationError> {
        nuclei::segment_into(image, self.options.clone(), labels)
    }

    /// Returns the labels of the objects of `image`, in memory that the worker makes.
    pub fn segment(
        &self,
        #[ndarray] image: ArrayView2<'_, u16>,
    ) -> Result<Tensor<u32, Ix2>, SegmentationError> {
        let mut labels = Tensor::uninit(image.dim())?;
        self.segment_into(image, labels.view_mut()?)?;
        Ok(labels)
    }
}

/// Checks that every option is within its range.
fn check(options: &Options) -> Result<(), SegmenterError> {
    let near = options.clamped();
    let radius_px = options.object_radius_px.map(|radius_px| {
        let nearest = near.object_radius_px.unwrap_or(MAX_RADIUS_PX);
        ("object_radius_px", radius_px.into(), nearest.into())
    });
    let pairs: [(&str, f64, f64); 5] = [
        ("contrast", options.contrast.into(), near.contrast.into()),
        (
            "edge_scale",
            options.edge_scale.into(),
            near.edge_scale.into(),
        ),
        (
            "split_depth",
            options.split_depth.into(),
            near.split_depth.into(),
        ),
        ("min_area", options.min_area.into(), near.min_area.into()),
        ("tile_px", options.tile_px as f64, near.tile_px as f64),
    ];
    let mut pairs = pairs.into_iter().chain(radius_px);
    // Not a number is not equal to what stands in for it, either.
    match pairs.find(|(_, value, nearest)| value != nearest) {
        None => Ok(()),
        Some((option, value, nearest)) => Err(SegmenterError::OutOfRange {
            option: option.to_owned(),
            value,
            nearest,
        }),
    }
}
