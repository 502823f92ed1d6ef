//! When a worker is started again, how soon, and when no more.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::end::{EndReason, WorkerEnd};
use super::error::RestartError;

/// Whether a worker that has ended is started again of itself (see
/// [`WorkerBuilder::restart_policy`](crate::WorkerBuilder::restart_policy)).
///
/// A worker that was shut down on request (by [`Worker::shutdown`](crate::Worker::shutdown), or
/// because its last user is gone) is never started again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RestartPolicy {
    /// It is not: [`Worker::restart`](crate::Worker::restart) does it by hand.
    #[default]
    Never,
    /// It is, unless it exited with status 0.
    OnFailure(Backoff),
    /// It is, however it ended.
    Always(Backoff),
}

impl RestartPolicy {
    /// The backoff, if a worker that ended so is to be started again.
    pub(super) fn backoff_after(self, reason: &EndReason) -> Option<Backoff> {
        match self {
            Self::Never => None,
            Self::OnFailure(_) if *reason == EndReason::Exited(0) => None,
            Self::OnFailure(backoff) | Self::Always(backoff) => Some(backoff),
        }
    }
}

/// How long to wait before a worker is started again, and how often that is done.
///
/// The first restart waits `first`, and each further one within `window` `factor` times as long as the
/// one before, up to `longest`. After `n_restarts` within `window`, the worker's next end is for good:
/// its calls fail with [`GivenUp`](crate::FailureCause::GivenUp). A restart that fails counts.
///
/// ```
/// use std::time::Duration;
/// use reedbed::Backoff;
///
/// let backoff = Backoff { n_restarts: 3, ..Backoff::default() };
/// assert_eq!(backoff.first, Duration::from_millis(100));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The shortest wait.
    pub first: Duration,
    /// The longest wait.
    pub longest: Duration,
    /// By how much each wait is longer than the one before: 2 doubles it, 1 keeps it.
    pub factor: u32,
    /// How many restarts there are at most within `window`.
    pub n_restarts: u32,
    /// For how long a restart counts.
    pub window: Duration,
}

impl Default for Backoff {
    /// Doubling from 100 ms to 10 s, and 5 restarts within a minute.
    fn default() -> Self {
        Self {
            first: Duration::from_millis(100),
            longest: Duration::from_secs(10),
            factor: 2,
            n_restarts: 5,
            window: Duration::from_secs(60),
        }
    }
}

impl Backoff {
    /// How long to wait after so many restarts within the window.
    fn wait(&self, n_before: u32) -> Duration {
        let factor = self.factor.checked_pow(n_before).unwrap_or(u32::MAX);
        let wait = self.first.checked_mul(factor);
        wait.unwrap_or(self.longest).min(self.longest)
    }
}

/// The restarts of a worker that still count.
#[derive(Debug, Default)]
pub(super) struct Restarts {
    /// When they were decided on, oldest first.
    at: VecDeque<Instant>,
}

impl Restarts {
    /// Decides on a restart; `Err` says how many there have been if there is to be none.
    pub(super) fn next(&mut self, backoff: &Backoff, now: Instant) -> Result<Duration, u32> {
        let is_over = |at: &Instant| now.saturating_duration_since(*at) >= backoff.window;
        while self.at.front().is_some_and(is_over) {
            self.at.pop_front();
        }
        let n_before = u32::try_from(self.at.len()).unwrap_or(u32::MAX);
        if n_before >= backoff.n_restarts {
            return Err(n_before);
        }
        self.at.push_back(now);
        Ok(backoff.wait(n_before))
    }

    /// Forgets all of them.
    pub(super) fn forget(&mut self) {
        self.at.clear();
    }
}

/// A worker that is not started again, because that was done too often.
///
/// [`Worker::restart`](crate::Worker::restart) starts it again all the same, and forgets what was.
#[derive(Clone, Debug)]
pub struct GivenUp {
    pub(super) n_restarts: u32,
    pub(super) window: Duration,
    pub(super) end: WorkerEnd,
    pub(super) failure: Option<Arc<RestartError>>,
}

