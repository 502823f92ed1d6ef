//! Gaussian smoothing in time linear in the pixels, whatever the width.
//!
//! A narrow Gaussian is a plain separable convolution. A wide one is three box filters, whose
//! cascade tends to a Gaussian (Wells, "Efficient synthesis of Gaussian filters by cascaded uniform
//! filters", PAMI 1986), followed by a narrow Gaussian that supplies the variance the boxes of whole
//! pixels leave over. Beyond the border the plane is mirrored, which adds neither edges nor (as
//! repeating the last pixel would) noise.
//!
//! `imageproc::filter::gaussian_blur_f32` isn't used for two reasons: its time grows with the
//! width, and it adds from left to right, so that a mirrored image gives a slightly different
//! result. Here the two pixels at the same distance are added first, and mirrored images give
//! mirrored results to the last bit.

use ndarray::Array2;

/// The widest standard deviation, in pixels, of a plain convolution.
const DIRECT_SIGMA_PX: f32 = 4.0;
/// The variance, in square pixels, that is left to the narrow Gaussian after the boxes, at least.
const REST_VARIANCE_PX2: f32 = 4.0;
/// The reach of a kernel in standard deviations.
const REACH_SIGMAS: f32 = 4.0;

/// Smooths a plane with a Gaussian of the given standard deviation in pixels.
///
/// Allocates one more plane of the same size while it works.
pub(super) fn gaussian(mut plane: Array2<f32>, sigma_px: f32) -> Array2<f32> {
    if plane.is_empty() || sigma_px <= 0.0 {
        return plane;
    }
    let mut scratch = Array2::zeros(plane.raw_dim());
    let mut variance = sigma_px * sigma_px;
    if sigma_px > DIRECT_SIGMA_PX {
        for passes_left in [3.0, 2.0, 1.0] {
            let radius = box_radius_px((variance - REST_VARIANCE_PX2) / passes_left);
            variance -= box_variance_px2(radius);
            box_rows(&plane, &mut scratch, radius);
            box_columns(&scratch, &mut plane, radius);
        }
    }
    let kernel = half_kernel(variance.sqrt());
    convolve_rows(&plane, &mut scratch, &kernel);
    convolve_columns(&scratch, &mut plane, &kernel);
    plane
}

/// Returns the radius of the widest box whose variance isn't above the one given.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a radius of a few hundred pixels"
)]
#[expect(
    clippy::cast_sign_loss,
    reason = "the root of at least 1 is at least 1"
)]
fn box_radius_px(variance_px2: f32) -> usize {
    (((12.0 * variance_px2.max(0.0) + 1.0).sqrt() - 1.0) / 2.0) as usize
}

/// Returns the variance of a box of the given radius: `(w * w - 1) / 12` with `w = 2 * radius + 1`.
fn box_variance_px2(radius_px: usize) -> f32 {
    let width = 2.0 * radius_px as f32 + 1.0;
    (width * width - 1.0) / 12.0
}

/// Returns the right half of a Gaussian kernel, its centre first; the whole kernel sums to 1.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a reach of a few dozen pixels"
)]
#[expect(clippy::cast_sign_loss, reason = "a standard deviation isn't negative")]
fn half_kernel(sigma_px: f32) -> Vec<f32> {
    let reach = (REACH_SIGMAS * sigma_px).ceil() as usize;
    let weight = |at: usize| (-0.5 * (at as f32 / sigma_px).powi(2)).exp();
    let sum = weight(0) + 2.0 * (1..=reach).map(weight).sum::<f32>();
    (0..=reach).map(|at| weight(at) / sum).collect()
}

/// Returns which of `n` pixels a mirror shows at place `at - radius`: `1 0 | 0 1 .. n-1 | n-1 n-2`.
fn mirrored(at: usize, radius: usize, n: usize) -> usize {
    let from_left = if at >= radius {
        at - radius
    } else {
        radius - at - 1
    };
    let folded = from_left % (2 * n);
    if folded < n {
        folded
    } else {
        2 * n - 1 - folded
    }
}

/// Copies a row into `padded`, with `radius` mirrored pixels at either end.
fn pad(row: ndarray::ArrayView1<'_, f32>, radius: usize, padded: &mut Vec<f32>) {
    let n = row.len();
    padded.clear();
    padded.extend((0..radius).map(|at| row[mirrored(at, radius, n)]));
    padded.extend(row.iter());
    padded.extend((radius + n..n + 2 * radius).map(|at| row[mirrored(at, radius, n)]));
}

fn convolve_rows(from: &Array2<f32>, to: &mut Array2<f32>, kernel: &[f32]) {
    let reach = kernel.len() - 1;
    let mut padded = Vec::new();
    for (row, mut out) in from.rows().into_iter().zip(to.rows_mut()) {
        pad(row, reach, &mut padded);
        let n = row.len();
        let out = out.as_slice_mut().expect("planes are in standard layout");
        for (out, &centre) in out.iter_mut().zip(&padded[reach..]) {
            *out = centre * kernel[0];
        }
        for (at, &weight) in kernel.iter().enumerate().skip(1) {
            let before = &padded[reach - at..][..n];
            let after = &padded[reach + at..][..n];
            for ((out, &left), &right) in out.iter_mut().zip(before).zip(after) {
                *out += weight * (left + right);
            }
        }
    }
}

