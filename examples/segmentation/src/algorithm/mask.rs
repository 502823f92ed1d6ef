//! Which pixels belong to any object at all.

use image::{GrayImage, Luma};
use imageproc::distance_transform::Norm;
use imageproc::morphology::open_mut;
use imageproc::region_labelling::{Connectivity, connected_components};
use ndarray::Array2;

use super::calibration::Calibration;
use super::laplacian::laplacian_rows;
use super::options::Options;
use super::smoothing::gaussian;

/// The value of a pixel in a mask.
pub(super) const INSIDE: u8 = 255;

/// Returns the mask of the pixels above a threshold.
///
/// # Panics
///
/// If a side has 2^32 pixels or more.
pub(super) fn above(contrast: &Array2<f32>, threshold: f32) -> GrayImage {
    let (n_rows, n_columns) = contrast.dim();
    let side = |n: usize| u32::try_from(n).expect("a tile's side fits 32 bits");
    let bytes = contrast
        .iter()
        .map(|&value| if value > threshold { INSIDE } else { 0 })
        .collect();
    GrayImage::from_raw(side(n_columns), side(n_rows), bytes).expect("one byte a pixel")
}

/// Returns the mask of all objects: bright against the surroundings *and* inside of an edge.
///
/// The edge is where the Laplacian of a Gaussian changes sign (Marr and Hildreth, "Theory of edge
/// detection", Proc. R. Soc. B 1980), the steepest place of the flank. So a dim object next to a
/// bright one has its own outline, where any one threshold would swallow the first or swell the
/// second, and the saddle between two touching objects is outside of both.
pub(super) fn objects(
    root: Array2<f32>,
    contrast: &Array2<f32>,
    calibration: &Calibration,
    options: &Options,
) -> GrayImage {
    let mut mask = above(contrast, options.contrast * calibration.contrast);
    let smooth = gaussian(root, options.edge_scale * calibration.radius_px);
    let width = contrast.ncols();
    laplacian_rows(&smooth, |row, laplacian| {
        let mask = &mut mask.as_mut()[row * width..][..width];
        for (inside, &laplacian) in mask.iter_mut().zip(laplacian) {
            if laplacian >= 0.0 {
                *inside = 0;
            }
        }
    });
    drop(smooth);
    open_mut(&mut mask, Norm::L1, 1);
    fill_holes(&mut mask, calibration.disc_area_px());
    mask
}

/// Adds the holes that aren't larger than `max_area_px` to a mask.
///
/// A hole is connected through sides and doesn't touch the border.
pub(super) fn fill_holes(mask: &mut GrayImage, max_area_px: f32) {
    let (width, height) = (mask.width() as usize, mask.height() as usize);
    let holes = connected_components(mask, Connectivity::Four, Luma([INSIDE])).into_raw();
    let n_holes = holes.iter().max().map_or(0, |&n| n as usize);
    let mut areas = vec![0_u64; n_holes + 1];
    let on_border = |at: usize| {
        let (row, column) = (at / width, at % width);
        row == 0 || row + 1 == height || column == 0 || column + 1 == width
    };
    for (at, &hole) in holes.iter().enumerate() {
        let area = &mut areas[hole as usize];
        *area = if on_border(at) {
            u64::MAX
        } else {
            area.saturating_add(1)
        };
    }
    for (inside, &hole) in mask.as_mut().iter_mut().zip(&holes) {
        if hole != 0 && areas[hole as usize] as f32 <= max_area_px {
            *inside = INSIDE;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_holes_are_filled_large_ones_and_bays_are_not() {
        let drawing = ndarray::arr2(&[
            [1.0_f32, 1.0, 1.0, 1.0, 1.0, 1.0],
            [1.0, 0.0, 1.0, 0.0, 0.0, 1.0],
            [1.0, 1.0, 1.0, 1.0, 1.0, 1.0],
            [0.0, 1.0, 1.0, 1.0, 1.0, 1.0],
        ]);
        let mut mask = above(&drawing, 0.5);
        fill_holes(&mut mask, 1.0);
        let n_inside = mask
            .as_raw()
            .iter()
            .filter(|&&inside| inside == INSIDE)
            .count();
        assert_eq!(n_inside, 24 - 3);
    }
}