impl GivenUp {
    /// Returns how often it was started again, within [`window`](Self::window).
    #[must_use]
    pub fn n_restarts(&self) -> u32 {
        self.n_restarts
    }

    /// Returns the time within which restarts count.
    #[must_use]
    pub fn window(&self) -> Duration {
        self.window
    }

    /// Returns how the last process that was ready ended.
    #[must_use]
    pub fn end(&self) -> &WorkerEnd {
        &self.end
    }

    /// Returns why the last restart failed, if none was ready after it.
    #[must_use]
    pub fn failure(&self) -> Option<&RestartError> {
        self.failure.as_deref()
    }
}

impl fmt::Display for GivenUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let times = match self.n_restarts {
            1 => "once".to_owned(),
            n => format!("{n} times"),
        };
        write!(
            f,
            "the worker is given up: it was started again {times} within {:?} and ",
            self.window
        )?;
        match &self.failure {
            Some(failure) => write!(f, "could not be in the end: {failure}"),
            None => write!(f, "ended once more: {}", self.end),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn backoff() -> Backoff {
        Backoff {
            first: SECOND,
            longest: 10 * SECOND,
            factor: 3,
            n_restarts: 4,
            window: 100 * SECOND,
        }
    }

    #[test]
    fn waits_grow_up_to_the_longest_one() {
        let waits: Vec<_> = (0..5).map(|n| backoff().wait(n).as_secs()).collect();
        assert_eq!(waits, [1, 3, 9, 10, 10]);
        // Numbers beyond every clock.
        assert_eq!(backoff().wait(u32::MAX), 10 * SECOND);
        let all = Backoff {
            first: Duration::MAX,
            longest: Duration::MAX,
            ..backoff()
        };
        assert_eq!(all.wait(7), Duration::MAX);
        let even = Backoff {
            factor: 1,
            ..backoff()
        };
        assert_eq!(even.wait(1000), SECOND);
        let none = Backoff {
            factor: 0,
            ..backoff()
        };
        assert_eq!((none.wait(0), none.wait(1)), (SECOND, Duration::ZERO));
    }

    #[test]
    fn restarts_are_counted_within_the_window() {
        let (backoff, mut restarts) = (backoff(), Restarts::default());
        let start = Instant::now();
        let mut next = |after| restarts.next(&backoff, start + after * SECOND);
        assert_eq!(next(0), Ok(SECOND));
        assert_eq!(next(10), Ok(3 * SECOND));
        assert_eq!(next(20), Ok(9 * SECOND));
        assert_eq!(next(30), Ok(10 * SECOND));
        assert_eq!(next(99), Err(4));
        // The first one is out of the window, and then all of them are.
        assert_eq!(next(100), Ok(10 * SECOND));
        assert_eq!(next(101), Err(4));
        assert_eq!(next(1000), Ok(SECOND));
    }

    #[test]
    fn a_forgotten_past_does_not_count() {
        let (backoff, mut restarts) = (backoff(), Restarts::default());
        let now = Instant::now();
        while restarts.next(&backoff, now).is_ok() {}
        restarts.forget();
        assert_eq!(restarts.next(&backoff, now), Ok(SECOND));
        let never = Backoff {
            n_restarts: 0,
            ..backoff
        };
        assert_eq!(Restarts::default().next(&never, now), Err(0));
    }

    #[test]
    fn what_counts_as_a_failure() {
        let backoff = backoff();
        let [fine, failed] = [EndReason::Exited(0), EndReason::Signalled(9)];
        assert_eq!(RestartPolicy::Never.backoff_after(&failed), None);
        let on_failure = RestartPolicy::OnFailure(backoff);
        assert_eq!(on_failure.backoff_after(&fine), None);
        assert_eq!(on_failure.backoff_after(&failed), Some(backoff));
        let always = RestartPolicy::Always(backoff);
        assert_eq!(always.backoff_after(&fine), Some(backoff));
    }
}
