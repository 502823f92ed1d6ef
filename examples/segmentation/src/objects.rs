//! Measuring the objects of a label map.

use std::collections::BTreeMap;

use ndarray::ArrayView2;
use reedbed::Schema;
use serde::{Deserialize, Serialize};

/// What is known of one object.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, Schema)]
pub struct Object {
    /// Its number in the label map.
    pub id: u32,
    /// Its area in pixels.
    pub area_px: u64,
    /// The mean row of its pixels, the first row being 0.
    pub centroid_row: f64,
    /// The mean column of its pixels, the first column being 0.
    pub centroid_col: f64,
    /// The mean value of its pixels in the image.
    pub mean_intensity: f64,
}

/// A label map and an image that don't cover the same pixels.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the labels have {labels:?} rows and columns, the image has {image:?}")]
pub struct ShapeError {
    /// Rows and columns of the labels.
    pub labels: (usize, usize),
    /// Rows and columns of the image.
    pub image: (usize, usize),
}

/// Measures every object of a label map in one pass, in the order of their numbers.
///
/// 0 is background, and numbers may be missing.
///
/// # Errors
///
/// If the two shapes differ.
pub fn measure(
    labels: ArrayView2<'_, u32>,
    image: ArrayView2<'_, u16>,
) -> Result<Vec<Object>, ShapeError> {
    if labels.dim() != image.dim() {
        return Err(ShapeError {
            labels: labels.dim(),
            image: image.dim(),
        });
    }
    let mut sums: BTreeMap<u32, Sums> = BTreeMap::new();
    for (row, (labels, pixels)) in labels.rows().into_iter().zip(image.rows()).enumerate() {
        // One look-up for each run of equal labels.
        let mut run = (0, Sums::default());
        for (column, (&label, &pixel)) in labels.iter().zip(pixels).enumerate() {
            if label != run.0 {
                add(&mut sums, run);
                run = (label, Sums::default());
            }
            run.1.n += 1;
            run.1.rows += row as u64;
            run.1.columns += column as u64;
            run.1.intensity += u64::from(pixel);
        }
        add(&mut sums, run);
    }
    Ok(sums.into_iter().map(|(id, sums)| sums.object(id)).collect())
}

/// Sums over pixels. They fit: 2^32 pixels of 65535 make less than 2^48.
#[derive(Clone, Copy, Default)]
struct Sums {
    n: u64,
    rows: u64,
    columns: u64,
    intensity: u64,
}

fn add(sums: &mut BTreeMap<u32, Sums>, (label, run): (u32, Sums)) {
    if label == 0 {
        return;
    }
    let sums = sums.entry(label).or_default();
    sums.n += run.n;
    sums.rows += run.rows;
    sums.columns += run.columns;
    sums.intensity += run.intensity;
}

impl Sums {
    fn object(self, id: u32) -> Object {
        let n = self.n as f64;
        Object {
            id,
            area_px: self.n,
            centroid_row: self.rows as f64 / n,
            centroid_col: self.columns as f64 / n,
            mean_intensity: self.intensity as f64 / n,
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::arr2;

    use super::*;

    #[test]
    fn area_centroid_and_mean_are_those_of_the_pixels() {
        let labels = arr2(&[[3_u32, 3, 0], [3, 3, 8]]);
        let image = arr2(&[[1_u16, 2, 100], [3, 6, 9]]);
        let square = Object {
            id: 3,
            area_px: 4,
            centroid_row: 0.5,
            centroid_col: 0.5,
            mean_intensity: 3.0,
        };
        let pixel = Object {
            id: 8,
            area_px: 1,
            centroid_row: 1.0,
            centroid_col: 2.0,
            mean_intensity: 9.0,
        };
        assert_eq!(
            measure(labels.view(), image.view()),
            Ok(vec![square, pixel])
        );
    }

    #[test]
    fn shapes_must_agree() {
        let labels = arr2(&[[0_u32, 1]]);
        let image = arr2(&[[0_u16], [1]]);
        let error = measure(labels.view(), image.view()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the labels have (1, 2) rows and columns, the image has (2, 1)"
        );
    }
}
