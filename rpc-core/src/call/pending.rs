//! Calls in flight, and what each holds until its end.
//!
//! # Invariants
//! 1. The leases of a call are here, not in its future, so nothing that happens to the future
//!    (dropped, forgotten, never polled again) can end them early.
//! 2. A call leaves the table, and its leases end, only when the worker has said that it let go
//!    (`Reply`, `Released`) or is known dead ([`Calls::fail_all`]).

mod end;
mod held;
mod slot;
mod table;
#[cfg(test)]
mod tests;
mod time;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

pub(crate) use self::held::{Expected, FindInstance, Held};
pub(crate) use self::slot::{Answer, Slot};
use self::slot::{SENT, UNSENT};
use self::table::Table;
use super::entrusted::Entrusted;
use super::error::FailureCause;
use crate::process::WorkerEnd;
use crate::process::stuck::Vigilance;

/// When a call is given up, and how long that was from its first poll.
pub(crate) type Deadline = Option<(Instant, Duration)>;

/// Stands for a call's number among the deadlines of those that wait for room.
const WAITING_FOR_ROOM: u64 = 0;

/// The calls in flight on one channel.
pub(crate) struct Calls {
    table: Mutex<Table>,
    /// The calls in the table. Written under its lock.
    n_in_flight: AtomicUsize,
    n_at_most: usize,
    /// No call begins while the frames of those in flight have so many bytes.
    most_bytes: u64,
    vigilance: Vigilance,
}

/// Frames up to this length aren't counted: as many as may be in flight are no burden.
const SMALL_BYTES: u64 = 4096;

impl Calls {
    /// Makes a table for `n_at_most` calls at a time, and for long frames of some `most_bytes`.
    pub(crate) fn new(n_at_most: usize, most_bytes: u64) -> Self {
        Self {
            table: Mutex::default(),
            n_in_flight: AtomicUsize::new(0),
            n_at_most,
            most_bytes,
            vigilance: Vigilance::default(),
        }
    }

    /// Has the driver told of what it watches for.
    pub(crate) fn watched(self, vigilance: &Vigilance) -> Self {
        Self {
            vigilance: *vigilance,
            ..self
        }
    }

