//! How far each pixel of a mask is from the outside, and how thick the objects of a mask are.

use image::{GrayImage, ImageBuffer, Luma};
use imageproc::distance_transform::euclidean_squared_distance_transform;
use imageproc::region_labelling::{Connectivity, connected_components};
use ndarray::Array2;

/// Beyond this a distance is cut off: a mask without any outside would have infinite ones.
const MAX_DISTANCE_PX: f64 = 1000.0;

/// Returns the Euclidean distance, in pixels, from each pixel to the nearest one outside the mask,
/// 0 outside. What lies beyond the image's border is neither.
///
/// Felzenszwalb and Huttenlocher, "Distance transforms of sampled functions", Theory of Computing
/// 2012: exact and linear in the pixels.
#[expect(clippy::cast_possible_truncation, reason = "at most the cut-off")]
pub(super) fn inside_distance(mask: &GrayImage) -> Array2<f32> {
    let outside = GrayImage::from_fn(mask.width(), mask.height(), |x, y| {
        let Luma([inside]) = mask.get_pixel(x, y);
        Luma([255 - inside])
    });
    let squared = euclidean_squared_distance_transform(&outside);
    let shape = (mask.height() as usize, mask.width() as usize);
    let distances = squared.into_raw().into_iter();
    Array2::from_shape_vec(
        shape,
        distances
            .map(|squared| squared.sqrt().min(MAX_DISTANCE_PX) as f32)
            .collect(),
    )
    .expect("the transform has the mask's size")
}

/// One connected part of a mask.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Component {
    /// The radius of the largest disc inside, in pixels.
    pub(super) inner_radius_px: f32,
    /// Its area in pixels.
    pub(super) area_px: u64,
}

/// Measures the parts of a mask (connected through sides, not corners).
pub(super) fn components(mask: &GrayImage) -> Vec<Component> {
    let labels: ImageBuffer<Luma<u32>, _> =
        connected_components(mask, Connectivity::Four, Luma([0_u8]));
    let distances = inside_distance(mask);
    let mut components: Vec<Component> = Vec::new();
    for (label, &distance) in labels.into_raw().into_iter().zip(&distances) {
        let Some(index) = (label as usize).checked_sub(1) else {
            continue;
        };
        if index >= components.len() {
            components.resize(
                index + 1,
                Component {
                    inner_radius_px: 0.0,
                    area_px: 0,
                },
            );
        }
        let component = &mut components[index];
        component.area_px += 1;
        component.inner_radius_px = component.inner_radius_px.max(distance);
    }
    components
}

/// Returns the inner radius below which half of the components' whole area lies, or `None` without
/// components.
///
/// A median by area, since a mask may have more specks than objects, but they cover little.
pub(super) fn median_inner_radius_px(mut components: Vec<Component>) -> Option<f32> {
    components.sort_by(|a, b| a.inner_radius_px.total_cmp(&b.inner_radius_px));
    let area: u64 = components.iter().map(|component| component.area_px).sum();
    let mut below = 0;
    components
        .iter()
        .find(|component| {
            below += component.area_px;
            2 * below >= area
        })
        .map(|component| component.inner_radius_px)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(rows: &[&str]) -> GrayImage {
        let width = u32::try_from(rows[0].len()).unwrap();
        let height = u32::try_from(rows.len()).unwrap();
        let bytes = rows.iter().flat_map(|row| row.bytes());
        GrayImage::from_raw(
            width,
            height,
            bytes.map(|b| if b == b'#' { 255 } else { 0 }).collect(),
        )
        .unwrap()
    }

    #[test]
    fn distances_and_areas_are_those_of_the_drawing() {
        let mask = mask(&["......#", ".###...", ".###...", ".###..."]);
        assert_eq!(inside_distance(&mask)[(3, 2)], 2.0);
        let mut found = components(&mask);
        found.sort_by_key(|component| component.area_px);
        let speck = Component {
            inner_radius_px: 1.0,
            area_px: 1,
        };
        let square = Component {
            inner_radius_px: 2.0,
            area_px: 9,
        };
        assert_eq!(found, [speck, square]);
        assert_eq!(median_inner_radius_px(found), Some(2.0));
    }

    #[test]
    fn a_mask_without_an_outside_has_finite_distances() {
        assert_eq!(
            inside_distance(&mask(&["##", "##"])),
            Array2::from_elem((2, 2), 1000.0)
        );
        assert_eq!(median_inner_radius_px(Vec::new()), None);
    }
}
