//! A picture of the objects over the image.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use ndarray::ArrayView2;

use super::OutputError;
use super::error::sides;
use crate::objects::ShapeError;

/// An image whose longer side is at most this many pixels is drawn at twice its size.
const ENLARGE_UP_TO_PX: usize = 1024;
/// The fractions of the pixels that are drawn black and white.
const BLACK_BELOW: f64 = 0.05;
const WHITE_ABOVE: f64 = 0.99;
/// The exponent of the grey values; below 1 it lifts dim objects.
const GAMMA: f32 = 0.75;
/// How much of an object's colour covers its pixels.
const FILL: f32 = 0.22;
/// How much of an object's colour covers its outline.
const OUTLINE: f32 = 0.95;

/// Draws the image in grey, with every object tinted and outlined in a colour of its own, as a PNG.
///
/// Small images are drawn at twice their size, so that outlines are half a pixel thin. The outline
/// is the object's outermost line of pixels: touching objects have two lines between them.
///
/// # Errors
///
/// - [`OutputError::Shape`] if the two shapes differ.
/// - [`OutputError::TooLarge`] if a side exceeds 32 bits.
/// - [`OutputError::Write`] if the file can't be written; an image without pixels can't.
pub fn write_overlay(
    path: &Path,
    image: ArrayView2<'_, u16>,
    labels: ArrayView2<'_, u32>,
) -> Result<(), OutputError> {
    if labels.dim() != image.dim() {
        let source = ShapeError {
            labels: labels.dim(),
            image: image.dim(),
        };
        return Err(OutputError::Shape {
            path: path.to_owned(),
            source,
        });
    }
    let (n_rows, n_columns) = image.dim();
    let zoom = if n_rows.max(n_columns) <= ENLARGE_UP_TO_PX {
        2
    } else {
        1
    };
    let (width, height) = sides(path, (n_rows * zoom, n_columns * zoom))?;
    let file = File::create(path).map_err(OutputError::at(path))?;
    let mut encoder = png::Encoder::new(BufWriter::new(file), width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().map_err(OutputError::at(path))?;
    let mut stream = writer.stream_writer().map_err(OutputError::at(path))?;
    let picture = Picture {
        image,
        labels,
        zoom,
        stretch: Stretch::of(image),
    };
    let mut line = Vec::with_capacity(3 * n_columns * zoom);
    for row in 0..n_rows * zoom {
        line.clear();
        line.extend((0..n_columns * zoom).flat_map(|column| picture.colour(row, column)));
        stream.write_all(&line).map_err(OutputError::at(path))?;
    }
    stream.finish().map_err(OutputError::at(path))?;
    writer.finish().map_err(OutputError::at(path))
}

/// What is drawn. Rows and columns are those of the picture, `zoom` times the image's.
struct Picture<'a> {
    image: ArrayView2<'a, u16>,
    labels: ArrayView2<'a, u32>,
    zoom: usize,
    stretch: Stretch,
}

impl Picture<'_> {
    fn colour(&self, row: usize, column: usize) -> [u8; 3] {
        let grey = self.stretch.apply(self.intensity(row, column));
        let label = self.labels[(row / self.zoom, column / self.zoom)];
        let cover = match label {
            0 => 0.0,
            label if self.is_outline(row, column, label) => OUTLINE,
            _ => FILL,
        };
        colour_of(label).map(|channel| byte(grey + cover * (channel - grey)))
    }

    /// Says if one of the four neighbours in the picture has another label.
    fn is_outline(&self, row: usize, column: usize, label: u32) -> bool {
        let neighbours = [
            (row.wrapping_sub(1), column),
            (row + 1, column),
            (row, column.wrapping_sub(1)),
            (row, column + 1),
        ];
        let label_at = |(row, column)| self.labels.get((row / self.zoom, column / self.zoom));
        neighbours
            .into_iter()
            .any(|at| label_at(at).is_some_and(|&other| other != label))
    }

    /// Interpolates between the four nearest pixels.
    fn intensity(&self, row: usize, column: usize) -> f32 {
        let (n_rows, n_columns) = self.image.dim();
        let (rows, down) = between(row, self.zoom, n_rows);
        let (columns, across) = between(column, self.zoom, n_columns);
        let at = |row: usize| {
            let (left, right) = (self.image[(row, columns.0)], self.image[(row, columns.1)]);
            f32::from(left) * (1.0 - across) + f32::from(right) * across
        };
        at(rows.0) * (1.0 - down) + at(rows.1) * down
    }
}

