//! A seat whose incumbent has ended, on its way to the next one.

use std::sync::Arc;
use std::thread;
use std::time::Instant;

use super::driver::Control;
use super::end::WorkerEnd;
use super::error::RestartError;
use super::post::Seat;
use super::succession::{ByHand, Next};
use crate::call::connection::Connection;
use crate::guarded::guarded;

/// A restart by hand of a worker that is otherwise started again of itself.
pub(crate) struct Replacement {
    seat: Arc<Seat>,
    by_hand: ByHand,
}

/// A seat that is to be filled again of itself. Whoever drops it before leaves it empty for good, as
/// far as that is not for others to change.
pub(crate) struct Vacancy {
    seat: Arc<Seat>,
    due: Instant,
    /// The number of the burial.
    number: u64,
}

impl Seat {
    /// Decides who comes after an incumbent that has ended, before anybody can see that it has.
    pub(super) fn bury(
        self: &Arc<Self>,
        connection: &Connection,
        control: &Control,
        end: &WorkerEnd,
    ) -> Option<Vacancy> {
        self.bury_channel(connection.exchange().channel().uid(), control, end)
    }

    /// As [`bury`](Self::bury), by the number of the incumbent's channel.
    pub(super) fn bury_channel(
        self: &Arc<Self>,
        channel: u64,
        control: &Control,
        end: &WorkerEnd,
    ) -> Option<Vacancy> {
        let succession = self.succession.as_ref()?;
        if control.is_asked_to_stop() {
            return None;
        }
        let is_incumbent = || self.connection().exchange().channel().uid() == channel;
        let next = succession.bury(end, is_incumbent);
        self.vacate(&next, end)
    }

    /// Logs what is next after an incumbent that ended so; returns what is to be done.
    fn vacate(self: &Arc<Self>, next: &Next, end: &WorkerEnd) -> Option<Vacancy> {
        let (due, number) = self.tell(next, end)?;
        let seat = Arc::clone(self);
        Some(Vacancy { seat, due, number })
    }

    /// Announces a restart by hand to whoever else restarts the worker, until it is dropped.
    pub(super) fn begin_by_hand(self: &Arc<Self>) -> Option<Replacement> {
        let by_hand = self.succession.as_ref()?.begin_by_hand();
        let seat = Arc::clone(self);
        Some(Replacement { seat, by_hand })
    }

    /// Has callers that wait for the next incumbent look again.
    pub(super) fn wake_callers(&self) {
        if let Some(succession) = &self.succession {
            succession.wake_all();
        }
    }

    /// Logs what is next, outside all locks. Callers wait for what follows, whatever becomes of that.
    fn tell(&self, next: &Next, why: &dyn std::fmt::Display) -> Option<(Instant, u64)> {
        let worker = &*self.name;
        match next {
            Next::Refill(due, number) => {
                let wait = due.saturating_duration_since(Instant::now());
                guarded(|| {
                    tracing::warn!(worker, ?wait, %why, "a worker is about to be started again");
                });
                Some((*due, *number))
            }
            Next::GiveUp(n_restarts) => {
                guarded(|| tracing::error!(worker, n_restarts, %why, "a worker is given up"));
                None
            }
            Next::Nothing => None,
        }
    }

    /// Starts the next incumbent, unless somebody was quicker.
    async fn refill_after(self: &Arc<Self>, number: u64) -> Result<(), RestartError> {
        let _turn = self.turn.lock().await;
        let succession = self.succession.as_ref();
        if !succession.is_some_and(|succession| succession.is_pending_since(number)) {
            return Ok(());
        }
        let incumbent = self.recipe.follow().await?;
        self.appoint(incumbent, None).await
    }
}

impl Replacement {
    pub(super) fn by_hand(&mut self) -> &mut ByHand {
        &mut self.by_hand
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        let succession = self.seat.succession.as_ref();
        let decided = succession.and_then(|succession| succession.end_by_hand(&mut self.by_hand));
        let vacancy = decided.and_then(|(next, end)| self.seat.vacate(&next, &end));
        if let Some(vacancy) = vacancy {
            vacancy.fill_elsewhere();
        }
    }
}

impl Vacancy {
    /// As [`fill`](Self::fill), on a thread of its own.
    fn fill_elsewhere(self) {
        let seat = Arc::clone(&self.seat);
        let thread = thread::Builder::new().name("reedbed restart".to_owned());
        if let Err(error) = thread.spawn(move || self.fill()) {
            let worker = &*seat.name;
            guarded(
                || tracing::error!(worker, %error, "there is no thread to start a worker again"),
            );
        }
    }

    /// Waits out the backoff and fills the seat, on this thread; again, if that fails, until it is
    /// filled, given up, or nobody wants it any more.
    pub(crate) fn fill(mut self) {
        let (seat, number) = (Arc::clone(&self.seat), self.number);
        let Some(succession) = &seat.succession else {
            return;
        };
        while succession.wait_until(self.due, number) {
            let Some(Err(error)) = succession.drive(seat.refill_after(number)) else {
                break;
            };
            let told = error.to_string();
            let next = succession.note_failure(number, error);
            match seat.tell(&next, &told) {
                Some((again, _)) => self.due = again,
                None => break,
            }
        }
    }
}

impl Drop for Vacancy {
    fn drop(&mut self) {
        if let Some(succession) = &self.seat.succession {
            succession.leave(self.number);
        }
    }
}
