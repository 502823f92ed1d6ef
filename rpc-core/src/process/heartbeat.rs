//! Whether a worker still answers.
//!
//! A host that has heard nothing of a worker for a while sends it `Ping`, which any thread of the
//! worker's that reads answers, whatever its functions are doing.

use std::time::{Duration, Instant};

/// How a worker is asked whether it still answers: see
/// [`WorkerBuilder::heartbeat`](crate::WorkerBuilder::heartbeat).
///
/// It is asked only where nothing else was heard of it for as long as `every`, and, unless `when_idle`
/// says otherwise, while calls are in flight: so a worker that nobody calls, and its host, use no
/// processor time. A worker that has let `missed` such questions in a row go unanswered is *stuck*.
///
/// What answers is not a function, so one that takes long is no reason to be silent. A process that
/// was stopped is one, and one that has no memory or no processor left; a worker that is written by
/// hand and reads nothing while it runs a function is another.
///
/// ```
/// use std::time::Duration;
/// use reedbed::Heartbeat;
///
/// let heartbeat = Heartbeat { every: Duration::from_millis(200), ..Heartbeat::default() };
/// assert_eq!((heartbeat.missed, heartbeat.when_idle), (5, false));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// How long it may be silent before it is asked, and asked again. Less than 1 ms counts as 1 ms.
    pub every: Duration,
    /// How many questions in a row it may leave unanswered.
    pub missed: u32,
    /// Whether it is asked while no calls are in flight, too.
    pub when_idle: bool,
}

impl Default for Heartbeat {
    /// Each second, five times, while calls are in flight.
    fn default() -> Self {
        Self {
            every: Duration::from_secs(1),
            missed: 5,
            when_idle: false,
        }
    }
}

/// The shortest time between two questions: a driver that asked without end would use a processor.
const SHORTEST: Duration = Duration::from_millis(1);

impl Heartbeat {
    /// This one, with questions no closer together than is any use.
    pub(super) fn in_range(self) -> Self {
        let every = self.every.max(SHORTEST);
        Self { every, ..self }
    }
}

/// A worker's heartbeat, as its driver follows it.
#[derive(Debug)]
pub(super) struct Pulse {
    heartbeat: Heartbeat,
    /// The bytes that were heard of the worker when the driver last looked.
    n_heard: u64,
    /// When it is asked, or found stuck; never, while nobody wants to know.
    next: Option<Instant>,
    /// The questions that went unanswered since it was last heard.
    n_missed: u32,
}

/// What the driver is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beat {
    /// Nothing.
    Fine,
    /// To ask.
    Ask,
    /// The worker is stuck, after so many questions.
    Stuck(u32),
}

impl Pulse {
    pub(super) fn new(heartbeat: Heartbeat) -> Self {
        Self {
            heartbeat,
            n_heard: 0,
            next: None,
            n_missed: 0,
        }
    }

    /// What was set up.
    pub(super) fn heartbeat(&self) -> &Heartbeat {
        &self.heartbeat
    }

    /// How many questions have gone unanswered since the worker was last heard.
    pub(super) fn n_missed(&self) -> u32 {
        self.n_missed
    }

    /// When the driver is to look again.
    pub(super) fn next(&self) -> Option<Instant> {
        self.next
    }

    /// Looks at what was heard until now: so many bytes. `is_awaited` tells whether calls are in
    /// flight.
    pub(super) fn beat(&mut self, now: Instant, n_heard: u64, is_awaited: bool) -> Beat {
        let was_heard = std::mem::replace(&mut self.n_heard, n_heard) != n_heard;
        if was_heard {
            self.n_missed = 0;
        }
        if !(is_awaited || self.heartbeat.when_idle) {
            self.n_missed = 0;
            self.next = None;
            return Beat::Fine;
        }
        // Beyond the clock's range, it is never asked.
        let next = now.checked_add(self.heartbeat.every);
        match self.next {
            Some(at) if !was_heard && at > now => return Beat::Fine,
            Some(_) if !was_heard => {}
            _ => {
                self.next = next;
                return Beat::Fine;
            }
        }
        self.next = next;
        if self.n_missed >= self.heartbeat.missed {
            return Beat::Stuck(self.n_missed);
        }
        self.n_missed += 1;
        Beat::Ask
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Duration = Duration::from_secs(1);

    fn pulse(when_idle: bool) -> Pulse {
        Pulse::new(Heartbeat {
            every: EVERY,
            missed: 2,
            when_idle,
        })
    }

    #[test]
    fn who_is_heard_is_not_asked() {
        let (mut pulse, start) = (pulse(false), Instant::now());
        for n in 0..10 {
            let now = start + n * EVERY;
            assert_eq!(pulse.beat(now, u64::from(n), true), Beat::Fine);
            assert_eq!(pulse.next(), Some(now + EVERY));
        }
    }

    #[test]
    fn who_is_silent_is_asked_and_then_stuck() {
        let (mut pulse, start) = (pulse(false), Instant::now());
        let mut beat =
            |tenths: u32, n_heard| pulse.beat(start + tenths * EVERY / 10, n_heard, true);
        assert_eq!(beat(0, 7), Beat::Fine);
        assert_eq!(
            beat(9, 7),
            Beat::Fine,
            "the driver looks for another reason"
        );
        assert_eq!(beat(10, 7), Beat::Ask);
        assert_eq!(beat(12, 8), Beat::Fine, "the answer");
        assert_eq!(beat(21, 8), Beat::Fine);
        assert_eq!(beat(22, 8), Beat::Ask);
        assert_eq!(beat(32, 8), Beat::Ask);
        assert_eq!(beat(41, 8), Beat::Fine);
        assert_eq!(beat(42, 8), Beat::Stuck(2));
        assert_eq!(beat(52, 8), Beat::Stuck(2), "and stays so");
        assert_eq!(beat(60, 9), Beat::Fine, "until it is heard");
        assert_eq!(beat(70, 9), Beat::Ask);
    }

    #[test]
    fn nobody_asks_a_worker_that_nobody_calls() {
        let (mut idle, start) = (pulse(false), Instant::now());
        assert_eq!(idle.beat(start, 0, true), Beat::Fine);
        assert_eq!(idle.beat(start + EVERY, 0, false), Beat::Fine);
        assert_eq!(idle.next(), None);
        // The next call begins anew.
        assert_eq!(idle.beat(start + 9 * EVERY, 0, true), Beat::Fine);
        assert_eq!(idle.next(), Some(start + 10 * EVERY));

        let mut watched = pulse(true);
        assert_eq!(watched.beat(start, 0, false), Beat::Fine);
        assert_eq!(watched.beat(start + EVERY, 0, false), Beat::Ask);
    }

    #[test]
    fn nobody_is_asked_without_a_pause() {
        let of = |every| Heartbeat {
            every,
            ..Heartbeat::default()
        };
        assert_eq!(of(Duration::ZERO).in_range(), of(SHORTEST));
        assert_eq!(of(EVERY).in_range(), of(EVERY));
    }

    #[test]
    fn a_host_that_slept_does_not_blame_its_worker() {
        let (mut pulse, start) = (pulse(false), Instant::now());
        assert_eq!(pulse.beat(start, 0, true), Beat::Fine);
        // It was stopped for a long time, and asks once, whatever it has slept through.
        assert_eq!(pulse.beat(start + 100 * EVERY, 0, true), Beat::Ask);
        assert_eq!(pulse.next(), Some(start + 101 * EVERY));
    }
}
