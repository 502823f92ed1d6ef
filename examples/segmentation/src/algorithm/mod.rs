//! Finds bright, roundish objects (cell nuclei, say) on a darker background.
//!
//! In the order of the steps:
//!
//! 1. `contrast`: noise evened out, the square root taken, uneven light taken away,
//! 2. `calibration`: the objects' size and contrast estimated from the image,
//! 3. `mask`: the pixels that are above a threshold and inside of an edge,
//! 4. `distance`: how deep each of them lies inside,
//! 5. `watershed`: the mask divided where that depth has a neck,
//! 6. `tiles` and `stitching`: all that for large images, part by part.
//!
//! No constant is an intensity, and no length but that of the noise is in pixels: what counts is
//! relative to the image's own contrast and the objects' own size. Each step names the paper it is
//! from. The result depends on nothing but the arguments.

mod calibration;
mod contrast;
mod distance;
mod laplacian;
mod mask;
mod options;
mod smoothing;
mod stitching;
mod threshold;
mod tiles;
mod watershed;

use ndarray::{Array2, ArrayView2, ArrayViewMut2};

pub use options::{MAX_RADIUS_PX, Options};

use calibration::Calibration;
use stitching::Stitching;

/// The standard deviation of the Gaussian that takes bumps off the distances, in object radii.
const DEPTH_SIGMA_RADII: f32 = 0.16;
/// The unit of the watershed's levels is this fraction of a pixel.
const LEVELS_PER_PX: f32 = 64.0;
/// How far beyond a tile's core pixels can matter to it, in object radii: an object's extent and
/// three standard deviations of the background's Gaussian.
const OVERLAP_RADII: f32 = 8.0;

/// Labels the objects of an image and returns how many there are.
///
/// `labels` is overwritten: 0 is background, and 1..=n are the objects in raster order of their
/// first pixels. Both views may have any layout (transposed, reversed, strided). Equal arguments
/// give equal results.
///
/// The time is linear in the pixels. The scratch memory is about 30 bytes for each pixel of a tile
/// and of its overlap on all sides (8 object radii), plus a few bytes an object; it doesn't grow
/// with images larger than a tile.
///
/// # Panics
///
/// If the two shapes differ.
pub fn segment(
    image: ArrayView2<'_, u16>,
    options: &Options,
    labels: ArrayViewMut2<'_, u32>,
) -> usize {
    assert_eq!(
        image.dim(),
        labels.dim(),
        "the shapes of the image and of its labels differ"
    );
    let options = options.clamped();
    let mut stitching = Stitching::new(labels);
    if image.is_empty() {
        return 0;
    }
    let Some(calibration) = Calibration::of(image, &options) else {
        return 0;
    };
    for tile in tiles::tiles(image.dim(), options.tile_px, overlap_px(&calibration)) {
        let window = tiles::cut(image, tile.window_rows.clone(), tile.window_columns.clone());
        let (found, n) = segment_window(window, &calibration, &options);
        stitching.add(&tile, &found, n);
    }
    stitching.finish()
}

/// Returns the typical inner radius, in pixels, of the objects of an image, or that of the options;
/// `None` for an image without any contrast.
#[must_use]
pub fn object_radius_px(image: ArrayView2<'_, u16>, options: &Options) -> Option<f32> {
    if image.is_empty() {
        return None;
    }
    let calibration = Calibration::of(image, &options.clamped())?;
    Some(calibration.radius_px)
}

/// Returns how far the tiles' windows reach beyond their cores.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the radius is at most `MAX_RADIUS_PX`"
)]
#[expect(clippy::cast_sign_loss, reason = "a radius isn't negative")]
fn overlap_px(calibration: &Calibration) -> usize {
    (OVERLAP_RADII * calibration.radius_px).ceil() as usize
}

/// Labels the objects of one window.
fn segment_window(
    window: ArrayView2<'_, u16>,
    calibration: &Calibration,
    options: &Options,
) -> (Array2<u32>, u32) {
    let root = contrast::root(window);
    let contrast = contrast::above_background(&root, calibration.radius_px);
    let mask = mask::objects(root, &contrast, calibration, options);
    let levels = depth_levels(&mask, calibration.radius_px);
    drop(mask);
    let min_depth = level(options.split_depth * calibration.radius_px);
    let (mut labels, n) = watershed::flood(&levels, min_depth);
    drop(levels);
    let n = keep_objects(&mut labels, n, &contrast, calibration, options);
    (labels, n)
}

/// Returns the depth of each pixel of a mask as a level of the watershed, 0 outside.
fn depth_levels(mask: &image::GrayImage, radius_px: f32) -> Array2<u16> {
    let depth = smoothing::gaussian(
        distance::inside_distance(mask),
        DEPTH_SIGMA_RADII * radius_px,
    );
    let mut levels = depth.mapv(|depth| level(depth).max(1));
    for (level, &inside) in levels.iter_mut().zip(mask.as_raw()) {
        if inside != mask::INSIDE {
            *level = 0;
        }
    }
    levels
}

/// Converts a depth in pixels to a level.
#[expect(
    clippy::cast_possible_truncation,
    reason = "clamped to the range first"
)]
#[expect(clippy::cast_sign_loss, reason = "clamped to the range first")]
fn level(depth_px: f32) -> u16 {
    (depth_px * LEVELS_PER_PX)
        .round()
        .clamp(0.0, f32::from(u16::MAX)) as u16
}

/// Removes basins that are too small or, on average, too dim to be objects, renumbers the others
/// and returns their number.
///
/// A pixel may lie somewhat below the threshold between objects and background, an object may not:
/// thresholding with hysteresis (Canny, "A computational approach to edge detection", PAMI 1986).
fn keep_objects(
    labels: &mut Array2<u32>,
    n: u32,
    contrast: &Array2<f32>,
    calibration: &Calibration,
    options: &Options,
) -> u32 {
    let mut sums = vec![(0_u64, 0.0_f64); n as usize + 1];
    for (&label, &contrast) in labels.iter().zip(contrast) {
        let (area, sum) = &mut sums[label as usize];
        *area += 1;
        *sum += f64::from(contrast);
    }
    let min_area = f64::from(options.min_area * calibration.disc_area_px());
    let mut n_kept = 0;
    let mut numbers = vec![0_u32; sums.len()];
    for (number, &(area, sum)) in numbers.iter_mut().zip(&sums).skip(1) {
        let mean = sum / area as f64;
        if area as f64 >= min_area && mean >= f64::from(calibration.contrast) {
            n_kept += 1;
            *number = n_kept;
        }
    }
    labels.mapv_inplace(|label| numbers[label as usize]);
    n_kept
}