fn convolve_columns(from: &Array2<f32>, to: &mut Array2<f32>, kernel: &[f32]) {
    let (reach, n) = (kernel.len() - 1, from.nrows());
    for (row, mut out) in to.rows_mut().into_iter().enumerate() {
        out.assign(&from.row(row));
        out.mapv_inplace(|centre| centre * kernel[0]);
        for (at, &weight) in kernel.iter().enumerate().skip(1) {
            let above = from.row(mirrored(row + reach - at, reach, n));
            let below = from.row(mirrored(row + reach + at, reach, n));
            ndarray::azip!((out in &mut out, &above in &above, &below in &below) {
                *out += weight * (above + below);
            });
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a mean of f32 values fits f32"
)]
fn box_rows(from: &Array2<f32>, to: &mut Array2<f32>, radius: usize) {
    let scale = 1.0 / (2 * radius + 1) as f64;
    let mut padded = Vec::new();
    for (row, out) in from.rows().into_iter().zip(to.rows_mut()) {
        pad(row, radius, &mut padded);
        let mut sum: f64 = padded[..2 * radius]
            .iter()
            .map(|&value| f64::from(value))
            .sum();
        for (at, out) in out.into_iter().enumerate() {
            sum += f64::from(padded[at + 2 * radius]);
            *out = (sum * scale) as f32;
            sum -= f64::from(padded[at]);
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a mean of f32 values fits f32"
)]
fn box_columns(from: &Array2<f32>, to: &mut Array2<f32>, radius: usize) {
    let scale = 1.0 / (2 * radius + 1) as f64;
    let n = from.nrows();
    let mut sums = vec![0.0_f64; from.ncols()];
    let add = |row: usize, sign: f64, sums: &mut Vec<f64>| {
        for (sum, &value) in sums.iter_mut().zip(from.row(row)) {
            *sum += sign * f64::from(value);
        }
    };
    for at in 0..2 * radius {
        add(mirrored(at, radius, n), 1.0, &mut sums);
    }
    for (row, out) in to.rows_mut().into_iter().enumerate() {
        add(mirrored(row + 2 * radius, radius, n), 1.0, &mut sums);
        for (out, &sum) in out.into_iter().zip(&sums) {
            *out = (sum * scale) as f32;
        }
        add(mirrored(row, radius, n), -1.0, &mut sums);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Measures the variance along each axis of what becomes of a single bright pixel.
    fn variances(sigma_px: f32) -> (f32, f32, f32) {
        let side = 301;
        let mut plane = Array2::zeros((side, side));
        plane[(150, 150)] = 1.0;
        let plane = gaussian(plane, sigma_px);
        let (mut sum, mut rows, mut columns) = (0.0, 0.0, 0.0);
        for ((row, column), &value) in plane.indexed_iter() {
            sum += value;
            rows += value * (row as f32 - 150.0).powi(2);
            columns += value * (column as f32 - 150.0).powi(2);
        }
        (sum, rows / sum, columns / sum)
    }

    #[test]
    fn narrow_and_wide_gaussians_have_the_variance_asked_for() {
        for sigma in [1.0_f32, 2.5, 4.0, 4.1, 8.0, 23.0] {
            let (sum, rows, columns) = variances(sigma);
            let wanted = sigma * sigma;
            assert!(
                (sum - 1.0).abs() < 1e-3,
                "sigma {sigma} keeps {sum} of the light"
            );
            assert!(
                (rows - wanted).abs() < 0.03 * wanted,
                "sigma {sigma}: {rows} along rows"
            );
            assert!(
                (columns - wanted).abs() < 0.03 * wanted,
                "sigma {sigma}: {columns}"
            );
        }
    }

    #[test]
    fn a_constant_stays_constant_up_to_the_border() {
        for sigma in [1.0, 30.0] {
            let plane = gaussian(Array2::from_elem((7, 3), 5.0), sigma);
            assert!(plane.iter().all(|value| (value - 5.0).abs() < 1e-4));
        }
    }

    #[test]
    fn a_mirrored_plane_gives_the_mirrored_result_to_the_last_bit() {
        let plane = Array2::from_shape_fn((40, 53), |(row, column)| {
            ((row * 7919 + column * 104_729) % 1013) as f32 / 16.0
        });
        for sigma in [1.3, 9.0] {
            let mut mirrored = plane.clone();
            mirrored.invert_axis(ndarray::Axis(1));
            let mirrored = mirrored.as_standard_layout().into_owned();
            let mut back = gaussian(mirrored, sigma);
            back.invert_axis(ndarray::Axis(1));
            assert_eq!(back, gaussian(plane.clone(), sigma));
        }
    }
}
