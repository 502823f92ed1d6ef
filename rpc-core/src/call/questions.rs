//! What a worker was asked of its modules, and who waits for the answers.
//!
//! # Invariants
//! 1. A worker is asked once what a module consists of, because that doesn't change while it lives: who
//!    asks again waits for the same answer, or has it. So there are never more questions than modules that
//!    the worker has named in its first message, however often it is asked, and however late it answers.
//! 2. Who waits is on the list as long as its [`Asker`] lives, and no longer.
//! 3. A question that could not be answered is forgotten: the next one to ask asks the worker.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::error::Refusal;
use super::pending::Deadline;
use crate::guarded::wake_each;
use crate::process::WorkerEnd;
use crate::wire::frame::Failure;
use crate::wire::schema::ModuleSchema;

/// What a worker said of a module; none, if it doesn't serve it.
pub(crate) type Description = Option<Arc<ModuleSchema>>;

/// Why a module is not described.
#[derive(Clone, Debug)]
pub(crate) enum Undescribed {
    /// There was no room for the description.
    Refused(Refusal),
    /// The worker has ended.
    Gone(WorkerEnd),
    /// The worker didn't say in time.
    Late { limit: Duration },
}

/// The questions to one worker.
#[derive(Debug, Default)]
pub(crate) struct Questions {
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    /// By module.
    asked: HashMap<String, Arc<Question>>,
    end: Option<WorkerEnd>,
}

#[derive(Debug)]
struct Question {
    number: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    answer: Option<Result<Description, Undescribed>>,
    askers: BTreeMap<u64, Waiting>,
    /// Numbers the askers.
    n_askers: u64,
}

#[derive(Debug)]
struct Waiting {
    waker: Waker,
    until: Option<Instant>,
}

impl Questions {
    /// Asks what a module consists of, with the number of the question if nobody has asked before: then
    /// the caller sends it.
    pub(crate) fn ask(
        &self,
        module: &str,
        deadline: Deadline,
        number: impl FnOnce() -> u64,
    ) -> Result<(Asker, Option<u64>), WorkerEnd> {
        let mut table = self.lock();
        if let Some(end) = &table.end {
            return Err(end.clone());
        }
        let (question, unsent) = match table.asked.get(module) {
            Some(question) => (Arc::clone(question), None),
            None => {
                let (number, state) = (number(), Mutex::default());
                let question = Arc::new(Question { number, state });
                let asked = Arc::clone(&question);
                table.asked.insert(module.to_owned(), asked);
                (question, Some(number))
            }
        };
        drop(table);
        let asker = Asker {
            number: question.number_asker(),
            question,
            deadline,
        };
        Ok((asker, unsent))
    }

    /// Answers a question; `false` if there is none of that number, or it was answered.
    pub(crate) fn answer(&self, number: u64, module: Option<ModuleSchema>) -> bool {
        let question = self.lock().find(number);
        question.is_some_and(|question| question.end(Ok(module.map(Arc::new))))
    }

    /// Ends a question for whose answer there was no room; `false` if there is none of that number, or it
    /// was answered.
    pub(crate) fn refuse(&self, number: u64, failure: &Failure) -> bool {
        let mut table = self.lock();
        let Some(question) = table.find(number) else {
            return false;
        };
        if question.is_answered() {
            return false;
        }
        table.asked.retain(|_, asked| asked.number != number);
        drop(table);
        question.end(Err(Undescribed::Refused(Refusal(failure.clone()))))
    }

    /// Ends all questions: the worker is known dead.
    pub(crate) fn fail_all(&self, end: &WorkerEnd) {
        let asked = {
            let mut table = self.lock();
            table.end = Some(end.clone());
            std::mem::take(&mut table.asked)
        };
        for question in asked.values() {
            question.end(Err(Undescribed::Gone(end.clone())));
        }
    }

    /// Tells whether somebody waits for an answer.
    pub(crate) fn are_awaited(&self) -> bool {
        let table = self.lock();
        let mut asked = table.asked.values();
        asked.any(|question| !question.lock().askers.is_empty())
    }

    /// Wakes those whose deadlines have passed; returns the next deadline.
    pub(crate) fn expire(&self, now: Instant) -> Option<Instant> {
        let asked: Vec<_> = self.lock().asked.values().cloned().collect();
        let next = asked.iter().filter_map(|question| question.expire(now));
        next.min()
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // No critical section can panic half way.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn find(&self, number: u64) -> Option<Arc<Question>> {
        let mut asked = self.asked.values();
        asked.find(|question| question.number == number).cloned()
    }
}

impl Question {
    fn number_asker(&self) -> u64 {
        let mut state = self.lock();
        state.n_askers += 1;
        state.n_askers
    }

    fn is_answered(&self) -> bool {
        self.lock().answer.is_some()
    }

    /// Ends it, once, and wakes who waits; `false` if it was ended before.
    fn end(&self, answer: Result<Description, Undescribed>) -> bool {
        let askers = {
            let mut state = self.lock();
            if state.answer.is_some() {
                return false;
            }
            state.answer = Some(answer);
            std::mem::take(&mut state.askers)
        };
        wake_each(askers.into_values().map(|asker| asker.waker));
        true
    }

    fn expire(&self, now: Instant) -> Option<Instant> {
        let (late, next) = {
            let mut state = self.lock();
            let is_late = |asker: &Waiting| asker.until.is_some_and(|until| until <= now);
            let late: Vec<_> = state
                .askers
                .extract_if(.., |_, asker| is_late(asker))
                .collect();
            let next = state.askers.values().filter_map(|asker| asker.until).min();
            (late, next)
        };
        wake_each(late.into_iter().map(|(_, asker)| asker.waker));
        next
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No critical section can panic half way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody who asks what a module consists of.
#[derive(Debug)]
pub(crate) struct Asker {
    question: Arc<Question>,
    number: u64,
    deadline: Deadline,
}

impl Asker {
    /// Until when it waits.
    pub(crate) fn deadline(&self) -> Deadline {
        self.deadline
    }

    /// Completes with the answer, or at the deadline.
    pub(crate) fn poll(&self, cx: &Context<'_>) -> Poll<Result<Description, Undescribed>> {
        let mut state = self.question.lock();
        if let Some(answer) = &state.answer {
            return Poll::Ready(answer.clone());
        }
        if let Some((until, limit)) = self.deadline
            && until <= Instant::now()
        {
            return Poll::Ready(Err(Undescribed::Late { limit }));
        }
        let waiting = Waiting {
            waker: cx.waker().clone(),
            until: self.deadline.map(|(until, _)| until),
        };
        let before = state.askers.insert(self.number, waiting);
        drop(state);
        // A waker is the user's code, which is called under no lock.
        drop(before);
        Poll::Pending
    }
}

impl Drop for Asker {
    fn drop(&mut self) {
        let waiting = self.question.lock().askers.remove(&self.number);
        drop(waiting);
    }
}

#[cfg(test)]
mod tests;
