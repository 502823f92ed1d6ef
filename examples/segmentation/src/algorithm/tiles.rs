//! Cutting a large image into overlapping tiles.

use std::ops::Range;

use ndarray::{ArrayView2, Axis, Slice};

/// A part of the image that is segmented on its own.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tile {
    /// The rows whose labels this tile decides. The cores of all tiles cover the image once.
    pub(super) core_rows: Range<usize>,
    /// The columns of the core.
    pub(super) core_columns: Range<usize>,
    /// The rows that are looked at: the core's and as many on either side as matter to it.
    pub(super) window_rows: Range<usize>,
    /// The columns that are looked at.
    pub(super) window_columns: Range<usize>,
}

/// Returns the tiles of an image in raster order; one if no side is longer than `tile_px`.
pub(super) fn tiles(shape: (usize, usize), tile_px: usize, overlap_px: usize) -> Vec<Tile> {
    let mut tiles = Vec::new();
    for core_rows in parts(shape.0, tile_px) {
        for core_columns in parts(shape.1, tile_px) {
            tiles.push(Tile {
                window_rows: widened(&core_rows, overlap_px, shape.0),
                window_columns: widened(&core_columns, overlap_px, shape.1),
                core_rows: core_rows.clone(),
                core_columns,
            });
        }
    }
    tiles
}

/// Returns the part of a view within the given rows and columns.
///
/// Stands in for `ndarray`'s macro `s!`, whose expansion a crate that forbids unsafe code refuses.
///
/// # Panics
///
/// If they reach beyond the view.
pub(super) fn cut<T>(
    mut view: ArrayView2<'_, T>,
    rows: Range<usize>,
    columns: Range<usize>,
) -> ArrayView2<'_, T> {
    view.slice_axis_inplace(Axis(0), Slice::from(rows));
    view.slice_axis_inplace(Axis(1), Slice::from(columns));
    view
}

/// Divides a side into as few parts of at most `max_px` as possible, of nearly equal length.
fn parts(n_px: usize, max_px: usize) -> impl Iterator<Item = Range<usize>> {
    let n_parts = n_px.div_ceil(max_px);
    let (short, n_longer) = (
        n_px.checked_div(n_parts).unwrap_or(0),
        n_px.checked_rem(n_parts),
    );
    let n_longer = n_longer.unwrap_or(0);
    let start = move |part: usize| part * short + part.min(n_longer);
    (0..n_parts).map(move |part| start(part)..start(part + 1))
}

fn widened(core: &Range<usize>, overlap_px: usize, n_px: usize) -> Range<usize> {
    core.start.saturating_sub(overlap_px)..(core.end + overlap_px).min(n_px)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_image_is_one_tile() {
        let tile = Tile {
            core_rows: 0..30,
            core_columns: 0..64,
            window_rows: 0..30,
            window_columns: 0..64,
        };
        assert_eq!(tiles((30, 64), 64, 9), [tile]);
        assert_eq!(tiles((0, 64), 64, 9), []);
    }

    #[test]
    fn cores_cover_each_pixel_once() {
        let mut covered = ndarray::Array2::<u8>::zeros((131, 70));
        for tile in tiles((131, 70), 32, 5) {
            assert!(tile.core_rows.len() <= 32 && tile.core_columns.len() <= 32);
            for row in tile.core_rows {
                for column in tile.core_columns.clone() {
                    covered[(row, column)] += 1;
                }
            }
        }
        assert!(covered.iter().all(|&n| n == 1));
    }
}
