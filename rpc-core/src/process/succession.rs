//! Who comes after a worker that has ended.
//!
//! A post whose worker is started again of itself has a [`Succession`]. The thread that has buried an
//! incumbent decides what is next, before any caller can see that the incumbent is dead; so a caller
//! that finds nobody always finds out whether somebody will come. Callers wait here, with their
//! deadlines ([`waiting`]), and so does the thread that refills the post, until it is time
//! ([`successor`]).
//!
//! Nothing here exists for a post without a restart policy.

mod successor;
mod waiting;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::Thread;
use std::time::{Duration, Instant};

use tokio::runtime::Handle as Runtime;
pub(crate) use waiting::Staff;
use waiting::Waiting;

use super::end::WorkerEnd;
use super::error::RestartError;
use super::restart::{Backoff, GivenUp, RestartPolicy, Restarts};

/// Longer than any worker lives.
const FAR: Duration = Duration::from_secs(u32::MAX as u64);

/// What a post, its callers and whoever refills it tell each other.
#[derive(Debug)]
pub(crate) struct Succession {
    policy: RestartPolicy,
    /// Where tarpc's dispatcher runs, if the worker's calls take that.
    runtime: Option<Runtime>,
    /// Whether the next incumbent is awaited. Written under the lock; read by each call.
    is_awaited: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    restarts: Restarts,
    /// Counts the incumbents that were buried.
    n_buried: u64,
    /// How the last one ended.
    end: Option<WorkerEnd>,
    /// Why the last restart failed, if none has succeeded since.
    failure: Option<Arc<RestartError>>,
    /// Whether the post will be refilled of itself.
    is_pending: bool,
    /// The thread that does that.
    successor: Option<Thread>,
    /// The restarts by hand that are under way.
    n_by_hand: u32,
    /// How the incumbent ended, where that was left to them.
    left_to_hand: Option<WorkerEnd>,
    given_up: Option<GivenUp>,
    /// Whether the worker was shut down on request.
    is_closed: bool,
    /// Whether nobody holds the post any more.
    is_abandoned: bool,
    waiting: Vec<Waiting>,
    /// The thread that wakes callers at their deadlines, while there are some.
    clock: Option<Thread>,
}

/// What is decided when an incumbent was buried, or could not be replaced.
#[derive(Debug)]
pub(super) enum Next {
    /// The post is refilled at this moment. The number is that of the burial.
    Refill(Instant, u64),
    /// It is not, after so many restarts.
    GiveUp(u32),
    /// It is not, or somebody else does it.
    Nothing,
}

impl State {
    fn is_awaited(&self) -> bool {
        self.is_pending || self.n_by_hand > 0
    }

    /// Tells whether the post will be refilled of itself, and nobody has done so since this burial.
    fn is_pending_since(&self, number: u64) -> bool {
        self.is_pending && self.n_buried == number
    }

    /// Tells whether nobody wants a successor.
    fn is_over(&self) -> bool {
        self.is_closed || self.is_abandoned
    }
}

impl Succession {
    pub(super) fn new(policy: RestartPolicy) -> Arc<Self> {
        Arc::new(Self {
            policy,
            runtime: Runtime::try_current().ok(),
            is_awaited: AtomicBool::new(false),
            state: Mutex::default(),
        })
    }

    /// Tells whether a caller need not ask further, as far as this is concerned.
    pub(super) fn is_settled(&self) -> bool {
        // What is missed here is found when the incumbent is called.
        !self.is_awaited.load(Ordering::Relaxed)
    }

    /// Decides what is next, now that the incumbent has ended. Whoever is awaited from now on is so
    /// before anybody can see that; the others look again when [`wake_all`](Self::wake_all) says so.
    pub(super) fn bury(&self, end: &WorkerEnd, is_incumbent: impl FnOnce() -> bool) -> Next {
        let mut state = self.lock();
        if !is_incumbent() || state.is_over() {
            return Next::Nothing;
        }
        if state.n_by_hand > 0 {
            // If none of them fills the post, the last one decides.
            state.left_to_hand = Some(end.clone());
            return Next::Nothing;
        }
        self.succeed(&mut state, end)
    }

    /// Decides who comes after an incumbent that ended so.
    fn succeed(&self, state: &mut State, end: &WorkerEnd) -> Next {
        let Some(backoff) = self.policy.backoff_after(end.reason()) else {
            return Next::Nothing;
        };
        state.n_buried += 1;
        state.end = Some(end.clone());
        state.failure = None;
        self.decide(state, backoff)
    }

    /// Decides what is next, now that nobody could be found after this burial.
    pub(super) fn note_failure(&self, number: u64, error: RestartError) -> Next {
        let mut state = self.lock();
        let (RestartPolicy::OnFailure(backoff) | RestartPolicy::Always(backoff)) = self.policy
        else {
            return Next::Nothing;
        };
        if !state.is_pending_since(number) {
            return Next::Nothing;
        }
        state.failure = Some(Arc::new(error));
        let next = self.decide(&mut state, backoff);
        if matches!(next, Next::GiveUp(_)) {
            self.wake(state);
        }
        next
    }

    fn decide(&self, state: &mut State, backoff: Backoff) -> Next {
        let now = Instant::now();
        let restart = state.restarts.next(&backoff, now);
        state.is_pending = restart.is_ok();
        if let Err(n_restarts) = restart {
            state.given_up = state.end.clone().map(|end| GivenUp {
                n_restarts,
                window: backoff.window,
                end,
                failure: state.failure.clone(),
            });
        }
        self.note(state);
        match restart {
            Ok(wait) => {
                // Beyond the clock's range, it is as long as it gets.
                let due = now.checked_add(wait).unwrap_or_else(|| now + FAR);
                Next::Refill(due, state.n_buried)
            }
            Err(n_restarts) => Next::GiveUp(n_restarts),
        }
    }

