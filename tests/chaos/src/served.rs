//! What workers serve.

use std::sync::{Mutex, MutexGuard, PoisonError};

use ndarray::Ix2;
use reedbed::{Module, Schema, Tensor, remote_module};
use serde::{Deserialize, Serialize};

/// All modules.
#[must_use]
pub fn all() -> Vec<Module> {
    vec![work::MODULE, control::MODULE, Ledger::MODULE]
}

/// Why a function of [`work`] has no result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema, thiserror::Error)]
pub enum WorkError {
    /// It was told to fail.
    #[error("told to fail with {number}")]
    Told {
        /// What it was told.
        number: u64,
    },
    /// There is no memory.
    #[error("{0}")]
    NoMemory(String),
}

/// What calls are made of: pure functions of their arguments.
#[remote_module]
pub mod work {
    use std::time::Duration;

    use ndarray::{Array2, ArrayView2, ArrayViewMut1, ArrayViewMut2, Ix2};
    use reedbed::failpoint::{Point, reach};
    use reedbed::{SharedCell, Tensor};

    use super::WorkError;
    use crate::contents;

    /// Returns the text backwards, and a number.
    pub fn echo(text: String, number: u64) -> (String, u64) {
        reach(Point::Running);
        (text.chars().rev().collect(), contents::mix(number))
    }

    /// Adds the elements up, each weighted by its place.
    pub fn checksum(#[ndarray] values: ArrayView2<'_, u64>) -> u64 {
        reach(Point::Running);
        contents::checksum(values)
    }

    /// As `checksum`, of several arrays.
    pub fn checksums(#[ndarray] stack: Vec<ArrayView2<'_, u64>>) -> Vec<u64> {
        reach(Point::Running);
        stack.into_iter().map(contents::checksum).collect()
    }

    /// Stirs the elements.
    pub fn stir(#[ndarray] values: ArrayViewMut2<'_, u64>, key: u64) -> usize {
        let n = values.len();
        stir_and(values, key, || {});
        n
    }

    /// As `stir`, on a thread where it may take its time.
    #[reedbed(blocking)]
    pub fn stir_slowly(
        #[ndarray] values: ArrayViewMut2<'_, u64>,
        key: u64,
        pause: Duration,
    ) -> usize {
        let n = values.len();
        stir_and(values, key, || std::thread::sleep(pause));
        n
    }

    /// As `stir`, asynchronously.
    pub async fn stir_later(
        #[ndarray] mut values: ArrayViewMut2<'_, u64>,
        key: u64,
        pause: Duration,
    ) -> usize {
        let half = values.len() / 2;
        let places = || values.iter().zip(0..);
        let stirred: Vec<u64> = places()
            .map(|(value, place)| contents::stirred(*value, key, place))
            .collect();
        for (value, new) in values.iter_mut().zip(&stirred).take(half) {
            *value = *new;
        }
        reach(Point::Running);
        tokio::time::sleep(pause).await;
        for (value, new) in values.iter_mut().zip(&stirred).skip(half) {
            *value = *new;
        }
        values.len()
    }

    /// Stirs the elements, and fails.
    pub fn stir_and_fail(
        #[ndarray] values: ArrayViewMut2<'_, u64>,
        key: u64,
    ) -> Result<usize, WorkError> {
        stir_and(values, key, || {});
        Err(WorkError::Told { number: key })
    }

    /// Stirs half of the elements, and panics.
    pub fn stir_and_panic(#[ndarray] values: ArrayViewMut2<'_, u64>, key: u64) {
        stir_and(values, key, || panic!("told to panic with {key}"));
    }

    /// Copies one array into another.
    pub fn assign(
        #[ndarray] source: ArrayView2<'_, u64>,
        #[ndarray] mut target: ArrayViewMut2<'_, u64>,
    ) {
        reach(Point::Running);
        target.assign(&source);
    }

    /// Turns every flag round.
    pub fn flip(#[ndarray] mut flags: ArrayViewMut1<'_, bool>) {
        let half = flags.len() / 2;
        flags.iter_mut().take(half).for_each(|flag| *flag = !*flag);
        reach(Point::Running);
        flags.iter_mut().skip(half).for_each(|flag| *flag = !*flag);
    }

