//! What objects look like in the image at hand: how large they are and how bright.

use ndarray::ArrayView2;

use super::contrast::{above_background, root};
use super::distance::{components, median_inner_radius_px};
use super::laplacian::laplacian_rows;
use super::mask::{above, fill_holes};
use super::options::Options;
use super::smoothing::gaussian;
use super::threshold::otsu;
use super::tiles::cut;

/// The standard deviation, in pixels, of the finest Gaussian of the scale space.
const FINEST_SIGMA_PX: f32 = 2.0;
/// How many Gaussians there are, each wider by the root of two: the coarsest has 45 pixels.
const N_SCALES: usize = 10;
/// The coarsest Gaussian has at most this fraction of the image's shorter side.
const COARSEST_FRACTION: f32 = 1.0 / 6.0;
/// The range of radii, in pixels, that are believed.
const RADII_PX: std::ops::RangeInclusive<f32> = 1.5..=64.0;
/// The longest side, in pixels, of a sample of an image too large to be looked at in one piece.
const SAMPLE_PX: usize = 512;
/// How many samples such an image gives along each axis.
const N_SAMPLES: usize = 3;

/// The size and the contrast of the objects in an image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Calibration {
    /// The typical inner radius of an object in pixels.
    pub(super) radius_px: f32,
    /// The contrast (in roots of intensity above the background) that divides objects from
    /// background.
    pub(super) contrast: f32,
}

impl Calibration {
    /// Estimates size and contrast, or returns `None` for an image without any contrast.
    ///
    /// 1. The scale at which blobs respond most gives a first size (Lindeberg, "Feature detection
    ///    with automatic scale selection", IJCV 1998). Close neighbours make it too large.
    /// 2. A threshold (Otsu's) on the contrast at that size gives a first mask, and the inner radii
    ///    of its parts a better size.
    /// 3. A threshold on the contrast at the better size is the contrast of the objects.
    ///
    /// Large images are judged by a few samples, which bounds time and memory.
    pub(super) fn of(image: ArrayView2<'_, u16>, options: &Options) -> Option<Self> {
        let samples = samples(image, options.tile_px);
        let radius_px = match options.object_radius_px {
            Some(radius_px) => radius_px,
            None => {
                let blob_px = blob_scale_px(&samples)?;
                let threshold = otsu(&contrasts(&samples, blob_px))?;
                object_radius_px(&samples, blob_px, threshold)?
            }
        };
        let contrast = otsu(&contrasts(&samples, radius_px))?;
        Some(Self {
            radius_px,
            contrast,
        })
    }

    /// Returns the area, in pixels, of a disc of the typical radius.
    pub(super) fn disc_area_px(&self) -> f32 {
        std::f32::consts::PI * self.radius_px * self.radius_px
    }
}

