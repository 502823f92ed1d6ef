//! Functions on values that host and worker use at once.

use reedbed::remote_module;

/// Functions on shared cells.
#[remote_module]
pub mod cells {
    use std::path::PathBuf;
    use std::sync::{Mutex, PoisonError};

    use ndarray::ArrayView1;
    use reedbed::{SharedCell, SharedCells, ndarray};

    use crate::gate::Gate;
    use crate::system;

    /// The cell that the worker keeps after a call.
    static KEPT: Mutex<Option<SharedCell<u64>>> = Mutex::new(None);

    /// Sets the progress to 1, passes the gates, and sets it to 2.
    pub fn advance(#[segment] progress: SharedCell<u32>, gates: (PathBuf, PathBuf)) {
        progress.store(1);
        Gate::at(gates.0).pass();
        Gate::at(gates.1).pass();
        progress.store(2);
    }

    /// Passes the gate, then runs until it is told to stop; returns what it was told before.
    pub fn run_until_stopped(#[segment] stop: SharedCell<bool>, gate: PathBuf) -> bool {
        let before = stop.load();
        Gate::at(gate).pass();
        while !stop.load() {
            std::thread::yield_now();
        }
        before
    }

    /// Waits at the gate, then adds 1 so many times.
    pub fn count(#[segment] counter: SharedCell<u64>, n: u64, gate: PathBuf) {
        Gate::at(gate).pass();
        for _ in 0..n {
            counter.fetch_add(1);
        }
    }

    /// Counts how often each value appears.
    pub fn histogram(#[segment] bins: SharedCells<u64>, #[ndarray] values: ArrayView1<'_, u8>) {
        for value in values {
            if let Some(bin) = bins.get(usize::from(*value)) {
                bin.fetch_add(1);
            }
        }
    }

    /// Adds to the cell if there is one, and ends the process by a signal.
    pub fn crash_after_adding(#[segment] counter: Option<SharedCell<i64>>, value: i64) {
        if let Some(counter) = counter {
            counter.fetch_add(value);
        }
        system::crash();
    }

    /// Keeps the cell beyond the call.
    pub fn keep(#[segment] counter: SharedCell<u64>) {
        *KEPT.lock().unwrap_or_else(PoisonError::into_inner) = Some(counter);
    }

    /// Adds to the cell that was kept, and returns it.
    pub fn add_to_kept(value: u64) -> Option<SharedCell<u64>> {
        let kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner).clone();
        kept.inspect(|kept| {
            kept.fetch_add(value);
        })
    }

    /// Lets go of the cell that was kept.
    pub fn let_go() {
        KEPT.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Makes a cell, with 0.5 in it.
    pub fn make() -> Option<SharedCell<f64>> {
        SharedCell::new(0.5).ok()
    }

    /// Returns the cell, and keeps nothing of it.
    pub fn pass_on(#[segment] cell: SharedCell<u64>) -> SharedCell<u64> {
        cell
    }

    /// Adds to a cell that was made here or elsewhere.
    pub fn add(#[segment] cell: SharedCell<f64>, value: f64) -> f64 {
        cell.fetch_update(|before| before + value)
    }
}
