//! Comparing a label map with a ground truth.

use std::collections::{BTreeMap, BTreeSet};

use ndarray::ArrayView2;

/// Why two label maps can't be compared.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ScoreError {
    /// The two maps don't cover the same pixels.
    #[error("the truth has {truth:?} rows and columns, what was found has {found:?}")]
    Shape {
        /// Rows and columns of the truth.
        truth: (usize, usize),
        /// Rows and columns of what was found.
        found: (usize, usize),
    },
    /// No overlap can be compared with this threshold.
    #[error("the overlap demanded is {iou}, not above 0 and at most 1")]
    Threshold {
        /// The threshold given.
        iou: f64,
    },
}

/// How many objects of a truth were found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Score {
    /// Objects of the truth that were found (true positives).
    pub tp: usize,
    /// Objects found that are not in the truth (false positives).
    pub fp: usize,
    /// Objects of the truth that were not found (false negatives).
    pub fn_: usize,
}

impl Score {
    /// Returns `tp / (tp + fp + fn)`, which is 1 if there was nothing to find and nothing was found.
    ///
    /// That is the average precision as the Data Science Bowl 2018 and StarDist define it.
    #[must_use]
    pub fn average_precision(&self) -> f64 {
        match self.tp + self.fp + self.fn_ {
            0 => 1.0,
            n_all => self.tp as f64 / n_all as f64,
        }
    }
}

/// Counts the objects that two label maps have in common.
///
/// In both maps 0 is background and every other number an object; numbers may be missing. Two
/// objects match if their intersection over union is at least `iou`. Matching is one to one: above
/// one half an object can't match two; at lower thresholds the pair that overlaps most is matched
/// first, then the next of those left (greedily; ties go to the smaller numbers).
///
/// # Errors
///
/// - [`ScoreError::Shape`] if the maps differ in shape.
/// - [`ScoreError::Threshold`] if `iou` isn't above 0 and at most 1.
pub fn score(
    truth: ArrayView2<'_, u32>,
    found: ArrayView2<'_, u32>,
    iou: f64,
) -> Result<Score, ScoreError> {
    if truth.dim() != found.dim() {
        return Err(ScoreError::Shape {
            truth: truth.dim(),
            found: found.dim(),
        });
    }
    if !(iou > 0.0 && iou <= 1.0) {
        return Err(ScoreError::Threshold { iou });
    }
    let overlaps = Overlaps::of(truth, found);
    let tp = overlaps.matches(iou);
    Ok(Score {
        tp,
        fp: overlaps.found.len() - tp,
        fn_: overlaps.truth.len() - tp,
    })
}

/// The areas of all objects and of their intersections, in pixels.
struct Overlaps {
    truth: BTreeMap<u32, u64>,
    found: BTreeMap<u32, u64>,
    common: BTreeMap<(u32, u32), u64>,
}

impl Overlaps {
    fn of(truth: ArrayView2<'_, u32>, found: ArrayView2<'_, u32>) -> Self {
        let mut overlaps = Self {
            truth: BTreeMap::new(),
            found: BTreeMap::new(),
            common: BTreeMap::new(),
        };
        for pair in truth.iter().zip(&found) {
            let (&in_truth, &in_found) = pair;
            if in_truth != 0 {
                *overlaps.truth.entry(in_truth).or_default() += 1;
            }
            if in_found != 0 {
                *overlaps.found.entry(in_found).or_default() += 1;
            }
            if in_truth != 0 && in_found != 0 {
                *overlaps.common.entry((in_truth, in_found)).or_default() += 1;
            }
        }
        overlaps
    }

