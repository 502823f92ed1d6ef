//! Times calls.
//!
//! Back to back, the end of a call is the beginning of the next: the clock is read once a call
//! (about 25 ns, which are part of every sample).

use std::cell::RefCell;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream::FuturesUnordered;

use crate::Outcome;
use crate::work::{N_CALLS_A_BATCH, Pace, Sample, Work};

/// When one side has been measured enough.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    pub(crate) warm_up: Duration,
    pub(crate) measure: Duration,
    /// However long they take.
    pub(crate) min_calls: usize,
    /// However short they are.
    pub(crate) max_calls: usize,
}

/// Does the calls of one turn and keeps how long each took.
pub(crate) struct Meter {
    budget: Budget,
    pace: Pace,
    n_in_flight: usize,
    sample: Sample,
    /// Nanoseconds.
    samples: Vec<u32>,
}

/// How far a turn has come.
struct Progress {
    budget: Budget,
    began: Instant,
    n_done: usize,
    is_warm: bool,
}

impl Progress {
    fn new(budget: Budget) -> Self {
        Self {
            budget,
            began: Instant::now(),
            n_done: 0,
            is_warm: false,
        }
    }

    /// Counts a call that ended `now`; whether its time is kept.
    fn counts(&mut self, now: Instant) -> bool {
        self.n_done += 1;
        if self.is_warm {
            return true;
        }
        // Half of the calls that are to be measured at least, so that every page is touched.
        let is_enough = self.n_done > self.budget.min_calls / 2;
        if is_enough && now - self.began >= self.budget.warm_up {
            (self.is_warm, self.began, self.n_done) = (true, now, 0);
        }
        false
    }

    fn is_over(&self, now: Instant) -> bool {
        let is_enough = self.n_done >= self.budget.min_calls;
        self.is_warm
            && (self.n_done >= self.budget.max_calls
                || is_enough && now - self.began >= self.budget.measure)
    }
}

/// Counts calls of which several are in flight.
struct Tally<'a> {
    progress: Progress,
    sample: Sample,
    /// When the batch began, and how many of its calls have ended.
    began: Instant,
    n_ended: u32,
    is_over: bool,
    samples: &'a mut Vec<u32>,
}

impl Tally<'_> {
    /// When a call begins, if that matters: the clock takes longer than some calls do.
    fn begin(&self) -> Option<Instant> {
        (self.sample == Sample::Call).then(Instant::now)
    }

    /// Counts a call that has just ended; whether no more are to begin.
    fn end(&mut self, began: Option<Instant>) -> bool {
        if self.is_over {
            return true;
        }
        let (began, n_calls) = match began {
            Some(began) => (began, 1),
            None => {
                self.n_ended += 1;
                if self.n_ended < N_CALLS_A_BATCH {
                    return false;
                }
                self.n_ended = 0;
                (self.began, N_CALLS_A_BATCH)
            }
        };
        let now = Instant::now();
        self.began = now;
        if self.progress.counts(now) {
            self.samples.push(nanoseconds((now - began) / n_calls));
        }
        self.is_over = self.progress.is_over(now);
        self.is_over
    }
}

impl Meter {
    pub(crate) fn new(budget: Budget, work: &Work) -> Self {
        Self {
            budget,
            pace: work.pace,
            n_in_flight: work.n_in_flight,
            sample: work.sample,
            samples: Vec::with_capacity(budget.max_calls),
        }
    }

    pub(crate) fn samples(&self) -> &[u32] {
        &self.samples
    }

    fn keep(&mut self, took: Duration) {
        self.samples.push(nanoseconds(took));
    }

    /// Times `call`.
    pub(crate) fn each(&mut self, mut call: impl FnMut() -> Outcome) -> Outcome {
        let mut progress = Progress::new(self.budget);
        let mut begin = Instant::now();
        loop {
            call()?;
            let now = Instant::now();
            if progress.counts(now) {
                self.keep(now - begin);
            }
            if progress.is_over(now) {
                return Ok(());
            }
            begin = match self.pace {
                Pace::BackToBack => now,
                Pace::Every(interval) => {
                    std::thread::sleep(interval.saturating_sub(now - begin));
                    Instant::now()
                }
            };
        }
    }

