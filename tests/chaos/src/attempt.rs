//! One call, from its beginning to the verdict on how it ended.

use reedbed::{CallError, CallFailure, EndReason, Failure, FailureCause, WorkerEnd};
use std::fmt::Debug;

use crate::mode::{self, Drivable, Ended, Mode};
use crate::slot::{Disturbance, Slot};
use crate::tally::Told;
use crate::{Found, calls::Run, diary, found};

/// A call that is about to be made.
#[derive(Debug)]
pub struct Attempt<'a> {
    run: &'a Run,
    /// Whom it calls.
    pub slot: &'a Slot,
    /// In which way.
    pub mode: Mode,
    shape: &'static str,
    place: usize,
    is_blocking: bool,
    uses_blocking_stub: bool,
    begun_at: u64,
    disturbance: Disturbance,
    weather: Disturbance,
    /// What it may fail by besides.
    pub allowed: Allowed,
}

/// What a call may fail by, besides what is done to its worker.
#[derive(Clone, Debug, Default)]
pub struct Allowed {
    /// It is told to panic with this.
    pub panic: Option<String>,
    /// Its instance may be one of an earlier process.
    pub lost_instance: bool,
    /// An argument may still be held by a call that was given up.
    pub leased: bool,
    /// An argument came from another worker.
    pub forwards: bool,
}

/// What became of a call, and so of what was passed to it.
#[derive(Debug)]
pub enum Fate<T, E> {
    /// It returned.
    Done(T),
    /// It returned an error of its own.
    Refused(E),
    /// It was certainly not begun.
    NotBegun(Box<CallFailure>),
    /// It panicked.
    Panicked,
    /// It ran to its end, but its result found no way back.
    NotReturned,
    /// Its worker died.
    Died,
    /// Nobody waits for it any more.
    Abandoned,
}

impl<'a> Attempt<'a> {
    /// Begins one.
    #[must_use]
    pub fn new(
        run: &'a Run,
        slot: &'a Slot,
        shape: &'static str,
        place: usize,
        is_blocking: bool,
        mode: Mode,
        uses_blocking_stub: bool,
    ) -> Self {
        run.board
            .note(place, format!("{shape} of worker {}, {mode:?}", slot.index));
        Self {
            run,
            slot,
            mode,
            shape,
            place,
            is_blocking,
            uses_blocking_stub: uses_blocking_stub && is_blocking && mode == Mode::Wait,
            begun_at: diary::now(),
            disturbance: slot.disturbance(),
            weather: run.weather.now(),
            allowed: Allowed::default(),
        }
    }

    /// Whether to call the blocking stub, and not to wait for the asynchronous one's call.
    #[must_use]
    pub fn uses_blocking_stub(&self) -> bool {
        self.uses_blocking_stub
    }

    /// Makes the call, and judges how it ends.
    ///
    /// # Errors
    /// If it ends in a way that nothing explains.
    pub async fn make<C: Drivable>(&self, call: C) -> Found<Fate<C::Value, C::Error>>
    where
        C::Error: Debug,
    {
        let ended = mode::drive(self.slot, self.mode, self.is_blocking, call).await;
        self.judge(ended)
    }

    /// As [`make`](Self::make), by a blocking stub.
    ///
    /// # Errors
    /// As [`make`](Self::make).
    pub fn make_blocking<T, E: Debug>(
        &self,
        call: impl FnOnce() -> Result<T, CallError<E>>,
    ) -> Found<Fate<T, E>> {
        self.judge(Ended::Answered(mode::block(self.slot, call)))
    }

    /// Notes what is done after the call.
    pub fn then(&self, what: &str) {
        let (shape, slot) = (self.shape, self.slot.index);
        self.run.board.note(
            self.place,
            format!("{what}, after {shape} of worker {slot}"),
        );
    }

    /// Tells whether descriptors were scarce at some moment since it began.
    #[must_use]
    pub fn was_squeezed(&self) -> bool {
        !self.run.weather.now().is_calm_since(self.weather)
    }

    fn judge<T, E: Debug>(&self, ended: Ended<T, E>) -> Found<Fate<T, E>> {
        let told_at = diary::now();
        let fate = self.fate(ended, told_at);
        self.run.board.clear(self.place);
        let ending = match &fate {
            Ok(Fate::Done(_)) => "returned",
            Ok(Fate::Refused(_)) => "returned an error",
            Ok(Fate::NotBegun(_)) => "not begun",
            Ok(Fate::Panicked) => "panicked",
            Ok(Fate::NotReturned) => "not returned",
            Ok(Fate::Died) => "died",
            Ok(Fate::Abandoned) => "abandoned",
            Err(_) => "wrong",
        };
        self.run.tally.call(self.shape, self.slot.kind, ending);
        fate
    }