    /// Returns the number of one-to-one matches.
    fn matches(&self, iou: f64) -> usize {
        let mut pairs: Vec<(f64, u32, u32)> = self
            .common
            .iter()
            .map(|(&(truth, found), &common)| {
                let union = self.truth[&truth] + self.found[&found] - common;
                (common as f64 / union as f64, truth, found)
            })
            .filter(|&(overlap, ..)| overlap >= iou)
            .collect();
        // The sort is stable, and the pairs come in order of their numbers.
        pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
        let (mut taken_truth, mut taken_found) = (BTreeSet::new(), BTreeSet::new());
        let mut n_matches = 0;
        for (_, truth, found) in pairs {
            if !taken_truth.contains(&truth) && !taken_found.contains(&found) {
                taken_truth.insert(truth);
                taken_found.insert(found);
                n_matches += 1;
            }
        }
        n_matches
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, arr2};

    use super::*;

    #[test]
    fn a_map_against_itself_is_perfect_whatever_its_numbers() {
        let map = arr2(&[[7_u32, 7, 0], [0, 900, 900]]);
        let score = score(map.view(), map.view(), 1.0).unwrap();
        assert_eq!(
            score,
            Score {
                tp: 2,
                fp: 0,
                fn_: 0
            }
        );
        assert_eq!(score.average_precision(), 1.0);
    }

    #[test]
    fn two_empty_maps_agree() {
        for shape in [(0, 5), (3, 3)] {
            let empty = Array2::zeros(shape);
            let score = score(empty.view(), empty.view(), 0.5).unwrap();
            assert_eq!((score, score.average_precision()), (Score::default(), 1.0));
        }
    }

    #[test]
    fn overlap_counts_against_the_union() {
        // Object 1: 3 of 4 pixels in common, IoU 3/4. Object 2: 1 of 3, IoU 1/3. 9 is spurious.
        let truth = arr2(&[[1_u32, 1, 1, 1, 0, 2, 2, 0, 0]]);
        let found = arr2(&[[0_u32, 5, 5, 5, 0, 0, 6, 6, 9]]);
        let at = |iou| score(truth.view(), found.view(), iou).unwrap();
        assert_eq!(
            at(0.75),
            Score {
                tp: 1,
                fp: 2,
                fn_: 1
            }
        );
        assert_eq!(at(0.75).average_precision(), 0.25);
        assert_eq!(
            at(0.76),
            Score {
                tp: 0,
                fp: 3,
                fn_: 2
            }
        );
        assert_eq!(
            at(1.0 / 3.0),
            Score {
                tp: 2,
                fp: 1,
                fn_: 0
            }
        );
    }

    #[test]
    fn low_thresholds_still_match_one_to_one() {
        // Both halves overlap the one object of the truth by a half: only one of them counts.
        let truth = arr2(&[[1_u32, 1, 1, 1]]);
        let found = arr2(&[[1_u32, 1, 2, 2]]);
        for iou in [0.1, 0.5] {
            let score = score(truth.view(), found.view(), iou).unwrap();
            assert_eq!(
                score,
                Score {
                    tp: 1,
                    fp: 1,
                    fn_: 0
                }
            );
        }
    }

    #[test]
    fn the_better_overlap_is_matched_first() {
        // Found 1 overlaps truth 1 by 2/5 and truth 2 by 1/5, found 2 overlaps truth 2 by 1/3.
        let truth = arr2(&[[1_u32, 1, 1, 1, 2, 2, 0]]);
        let found = arr2(&[[0_u32, 0, 1, 1, 1, 2, 2]]);
        let score = score(truth.view(), found.view(), 0.1).unwrap();
        assert_eq!(
            score,
            Score {
                tp: 2,
                fp: 0,
                fn_: 0
            }
        );
    }

    #[test]
    fn what_cannot_be_compared_is_an_error() {
        let (one, other) = (Array2::zeros((2, 3)), Array2::zeros((3, 2)));
        let error = score(one.view(), other.view(), 0.5).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the truth has (2, 3) rows and columns, what was found has (3, 2)"
        );
        for iou in [0.0, 1.1, f64::NAN] {
            let error = score(one.view(), one.view(), iou).unwrap_err();
            assert!(
                error.to_string().starts_with("the overlap demanded is "),
                "{error}"
            );
        }
    }
}
