//! Where the answer of a call is put, and where its caller waits for it.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::call::entrusted::Given;
use crate::call::error::FailureCause;
use crate::call::incoming::Parcel;
use crate::guarded::wake_each;

/// What came of a call.
pub(crate) enum Answer {
    /// The function returned.
    Returned {
        /// What it returned.
        parcel: Parcel,
        /// How many bytes the worker copied to send it.
        copied_bytes: u64,
    },
    /// The call was never sent, or never read.
    HandedBack {
        /// Why.
        cause: FailureCause,
        /// What was passed by value.
        given: Given,
    },
}

/// A call in flight, shared by its future and the table.
pub(crate) struct Slot {
    pub(super) id: u64,
    /// How long its caller waits.
    pub(super) limit: Option<Duration>,
    /// Whether there is a result, or was one.
    is_done: AtomicBool,
    /// [`UNSENT`], [`SENT`] or [`ENDED`].
    pub(super) progress: AtomicU8,
    state: Mutex<SlotState>,
}

/// Nothing was sent yet. Should the worker end now, the leases are the sender's to end.
pub(super) const UNSENT: u8 = 0;
/// It was sent, and ends with its worker at the latest.
pub(super) const SENT: u8 = 1;
/// The worker has ended before the sender had noted whether it was sent.
pub(super) const ENDED: u8 = 2;

struct SlotState {
    waker: Option<Waker>,
    result: Option<Result<Answer, FailureCause>>,
}

impl Slot {
    pub(super) fn new(id: u64, limit: Option<Duration>) -> Self {
        let state = SlotState {
            waker: None,
            result: None,
        };
        Self {
            id,
            limit,
            is_done: AtomicBool::new(false),
            progress: AtomicU8::new(UNSENT),
            state: Mutex::new(state),
        }
    }

    /// The call's number.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Tells whether there is a result, or was one.
    pub(crate) fn is_done(&self) -> bool {
        self.is_done.load(Ordering::Acquire)
    }

    /// Completes with the answer, once.
    pub(crate) fn poll(&self, cx: &Context<'_>) -> Poll<Result<Answer, FailureCause>> {
        let mut state = self.lock();
        match state.result.take() {
            Some(result) => Poll::Ready(result),
            None => {
                state.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    pub(super) fn finish(&self, result: Result<Answer, FailureCause>) {
        let waker = {
            let mut state = self.lock();
            // A call past its deadline has its result already; the late answer is dropped below.
            let late = match &state.result {
                None => {
                    state.result = Some(result);
                    None
                }
                Some(_) => Some(result),
            };
            let waker = state.waker.take();
            drop(state);
            drop(late);
            // Whoever sleeps without a waker to be woken by looks here (see `Sleeper`).
            self.is_done.store(true, Ordering::Release);
            waker
        };
        wake_each(waker);
    }

    fn lock(&self) -> MutexGuard<'_, SlotState> {
        // No critical section can panic half way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
