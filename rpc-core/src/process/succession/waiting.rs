//! Callers that find nobody at a post: they wait here, until somebody comes, or nobody will, or their
//! deadlines pass.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Instant;

use super::{State, Succession};
use crate::call::pending::Deadline;
use crate::guarded::guarded;
use crate::process::end::WorkerEnd;
use crate::process::restart::GivenUp;

/// A caller that waits for the next incumbent.
#[derive(Debug)]
pub(super) struct Waiting {
    waker: Waker,
    deadline: Option<Instant>,
}

impl Waiting {
    pub(super) fn wake(self) {
        // The others are woken as well.
        guarded(|| self.waker.wake());
    }
}

/// What a caller finds at a post.
#[derive(Debug)]
pub(crate) enum Staff {
    /// Somebody who isn't known to be dead.
    Present,
    /// Nobody, and nobody will come unless by hand.
    Gone(WorkerEnd),
    /// Nobody, because that was tried too often.
    GivenUp(GivenUp),
    /// The caller's deadline has passed.
    TooLate,
}

impl Succession {
    /// Asks whether there is somebody to call. `is_replaced`, `is_dying` and `end` tell of the
    /// incumbent that the caller knows: whether another one is to be called, whether this one isn't
    /// any more, and how it ended.
    pub(in crate::process) fn poll_staff(
        self: &Arc<Self>,
        cx: &Context<'_>,
        deadline: Deadline,
        is_replaced: impl FnOnce() -> bool,
        is_dying: impl FnOnce() -> bool,
        end: impl FnOnce() -> Option<WorkerEnd>,
    ) -> Poll<Staff> {
        let mut state = self.lock();
        if is_replaced() {
            return Poll::Ready(Staff::Present);
        }
        if !state.is_awaited() {
            if let Some(given_up) = &state.given_up {
                return Poll::Ready(Staff::GivenUp(given_up.clone()));
            }
            if let Some(end) = end() {
                return Poll::Ready(Staff::Gone(end));
            }
            if !is_dying() {
                return Poll::Ready(Staff::Present);
            }
        }
        let at = deadline.map(|(at, _)| at);
        if at.is_some_and(|at| at <= Instant::now()) {
            return Poll::Ready(Staff::TooLate);
        }
        let is_same = |waiting: &&mut Waiting| waiting.waker.will_wake(cx.waker());
        match state.waiting.iter_mut().find(is_same) {
            // Of two calls of one task, the earlier deadline wakes it.
            Some(waiting) => waiting.deadline = [waiting.deadline, at].into_iter().flatten().min(),
            None => state.waiting.push(Waiting {
                waker: cx.waker().clone(),
                deadline: at,
            }),
        }
        if at.is_some() {
            self.start_clock(&mut state);
        }
        Poll::Pending
    }

    /// Sees to it that somebody wakes callers at their deadlines.
    fn start_clock(self: &Arc<Self>, state: &mut State) {
        if let Some(clock) = &state.clock {
            clock.unpark();
            return;
        }
        let succession = Arc::clone(self);
        let thread = thread::Builder::new().name("reedbed deadlines".to_owned());
        match thread.spawn(move || succession.mind_deadlines()) {
            Ok(clock) => state.clock = Some(clock.thread().clone()),
            // The callers are woken when the post is filled, or given up.
            Err(error) => {
                guarded(|| tracing::warn!(%error, "there is no thread to watch deadlines"));
            }
        }
    }

    fn mind_deadlines(&self) {
        loop {
            let mut state = self.lock();
            let now = Instant::now();
            let is_over = |waiting: &mut Waiting| waiting.deadline.is_some_and(|at| at <= now);
            let late: Vec<_> = state.waiting.extract_if(.., is_over).collect();
            let next = state.waiting.iter().filter_map(|one| one.deadline).min();
            if next.is_none() {
                state.clock = None;
            }
            drop(state);
            late.into_iter().for_each(Waiting::wake);
            match next {
                Some(next) => thread::park_timeout(next.saturating_duration_since(Instant::now())),
                None => return,
            }
        }
    }
}
