//! The calls in flight, and who waits for them to be fewer.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use super::Deadline;
use super::held::Held;
use super::slot::Slot;
use crate::call::error::FailureCause;
use crate::call::slots::Slots;
use crate::process::WorkerEnd;
use crate::process::stuck::StuckSign;

#[derive(Default)]
pub(super) struct Table {
    pub(super) slots: Slots<Entry>,
    /// Calls that were being sent when the worker ended.
    pub(super) aside: HashMap<u64, Entry>,
    pub(super) deadlines: BTreeSet<(Instant, u64)>,
    pub(super) deadline_of: HashMap<u64, (Instant, Duration)>,
    /// The calls that the worker was asked to stop, by when it is stuck if it hasn't.
    pub(super) overdue: BTreeSet<(Instant, u64)>,
    /// Until when the driver sleeps at most; for ever, if none.
    pub(super) driver_sleeps_until: Option<Instant>,
    /// The bytes of the long frames of calls in flight.
    pub(super) n_bytes: u64,
    pub(super) end: Option<WorkerEnd>,
    /// Where a function panicked last.
    pub(super) last_panic: Option<String>,
    pub(super) waiting_for_room: Vec<Waker>,
    /// Calls that wait for something else than room, to be woken when the worker has ended or it is
    /// time.
    pub(super) waiting_elsewhere: Vec<Waker>,
}

/// A call in the table.
pub(super) struct Entry {
    pub(super) slot: Arc<Slot>,
    pub(super) held: Held,
    /// Of its frame, if that is long.
    pub(super) n_bytes: u64,
    /// When the worker is stuck that was asked to stop it.
    pub(super) overdue_at: Option<Instant>,
    /// Why it was cancelled, if its caller didn't ask for that.
    pub(super) cancelled_for: Option<StuckSign>,
}

impl Entry {
    /// Ends a call that was sent to a worker that has ended.
    pub(super) fn fail(self, end: &WorkerEnd) {
        self.held.poison("whose worker ended");
        let end = end.clone();
        self.slot.finish(Err(FailureCause::WorkerDied { end }));
    }
}

impl Table {
    pub(super) fn begin(&mut self, deadline: Deadline) -> Arc<Slot> {
        let mut slot = None;
        let id = self.slots.insert(|id| {
            let limit = deadline.map(|(_, limit)| limit);
            let made = Arc::new(Slot::new(id, limit));
            Entry {
                slot: Arc::clone(slot.insert(made)),
                held: Held::default(),
                n_bytes: 0,
                overdue_at: None,
                cancelled_for: None,
            }
        });
        if let Some((at, limit)) = deadline {
            self.deadlines.insert((at, id));
            self.deadline_of.insert(id, (at, limit));
        }
        match slot {
            Some(slot) => slot,
            None => unreachable!("it was made a moment ago"),
        }
    }

    /// Those that wait for whatever.
    pub(super) fn take_waiting(&mut self) -> Vec<Waker> {
        let mut waiting = std::mem::take(&mut self.waiting_for_room);
        waiting.append(&mut self.waiting_elsewhere);
        waiting
    }

    pub(super) fn entry(&mut self, id: u64) -> Option<&mut Entry> {
        match self.slots.get_mut(id) {
            Some(entry) => Some(entry),
            None => self.aside.get_mut(&id),
        }
    }
}
