//! Services that the test worker serves.

use std::path::PathBuf;
use std::sync::{Barrier, Mutex};

use ndarray::{Array1, ArrayView1, Ix1};
use reedbed::{Schema, Tensor, ndarray, remote_module};
use serde::{Deserialize, Serialize};

use crate::gate::Gate;

/// Keeps an array from one call to the next.
#[derive(Debug)]
pub struct Keeper {
    label: String,
    kept: Mutex<Option<Tensor<f64, Ix1>>>,
    together: Barrier,
    dropped: Option<PathBuf>,
}

/// Why there is no keeper.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema, thiserror::Error)]
pub enum KeepError {
    /// The label is empty.
    #[error("a keeper needs a label")]
    NoLabel,
}

#[remote_module]
impl Keeper {
    /// The most arrays that one keeps.
    pub const N_KEPT: usize = 1;

    /// Makes one.
    ///
    /// # Errors
    /// If the label is empty.
    pub fn new(label: String) -> Result<Self, KeepError> {
        if label.is_empty() {
            return Err(KeepError::NoLabel);
        }
        Ok(Self::with(label, None))
    }

    /// Makes one that passes a gate when it is dropped.
    pub fn watched(dropped: PathBuf) -> Self {
        Self::with("watched".to_owned(), Some(dropped))
    }

    /// Passes both gates, then makes one that passes the third when it is dropped.
    pub fn slow(gates: (PathBuf, PathBuf), dropped: PathBuf) -> Self {
        Gate::at(gates.0).pass();
        Gate::at(gates.1).pass();
        Self::watched(dropped)
    }

    /// Makes one that panics when it is dropped, after it has passed the gate.
    pub async fn fragile(dropped: PathBuf) -> Self {
        tokio::task::yield_now().await;
        Self::with(FRAGILE.to_owned(), Some(dropped))
    }

    /// Returns the label.
    pub fn label(&self) -> String {
        self.label.clone()
    }

    /// Returns the label, asynchronously.
    pub async fn label_later(&self) -> String {
        tokio::task::yield_now().await;
        self.label.clone()
    }

    /// Keeps an array; hands the one before back.
    pub fn keep(&self, #[ndarray] values: Tensor<f64, Ix1>) -> Option<Tensor<f64, Ix1>> {
        self.kept().replace(values)
    }

    /// Adds up what is kept, and `values`.
    pub fn sum(&self, #[ndarray] values: Option<ArrayView1<'_, f64>>) -> f64 {
        let kept = self.kept();
        let kept = kept
            .as_ref()
            .map_or(0.0, |kept| kept.view().map_or(f64::NAN, |kept| kept.sum()));
        kept + values.map_or(0.0, |values| values.sum())
    }

    /// Returns what is kept, twice as large.
    pub fn doubled(&self) -> Option<Array1<f64>> {
        let kept = self.kept();
        kept.as_ref()?.view().ok().map(|kept| &kept * 2.0)
    }

    /// Returns when two calls have come to this.
    pub fn meet(&self) -> u32 {
        self.together.wait();
        2
    }

    /// Passes both gates, then returns the label.
    pub fn wait(&self, gates: (PathBuf, PathBuf)) -> String {
        Gate::at(gates.0).pass();
        Gate::at(gates.1).pass();
        self.label.clone()
    }

    /// Passes both gates while it holds `values`, then adds them up.
    pub fn sum_later(
        &self,
        gates: (PathBuf, PathBuf),
        #[ndarray] values: ArrayView1<'_, f64>,
    ) -> f64 {
        Gate::at(gates.0).pass();
        Gate::at(gates.1).pass();
        values.sum()
    }

    /// Returns something that takes no keeper.
    pub fn version() -> String {
        format!("keeps {}", Self::N_KEPT)
    }

    fn with(label: String, dropped: Option<PathBuf>) -> Self {
        Self {
            label,
            kept: Mutex::default(),
            together: Barrier::new(2),
            dropped,
        }
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Option<Tensor<f64, Ix1>>> {
        self.kept.lock().expect("nothing here panics")
    }
}

/// The label of a keeper that doesn't end well.
const FRAGILE: &str = "fragile";

impl Drop for Keeper {
    fn drop(&mut self) {
        if let Some(path) = self.dropped.take() {
            Gate::at(path).pass();
        }
        assert_ne!(self.label, FRAGILE, "told to panic");
    }
}

/// What another crate may implement.
#[remote_module]
pub trait Tally {
    /// Begins to count.
    fn from(first: u64) -> Self;

    /// Adds.
    fn add(&self, n: u64) -> Result<u64, String>;

    /// Adds, asynchronously.
    async fn add_later(&self, #[ndarray] numbers: ArrayView1<'_, u64>) -> u64;

    /// Says who counts.
    async fn name() -> String;
}

/// Counts.
#[derive(Debug)]
pub struct Counter(Mutex<u64>);

impl Tally for Counter {
    fn from(first: u64) -> Self {
        Self(Mutex::new(first))
    }

    fn add(&self, n: u64) -> Result<u64, String> {
        let mut count = self.0.lock().expect("nothing here panics");
        *count = count
            .checked_add(n)
            .ok_or_else(|| format!("{count} is as far as it goes"))?;
        Ok(*count)
    }

    async fn add_later(&self, numbers: ArrayView1<'_, u64>) -> u64 {
        tokio::task::yield_now().await;
        self.add(numbers.sum()).unwrap_or(0)
    }

    async fn name() -> String {
        "counter".to_owned()
    }
}
