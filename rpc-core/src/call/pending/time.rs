//! Deadlines of calls, and workers that don't let go of those they were asked to stop.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Calls, WAITING_FOR_ROOM};
use crate::call::error::FailureCause;
use crate::guarded::wake_each;
use crate::process::stuck::StuckSign;

impl Calls {
    /// After how long a call wants the driver to look whether the worker answers.
    pub(crate) fn first_look(&self) -> Option<Duration> {
        self.vigilance.first_look()
    }

    /// Tells whether the driver, which sleeps until the deadlines that it knows, must be woken for
    /// this one, or for another reason to look then.
    pub(crate) fn must_wake_driver(&self, at: Instant) -> bool {
        let mut table = self.lock();
        let is_early = table.driver_sleeps_until.is_none_or(|until| at < until);
        if is_early {
            table.driver_sleeps_until = Some(at);
        }
        is_early
    }

    /// Notes until when the driver sleeps at most, besides the deadlines.
    pub(crate) fn driver_sleeps_until(&self, at: Instant) {
        let mut table = self.lock();
        let until = [table.driver_sleeps_until, Some(at)];
        table.driver_sleeps_until = until.into_iter().flatten().min();
    }

    /// Notes that the worker was asked to stop a call; returns when it is stuck if it hasn't.
    pub(crate) fn note_cancelled(&self, id: u64) -> Option<Instant> {
        let limit = self.vigilance.stuck_timeout?;
        let at = Instant::now().checked_add(limit)?;
        let mut table = self.lock();
        let entry = table.slots.get_mut(id)?;
        if entry.overdue_at.is_some() {
            return None;
        }
        entry.overdue_at = Some(at);
        table.overdue.insert((at, id));
        Some(at)
    }

    /// When the worker is stuck, by the first call that it has not let go of.
    pub(crate) fn first_overdue(&self) -> Option<Instant> {
        self.vigilance.stuck_timeout?;
        self.lock().overdue.first().map(|(at, _)| *at)
    }

    /// Notes that all calls are cancelled, because the worker is stuck; returns their numbers.
    pub(crate) fn cancel_all(&self, sign: StuckSign) -> Vec<u64> {
        let mut table = self.lock();
        let cancelled = table.slots.iter_mut().map(|entry| {
            entry.cancelled_for = Some(sign);
            entry.slot.id
        });
        cancelled.collect()
    }

    /// Fails the calls whose deadline has passed; returns their numbers, for the worker to be asked to stop
    /// them, and the next deadline.
    pub(crate) fn expire(&self, now: Instant) -> (Vec<u64>, Option<Instant>) {
        let (expired, next) = self.take_expired(now);
        let give_up = |(id, limit)| {
            // Or it is being sent, which nobody can tell from here.
            let was_sent = true;
            self.give_up(id, FailureCause::DeadlineExceeded { limit, was_sent });
            id
        };
        (expired.into_iter().map(give_up).collect(), next)
    }

    /// Takes the deadlines that have passed off the list; returns whose they are, and the next one.
    pub(super) fn take_expired(&self, now: Instant) -> (Vec<(u64, Duration)>, Option<Instant>) {
        let mut expired = Vec::new();
        let mut waiting = Vec::new();
        let next = {
            let mut table = self.lock();
            let next = loop {
                match table.deadlines.first() {
                    Some((at, id)) if *at <= now => {
                        let (at, id) = (*at, *id);
                        table.deadlines.remove(&(at, id));
                        if id == WAITING_FOR_ROOM {
                            waiting = table.take_waiting();
                        }
                        let limit = table.deadline_of.remove(&id).map(|(_, limit)| limit);
                        expired.extend(limit.map(|limit| (id, limit)));
                    }
                    Some((at, _)) => break Some(*at),
                    None => break None,
                }
            };
            table.driver_sleeps_until = next;
            next
        };
        wake_each(waiting);
        (expired, next)
    }

    /// Gives the caller of a call this failure; the call goes on, with its leases.
    pub(crate) fn give_up(&self, id: u64, cause: FailureCause) {
        let slot = self
            .lock()
            .slots
            .get_mut(id)
            .map(|entry| Arc::clone(&entry.slot));
        if let Some(slot) = slot {
            slot.finish(Err(cause));
        }
    }
}
