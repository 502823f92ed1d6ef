//! What the caller may choose.

use reedbed::Schema;
use serde::{Deserialize, Serialize};

/// The largest object radius, in pixels, that [`segment`](super::segment) works with.
///
/// It bounds the overlap of the tiles and with it the scratch memory.
pub const MAX_RADIUS_PX: f32 = 128.0;

/// Says how [`segment`](super::segment) looks for objects.
///
/// Lengths are relative to the objects' radius and intensities relative to the image's own contrast,
/// so that one set of values suits images of any magnification and exposure. A value outside its
/// range is clamped to it, and a value that isn't a number is replaced by the default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default)]
pub struct Options {
    /// The typical inner radius of an object in pixels, 1 to [`MAX_RADIUS_PX`].
    ///
    /// `None`, the default, estimates it from the image. The estimate reaches up to 64 pixels.
    pub object_radius_px: Option<f32>,
    /// How much brighter than its surroundings a pixel of an object is, as a fraction of the
    /// contrast that best divides the image in two (Otsu's). 0.05 to 2, by default 0.65.
    pub contrast: f32,
    /// The standard deviation of the Gaussian behind the edge detector, as a fraction of the
    /// object radius. 0.05 to 1, by default 0.22.
    pub edge_scale: f32,
    /// How deep the neck between two touching objects is, as a fraction of the object radius: a
    /// shallower one doesn't split. 0 to 1, by default 0.1.
    pub split_depth: f32,
    /// The area of the smallest object, as a fraction of a disc of the object radius. 0 to 1, by
    /// default 0.1.
    pub min_area: f32,
    /// The longest side, in pixels, of an image that is treated in one piece; a larger image is
    /// treated in tiles of at most this side and the objects at their borders are joined. 64 to
    /// 8192, by default 1024. The scratch memory grows with its square.
    pub tile_px: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            object_radius_px: None,
            contrast: 0.65,
            edge_scale: 0.22,
            split_depth: 0.1,
            min_area: 0.1,
            tile_px: 1024,
        }
    }
}

impl Options {
    /// Returns the options with every value within its documented range.
    #[must_use]
    pub fn clamped(&self) -> Self {
        let default = Self::default();
        Self {
            object_radius_px: self
                .object_radius_px
                .filter(|radius| radius.is_finite())
                .map(|radius| radius.clamp(1.0, MAX_RADIUS_PX)),
            contrast: within(self.contrast, 0.05, 2.0, default.contrast),
            edge_scale: within(self.edge_scale, 0.05, 1.0, default.edge_scale),
            split_depth: within(self.split_depth, 0.0, 1.0, default.split_depth),
            min_area: within(self.min_area, 0.0, 1.0, default.min_area),
            tile_px: self.tile_px.clamp(64, 8192),
        }
    }
}

/// Clamps a number, or replaces one that isn't.
fn within(value: f32, low: f32, high: f32, default: f32) -> f32 {
    if value.is_nan() {
        default
    } else {
        value.clamp(low, high)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_within_its_own_ranges() {
        assert_eq!(Options::default().clamped(), Options::default());
    }

    #[test]
    fn wild_values_are_tamed() {
        let wild = Options {
            object_radius_px: Some(f32::INFINITY),
            contrast: f32::NAN,
            edge_scale: -1.0,
            split_depth: 1e9,
            min_area: f32::NEG_INFINITY,
            tile_px: 0,
        };
        let tamed = Options {
            object_radius_px: None,
            contrast: 0.65,
            edge_scale: 0.05,
            split_depth: 1.0,
            min_area: 0.0,
            tile_px: 64,
        };
        assert_eq!(wild.clamped(), tamed);
    }
}