    /// Keeps an array; returns its checksum.
    pub fn take(#[ndarray] values: Tensor<u64, Ix2>) -> Option<u64> {
        reach(Point::Running);
        values.view().ok().map(contents::checksum)
    }

    /// Stirs an array and passes it on.
    pub fn pass_on(#[ndarray] mut values: Tensor<u64, Ix2>, key: u64) -> Tensor<u64, Ix2> {
        if let Ok(view) = values.view_mut() {
            stir_and(view, key, || {});
        }
        values
    }

    /// Makes an array in shared memory.
    pub fn make(tag: u64, shape: (usize, usize)) -> Result<Tensor<u64, Ix2>, WorkError> {
        let made = Tensor::from_shape_fn(shape, |place| contents::element(tag, place));
        reach(Point::Running);
        made.map_err(|error| WorkError::NoMemory(error.to_string()))
    }

    /// Makes an array of the heap.
    pub fn make_on_heap(tag: u64, shape: (usize, usize)) -> Array2<u64> {
        reach(Point::Running);
        contents::array(tag, shape)
    }

    /// Counts up, before anything else.
    pub fn count(#[segment] counter: SharedCell<u64>, n: u64) -> u64 {
        let before = counter.fetch_add(n);
        reach(Point::Running);
        before
    }

    /// Returns after a while.
    pub async fn wait(pause: Duration) {
        reach(Point::Running);
        tokio::time::sleep(pause).await;
    }

    /// Returns when nobody waits any more, or after a while.
    pub fn run_until_cancelled(limit: Duration) -> bool {
        reach(Point::Running);
        let until = std::time::Instant::now() + limit;
        while !reedbed::cancelled() && std::time::Instant::now() < until {
            std::thread::sleep(Duration::from_micros(50));
        }
        reedbed::cancelled()
    }

    /// Stirs half of the elements, does something, and stirs the other half.
    fn stir_and(values: ArrayViewMut2<'_, u64>, key: u64, between: impl FnOnce()) {
        let half = values.len() / 2;
        let mut rest = values.into_iter().zip(0..);
        let stir = |(value, place): (&mut u64, u64)| *value = contents::stirred(*value, key, place);
        rest.by_ref().take(half).for_each(stir);
        reach(Point::Running);
        between();
        rest.for_each(stir);
    }
}

/// What is done to a worker.
#[remote_module]
pub mod control {
    use reedbed::failpoint::Point;

    use crate::diary;

    /// Has the process killed when it gets to a point (by name) for the `nth` time.
    pub fn arm(point: String, nth: u64) -> Result<(), String> {
        let point: Point = point.parse().map_err(|error| format!("{error}"))?;
        diary::arm(point, nth);
        Ok(())
    }

    /// Gives memory that lies idle back.
    pub fn trim() {
        reedbed::trim_pool();
    }
}

/// A service: a sum, and an array.
#[derive(Debug)]
pub struct Ledger {
    state: Mutex<LedgerState>,
}

#[derive(Debug)]
struct LedgerState {
    sum: u64,
    kept: Option<Tensor<u64, Ix2>>,
}

#[remote_module]
impl Ledger {
    /// Begins with a sum.
    ///
    /// # Errors
    /// If the sum is the largest that there is.
    pub fn new(sum: u64) -> Result<Self, WorkError> {
        if sum == u64::MAX {
            return Err(WorkError::Told { number: sum });
        }
        let state = Mutex::new(LedgerState { sum, kept: None });
        Ok(Self { state })
    }

    /// Adds; returns the sum.
    pub fn add(&self, n: u64) -> u64 {
        reedbed::failpoint::reach(reedbed::failpoint::Point::Running);
        let mut state = self.state();
        state.sum = state.sum.wrapping_add(n);
        state.sum
    }

    /// As `add`, asynchronously.
    pub async fn add_later(&self, n: u64) -> u64 {
        tokio::task::yield_now().await;
        self.add(n)
    }

    /// Keeps an array; hands the one before back.
    pub fn keep(&self, #[ndarray] values: Tensor<u64, Ix2>) -> Option<Tensor<u64, Ix2>> {
        self.state().kept.replace(values)
    }

    fn state(&self) -> MutexGuard<'_, LedgerState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