    /// Times `call` alone: without `prepare`, which is done before each and makes what it is given, and
    /// without dropping what it returns.
    pub(crate) fn each_alone<P, T>(
        &mut self,
        prepare: impl Fn() -> Outcome<P>,
        mut call: impl FnMut(P) -> Outcome<T>,
    ) -> Outcome {
        let mut progress = Progress::new(self.budget);
        loop {
            let prepared = prepare()?;
            let begin = Instant::now();
            let _dropped_later = call(prepared)?;
            let now = Instant::now();
            if progress.counts(now) {
                self.keep(now - begin);
            }
            if progress.is_over(now) {
                return Ok(());
            }
        }
    }

    /// Times `call` in the task that runs this.
    pub(crate) async fn each_async(&mut self, mut call: impl AsyncFnMut() -> Outcome) -> Outcome {
        let mut progress = Progress::new(self.budget);
        let mut begin = Instant::now();
        loop {
            call().await?;
            let now = Instant::now();
            if progress.counts(now) {
                self.keep(now - begin);
            }
            if progress.is_over(now) {
                return Ok(());
            }
            begin = match self.pace {
                Pace::BackToBack => now,
                Pace::Every(interval) => {
                    tokio::time::sleep(interval.saturating_sub(now - begin)).await;
                    Instant::now()
                }
            };
        }
    }

    /// The same for asynchronous calls.
    pub(crate) async fn each_alone_async<P, T>(
        &mut self,
        prepare: impl Fn() -> Outcome<P>,
        mut call: impl AsyncFnMut(P) -> Outcome<T>,
    ) -> Outcome {
        let mut progress = Progress::new(self.budget);
        loop {
            let prepared = prepare()?;
            let begin = Instant::now();
            let _dropped_later = call(prepared).await?;
            let now = Instant::now();
            if progress.counts(now) {
                self.keep(now - begin);
            }
            if progress.is_over(now) {
                return Ok(());
            }
        }
    }

    /// Keeps as many calls in flight as the work says: where one ends, the next one begins.
    pub(crate) async fn in_flight_async(&mut self, call: impl AsyncFn() -> Outcome) -> Outcome {
        let n_in_flight = self.n_in_flight;
        let tally = RefCell::new(self.tally());
        let (tally, call) = (&tally, &call);
        let lane = || async move {
            loop {
                let began = tally.borrow().begin();
                call().await?;
                if tally.borrow_mut().end(began) {
                    return Outcome::Ok(());
                }
            }
        };
        let mut lanes: FuturesUnordered<_> = (0..n_in_flight).map(|_| lane()).collect();
        while let Some(outcome) = lanes.next().await {
            outcome?;
        }
        Ok(())
    }

    /// The same for systems that send and receive by themselves, and whose answers come in order.
    pub(crate) fn in_flight<P>(
        &mut self,
        mut send: impl FnMut() -> Outcome<P>,
        mut receive: impl FnMut(P) -> Outcome,
    ) -> Outcome {
        let n_in_flight = self.n_in_flight;
        let mut pending = VecDeque::with_capacity(n_in_flight);
        let mut tally = self.tally();
        loop {
            if pending.len() == n_in_flight
                && let Some((oldest, began)) = pending.pop_front()
            {
                receive(oldest)?;
                if tally.end(began) {
                    break;
                }
            }
            let began = tally.begin();
            pending.push_back((send()?, began));
        }
        pending.into_iter().try_for_each(|(call, _)| receive(call))
    }

    fn tally(&mut self) -> Tally<'_> {
        // A batch is many calls, so that few are enough.
        let min_calls = match self.sample {
            Sample::Call => self.budget.min_calls,
            Sample::Batch => self.budget.min_calls.min(2),
        };
        Tally {
            progress: Progress::new(Budget {
                min_calls,
                ..self.budget
            }),
            sample: self.sample,
            began: Instant::now(),
            n_ended: 0,
            is_over: false,
            samples: &mut self.samples,
        }
    }
}

/// Longer ones than 4 seconds are that long.
fn nanoseconds(took: Duration) -> u32 {
    u32::try_from(took.as_nanos()).unwrap_or(u32::MAX)
}
