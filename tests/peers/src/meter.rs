//! Times calls.
//!
//! Back to back, the end of a call is the beginning of the next: the clock is read once a call
//! (about 25 ns, which are part of every sample).

use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream::FuturesUnordered;

use crate::Outcome;
use crate::work::{Pace, Work};

/// How many calls make one sample where several are in flight.
const N_CALLS_A_BATCH: usize = 4096;

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

impl Meter {
    pub(crate) fn new(budget: Budget, work: &Work) -> Self {
        Self {
            budget,
            pace: work.pace,
            n_in_flight: work.n_in_flight,
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

    /// Times `call` alone: without `prepare`, which is done before each, and without dropping what it
    /// returns.
    pub(crate) fn each_alone<T>(
        &mut self,
        prepare: impl Fn(),
        mut call: impl FnMut() -> Outcome<T>,
    ) -> Outcome {
        let mut progress = Progress::new(self.budget);
        loop {
            prepare();
            let begin = Instant::now();
            let _dropped_later = call()?;
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
    pub(crate) async fn each_alone_async<T>(
        &mut self,
        prepare: impl Fn(),
        mut call: impl AsyncFnMut() -> Outcome<T>,
    ) -> Outcome {
        let mut progress = Progress::new(self.budget);
        loop {
            prepare();
            let begin = Instant::now();
            let _dropped_later = call().await?;
            let now = Instant::now();
            if progress.counts(now) {
                self.keep(now - begin);
            }
            if progress.is_over(now) {
                return Ok(());
            }
        }
    }

    /// Keeps as many calls in flight as the work says; a sample is a batch's time by the number of
    /// its calls.
    pub(crate) async fn batches_async(&mut self, call: impl AsyncFn() -> Outcome) -> Outcome {
        let n_each = N_CALLS_A_BATCH / self.n_in_flight;
        let call = &call;
        let mut progress = Progress::new(self.in_batches());
        loop {
            let begin = Instant::now();
            let mut lanes: FuturesUnordered<_> = (0..self.n_in_flight)
                .map(|_| async move {
                    for _ in 0..n_each {
                        call().await?;
                    }
                    Outcome::Ok(())
                })
                .collect();
            while let Some(outcome) = lanes.next().await {
                outcome?;
            }
            let now = Instant::now();
            if progress.counts(now) {
                self.keep_batch(now - begin);
            }
            if progress.is_over(now) {
                return Ok(());
            }
        }
    }

    /// The same for systems that send and receive by themselves: `calls` does as many calls as it is
    /// given, with as many of them in flight as the work says.
    pub(crate) fn batches(&mut self, mut calls: impl FnMut(usize) -> Outcome) -> Outcome {
        let mut progress = Progress::new(self.in_batches());
        loop {
            let begin = Instant::now();
            calls(N_CALLS_A_BATCH)?;
            let now = Instant::now();
            if progress.counts(now) {
                self.keep_batch(now - begin);
            }
            if progress.is_over(now) {
                return Ok(());
            }
        }
    }

    fn keep_batch(&mut self, took: Duration) {
        self.keep(took / u32::try_from(N_CALLS_A_BATCH).unwrap_or(u32::MAX));
    }

    /// A batch is many calls, so that few are enough.
    fn in_batches(&self) -> Budget {
        Budget {
            min_calls: self.budget.min_calls.min(2),
            ..self.budget
        }
    }
}

/// Longer ones than 4 seconds are that long.
fn nanoseconds(took: Duration) -> u32 {
    u32::try_from(took.as_nanos()).unwrap_or(u32::MAX)
}
