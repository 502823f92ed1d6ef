//! Calls in flight, and what each holds until its end.
//!
//! # Invariants
//! 1. The leases of a call are here, not in its future, so nothing that happens to the future
//!    (dropped, forgotten, never polled again) can end them early.
//! 2. A call leaves the table, and its leases end, only when the worker has said that it let go
//!    (`Reply`, `Released`) or is known dead ([`Calls::fail_all`]).

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::error::{FailureCause, Refusal};
use super::incoming::Parcel;
use crate::process::WorkerEnd;
use crate::segment::lease::Lease;
use crate::tensor::pointer::Located;
use crate::wire::frame::Failure;
use crate::wire::schema::ModuleSchema;

/// What the worker answered.
pub(crate) enum Answer {
    /// The function returned.
    Returned {
        /// What it returned.
        parcel: Parcel,
        /// How many bytes the worker copied to send it.
        copied_bytes: u64,
    },
    /// A module was described.
    Described(Option<ModuleSchema>),
}

/// A mutably lent array of `bool`, which the worker could have filled with other bytes.
pub(crate) type LentBools = Located<bool, ndarray::IxDyn>;

/// What a call holds while it is in flight.
#[derive(Default)]
pub(crate) struct Held {
    pub(crate) leases: Vec<Lease>,
    pub(crate) bools: Vec<LentBools>,
}

/// A call in flight, shared by its future and the table.
pub(crate) struct Slot {
    id: u64,
    state: Mutex<SlotState>,
}

struct SlotState {
    held: Held,
    waker: Option<Waker>,
    result: Option<Result<Answer, FailureCause>>,
}

impl Slot {
    /// The call's number.
    pub(crate) fn id(&self) -> u64 {
        self.id
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

    fn finish(&self, result: Result<Answer, FailureCause>) {
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
            waker
        };
        waker.into_iter().for_each(Waker::wake);
    }

    fn take_held(&self) -> Held {
        std::mem::take(&mut self.lock().held)
    }

    fn lock(&self) -> MutexGuard<'_, SlotState> {
        // No critical section can panic half way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The calls in flight on one channel.
pub(crate) struct Calls {
    table: Mutex<Table>,
    n_at_most: usize,
}

#[derive(Default)]
struct Table {
    slots: HashMap<u64, Arc<Slot>>,
    deadlines: BTreeSet<(Instant, u64)>,
    deadline_of: HashMap<u64, (Instant, Duration)>,
    n_calls: u64,
    end: Option<WorkerEnd>,
    waiting_for_room: Vec<Waker>,
}

impl Calls {
    /// Makes a table for `n_at_most` calls at a time.
    pub(crate) fn new(n_at_most: usize) -> Self {
        Self {
            table: Mutex::default(),
            n_at_most,
        }
    }

    /// Completes when another call may begin, or with the end of the worker.
    pub(crate) fn poll_room(&self, cx: &Context<'_>) -> Poll<Result<(), WorkerEnd>> {
        let mut table = self.lock();
        if let Some(end) = &table.end {
            return Poll::Ready(Err(end.clone()));
        }
        if table.slots.len() < self.n_at_most {
            return Poll::Ready(Ok(()));
        }
        table.waiting_for_room.push(cx.waker().clone());
        Poll::Pending
    }

    /// Begins a call that holds nothing yet.
    pub(crate) fn begin(
        &self,
        deadline: Option<(Instant, Duration)>,
    ) -> Result<Arc<Slot>, WorkerEnd> {
        let mut table = self.lock();
        if let Some(end) = &table.end {
            return Err(end.clone());
        }
        table.n_calls += 1;
        let id = table.n_calls;
        let state = SlotState {
            held: Held::default(),
            waker: None,
            result: None,
        };
        let slot = Arc::new(Slot {
            id,
            state: Mutex::new(state),
        });
        table.slots.insert(id, Arc::clone(&slot));
        if let Some((at, limit)) = deadline {
            table.deadlines.insert((at, id));
            table.deadline_of.insert(id, (at, limit));
        }
        Ok(slot)
    }

    /// Hands the leases of a call over before its frame is sent; `Err` hands them back if the
    /// worker has ended meanwhile.
    pub(crate) fn hold(&self, slot: &Slot, held: Held) -> Result<(), (WorkerEnd, Held)> {
        // Under the table's lock, so that it can't come between `fail_all` and the call's end.
        let table = self.lock();
        if let Some(end) = &table.end {
            return Err((end.clone(), held));
        }
        slot.lock().held = held;
        Ok(())
    }

    /// Takes a call back that was not sent. Its leases end; nothing was written.
    pub(crate) fn withdraw(&self, slot: &Slot) {
        self.remove(slot.id);
        drop(slot.take_held());
    }

