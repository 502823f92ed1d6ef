//! Why an image wasn't segmented.

use reedbed::{AccessError, CallError, NotAligned, ShmExhausted};

use crate::SegmentationError;
use crate::input::InputError;

/// Why an image wasn't segmented.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WayError {
    /// The host can't decode the image.
    #[error(transparent)]
    Input(#[from] InputError),
    /// The host has no shared memory for the arrays.
    #[error(transparent)]
    Memory(#[from] ShmExhausted),
    /// An array can't be reached by the host: it is leased or poisoned.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// A bare segment doesn't hold the elements it was made for.
    #[error(transparent)]
    Segment(#[from] NotAligned),
    /// A bare segment hasn't the shape it was made for.
    #[error(transparent)]
    Shape(#[from] ndarray::ShapeError),
    /// The worker refused the image, or the call failed.
    #[error(transparent)]
    Call(#[from] CallError<SegmentationError>),
}

impl WayError {
    /// Tells whether the worker ended before it answered, so that another one may do better.
    #[must_use]
    pub fn is_end_of_worker(&self) -> bool {
        use reedbed::FailureCause::{WorkerDied, WorkerGone};
        let Self::Call(call) = self else { return false };
        let cause = call.failure().map(reedbed::CallFailure::cause);
        matches!(cause, Some(WorkerDied { .. } | WorkerGone { .. }))
    }
}