/// Returns the two pixels that the centre of a pixel of the picture lies between, and how far it is
/// from the first to the second.
fn between(at: usize, zoom: usize, n: usize) -> ((usize, usize), f32) {
    let place = ((at as f32 + 0.5) / zoom as f32 - 0.5).max(0.0);
    let first = (2 * at + 1).saturating_sub(zoom) / (2 * zoom);
    ((first, (first + 1).min(n - 1)), place - first as f32)
}

/// Maps intensities to grey values.
struct Stretch {
    black: f32,
    white: f32,
}

impl Stretch {
    fn of(image: ArrayView2<'_, u16>) -> Self {
        let mut histogram = vec![0_u64; usize::from(u16::MAX) + 1];
        for &value in image {
            histogram[usize::from(value)] += 1;
        }
        let percentile = |fraction: f64| {
            let mut n_left = image.len() as f64 * fraction;
            let reached = (0_u16..).zip(&histogram).find(|&(_, &n)| {
                n_left -= n as f64;
                n_left <= 0.0
            });
            f32::from(reached.map_or(0, |(value, _)| value))
        };
        let black = percentile(BLACK_BELOW);
        Self {
            black,
            white: percentile(WHITE_ABOVE).max(black + 1.0),
        }
    }

    /// Returns a grey value from 0 to 1.
    fn apply(&self, intensity: f32) -> f32 {
        ((intensity - self.black) / (self.white - self.black))
            .clamp(0.0, 1.0)
            .powf(GAMMA)
    }
}

/// Returns a bright colour that differs much from those of the next labels.
fn colour_of(label: u32) -> [f32; 3] {
    // Steps of the golden ratio never come close to an earlier hue soon.
    let hue = (f64::from(label) * 0.618_033_988_749_895).fract() * 6.0;
    let channel = |peak: f64| {
        let distance = (hue - peak).abs();
        let distance = distance.min(6.0 - distance);
        (2.0 - distance).clamp(0.3, 1.0)
    };
    [channel(0.0), channel(2.0), channel(4.0)].map(narrow)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "colours need no more precision"
)]
fn narrow(value: f64) -> f32 {
    value as f32
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "clamped to the range first"
)]
#[expect(clippy::cast_sign_loss, reason = "clamped to the range first")]
fn byte(value: f32) -> u8 {
    (value * 255.0).round().clamp(0.0, 255.0) as u8
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, arr2};

    use super::*;

    #[test]
    fn a_picture_is_twice_as_large_and_coloured_only_on_objects() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("overlay.png");
        let image = Array2::from_shape_fn((20, 30), |(row, column)| {
            u16::try_from(row * 30 + column).unwrap()
        });
        let inside = |(row, column)| (5..15).contains(&row) && (5..15).contains(&column);
        let labels = Array2::from_shape_fn((20, 30), |at| u32::from(inside(at)));
        write_overlay(&path, image.view(), labels.view()).unwrap();
        let picture = image::open(&path).unwrap().into_rgb8();
        assert_eq!(picture.dimensions(), (60, 40));
        for (x, y, pixel) in picture.enumerate_pixels() {
            let grey = pixel.0[0] == pixel.0[1] && pixel.0[1] == pixel.0[2];
            let inside = (10..30).contains(&x) && (10..30).contains(&y);
            assert_eq!(grey, !inside, "{x}, {y}: {pixel:?}");
        }
    }

    #[test]
    fn interpolation_meets_the_pixels_and_stays_inside() {
        assert_eq!(between(0, 1, 4), ((0, 1), 0.0));
        assert_eq!(between(3, 1, 4), ((3, 3), 0.0));
        assert_eq!(between(0, 2, 4), ((0, 1), 0.0));
        assert_eq!(between(1, 2, 4), ((0, 1), 0.25));
        assert_eq!(between(2, 2, 4), ((0, 1), 0.75));
        assert_eq!(between(7, 2, 4), ((3, 3), 0.25));
    }

    #[test]
    fn shapes_must_agree() {
        let (image, labels) = (arr2(&[[1_u16, 2]]), arr2(&[[0_u32], [1]]));
        let error = write_overlay(Path::new("x.png"), image.view(), labels.view()).unwrap_err();
        assert_eq!(error.to_string(), "cannot draw x.png");
        assert!(matches!(error, OutputError::Shape { .. }));
    }
}
