//! Why an image was not segmented, as the worker tells its caller.

use std::error::Error;
use std::path::PathBuf;

use reedbed::{AccessError, Schema, ShmExhausted};
use serde::{Deserialize, Serialize};

use crate::input::InputError;

/// Why a function of [`nuclei`](crate::nuclei) returns no result.
///
/// It travels: the caller receives it as [`CallError::Returned`](reedbed::CallError::Returned) and
/// can match on it as if the function had run in its own process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema, thiserror::Error)]
pub enum SegmentationError {
    /// The file can't be opened or read.
    #[error("{reason}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What was tried, and what the system says.
        reason: String,
    },
    /// The file ends before its last pixel.
    #[error("{reason}")]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Its length.
        len_bytes: u64,
        /// The same in words.
        reason: String,
    },
    /// The file isn't a grey image with 8 or 16 bits a pixel.
    #[error("{reason}")]
    Refused {
        /// The file.
        path: PathBuf,
        /// What it is instead, and what to do.
        reason: String,
    },
    /// The image and the array for its labels differ in shape.
    #[error(
        "the image has {} x {} pixels and its labels {} x {}; give both the same shape",
        image.0, image.1, labels.0, labels.1
    )]
    Shapes {
        /// Rows and columns of the image.
        image: (usize, usize),
        /// Rows and columns of the labels.
        labels: (usize, usize),
    },
    /// A bare segment hasn't as many bytes as its shape says.
    #[error("the segment `{segment}` has {len_bytes} bytes; {rows} x {columns} pixels are {needed}", needed = bytes(*needed_bytes))]
    Bytes {
        /// The argument.
        segment: String,
        /// The bytes that it has.
        len_bytes: usize,
        /// The rows that it should have.
        rows: usize,
        /// The columns that it should have.
        columns: usize,
        /// The bytes that it should have; `None` if they are more than a `usize` counts.
        needed_bytes: Option<usize>,
    },
    /// The worker has no shared memory for the arrays that it makes.
    #[error("the worker has no memory for the result: {reason}")]
    Memory {
        /// The numbers.
        reason: String,
    },
}

fn bytes(needed: Option<usize>) -> String {
    needed.map_or("more than memory holds".to_owned(), |n| n.to_string())
}

impl From<InputError> for SegmentationError {
    fn from(error: InputError) -> Self {
        let reason = in_full(&error);
        match error {
            InputError::Open { path, .. } | InputError::Read { path, .. } => {
                Self::Unreadable { path, reason }
            }
            InputError::Truncated { path, len_bytes } => Self::Truncated {
                path,
                len_bytes,
                reason,
            },
            InputError::Destination {
                image, destination, ..
            } => Self::Shapes {
                image,
                labels: destination,
            },
            InputError::NotAnImage { path, .. }
            | InputError::Implausible { path, .. }
            | InputError::Channels { path, .. }
            | InputError::Palette { path }
            | InputError::BitDepth { path, .. }
            | InputError::Number { path, .. }
            | InputError::Unsupported { path, .. }
            | InputError::Damaged { path, .. } => Self::Refused { path, reason },
        }
    }
}

impl From<ShmExhausted> for SegmentationError {
    fn from(error: ShmExhausted) -> Self {
        Self::Memory {
            reason: in_full(&error),
        }
    }
}

impl From<AccessError> for SegmentationError {
    fn from(error: AccessError) -> Self {
        Self::Memory {
            reason: in_full(&error),
        }
    }
}

/// Returns an error and its sources in one line.
///
/// The sources themselves don't travel: the system's errors aren't serde types.
#[must_use]
pub fn in_full(error: &(dyn Error + 'static)) -> String {
    std::iter::successors(Some(error), |&error| error.source())
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}
