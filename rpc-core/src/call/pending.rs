//! Calls in flight, and what each holds until its end.
//!
//! # Invariants
//! 1. The leases of a call are here, not in its future, so nothing that happens to the future
//!    (dropped, forgotten, never polled again) can end them early.
//! 2. A call leaves the table, and its leases end, only when the worker has said that it let go
//!    (`Reply`, `Released`) or is known dead ([`Calls::fail_all`]).

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::copy_back::INVALID_BOOL;
use super::error::{FailureCause, Refusal};
use super::incoming::{Incoming, Parcel};
use super::slots::Slots;
use crate::channel::Channel;
use crate::process::WorkerEnd;
use crate::process::stuck::{StuckSign, Vigilance};
use crate::segment::account::Copies;
use crate::segment::extent::Extent;
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
    /// Cells, which may be the worker's: it must not hear that they were let go before it hears of
    /// the call, whoever sends that and when.
    pub(crate) _shared: Vec<Arc<Extent>>,
    pub(crate) bools: Vec<LentBools>,
    pub(crate) expects: Option<Expected>,
    /// Counts the copies: those that are leased, which end before it, and those that were given.
    pub(crate) _copies: Option<Copies>,
}

impl Held {
    /// Tells whether there is nothing to hold.
    pub(crate) fn is_empty(&self) -> bool {
        // Bools are leased, too.
        self.leases.is_empty()
            && self._shared.is_empty()
            && self.expects.is_none()
            && self._copies.is_none()
    }
}