    fn fate<T, E: Debug>(&self, ended: Ended<T, E>, told_at: u64) -> Found<Fate<T, E>> {
        let failure = match ended {
            Ended::Answered(Ok(value)) => return Ok(Fate::Done(value)),
            Ended::Answered(Err(CallError::Returned(error))) => return Ok(Fate::Refused(error)),
            Ended::Answered(Err(CallError::Failed(failure))) => failure,
            Ended::Abandoned => {
                if matches!(self.mode, Mode::Forget(_)) {
                    self.run.tally.forgotten();
                }
                return Ok(Fate::Abandoned);
            }
            Ended::Undone => return Ok(Fate::Abandoned),
        };
        let is_disturbed = !self.slot.disturbance().is_calm_since(self.disturbance);
        let is_squeezed = self.was_squeezed();
        let (is_allowed, is_begun, fate) = match failure.cause() {
            FailureCause::WorkerDied { end } => {
                self.note_death(end, told_at);
                let is_explained = is_disturbed && is_expected(end);
                (is_explained, true, Fate::Died)
            }
            FailureCause::WorkerGone { end } => {
                let is_explained = is_disturbed && is_expected(end);
                self.slot.is_found_dead();
                (is_explained, false, Fate::Died)
            }
            FailureCause::InstanceLost { .. } => (self.allowed.lost_instance, false, Fate::Died),
            FailureCause::NotSent { reason } => {
                let is_closed = is_disturbed
                    && ["the channel is closed", "described it was restarted"]
                        .iter()
                        .any(|words| reason.contains(words));
                let is_scarce = reason.contains("no file descriptor is left")
                    && self.run.weather.was_ever_bad();
                let is_exhausted = reason.contains("shared memory is exhausted") && is_squeezed;
                let cannot_forward = reason.contains("can't be forwarded")
                    && self.allowed.forwards
                    && self.run.weather.was_ever_bad();
                (
                    is_closed || is_scarce || is_exhausted || cannot_forward,
                    false,
                    Fate::Died,
                )
            }
            FailureCause::Access { .. } => (self.allowed.leased, false, Fate::Died),
            FailureCause::Exhausted { .. } => (is_squeezed, false, Fate::Died),
            // Of what was copied, nothing has come back.
            FailureCause::NoRoomForResult { .. } => {
                (is_squeezed && self.slot.kind.copies(), true, Fate::Died)
            }
            FailureCause::DeadlineExceeded { was_sent, .. } => (
                matches!(self.mode, Mode::Deadline(_)),
                *was_sent,
                Fate::Abandoned,
            ),
            FailureCause::NotDescribed { .. } => {
                (matches!(self.mode, Mode::Deadline(_)), false, Fate::Died)
            }
            FailureCause::Remote(refusal) => match refusal.reason() {
                Failure::Panicked { message, .. } => {
                    let is_told = self.allowed.panic.as_deref() == Some(message);
                    (is_told, true, Fate::Panicked)
                }
                Failure::ShuttingDown => (is_disturbed, false, Fate::Died),
                Failure::SegmentRefused { .. } => (is_squeezed, false, Fate::Died),
                Failure::NotReturned { .. } => (is_squeezed, true, Fate::NotReturned),
                _ => (false, false, Fate::Died),
            },
            _ => (false, false, Fate::Died),
        };
        if !is_allowed {
            found!(
                "{} of worker {} ({}, {:?}) failed, though nothing explains it (disturbed: \
                 {is_disturbed}, descriptors scarce: {is_squeezed}): {failure}{}",
                self.shape,
                self.slot.index,
                self.slot.kind,
                self.mode,
                source_of(&failure),
            );
        }
        if failure.is_retryable() == is_begun {
            let retryable = failure.is_retryable();
            found!("retryable is {retryable} of {}: {failure}", self.shape);
        }
        Ok(if is_begun {
            fate
        } else {
            Fate::NotBegun(failure)
        })
    }

    /// Counts how long it took to hear of the worker's death.
    fn note_death(&self, end: &WorkerEnd, told_at: u64) {
        let mut lines = end.last_lines().iter();
        let process = lines.find_map(|line| line.strip_prefix(diary::I_AM)?.parse().ok());
        if let Some(process) = process
            && *end.reason() == EndReason::Signalled(9)
        {
            let begun_at = self.begun_at;
            self.run.tally.told(Told {
                process,
                begun_at,
                told_at,
            });
        }
    }
}

/// Tells whether a worker ended as one does that is killed or restarted here.
#[must_use]
pub fn is_expected(end: &WorkerEnd) -> bool {
    use EndReason::{Exited, Signalled};
    matches!(end.reason(), Signalled(9 | 15) | Exited(0))
}

fn source_of(failure: &CallFailure) -> String {
    let source = std::error::Error::source(failure);
    source
        .map(|source| format!(": {source}"))
        .unwrap_or_default()
}
