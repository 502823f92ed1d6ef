//! An image treated in tiles gives what it gives in one piece.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use ndarray::{Array2, s};
use segmentation::algorithm::{Options, segment};
use segmentation::score::score;

use common::nuclei;

fn found_in_tiles(image: &Array2<u16>, tile_px: usize) -> (Array2<u32>, usize) {
    let mut labels = Array2::zeros(image.dim());
    let n = segment(
        image.view(),
        &Options {
            tile_px,
            ..Options::default()
        },
        labels.view_mut(),
    );
    (labels, n)
}

/// Repeats an image on a grid of two by two, with a gap of background around each.
fn mosaic(image: &Array2<u16>, gap: usize) -> Array2<u16> {
    let (n_rows, n_columns) = image.dim();
    let mut mosaic = Array2::from_elem((2 * (n_rows + gap), 2 * (n_columns + gap)), 18);
    for (row, column) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        let (row, column) = (row * (n_rows + gap), column * (n_columns + gap));
        mosaic
            .slice_mut(s![row..row + n_rows, column..column + n_columns])
            .assign(image);
    }
    mosaic
}

#[test]
fn a_tiled_mosaic_has_as_many_objects_as_an_untiled_one() {
    let (image, _) = nuclei();
    // A size that no tile size divides, so that borders cut objects.
    let mosaic = mosaic(&image.slice(s![..200, ..190]).to_owned(), 37);
    let (whole, n_whole) = found_in_tiles(&mosaic, 1024);
    for tile_px in [140, 256] {
        let (tiled, n_tiled) = found_in_tiles(&mosaic, tile_px);
        let same = score(whole.view(), tiled.view(), 0.9).unwrap();
        assert_eq!(n_tiled, n_whole, "tiles of {tile_px} px");
        assert!(
            same.average_precision() > 0.98,
            "tiles of {tile_px} px: {same:?}"
        );
    }
}

#[test]
fn a_mosaic_has_four_times_the_objects_of_its_part() {
    let (image, _) = nuclei();
    let part = image.slice(s![..200, ..190]).to_owned();
    let (_, n_part) = found_in_tiles(&mosaic(&part, 37).slice(s![..237, ..227]).to_owned(), 1024);
    let (_, n_mosaic) = found_in_tiles(&mosaic(&part, 37), 256);
    assert!(
        n_mosaic.abs_diff(4 * n_part) <= 4,
        "{n_mosaic} objects, not 4 x {n_part}"
    );
}

#[test]
fn every_disc_keeps_one_label_wherever_the_borders_are() {
    // Discs of 9 pixels on a pitch of 31: tile borders cut them at every place.
    let image = Array2::from_shape_fn((310, 310), |(row, column)| {
        let (y, x) = ((row % 31) as f32 - 15.0, (column % 31) as f32 - 15.0);
        if y.hypot(x) < 9.0 { 1000_u16 } else { 200 }
    });
    for tile_px in [100, 173] {
        let (labels, n) = found_in_tiles(&image, tile_px);
        assert_eq!(n, 100, "tiles of {tile_px} px");
        for (at, disc) in labels.exact_chunks((31, 31)).into_iter().enumerate() {
            let inside: std::collections::BTreeSet<u32> =
                disc.iter().copied().filter(|&label| label != 0).collect();
            assert_eq!(inside.len(), 1, "disc {at} with tiles of {tile_px} px");
        }
    }
}
