//! How well the default options find the objects of two very different images, and of each image
//! mirrored, turned, darkened and disturbed.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use ndarray::{Array2, ArrayView2, s};
use segmentation::score::score;

use common::{bundled, found, load, nuclei, with_noise};

/// Checks the average precision at an overlap of 0.5.
#[track_caller]
fn assert_precise(what: &str, image: ArrayView2<'_, u16>, truth: ArrayView2<'_, u32>, least: f64) {
    let (labels, n) = found(image);
    let precision = score(truth, labels.view(), 0.5)
        .unwrap()
        .average_precision();
    assert!(
        precision >= least,
        "{what}: {n} objects, average precision {precision:.3} < {least}"
    );
}

#[test]
fn nuclei_are_found() {
    let (image, truth) = nuclei();
    assert_precise("nuclei", image.view(), truth.view(), 0.87);
}

#[test]
fn outlines_of_nuclei_are_tight() {
    let (image, truth) = nuclei();
    let (labels, _) = found(image.view());
    let precision = score(truth.view(), labels.view(), 0.7)
        .unwrap()
        .average_precision();
    assert!(
        precision >= 0.75,
        "average precision at an overlap of 0.7 is {precision:.3}"
    );
}

#[test]
fn mirrored_nuclei_are_found() {
    let (image, truth) = nuclei();
    let (up, left) = (s![..;-1, ..], s![.., ..;-1]);
    assert_precise("upside down", image.slice(up), truth.slice(up), 0.87);
    assert_precise("left to right", image.slice(left), truth.slice(left), 0.87);
}

#[test]
fn turned_nuclei_are_found() {
    let (image, truth) = nuclei();
    let (up, left, both) = (s![..;-1, ..], s![.., ..;-1], s![..;-1, ..;-1]);
    assert_precise(
        "by 90 degrees",
        image.t().slice(up),
        truth.t().slice(up),
        0.87,
    );
    assert_precise("by 180 degrees", image.slice(both), truth.slice(both), 0.87);
    assert_precise(
        "by 270 degrees",
        image.t().slice(left),
        truth.t().slice(left),
        0.87,
    );
}

#[test]
fn mirroring_does_not_change_the_number_of_objects() {
    let image = load(&bundled("coins.png"));
    let (_, n) = found(image.view());
    for (what, turned) in [
        ("upside down", image.slice(s![..;-1, ..])),
        ("left to right", image.slice(s![.., ..;-1])),
        ("transposed", image.t()),
    ] {
        assert_eq!(found(turned).1, n, "{what}");
    }
}

#[test]
fn nuclei_at_another_exposure_are_found() {
    let (image, truth) = nuclei();
    assert_precise(
        "half as bright",
        image.mapv(|value| value / 2).view(),
        truth.view(),
        0.85,
    );
    assert_precise(
        "200 times as bright",
        (&image * 200).view(),
        truth.view(),
        0.87,
    );
}

#[test]
fn nuclei_in_mild_noise_are_found() {
    let (image, truth) = nuclei();
    for seed in 1..=3 {
        let noisy = with_noise(&image, 0.02, seed);
        assert_precise(
            &format!("2 % noise, seed {seed}"),
            noisy.view(),
            truth.view(),
            0.8,
        );
    }
}

#[test]
fn nuclei_in_noise_are_found() {
    let (image, truth) = nuclei();
    for seed in 1..=3 {
        let noisy = with_noise(&image, 0.05, seed);
        assert_precise(
            &format!("5 % noise, seed {seed}"),
            noisy.view(),
            truth.view(),
            0.75,
        );
    }
}

#[test]
fn coins_are_found_with_the_same_options() {
    let image = load(&bundled("coins.png"));
    for (what, image) in [
        ("as they are", image.clone()),
        ("half as bright", image.mapv(|value| value / 2)),
        ("in noise", with_noise(&image, 0.03, 1)),
    ] {
        let (_, n) = found(image.view());
        assert!((22..=26).contains(&n), "{n} coins {what}, not 24");
    }
}

#[test]
fn labels_are_consecutive_and_in_raster_order() {
    let (labels, n) = found(nuclei().0.view());
    let mut next = 1;
    for &label in &labels {
        assert!(label <= next, "label {label} before label {next}");
        next += u32::from(label == next);
    }
    assert_eq!(next as usize, n + 1);
}

#[test]
fn the_result_depends_on_nothing_but_the_image() {
    let (image, _) = nuclei();
    let spread = Array2::from_shape_fn((1024, 1536), |(row, column)| {
        if row % 2 == 0 && column % 3 == 0 {
            image[(row / 2, column / 3)]
        } else {
            999
        }
    });
    assert_eq!(found(image.view()), found(spread.slice(s![..;2, ..;3])));
}
