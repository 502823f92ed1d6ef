//! Images without anything to find, or without any sense, do no harm.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use ndarray::Array2;
use segmentation::algorithm::{Options, segment};

use common::{Random, found};

#[test]
fn images_without_pixels_have_no_objects() {
    for shape in [(0, 0), (0, 17), (17, 0)] {
        assert_eq!(found(Array2::zeros(shape).view()).1, 0, "{shape:?}");
    }
}

#[test]
fn constant_images_have_no_objects() {
    for shape in [(1, 1), (1, 300), (300, 1), (2, 2), (90, 120)] {
        for value in [0, 1, 1000, u16::MAX] {
            let (labels, n) = found(Array2::from_elem(shape, value).view());
            assert_eq!(n, 0, "{shape:?} of {value}");
            assert!(
                labels.iter().all(|&label| label == 0),
                "{shape:?} of {value}"
            );
        }
    }
}

#[test]
fn small_images_do_no_harm() {
    for n_rows in 1..8 {
        for n_columns in [1, 2, 3, 30] {
            let mut random = Random::new((n_rows * 100 + n_columns) as u64);
            let image = Array2::from_shape_simple_fn((n_rows, n_columns), || noise(&mut random));
            let (labels, n) = found(image.view());
            assert_eq!(labels.iter().max().copied().unwrap_or(0) as usize, n);
        }
    }
}

#[test]
fn noise_over_the_whole_range_does_no_harm() {
    let mut random = Random::new(5);
    let image = Array2::from_shape_simple_fn((150, 200), || noise(&mut random));
    let (labels, n) = found(image.view());
    assert_eq!(labels.iter().max().copied().unwrap_or(0) as usize, n);
}

#[test]
fn a_single_bright_pixel_and_a_single_dark_one_do_no_harm() {
    let mut image = Array2::from_elem((64, 64), 100_u16);
    image[(20, 30)] = u16::MAX;
    assert!(found(image.view()).1 <= 1);
    image.fill(u16::MAX);
    image[(0, 0)] = 0;
    found(image.view());
}

#[test]
fn wild_options_do_no_harm() {
    let mut random = Random::new(6);
    let image = Array2::from_shape_simple_fn((70, 90), || noise(&mut random));
    let mut labels = Array2::zeros(image.dim());
    for value in [f32::NAN, f32::INFINITY, -1.0, 0.0, 1e30] {
        let options = Options {
            object_radius_px: Some(value),
            contrast: value,
            edge_scale: value,
            split_depth: value,
            min_area: value,
            tile_px: 0,
        };
        segment(image.view(), &options, labels.view_mut());
    }
}

#[test]
#[should_panic(expected = "the shapes of the image and of its labels differ")]
fn labels_of_another_shape_are_a_mistake_of_the_caller() {
    let mut labels = Array2::zeros((3, 2));
    segment(
        Array2::zeros((2, 3)).view(),
        &Options::default(),
        labels.view_mut(),
    );
}

#[expect(clippy::cast_possible_truncation, reason = "at most 65535")]
fn noise(random: &mut Random) -> u16 {
    (random.next() * 65_535.0) as u16
}
