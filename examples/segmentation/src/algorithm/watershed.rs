//! Dividing a mask into basins, one for each peak that stands out.

use ndarray::Array2;

/// Floods a relief from its peaks downwards and returns a label for each pixel (0 outside, then
/// 1..=n in raster order of the basins' first pixels) and n.
///
/// Pixels of level 0 are outside. Where two basins meet at a pixel, the one with the lower peak is
/// joined to the other if its peak is less than `min_depth` above that pixel; so neither noise nor a
/// bumpy outline makes a basin. This is the watershed by flooding (Vincent and Soille, "Watersheds
/// in digital spaces", PAMI 1991) with the dynamics of the peaks as the criterion (Grimaud, "A new
/// measure of contrast: the dynamics", SPIE 1992), in one pass, without seeds.
///
/// The levels are sorted by counting, so the time is linear but for the union-find.
pub(super) fn flood(levels: &Array2<u16>, min_depth: u16) -> (Array2<u32>, u32) {
    let (n_rows, n_columns) = levels.dim();
    let heights = levels.as_slice().expect("planes are in standard layout");
    let mut labels = vec![0_u32; heights.len()];
    let mut basins = Basins::new();
    for at in downwards(heights) {
        let at = at as usize;
        let height = heights[at];
        let (row, column) = (at / n_columns, at % n_columns);
        let mut highest: Option<(u16, u32)> = None;
        let mut met = [0_u32; 8];
        let mut n_met = 0;
        for next_row in row.saturating_sub(1)..=(row + 1).min(n_rows - 1) {
            for next_column in column.saturating_sub(1)..=(column + 1).min(n_columns - 1) {
                let next = next_row * n_columns + next_column;
                if labels[next] == 0 {
                    continue;
                }
                let basin = basins.root(labels[next]);
                if highest.is_none_or(|(height, _)| heights[next] > height) {
                    highest = Some((heights[next], basin));
                }
                met[n_met] = basin;
                n_met += 1;
            }
        }
        let Some((_, home)) = highest else {
            labels[at] = basins.add(height);
            continue;
        };
        labels[at] = home;
        for &other in &met[..n_met] {
            basins.meet(home, other, height, min_depth);
        }
    }
    let n = basins.number(&mut labels);
    let labels = Array2::from_shape_vec((n_rows, n_columns), labels);
    (labels.expect("one label a pixel"), n)
}

/// Returns the indices of all pixels with a level, from the highest level to the lowest and in
/// raster order within a level.
///
/// # Panics
///
/// If there are 2^32 pixels or more.
fn downwards(heights: &[u16]) -> Vec<u32> {
    assert!(
        u32::try_from(heights.len()).is_ok(),
        "{} pixels in one tile",
        heights.len()
    );
    let mut starts = vec![0_usize; usize::from(u16::MAX) + 1];
    for &height in heights {
        starts[usize::from(height)] += 1;
    }
    starts[0] = 0;
    let mut above = 0;
    for start in starts.iter_mut().rev() {
        above += std::mem::replace(start, above);
    }
    let mut order = vec![0_u32; above];
    for (at, &height) in (0_u32..).zip(heights) {
        if height > 0 {
            let place = &mut starts[usize::from(height)];
            order[*place] = at;
            *place += 1;
        }
    }
    order
}

/// The basins found so far and which of them were joined (a union-find forest).
///
/// Index 0 stands for the outside.
struct Basins {
    parents: Vec<u32>,
    peaks: Vec<u16>,
}

impl Basins {
    fn new() -> Self {
        Self {
            parents: vec![0],
            peaks: vec![0],
        }
    }

    /// Starts a basin and returns its number.
    fn add(&mut self, peak: u16) -> u32 {
        let basin = u32::try_from(self.parents.len()).expect("fewer basins than pixels");
        self.parents.push(basin);
        self.peaks.push(peak);
        basin
    }

    /// Returns the basin that a basin was joined to, or itself.
    fn root(&mut self, mut basin: u32) -> u32 {
        while self.parents[basin as usize] != basin {
            let parent = self.parents[basin as usize];
            let grandparent = self.parents[parent as usize];
            self.parents[basin as usize] = grandparent;
            basin = grandparent;
        }
        basin
    }

    /// Joins two basins that meet at a level, unless both peaks stand out from it.
    fn meet(&mut self, one: u32, other: u32, level: u16, min_depth: u16) {
        let (one, other) = (self.root(one), self.root(other));
        let key = |basin: u32| (self.peaks[basin as usize], std::cmp::Reverse(basin));
        let (low, high) = if key(one) < key(other) {
            (one, other)
        } else {
            (other, one)
        };
        if low != high && self.peaks[low as usize] - level < min_depth {
            self.parents[low as usize] = high;
        }
    }

    /// Replaces the basins in a label map by consecutive numbers and returns how many there are.
    fn number(&mut self, labels: &mut [u32]) -> u32 {
        let mut numbers = vec![0_u32; self.parents.len()];
        let mut n = 0;
        for label in labels.iter_mut().filter(|label| **label != 0) {
            let number = &mut numbers[self.root(*label) as usize];
            if *number == 0 {
                n += 1;
                *number = n;
            }
            *label = *number;
        }
        n
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deep_saddle_splits_and_a_shallow_one_does_not() {
        let levels = ndarray::arr2(&[[5_u16, 9, 4, 8, 5, 0, 7]]);
        let (labels, n) = flood(&levels, 4);
        assert_eq!((labels, n), (ndarray::arr2(&[[1, 1, 1, 2, 2, 0, 3]]), 3));
        let (labels, n) = flood(&levels, 5);
        assert_eq!((labels, n), (ndarray::arr2(&[[1, 1, 1, 1, 1, 0, 2]]), 2));
    }

    #[test]
    fn corners_connect() {
        let levels = ndarray::arr2(&[[3_u16, 0], [0, 3]]);
        assert_eq!(flood(&levels, 1).1, 1);
    }

    #[test]
    fn nothing_has_no_basins() {
        assert_eq!(flood(&Array2::zeros((3, 2)), 1), (Array2::zeros((3, 2)), 0));
    }
}