    /// Begins a call that holds nothing yet, as soon as there is room for one more.
    pub(crate) fn poll_begin(
        &self,
        cx: &Context<'_>,
        deadline: Deadline,
    ) -> Poll<Result<Begun<'_>, FailureCause>> {
        let mut table = self.lock();
        if let Some(end) = &table.end {
            return Poll::Ready(Err(FailureCause::WorkerGone { end: end.clone() }));
        }
        if table.slots.len() < self.n_at_most && table.n_bytes < self.most_bytes {
            let slot = table.begin(deadline);
            self.note_len(&table);
            return Poll::Ready(Ok(Begun {
                calls: self,
                slot: Some(slot),
            }));
        }
        if let Some((at, limit)) = deadline
            && at <= Instant::now()
        {
            let was_sent = false;
            return Poll::Ready(Err(FailureCause::DeadlineExceeded { limit, was_sent }));
        }
        if let Some((at, _)) = deadline {
            table.deadlines.insert((at, WAITING_FOR_ROOM));
        }
        let is_same = |waker: &Waker| waker.will_wake(cx.waker());
        if !table.waiting_for_room.iter().any(is_same) {
            table.waiting_for_room.push(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Has a call that isn't in the table woken when the worker has ended, or at its deadline.
    pub(crate) fn wake_at_end(&self, cx: &Context<'_>, deadline: Deadline) {
        let mut table = self.lock();
        if table.end.is_some() {
            cx.waker().wake_by_ref();
            return;
        }
        if let Some((at, _)) = deadline {
            table.deadlines.insert((at, WAITING_FOR_ROOM));
        }
        let is_same = |waker: &Waker| waker.will_wake(cx.waker());
        if !table.waiting_elsewhere.iter().any(is_same) {
            table.waiting_elsewhere.push(cx.waker().clone());
        }
    }

    /// Notes how long the frame of a call is that is about to be sent.
    pub(crate) fn weigh(&self, id: u64, n_bytes: u64) {
        if n_bytes <= SMALL_BYTES {
            return;
        }
        let mut table = self.lock();
        if let Some(entry) = table.entry(id) {
            entry.n_bytes = n_bytes;
            table.n_bytes += n_bytes;
        }
    }

    /// A number for a question, which is no call's.
    pub(crate) fn number_question(&self) -> u64 {
        self.lock().slots.pass_over()
    }

    /// Hands the leases of a call over before its frame is sent; `Err` hands them back if the
    /// worker has ended meanwhile.
    pub(crate) fn hold(&self, slot: &Slot, held: Held) -> Result<(), (WorkerEnd, Box<Held>)> {
        // Under the table's lock, so that it can't come between `fail_all` and the call's end.
        let mut table = self.lock();
        if let Some(end) = &table.end {
            return Err((end.clone(), Box::new(held)));
        }
        if let Some(entry) = table.entry(slot.id) {
            entry.held = held;
        }
        Ok(())
    }

    /// Keeps what was passed by value, until the worker has read the call's frame.
    pub(crate) fn keep(&self, id: u64, entrusted: Entrusted) {
        let mut entrusted = Some(Box::new(entrusted));
        if let Some(entry) = self.lock().entry(id) {
            std::mem::swap(&mut entry.held.entrusted, &mut entrusted);
        }
        if let Some(entrusted) = entrusted {
            // The worker has answered already, whatever that means; the frame is sent all the same.
            entrusted.sent();
        }
    }

    /// Takes what was [kept](Self::keep), once, to let go of it or to take it back.
    pub(crate) fn take_kept(&self, id: u64) -> Option<Box<Entrusted>> {
        self.lock().entry(id)?.held.entrusted.take()
    }

    /// Notes that a call was sent. If all calls have ended meanwhile, so does this one.
    fn note_sent(&self, slot: &Slot) {
        let (progress, order) = (&slot.progress, Ordering::AcqRel);
        let noted = progress.compare_exchange(UNSENT, SENT, order, Ordering::Acquire);
        if noted.is_err()
            && let (Some(entry), Some(end)) = (self.remove(slot.id), self.end())
        {
            entry.fail(&end);
        }
    }

    /// Takes a call back that was not sent, with what it held.
    fn withdraw(&self, slot: &Slot) -> Option<Held> {
        self.remove(slot.id).map(|entry| entry.held)
    }

    /// Tells whether a call is in flight.
    pub(crate) fn contains(&self, id: u64) -> bool {
        self.lock().slots.get_mut(id).is_some()
    }

    /// Tells whether no call is in flight, without waiting for anybody.
    pub(crate) fn is_empty(&self) -> bool {
        self.n_in_flight.load(Ordering::Relaxed) == 0
    }

    fn note_len(&self, table: &Table) {
        let n = table.slots.len() + table.aside.len();
        self.n_in_flight.store(n, Ordering::Relaxed);
    }

    /// The number of calls in flight.
    pub(crate) fn len(&self) -> usize {
        let table = self.lock();
        table.slots.len() + table.aside.len()
    }

    /// How the worker ended, if it has.
    pub(crate) fn end(&self) -> Option<WorkerEnd> {
        self.lock().end.clone()
    }

    /// Where a function panicked last, of which its caller was told.
    pub(crate) fn last_panic(&self) -> Option<String> {
        self.lock().last_panic.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // No critical section can panic half way.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call that has a slot and was not sent yet. Dropped, it is taken back.
pub(crate) struct Begun<'a> {
    calls: &'a Calls,
    /// None once it was sent, or taken back.
    slot: Option<Arc<Slot>>,
}

impl Begun<'_> {
    /// The slot.
    pub(crate) fn slot(&self) -> &Slot {
        match &self.slot {
            Some(slot) => slot,
            None => unreachable!("whatever takes it consumes this"),
        }
    }

    /// Takes it back, with what it held.
    pub(crate) fn withdraw(mut self) -> Held {
        let slot = self.slot.take();
        slot.and_then(|slot| self.calls.withdraw(&slot))
            .unwrap_or_default()
    }

    /// Notes that it was sent: from now on the worker ends it.
    pub(crate) fn sent(mut self) -> Arc<Slot> {
        match self.slot.take() {
            Some(slot) => {
                self.calls.note_sent(&slot);
                slot
            }
            None => unreachable!("whatever takes it consumes this"),
        }
    }
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        if let Some(slot) = &self.slot {
            // Its leases end; nothing was written.
            drop(self.calls.withdraw(slot));
        }
    }
}
