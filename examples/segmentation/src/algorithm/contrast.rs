//! Intensities made comparable: noise evened out, uneven light taken away.

use ndarray::{Array2, ArrayView2};

use super::smoothing::gaussian;

/// The standard deviation, in pixels, of the Gaussian that evens out the noise of single pixels.
const NOISE_SIGMA_PX: f32 = 1.0;
/// The standard deviation of the Gaussian that stands for the background, in object radii.
pub(super) const BACKGROUND_SIGMA_RADII: f32 = 2.0;

/// Returns the square root of the smoothed image.
///
/// The root evens out the noise that comes with counting photons, whose variance is proportional to
/// the intensity (Anscombe, "The transformation of Poisson, binomial and negative-binomial data",
/// Biometrika 1948), and keeps bright objects from outweighing dim ones. Anscombe's constant 3/8 is
/// left out: so a change of exposure is but a factor, which every later step ignores.
pub(super) fn root(image: ArrayView2<'_, u16>) -> Array2<f32> {
    let smooth = gaussian(
        image.mapv(f32::from).as_standard_layout().into_owned(),
        NOISE_SIGMA_PX,
    );
    smooth.mapv_into(|value| value.max(0.0).sqrt())
}

/// Returns how far each pixel is above its wider surroundings.
pub(super) fn above_background(root: &Array2<f32>, radius_px: f32) -> Array2<f32> {
    let mut contrast = gaussian(root.clone(), BACKGROUND_SIGMA_RADII * radius_px);
    contrast.zip_mut_with(root, |background, &value| *background = value - *background);
    contrast
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ramp_of_light_is_taken_away() {
        let ramp = Array2::from_shape_fn((120, 120), |(_, column)| 10.0 + column as f32 / 20.0);
        let contrast = above_background(&ramp, 6.0);
        assert!(contrast[(60, 60)].abs() < 1e-2, "{}", contrast[(60, 60)]);
    }

    #[test]
    fn any_layout_of_the_image_will_do() {
        let image = ndarray::arr2(&[[1_u16, 4, 9], [16, 25, 36]]);
        let turned = root(image.t());
        assert!(turned.is_standard_layout());
        assert_eq!(turned.dim(), (3, 2));
    }
}