/// Finds the number of the instance in what a constructor returned, which may be an error.
pub(crate) type FindInstance = fn(&mut Incoming<'_>) -> Result<Option<u64>, Failure>;

/// An instance that the answer will name, and that is to be dropped if nobody waits for that.
pub(crate) struct Expected {
    pub(crate) channel: Arc<Channel>,
    pub(crate) find: FindInstance,
}

/// A call in flight, shared by its future and the table.
pub(crate) struct Slot {
    id: u64,
    /// Whether a description answers it, and not a reply.
    is_question: bool,
    /// How long its caller waits.
    limit: Option<Duration>,
    /// Whether there is a result, or was one.
    is_done: AtomicBool,
    /// [`UNSENT`], [`SENT`] or [`ENDED`].
    progress: AtomicU8,
    state: Mutex<SlotState>,
}

/// Nothing was sent yet. Should the worker end now, the leases are the sender's to end.
const UNSENT: u8 = 0;
/// It was sent, and ends with its worker at the latest.
const SENT: u8 = 1;
/// The worker has ended before the sender had noted whether it was sent.
const ENDED: u8 = 2;

struct SlotState {
    waker: Option<Waker>,
    result: Option<Result<Answer, FailureCause>>,
}

impl Slot {
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
            // Whoever sleeps without a waker to be woken by looks here (see `Sleeper`).
            self.is_done.store(true, Ordering::Release);
            waker
        };
        waker.into_iter().for_each(Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, SlotState> {
        // No critical section can panic half way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When a call is given up, and how long that was from its first poll.
pub(crate) type Deadline = Option<(Instant, Duration)>;

/// Stands for a call's number among the deadlines of those that wait for room.
const WAITING_FOR_ROOM: u64 = 0;

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

/// The calls in flight on one channel.
pub(crate) struct Calls {
    table: Mutex<Table>,
    /// The calls and questions in the table. Written under its lock.
    n_in_flight: AtomicUsize,
    n_at_most: usize,
    /// No call begins while the frames of those in flight have so many bytes.
    most_bytes: u64,
    vigilance: Vigilance,
}

/// Frames up to this length aren't counted: as many as may be in flight are no burden.
const SMALL_BYTES: u64 = 4096;

#[derive(Default)]
struct Table {
    slots: Slots<Entry>,
    /// Calls that were set aside.
    aside: HashMap<u64, Entry>,
    deadlines: BTreeSet<(Instant, u64)>,
    deadline_of: HashMap<u64, (Instant, Duration)>,
    /// The calls that the worker was asked to stop, by when it is stuck if it hasn't.
    overdue: BTreeSet<(Instant, u64)>,
    /// Until when the driver sleeps at most; for ever, if none.
    driver_sleeps_until: Option<Instant>,
    /// The bytes of the long frames of calls in flight.
    n_bytes: u64,
    end: Option<WorkerEnd>,
    /// Where a function panicked last.
    last_panic: Option<String>,
    waiting_for_room: Vec<Waker>,
    /// Calls that wait for something else than room, to be woken when the worker has ended or it is
    /// time.
    waiting_elsewhere: Vec<Waker>,
}

/// A call in the table.
struct Entry {
    slot: Arc<Slot>,
    held: Held,
    /// Of its frame, if that is long.
    n_bytes: u64,
    /// When the worker is stuck that was asked to stop it.
    overdue_at: Option<Instant>,
    /// Why it was cancelled, if its caller didn't ask for that.
    cancelled_for: Option<StuckSign>,
}

impl Entry {
    /// Ends a call that was sent to a worker that has ended.
    fn fail(self, end: &WorkerEnd) {
        poison(self.held, "whose worker ended");
        let end = end.clone();
        self.slot.finish(Err(FailureCause::WorkerDied { end }));
    }
}

impl Table {
    fn begin(&mut self, is_question: bool, deadline: Deadline) -> Arc<Slot> {
        let mut slot = None;
        let id = self.slots.insert(|id| {
            let state = SlotState {
                waker: None,
                result: None,
            };
            let made = Arc::new(Slot {
                id,
                is_question,
                limit: deadline.map(|(_, limit)| limit),
                is_done: AtomicBool::new(false),
                progress: AtomicU8::new(if is_question { SENT } else { UNSENT }),
                state: Mutex::new(state),
            });
            let held = Held::default();
            Entry {
                slot: Arc::clone(slot.insert(made)),
                held,
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
    fn take_waiting(&mut self) -> Vec<Waker> {
        let mut waiting = std::mem::take(&mut self.waiting_for_room);
        waiting.append(&mut self.waiting_elsewhere);
        waiting
    }

    fn entry(&mut self, id: u64) -> Option<&mut Entry> {
        match self.slots.get_mut(id) {
            Some(entry) => Some(entry),
            None => self.aside.get_mut(&id),
        }
    }
}

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

    /// After how long a call wants the driver to look whether the worker answers.
    pub(crate) fn first_look(&self) -> Option<Duration> {
        self.vigilance.first_look()
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
            let slot = table.begin(false, deadline);
            self.note_len(&table);
            return Poll::Ready(Ok(Begun {
                calls: self,
                slot: Some(slot),
            }));
        }
        if let Some((at, limit)) = deadline
            && at <= Instant::now()
        {
            return Poll::Ready(Err(FailureCause::DeadlineExceeded { limit }));
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
        let calls = table
            .slots
            .iter_mut()
            .filter(|entry| !entry.slot.is_question);
        let cancelled = calls.map(|entry| {
            entry.cancelled_for = Some(sign);
            entry.slot.id
        });
        cancelled.collect()
    }

    /// Begins a question that holds nothing and always finds room.
    pub(crate) fn begin(&self, deadline: Deadline) -> Result<Arc<Slot>, WorkerEnd> {
        let mut table = self.lock();
        match &table.end {
            Some(end) => Err(end.clone()),
            None => {
                let slot = table.begin(true, deadline);
                self.note_len(&table);
                Ok(slot)
            }
        }
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

    /// Notes that a call was sent. If all calls have ended meanwhile, so does this one.
    fn note_sent(&self, slot: &Slot) {
        let (progress, order) = (&slot.progress, Ordering::AcqRel);
        let noted = progress.compare_exchange(UNSENT, SENT, order, Ordering::Acquire);
        if noted.is_err()
            && let (Some(entry), Some(end)) = (self.remove(slot.id, false), self.end())
        {
            entry.fail(&end);
        }
    }

    /// Takes a call back that was not sent, with what it held.
    fn withdraw(&self, slot: &Slot) -> Option<Held> {
        self.remove(slot.id, false).map(|entry| entry.held)
    }

    /// Ends a call with the worker's answer; `false` if no such call is in flight.
    ///
    /// `Err` means a lent `bool` came back as something else.
    pub(crate) fn answer(&self, id: u64, mut answer: Answer) -> Result<bool, &'static str> {
        let is_description = matches!(answer, Answer::Described(_));
        let Some(Entry { slot, mut held, .. }) = self.remove(id, is_description) else {
            return Ok(false);
        };
        if let (Answer::Returned { parcel, .. }, Some(expected)) =
            (&mut answer, held.expects.take())
        {
            parcel.claim(expected);
        }
        if end_leases(held) {
            slot.finish(Ok(answer));
            return Ok(true);
        }
        let reason = INVALID_BOOL.to_owned();
        slot.finish(Err(FailureCause::Protocol { reason }));
        Err(INVALID_BOOL)
    }

    /// Ends a call that the worker did not complete; `false` if no such call is in flight.
    pub(crate) fn refuse(&self, id: u64, failure: Failure) -> bool {
        let Some(Entry { slot, held, .. }) = self.remove(id, false) else {
            return false;
        };
        match &failure {
            Failure::Panicked { location, .. } => {
                self.lock().last_panic.clone_from(location);
                poison(held, "which panicked");
            }
            // Either it never began, or it ran to its end.
            _ => {
                end_leases(held);
            }
        }
        slot.finish(Err(FailureCause::Remote(Refusal(failure))));
        true
    }

    /// Ends a cancelled call; `false` if no such call is in flight.
    pub(crate) fn release(&self, id: u64, has_begun: bool) -> bool {
        let Some(Entry {
            slot,
            held,
            cancelled_for,
            ..
        }) = self.remove(id, false)
        else {
            return false;
        };
        if has_begun {
            poison(held, "which was cancelled");
        } else {
            end_leases(held);
        }
        // The worker may notice a deadline a moment before this side does, or while it does.
        slot.finish(Err(match (cancelled_for, slot.limit) {
            (Some(sign), _) => FailureCause::Cancelled { sign, has_begun },
            (None, Some(limit)) => FailureCause::DeadlineExceeded { limit },
            (None, None) => FailureCause::Protocol {
                reason: "it ended without an answer".to_owned(),
            },
        }));
        true
    }

    /// Sets a call aside that nobody waits for and that may never be answered: it keeps its leases,
    /// and makes room for another one.
    pub(crate) fn set_aside(&self, id: u64) {
        let waiting = {
            let mut table = self.lock();
            if let Some(mut entry) = table.slots.remove(id) {
                if let Some(at) = entry.overdue_at.take() {
                    table.overdue.remove(&(at, id));
                }
                table.n_bytes -= std::mem::take(&mut entry.n_bytes);
                table.aside.insert(id, entry);
            }
            std::mem::take(&mut table.waiting_for_room)
        };
        waiting.into_iter().for_each(Waker::wake);
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

    /// Ends all calls: the worker is known dead, or has let go of everything. No further call can
    /// begin.
    pub(crate) fn fail_all(&self, end: &WorkerEnd) {
        let (entries, waiting) = {
            let mut table = self.lock();
            table.end = Some(end.clone());
            table.deadlines.clear();
            table.deadline_of.clear();
            table.overdue.clear();
            let aside = std::mem::take(&mut table.aside);
            let mut entries = table.slots.take_all();
            entries.extend(aside.into_values());
            // Of those that are being sent, only their senders know whether they were.
            let is_sent = |entry: &Entry| entry.slot.progress.swap(ENDED, Ordering::AcqRel) == SENT;
            let (entries, unsent): (Vec<_>, Vec<_>) = entries.into_iter().partition(is_sent);
            for mut entry in unsent {
                entry.n_bytes = 0;
                table.aside.insert(entry.slot.id, entry);
            }
            table.n_bytes = 0;
            self.note_len(&table);
            (entries, table.take_waiting())
        };
        entries.into_iter().for_each(|entry| entry.fail(end));
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Fails the calls and questions whose deadline has passed; returns the calls' numbers, for the
    /// worker to be asked to stop, and the next deadline.
    pub(crate) fn expire(&self, now: Instant) -> (Vec<u64>, Option<Instant>) {
        let (expired, next) = self.take_expired(now);
        for (id, limit) in &expired {
            self.give_up(*id, FailureCause::DeadlineExceeded { limit: *limit });
        }
        let is_question = |id: &u64| {
            let mut table = self.lock();
            let entry = table.slots.get_mut(*id);
            entry.is_some_and(|entry| entry.slot.is_question)
        };
        let ids = expired.into_iter().map(|(id, _)| id);
        let (questions, calls): (Vec<_>, Vec<_>) = ids.partition(is_question);
        // A question can't be cancelled; the calls of others shan't wait for its answer.
        questions.into_iter().for_each(|id| self.set_aside(id));
        (calls, next)
    }

    /// Takes the deadlines that have passed off the list; returns whose they are, and the next one.
    fn take_expired(&self, now: Instant) -> (Vec<(u64, Duration)>, Option<Instant>) {
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
        waiting.into_iter().for_each(Waker::wake);
        (expired, next)
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

    /// Takes a call, or a question, off the table; `None` if there is none of that number.
    fn remove(&self, id: u64, is_question: bool) -> Option<Entry> {
        let (entry, waiting) = {
            let mut table = self.lock();
            if table.entry(id)?.slot.is_question != is_question {
                return None;
            }
            if !table.deadline_of.is_empty()
                && let Some((at, _)) = table.deadline_of.remove(&id)
            {
                table.deadlines.remove(&(at, id));
            }
            let entry = match table.slots.remove(id) {
                Some(entry) => Some(entry),
                None => table.aside.remove(&id),
            };
            if let Some(at) = entry.as_ref().and_then(|entry| entry.overdue_at) {
                table.overdue.remove(&(at, id));
            }
            table.n_bytes -= entry.as_ref().map_or(0, |entry| entry.n_bytes);
            self.note_len(&table);
            (entry, std::mem::take(&mut table.waiting_for_room))
        };
        waiting.into_iter().for_each(Waker::wake);
        entry
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // No critical section can panic half way.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends the leases of a call that ran to its end, or never began. Returns whether all lent `bool`s
/// are still that; if not, what was lent for writing is poisoned.
fn end_leases(held: Held) -> bool {
    // Looked through while the leases still keep everyone else away.
    let are_valid = held.bools.iter().all(Located::scan);
    if are_valid {
        drop(held);
    } else {
        poison(held, "which wrote a bool that is neither 0 nor 1");
    }
    are_valid
}

/// Ends leases without an answer: what was lent for writing may be half written.
fn poison(held: Held, how: &str) {
    held.leases
        .into_iter()
        .for_each(|lease| lease.end_without_answer(how));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::EndReason;
    use crate::segment::kind::Segments;
    use crate::segment::lease::Holder;
    use crate::segment::mapping::Access;
    use crate::segment::pool;

    fn begin(calls: &Calls) -> Option<Begun<'_>> {
        match calls.poll_begin(&Context::from_waker(Waker::noop()), None) {
            Poll::Ready(begun) => Some(begun.unwrap()),
            Poll::Pending => None,
        }
    }

    #[test]
    fn long_frames_hold_further_calls_up_and_short_ones_do_not() {
        let calls = Calls::new(3, 100_000);
        let (first, second) = (begin(&calls).unwrap(), begin(&calls).unwrap());
        calls.weigh(first.slot().id(), SMALL_BYTES);
        calls.weigh(second.slot().id(), 99_999);
        let third = begin(&calls).unwrap();
        assert!(begin(&calls).is_none(), "three are as many as may be");
        drop(first);
        let fourth = begin(&calls).unwrap();
        drop(third);
        calls.weigh(fourth.slot().id(), 5000);
        assert!(begin(&calls).is_none(), "their frames are too long");
        drop(second);
        assert!(begin(&calls).is_some());
    }

    /// A call that holds a lease for writing and is being sent, when its worker ends.
    fn held_at_the_end(calls: &Calls) -> (Begun<'_>, Arc<Extent>) {
        let begun = begin(calls).unwrap();
        let extent = pool::allocate_in(Segments::Memfd, 64, &[]).unwrap().extent;
        let holder = Holder::Other("a call");
        let lease = Lease::begin(&extent, &(0..8), Access::ReadWrite, &holder).unwrap();
        let held = Held {
            leases: vec![lease],
            ..Held::default()
        };
        assert!(calls.hold(begun.slot(), held).is_ok());
        calls.weigh(begun.slot().id(), 50_000);
        calls.fail_all(&WorkerEnd::new(EndReason::Stopped, Vec::new()));
        (begun, extent)
    }

    #[test]
    fn what_was_not_sent_when_the_worker_ended_is_not_poisoned() {
        let calls = Calls::new(3, 100_000);
        let (begun, extent) = held_at_the_end(&calls);
        assert_eq!(begun.withdraw().leases.len(), 1, "it comes back");
        assert!(!extent.leases().is_poisoned());
        let access = Access::ReadWrite;
        assert!(extent.leases().check(&(0..8), access).is_ok());
        assert_eq!(calls.len(), 0);
    }

    #[test]
    fn a_call_that_both_sides_find_late_at_once_is_late() {
        let calls = Calls::new(3, 100_000);
        let limit = Duration::from_micros(300);
        let deadline = Some((Instant::now(), limit));
        let cx = Context::from_waker(Waker::noop());
        let Poll::Ready(Ok(begun)) = calls.poll_begin(&cx, deadline) else {
            panic!("there is room");
        };
        let slot = begun.sent();
        // The driver is about to give the call up, when another thread reads that the worker did.
        let (expired, _) = calls.take_expired(Instant::now());
        assert_eq!(expired, [(slot.id(), limit)]);
        assert!(calls.release(slot.id(), true));
        let result = slot.poll(&cx);
        let is_told = matches!(result, Poll::Ready(Err(FailureCause::DeadlineExceeded { limit: l })) if l == limit);
        assert!(is_told);
    }

    #[test]
    fn what_was_sent_when_the_worker_ended_is_poisoned() {
        let calls = Calls::new(3, 100_000);
        let (begun, extent) = held_at_the_end(&calls);
        let slot = begun.sent();
        assert!(extent.leases().is_poisoned());
        let result = slot.poll(&Context::from_waker(Waker::noop()));
        let is_told = matches!(result, Poll::Ready(Err(FailureCause::WorkerDied { .. })));
        assert!(is_told, "its caller is told");
        assert_eq!(calls.len(), 0);
    }

    #[test]
    fn a_call_that_is_set_aside_makes_room_for_long_frames() {
        let calls = Calls::new(3, 100_000);
        let first = begin(&calls).unwrap().sent();
        calls.weigh(first.id(), 100_000);
        assert!(begin(&calls).is_none());
        calls.set_aside(first.id());
        assert!(begin(&calls).is_some());
    }

    #[test]
    fn the_driver_is_woken_for_earlier_deadlines_alone() {
        let calls = Calls::new(3, 100_000);
        let limit = Duration::from_secs(60);
        let now = Instant::now();
        assert!(calls.must_wake_driver(now + limit));
        assert!(!calls.must_wake_driver(now + 2 * limit));
        assert!(calls.must_wake_driver(now + limit / 2));
        // Nothing is pending: it sleeps for ever, or so it thinks.
        assert_eq!(calls.expire(now), (Vec::new(), None));
        assert!(calls.must_wake_driver(now + 2 * limit));
        calls.driver_sleeps_until(now + limit);
        assert!(!calls.must_wake_driver(now + 2 * limit));
    }
}