    /// Has `replace` fill the post, unless nobody wants that any more; `by_hand` is the restart by
    /// hand that does, which is thereby over: whatever becomes of the new incumbent is not left to it.
    pub(super) fn fill<T, E>(
        &self,
        by_hand: Option<&mut ByHand>,
        replace: impl FnOnce() -> Result<T, E>,
    ) -> Result<Option<T>, E> {
        let mut state = self.lock();
        if by_hand.is_none() && state.is_over() {
            return Ok(None);
        }
        let replaced = replace()?;
        if let Some(by_hand) = by_hand {
            by_hand.end(&mut state);
            state.restarts.forget();
            state.is_closed = false;
        }
        state.left_to_hand = None;
        state.given_up = None;
        state.failure = None;
        state.is_pending = false;
        self.wake(state);
        Ok(Some(replaced))
    }

    /// Announces a restart by hand, until that has filled the post or [ends](Self::end_by_hand).
    pub(super) fn begin_by_hand(&self) -> ByHand {
        let mut state = self.lock();
        state.n_by_hand += 1;
        self.note(&state);
        ByHand { is_over: false }
    }

    /// Notes that a restart by hand is over; decides, after the last one, about an incumbent that has
    /// ended meanwhile. Returns how that ended as well.
    pub(super) fn end_by_hand(&self, by_hand: &mut ByHand) -> Option<(Next, WorkerEnd)> {
        let mut state = self.lock();
        by_hand.end(&mut state);
        if state.n_by_hand > 0 {
            return None;
        }
        let end = state.left_to_hand.take();
        let end = end.filter(|_| !state.is_over());
        let next = end.map(|end| (self.succeed(&mut state, &end), end));
        self.wake(state);
        next
    }

    /// Notes that the worker is shut down on request: nobody comes after it.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        state.is_pending = false;
        self.wake(state);
    }

    /// Notes that nobody holds the post any more.
    pub(super) fn abandon(&self) {
        let mut state = self.lock();
        state.is_abandoned = true;
        state.is_pending = false;
        self.wake(state);
    }

    /// Has all who wait look again.
    pub(super) fn wake_all(&self) {
        self.wake(self.lock());
    }

    fn note(&self, state: &State) {
        self.is_awaited.store(state.is_awaited(), Ordering::Relaxed);
    }

    fn wake(&self, mut state: MutexGuard<'_, State>) {
        self.note(&state);
        let waiting = std::mem::take(&mut state.waiting);
        let threads = [&state.successor, &state.clock];
        threads.into_iter().flatten().for_each(Thread::unpark);
        drop(state);
        waiting.into_iter().for_each(Waiting::wake);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No critical section can panic half way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A restart by hand.
#[derive(Debug)]
pub(super) struct ByHand {
    is_over: bool,
}

impl ByHand {
    fn end(&mut self, state: &mut State) {
        if !std::mem::replace(&mut self.is_over, true) {
            state.n_by_hand -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::super::end::EndReason;
    use super::*;

    fn succession() -> Arc<Succession> {
        Succession::new(RestartPolicy::Always(Backoff::default()))
    }

    fn killed() -> WorkerEnd {
        WorkerEnd::new(EndReason::Signalled(9), Vec::new())
    }

    fn fill(succession: &Succession, by_hand: Option<&mut ByHand>) {
        let filled = succession.fill(by_hand, || Ok::<_, Infallible>(()));
        assert_eq!(filled, Ok(Some(())));
    }

    #[test]
    fn a_restart_by_hand_is_over_once_it_has_filled_the_post() {
        let succession = succession();
        let mut by_hand = succession.begin_by_hand();
        fill(&succession, Some(&mut by_hand));
        assert!(succession.is_settled());
        // The new incumbent ends before the restart has returned.
        let next = succession.bury(&killed(), || true);
        assert!(matches!(next, Next::Refill(_, 1)), "{next:?}");
        assert!(succession.end_by_hand(&mut by_hand).is_none());
        assert!(succession.is_pending_since(1));
    }

    #[test]
    fn the_last_restart_by_hand_decides_about_an_end_that_was_left_to_it() {
        let succession = succession();
        let mut first = succession.begin_by_hand();
        let mut second = succession.begin_by_hand();
        let next = succession.bury(&killed(), || true);
        assert!(matches!(next, Next::Nothing), "{next:?}");
        assert!(succession.end_by_hand(&mut first).is_none());
        let decided = succession.end_by_hand(&mut second);
        let Some((Next::Refill(_, 1), end)) = decided else {
            panic!("{decided:?}");
        };
        assert_eq!(end.reason(), &EndReason::Signalled(9));
        assert!(!succession.is_settled(), "the next one is awaited");
    }

    #[test]
    fn whoever_leaves_a_post_vacant_settles_that() {
        let succession = succession();
        succession.bury(&killed(), || true);
        succession.leave(0);
        assert!(!succession.is_settled(), "that was an earlier one");
        succession.leave(1);
        assert!(succession.is_settled());
    }

    #[test]
    fn nobody_comes_after_an_end_that_was_made_up_for() {
        let succession = succession();
        let mut first = succession.begin_by_hand();
        let mut second = succession.begin_by_hand();
        succession.bury(&killed(), || true);
        fill(&succession, Some(&mut first));
        assert!(succession.end_by_hand(&mut second).is_none());
        assert!(succession.is_settled());

        let mut third = succession.begin_by_hand();
        succession.bury(&killed(), || true);
        succession.close();
        assert!(succession.end_by_hand(&mut third).is_none());
        assert!(succession.is_settled());
    }
}
