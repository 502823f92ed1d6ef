//! Joining the labels of overlapping tiles.

use std::collections::BTreeMap;

use ndarray::{Array2, ArrayViewMut2};

use super::tiles::Tile;

/// Puts the labels of tiles together, one tile after the other in raster order.
///
/// A tile sees the objects at its border whole, since its window reaches beyond its core. Objects
/// that it shares with tiles done earlier are recognised by how much they overlap in the part of
/// the window that those tiles have decided, and take over the earlier label.
#[derive(Debug)]
pub(super) struct Stitching<'a> {
    labels: ArrayViewMut2<'a, u32>,
    /// For each label given out, the label that it turned out to be the same object as. Index 0
    /// stands for the background.
    same_as: Vec<u32>,
}

impl<'a> Stitching<'a> {
    /// Starts with nothing but background.
    pub(super) fn new(mut labels: ArrayViewMut2<'a, u32>) -> Self {
        labels.fill(0);
        Self {
            labels,
            same_as: vec![0],
        }
    }

    /// Adds the labels 1..=n of a tile's window.
    pub(super) fn add(&mut self, tile: &Tile, found: &Array2<u32>, n: u32) {
        let mut global = vec![0_u32; n as usize + 1];
        for (local, earlier) in self.shared(tile, found, n) {
            let known = &mut global[local as usize];
            *known = if *known == 0 {
                earlier
            } else {
                self.join(*known, earlier)
            };
        }
        let rows = tile.core_rows.clone();
        let columns = tile.core_columns.clone();
        for row in rows {
            for column in columns.clone() {
                let local = found[(
                    row - tile.window_rows.start,
                    column - tile.window_columns.start,
                )];
                if local == 0 {
                    continue;
                }
                let label = &mut global[local as usize];
                if *label == 0 {
                    *label = u32::try_from(self.same_as.len()).expect("fewer objects than 2^32");
                    self.same_as.push(*label);
                }
                self.labels[(row, column)] = *label;
            }
        }
    }

    /// Returns which labels of a window are objects known from earlier tiles.
    ///
    /// They are the same if they overlap by at least half of their union within the part decided
    /// earlier, or if the earlier object covers more than half of the whole new one.
    fn shared(&self, tile: &Tile, found: &Array2<u32>, n: u32) -> Vec<(u32, u32)> {
        let (rows, columns) = (&tile.window_rows, &tile.window_columns);
        let above = (rows.start..tile.core_rows.start, columns.clone());
        let left = (
            tile.core_rows.clone(),
            columns.start..tile.core_columns.start,
        );
        let mut pairs: BTreeMap<(u32, u32), u64> = BTreeMap::new();
        let mut earlier_areas: BTreeMap<u32, u64> = BTreeMap::new();
        let mut decided_areas = vec![0_u64; n as usize + 1];
        for (part_rows, part_columns) in [above, left] {
            for row in part_rows {
                for column in part_columns.clone() {
                    let local = found[(row - rows.start, column - columns.start)];
                    let earlier = root(&self.same_as, self.labels[(row, column)]);
                    decided_areas[local as usize] += 1;
                    if earlier != 0 {
                        *earlier_areas.entry(earlier).or_default() += 1;
                        if local != 0 {
                            *pairs.entry((local, earlier)).or_default() += 1;
                        }
                    }
                }
            }
        }
        let mut whole_areas = vec![0_u64; n as usize + 1];
        for &local in found {
            whole_areas[local as usize] += 1;
        }
        let same = |&(&(local, earlier), &common): &(&(u32, u32), &u64)| {
            let union = decided_areas[local as usize] + earlier_areas[&earlier] - common;
            2 * common >= union || 2 * common > whole_areas[local as usize]
        };
        pairs.iter().filter(same).map(|(&pair, _)| pair).collect()
    }

    /// Records that two labels are one object and returns the label that stays.
    fn join(&mut self, one: u32, other: u32) -> u32 {
        let (one, other) = (root(&self.same_as, one), root(&self.same_as, other));
        self.same_as[one.max(other) as usize] = one.min(other);
        one.min(other)
    }

    /// Numbers the objects 1..=n in raster order of their first pixels and returns n.
    pub(super) fn finish(mut self) -> usize {
        let mut numbers = vec![0_u32; self.same_as.len()];
        let mut n = 0;
        for label in self.labels.iter_mut().filter(|label| **label != 0) {
            let number = &mut numbers[root(&self.same_as, *label) as usize];
            if *number == 0 {
                n += 1;
                *number = n;
            }
            *label = *number;
        }
        n as usize
    }
}

/// Returns the label that stands for all those joined to it.
fn root(same_as: &[u32], mut label: u32) -> u32 {
    while same_as[label as usize] != label {
        label = same_as[label as usize];
    }
    label
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithm::tiles::{cut, tiles};

    /// Stitches windows cut from a known label map, each with numbers of its own.
    fn stitch(truth: &Array2<u32>, tile_px: usize, overlap_px: usize) -> (Array2<u32>, usize) {
        let mut labels = Array2::from_elem(truth.raw_dim(), 77);
        let mut stitching = Stitching::new(labels.view_mut());
        for (at, tile) in tiles(truth.dim(), tile_px, overlap_px)
            .into_iter()
            .enumerate()
        {
            let window = cut(
                truth.view(),
                tile.window_rows.clone(),
                tile.window_columns.clone(),
            );
            let n = truth.iter().max().copied().unwrap_or(0);
            let renumber = |&label: &u32| match label {
                0 => 0,
                label => (label + u32::try_from(at).unwrap()) % n + 1,
            };
            stitching.add(&tile, &window.map(renumber), n);
        }
        let n = stitching.finish();
        (labels, n)
    }

    #[test]
    fn objects_across_borders_and_corners_keep_one_label_each() {
        // Blocks of 5 x 5 on a pitch of 7, labelled in raster order of their first pixels.
        let truth = Array2::from_shape_fn((70, 84), |(row, column)| {
            let inside = row % 7 < 5 && column % 7 < 5;
            if inside {
                u32::try_from(row / 7 * 12 + column / 7 + 1).unwrap()
            } else {
                0
            }
        });
        for (tile_px, overlap_px) in [(16, 8), (23, 6), (70, 5), (100, 0)] {
            let (labels, n) = stitch(&truth, tile_px, overlap_px);
            assert_eq!(n, 120, "tiles of {tile_px} px");
            assert_eq!(labels, truth, "tiles of {tile_px} px");
        }
    }

    #[test]
    fn an_object_larger_than_the_overlap_is_still_one() {
        let inside = |(row, column)| (2..58).contains(&row) && (3..57).contains(&column);
        let truth = Array2::from_shape_fn((60, 60), |at| u32::from(inside(at)));
        assert_eq!(stitch(&truth, 20, 4).1, 1);
    }
}