/// Returns the whole image if it is small, else a grid of samples symmetric about its centre.
fn samples(image: ArrayView2<'_, u16>, tile_px: usize) -> Vec<ArrayView2<'_, u16>> {
    let (n_rows, n_columns) = image.dim();
    if n_rows <= tile_px && n_columns <= tile_px {
        return vec![image];
    }
    let mut samples = Vec::new();
    for rows in sample_ranges(n_rows) {
        for columns in sample_ranges(n_columns) {
            samples.push(cut(image, rows.clone(), columns));
        }
    }
    samples
}

/// Returns where samples lie along an axis.
fn sample_ranges(n: usize) -> Vec<std::ops::Range<usize>> {
    if n <= SAMPLE_PX {
        return std::iter::once(0..n).collect();
    }
    let last_start = n - SAMPLE_PX;
    let starts = (0..N_SAMPLES).map(|at| at * last_start / (N_SAMPLES - 1));
    starts.map(|start| start..start + SAMPLE_PX).collect()
}

/// Returns the standard deviation, in pixels, of the Gaussian whose scale-normalised Laplacian
/// responds most to bright blobs, or `None` if there are none.
fn blob_scale_px(samples: &[ArrayView2<'_, u16>]) -> Option<f32> {
    let mut energies = [0.0_f64; N_SCALES];
    for sample in samples {
        let mut plane = root(*sample);
        let shorter_side = plane.nrows().min(plane.ncols());
        let coarsest_px = (COARSEST_FRACTION * shorter_side as f32).max(FINEST_SIGMA_PX);
        let mut smoothed_px = 0.0_f32;
        for (scale, energy) in energies.iter_mut().enumerate() {
            let sigma_px = sigma_px(scale);
            if sigma_px > coarsest_px {
                break;
            }
            // Gaussians form a semigroup: from one to the next, only the difference is smoothed.
            let step_px = (sigma_px * sigma_px - smoothed_px * smoothed_px).sqrt();
            plane = gaussian(plane, step_px);
            smoothed_px = sigma_px;
            laplacian_rows(&plane, |_, row| {
                let responses = row
                    .iter()
                    .map(|value| (-sigma_px * sigma_px * value).max(0.0));
                *energy += responses.map(|value| f64::from(value * value)).sum::<f64>();
            });
        }
    }
    let (scale, &energy) = energies
        .iter()
        .enumerate()
        .max_by(|a, b| a.1.total_cmp(b.1))?;
    (energy > 0.0).then(|| sigma_px(scale))
}

/// Returns the standard deviation of a scale in pixels.
fn sigma_px(scale: usize) -> f32 {
    FINEST_SIGMA_PX * (scale as f32 / 2.0).exp2()
}

/// Returns the contrast of every pixel of the samples.
fn contrasts(samples: &[ArrayView2<'_, u16>], radius_px: f32) -> Vec<f32> {
    let mut contrasts = Vec::with_capacity(samples.iter().map(ArrayView2::len).sum());
    for sample in samples {
        contrasts.extend(above_background(&root(*sample), radius_px).iter());
    }
    contrasts
}

/// Returns the typical inner radius of what exceeds a threshold, or `None` if nothing does.
fn object_radius_px(samples: &[ArrayView2<'_, u16>], blob_px: f32, threshold: f32) -> Option<f32> {
    let mut found = Vec::new();
    for sample in samples {
        let mut mask = above(&above_background(&root(*sample), blob_px), threshold);
        fill_holes(&mut mask, std::f32::consts::PI * blob_px * blob_px);
        found.extend(components(&mask));
    }
    let radius_px = median_inner_radius_px(found)?;
    Some(radius_px.clamp(*RADII_PX.start(), *RADII_PX.end()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    /// Draws discs of a radius on a grid, bright on dark.
    fn discs(side: usize, pitch: usize, radius: f32) -> Array2<u16> {
        let centre = (pitch / 2) as f32;
        Array2::from_shape_fn((side, side), |(row, column)| {
            let (y, x) = (
                (row % pitch) as f32 - centre,
                (column % pitch) as f32 - centre,
            );
            if y.hypot(x) <= radius { 900 } else { 100 }
        })
    }

    #[test]
    fn the_radius_of_discs_is_found_within_a_quarter() {
        for radius in [4.0_f32, 12.0, 32.0] {
            let image = discs(300, 100, radius);
            let found = Calibration::of(image.view(), &Options::default()).unwrap();
            assert!(
                (found.radius_px / radius - 1.0).abs() < 0.25,
                "{} instead of {radius}",
                found.radius_px
            );
        }
    }

    #[test]
    fn a_large_image_is_judged_by_samples_from_side_to_side() {
        let starts =
            |n| -> Vec<usize> { sample_ranges(n).iter().map(|range| range.start).collect() };
        assert_eq!(starts(512), [0]);
        assert_eq!(starts(2000), [0, 744, 1488]);
        let image = Array2::zeros((600, 300));
        let shapes = |tile_px| -> Vec<(usize, usize)> {
            samples(image.view(), tile_px)
                .iter()
                .map(ArrayView2::dim)
                .collect()
        };
        assert_eq!(shapes(600), [(600, 300)]);
        assert_eq!(shapes(599), [(512, 300); 3]);
    }

    #[test]
    fn a_constant_image_has_none() {
        for value in [0, 1, u16::MAX] {
            let image = Array2::from_elem((50, 70), value);
            assert_eq!(Calibration::of(image.view(), &Options::default()), None);
        }
    }
}
