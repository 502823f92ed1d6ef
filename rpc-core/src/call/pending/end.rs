//! How calls end.

use std::sync::atomic::Ordering;

use super::Calls;
use super::slot::{Answer, ENDED, SENT};
use super::table::Entry;
use crate::call::copy_back::INVALID_BOOL;
use crate::call::entrusted::Entrusted;
use crate::call::error::{FailureCause, Refusal};
use crate::channel::named::Used;
use crate::guarded::{guarded, wake_each};
use crate::process::WorkerEnd;
use crate::wire::frame::Failure;

impl Calls {
    /// Ends a call with the worker's answer; `false` if no such call is in flight.
    ///
    /// `Err` means a lent `bool` came back as something else.
    pub(crate) fn answer(&self, id: u64, mut answer: Answer) -> Result<bool, &'static str> {
        let Some(Entry { slot, mut held, .. }) = self.remove(id) else {
            return Ok(false);
        };
        if let (Answer::Returned { parcel, .. }, Some(expected)) =
            (&mut answer, held.expects.take())
        {
            parcel.claim(expected);
        }
        if held.end() {
            slot.finish(Ok(answer));
            return Ok(true);
        }
        let reason = INVALID_BOOL.to_owned();
        slot.finish(Err(FailureCause::Protocol { reason }));
        Err(INVALID_BOOL)
    }

    /// Ends a call that the worker did not complete; `false` if no such call is in flight.
    pub(crate) fn refuse(&self, id: u64, failure: Failure) -> bool {
        let Some(Entry { slot, held, .. }) = self.remove(id) else {
            return false;
        };
        match &failure {
            Failure::Panicked { location, .. } => {
                self.lock().last_panic.clone_from(location);
                held.poison("which panicked");
            }
            // Either it never began, or it ran to its end.
            _ => {
                held.end();
            }
        }
        slot.finish(Err(FailureCause::Remote(Refusal(failure))));
        true
    }

    /// Ends a call that the worker never heard of, though its caller thinks that it was sent; hands back
    /// what was passed by value.
    ///
    /// # Errors
    /// If the worker has used some of that. The call is left to its worker's end.
    pub(crate) fn hand_back(
        &self,
        id: u64,
        cause: FailureCause,
        entrusted: Entrusted,
    ) -> Result<(), Used> {
        let given = entrusted.take_back()?;
        if let Some(Entry {
            slot,
            held,
            cancelled_for,
            ..
        }) = self.remove(id)
        {
            let has_begun = false;
            let cause = match cancelled_for {
                Some(sign) => FailureCause::Cancelled { sign, has_begun },
                None => cause,
            };
            held.end();
            slot.finish(Ok(Answer::HandedBack { cause, given }));
        }
        Ok(())
    }

    /// Ends a cancelled call; `false` if no such call is in flight.
    pub(crate) fn release(&self, id: u64, has_begun: bool) -> bool {
        let Some(Entry {
            slot,
            held,
            cancelled_for,
            ..
        }) = self.remove(id)
        else {
            return false;
        };
        if has_begun {
            held.poison("which was cancelled");
        } else {
            held.end();
        }
        // The worker may notice a deadline a moment before this side does, or while it does.
        slot.finish(Err(match (cancelled_for, slot.limit) {
            (Some(sign), _) => FailureCause::Cancelled { sign, has_begun },
            (None, Some(limit)) => FailureCause::DeadlineExceeded {
                limit,
                was_sent: true,
            },
            (None, None) => FailureCause::Protocol {
                reason: "it ended without an answer".to_owned(),
            },
        }));
        true
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
        for entry in entries {
            // The others are told, whatever comes of telling one.
            guarded(|| entry.fail(end));
        }
        wake_each(waiting);
    }

    /// Takes a call off the table; `None` if there is none of that number.
    pub(super) fn remove(&self, id: u64) -> Option<Entry> {
        let mut table = self.lock();
        let entry = table.entry(id)?;
        let (overdue_at, n_bytes) = (entry.overdue_at, entry.n_bytes);
        if let Some(at) = overdue_at {
            table.overdue.remove(&(at, id));
        }
        table.n_bytes -= n_bytes;
        if !table.deadline_of.is_empty()
            && let Some((at, _)) = table.deadline_of.remove(&id)
        {
            table.deadlines.remove(&(at, id));
        }
        let entry = match table.slots.remove(id) {
            Some(entry) => Some(entry),
            None => table.aside.remove(&id),
        };
        self.note_len(&table);
        let waiting = std::mem::take(&mut table.waiting_for_room);
        drop(table);
        wake_each(waiting);
        entry
    }
}