    /// Ends a call with the worker's answer; `false` if no such call is in flight.
    ///
    /// `Err` means a lent `bool` came back as something else.
    pub(crate) fn answer(&self, id: u64, answer: Answer) -> Result<bool, &'static str> {
        let Some(slot) = self.remove(id) else {
            return Ok(false);
        };
        let Held { leases, bools } = slot.take_held();
        // Nobody may see an invalid bool, so the tensors are poisoned until they have been looked
        // through, which takes the end of the lease.
        for lent in &bools {
            lent.extent()
                .leases()
                .poison("a call that is being checked".into());
        }
        drop(leases);
        let mut are_valid = true;
        for lent in &bools {
            if lent.are_elements_valid().unwrap_or(false) {
                lent.extent().leases().recover();
            } else {
                are_valid = false;
            }
        }
        if are_valid {
            slot.finish(Ok(answer));
            return Ok(true);
        }
        let reason = "it wrote a bool that is neither 0 nor 1";
        slot.finish(Err(FailureCause::Protocol {
            reason: reason.to_owned(),
        }));
        Err(reason)
    }

    /// Ends a call that the worker did not complete; `false` if no such call is in flight.
    pub(crate) fn refuse(&self, id: u64, failure: Failure) -> bool {
        let Some(slot) = self.remove(id) else {
            return false;
        };
        let held = slot.take_held();
        match &failure {
            Failure::Panicked { .. } => poison(held, "which panicked"),
            // Either it never began, or it ran to its end.
            _ => drop(held),
        }
        slot.finish(Err(FailureCause::Remote(Refusal(failure))));
        true
    }

    /// Ends a cancelled call; `false` if no such call is in flight.
    pub(crate) fn release(&self, id: u64, has_begun: bool) -> bool {
        let Some(slot) = self.remove(id) else {
            return false;
        };
        let held = slot.take_held();
        if has_begun {
            poison(held, "which was cancelled");
        } else {
            drop(held);
        }
        let reason = "it ended without an answer".to_owned();
        slot.finish(Err(FailureCause::Protocol { reason }));
        true
    }

    /// Gives the caller of a call this failure; the call goes on, with its leases.
    pub(crate) fn give_up(&self, id: u64, cause: FailureCause) {
        let slot = self.lock().slots.get(&id).cloned();
        if let Some(slot) = slot {
            slot.finish(Err(cause));
        }
    }

    /// Ends all calls: the worker is known dead, or has let go of everything. No further call can
    /// begin.
    pub(crate) fn fail_all(&self, end: &WorkerEnd) {
        let (slots, waiting) = {
            let mut table = self.lock();
            table.end = Some(end.clone());
            table.deadlines.clear();
            table.deadline_of.clear();
            (
                std::mem::take(&mut table.slots),
                std::mem::take(&mut table.waiting_for_room),
            )
        };
        for slot in slots.into_values() {
            poison(slot.take_held(), "whose worker ended");
            slot.finish(Err(FailureCause::WorkerDied { end: end.clone() }));
        }
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Fails the calls whose deadline has passed; returns their numbers and the next deadline.
    pub(crate) fn expire(&self, now: Instant) -> (Vec<u64>, Option<Instant>) {
        let mut expired = Vec::new();
        let next = {
            let mut table = self.lock();
            loop {
                match table.deadlines.first() {
                    Some((at, id)) if *at <= now => {
                        let (at, id) = (*at, *id);
                        table.deadlines.remove(&(at, id));
                        let limit = table.deadline_of.remove(&id).map(|(_, limit)| limit);
                        expired.extend(limit.map(|limit| (id, limit)));
                    }
                    Some((at, _)) => break Some(*at),
                    None => break None,
                }
            }
        };
        for (id, limit) in &expired {
            self.give_up(*id, FailureCause::DeadlineExceeded { limit: *limit });
        }
        (expired.into_iter().map(|(id, _)| id).collect(), next)
    }

    /// Tells whether a call is in flight.
    pub(crate) fn contains(&self, id: u64) -> bool {
        self.lock().slots.contains_key(&id)
    }

    /// The number of calls in flight.
    pub(crate) fn len(&self) -> usize {
        self.lock().slots.len()
    }

    /// How the worker ended, if it has.
    pub(crate) fn end(&self) -> Option<WorkerEnd> {
        self.lock().end.clone()
    }

    fn remove(&self, id: u64) -> Option<Arc<Slot>> {
        let (slot, waiting) = {
            let mut table = self.lock();
            if let Some((at, _)) = table.deadline_of.remove(&id) {
                table.deadlines.remove(&(at, id));
            }
            (
                table.slots.remove(&id),
                std::mem::take(&mut table.waiting_for_room),
            )
        };
        waiting.into_iter().for_each(Waker::wake);
        slot
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // No critical section can panic half way.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends leases without an answer: what was lent for writing may be half written.
fn poison(held: Held, how: &str) {
    held.leases
        .into_iter()
        .for_each(|lease| lease.end_without_answer(how));
}
