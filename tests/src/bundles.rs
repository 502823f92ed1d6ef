//! What the test worker serves of structs and enums with arrays among their fields.

use ndarray::{ArrayView2, ArrayViewMut2, Ix1, Ix2};
use reedbed::{Bundle, Schema, Segment, Tensor, ndarray, remote_module};
use serde::{Deserialize, Serialize};

/// An image and where its labels go.
#[derive(Bundle)]
#[expect(
    missing_debug_implementations,
    reason = "lent for a call, and printed by nobody"
)]
pub struct Pair<'a> {
    /// What is looked at.
    #[ndarray]
    pub image: ArrayView2<'a, u16>,
    /// What is filled in.
    #[ndarray]
    pub labels: ArrayViewMut2<'a, u32>,
    /// The least value of an object.
    pub threshold: u16,
}

/// A pair, or less; with others beside it.
#[derive(Bundle)]
#[expect(
    missing_debug_implementations,
    reason = "lent for a call, and printed by nobody"
)]
pub enum Job<'a> {
    /// Nothing to do.
    Nothing,
    /// One pair.
    One(#[ndarray] Pair<'a>),
    /// Many pairs, each of which may be missing.
    Many {
        /// The pairs.
        #[ndarray]
        pairs: Vec<Option<Pair<'a>>>,
        /// What the job is called.
        name: String,
    },
}

/// Labels, and what is known of them.
#[derive(Debug, Bundle)]
pub struct Labelled {
    /// The labels.
    #[ndarray]
    pub labels: Tensor<u32, Ix2>,
    /// The places of the objects, by name.
    #[ndarray]
    pub centres: Vec<Option<Tensor<f64, Ix1>>>,
    /// Anything else.
    #[segment]
    pub notes: Segment,
    /// How it came about.
    pub origin: Origin,
}

/// How labels came about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Origin {
    /// Who made them.
    pub author: String,
    /// From how many images.
    pub n_images: usize,
}

/// Why there are no labels.
#[derive(Debug, Bundle, thiserror::Error)]
pub enum LabelError {
    /// There is nothing to label.
    #[error("the image is empty")]
    Empty,
    /// There is too much to label.
    #[error("{n_objects} objects are too many")]
    TooMany {
        /// Where they are.
        #[ndarray]
        mask: Tensor<bool, Ix2>,
        /// How many.
        n_objects: usize,
    },
}

/// An array in pieces.
#[derive(Debug, Bundle)]
pub struct Tree {
    /// A piece.
    #[ndarray]
    pub piece: Tensor<i64, Ix1>,
    /// More of it.
    #[ndarray]
    pub rest: Vec<Tree>,
}

/// Functions on bundles.
#[remote_module]
pub mod bundled {
    use super::*;

    /// Labels what is above the threshold; returns how many elements that are.
    pub fn label(#[ndarray] pair: Pair<'_>) -> u32 {
        label_one(pair)
    }

    /// Labels one pair or many.
    pub fn work(#[ndarray] job: Job<'_>) -> (u32, Option<String>) {
        match job {
            Job::Nothing => (0, None),
            Job::One(pair) => (label_one(pair), None),
            Job::Many { pairs, name } => {
                let n = pairs.into_iter().flatten().map(label_one).sum();
                (n, Some(name))
            }
        }
    }

    /// Labels, and panics.
    pub fn panic_after_labelling(#[ndarray] pair: Pair<'_>) {
        label_one(pair);
        panic!("told to panic after all labels");
    }

    fn label_one(mut pair: Pair<'_>) -> u32 {
        let threshold = pair.threshold;
        pair.labels.zip_mut_with(&pair.image, |label, value| {
            *label = u32::from(*value > threshold);
        });
        pair.labels.sum()
    }

    /// Makes a bundle.
    pub fn made(n: usize) -> Labelled {
        make(n)
    }

    /// Makes some bundles.
    #[returns(ndarray)]
    pub fn many(n: usize) -> (Vec<Labelled>, Option<Labelled>, usize) {
        ((0..n).map(make).collect(), None, n)
    }

    fn make(n: usize) -> Labelled {
        let memory = "memory for the test";
        let centre = |index| Tensor::from_elem(2, index as f64).expect(memory);
        Labelled {
            labels: Tensor::from_elem((n, 2), 1).expect(memory),
            centres: (0..n)
                .map(|index| (index != 1).then(|| centre(index)))
                .collect(),
            notes: Segment::zeroed(n + 1).expect(memory),
            origin: Origin {
                author: "test".to_owned(),
                n_images: n,
            },
        }
    }

    /// Adds one to all labels of a bundle that is passed on.
    pub fn pass_on(#[ndarray] mut labelled: Labelled) -> Labelled {
        if let Ok(mut labels) = labelled.labels.view_mut() {
            labels += 1;
        }
        labelled
    }

    /// Counts the elements that are set, up to a limit.
    pub fn count(
        #[ndarray] image: ArrayView2<'_, bool>,
        n_at_most: usize,
    ) -> Result<usize, LabelError> {
        if image.is_empty() {
            return Err(LabelError::Empty);
        }
        let n_objects = image.iter().filter(|is_set| **is_set).count();
        if n_objects <= n_at_most {
            return Ok(n_objects);
        }
        let mask = Tensor::copy_of(&image).expect("memory for the test");
        Err(LabelError::TooMany { mask, n_objects })
    }

    /// Adds all pieces up.
    pub fn total(#[ndarray] tree: Tree) -> i64 {
        let piece = tree.piece.view().map_or(0, |piece| piece.sum());
        piece + tree.rest.into_iter().map(total).sum::<i64>()
    }
}
