//! A seat whose incumbent has ended, on its way to the next one.

use std::sync::Arc;
use std::time::Instant;

use super::driver::Control;
use super::end::WorkerEnd;
use super::error::RestartError;
use super::post::Seat;
use super::succession::Next;
use crate::call::connection::Connection;

/// A seat that is to be filled again of itself.
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
        let (due, number) = self.tell(&next, end)?;
        let seat = Arc::clone(self);
        Some(Vacancy { seat, due, number })
    }

    /// Has callers that wait for the next incumbent look again.
    pub(super) fn wake_callers(&self) {
        if let Some(succession) = &self.succession {
            succession.wake_all();
        }
    }

    /// Logs what is next, outside all locks.
    fn tell(&self, next: &Next, why: &dyn std::fmt::Display) -> Option<(Instant, u64)> {
        let worker = &*self.name;
        match next {
            Next::Refill(due, number) => {
                let wait = due.saturating_duration_since(Instant::now());
                tracing::warn!(worker, ?wait, %why, "a worker is about to be started again");
                Some((*due, *number))
            }
            Next::GiveUp(n_restarts) => {
                tracing::error!(worker, n_restarts, %why, "a worker is given up");
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
        self.appoint(incumbent, false).await
    }
}

impl Vacancy {
    /// Waits out the backoff and fills the seat, on this thread; again, if that fails, until it is
    /// filled, given up, or nobody wants it any more.
    pub(crate) fn fill(self) {
        let Self {
            seat,
            mut due,
            number,
        } = self;
        let Some(succession) = &seat.succession else {
            return;
        };
        while succession.wait_until(due, number) {
            let Some(Err(error)) = succession.drive(seat.refill_after(number)) else {
                break;
            };
            let told = error.to_string();
            let next = succession.note_failure(number, error);
            match seat.tell(&next, &told) {
                Some((again, _)) => due = again,
                None => break,
            }
        }
        succession.leave();
    }
}
