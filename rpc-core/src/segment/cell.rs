//! Single values in shared memory that host and workers use at once.

use std::fmt;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Release};

use super::atomic::{Atomic, AtomicInteger};
use super::budget::ShmExhausted;
use super::kind::segments;
use super::shared::Shared;
use crate::tensor::Home;

/// A value in shared memory that the host and its workers read and write at the same time: a
/// counter, a progress, a flag to stop.
///
/// Unlike a [`Tensor`](crate::Tensor), it isn't leased: a worker may keep its clone after the call,
/// the host may look at it while the call runs, and it outlives a worker that crashed. That is
/// safe because nothing but atomic access is possible.
///
/// ```
/// use reedbed::ndarray::ArrayView1;
/// use reedbed::{SharedCell, Tensor, Worker, remote_module};
///
/// #[remote_module]
/// mod statistics {
///     use super::*;
///
///     pub fn sum(
///         #[ndarray] values: ArrayView1<'_, f64>,
///         #[segment] n_done: SharedCell<u64>,
///         #[segment] stop: SharedCell<bool>,
///     ) -> f64 {
///         let mut sum = 0.0;
///         for value in values {
///             if stop.load() {
///                 break;
///             }
///             sum += value;
///             n_done.fetch_add(1);
///         }
///         sum
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> { futures::executor::block_on(async {
/// # let worker = Worker::in_process(&[statistics::MODULE]).await?;
/// let statistics = worker.import::<statistics::Client>().await?;
/// let values = Tensor::from(reedbed::ndarray::array![1.0, 2.0, 4.0]);
/// let n_done = SharedCell::new(0)?;
/// let stop = SharedCell::new(false)?;
/// // While the call runs, `n_done.load()` tells how far it is, and `stop.store(true)` ends it.
/// let sum = statistics.sum(&values, &n_done, &stop).await?;
/// assert_eq!((sum, n_done.load()), (7.0, 3));
/// # Ok(()) }) }
/// ```
///
/// # Order
///
/// Whoever sees a value also sees what its writer did before it wrote it: loads acquire, stores
/// release, and what does both does both. For another order, [`as_atomic`](Self::as_atomic) is
/// std's own atomic. The order says nothing of the *elements of tensors*: those are protected by
/// leases, and belong to the worker until the call has returned.
pub struct SharedCell<T> {
    shared: Shared<T>,
}

/// A run of values in shared memory that the host and its workers read and write at the same time:
/// counters, or the bins of a histogram. See [`SharedCell`].
///
/// ```
/// use std::sync::atomic::Ordering::Relaxed;
/// use reedbed::SharedCells;
///
/// let bins = SharedCells::<u64>::zeroed(256)?;
/// bins.as_atomics()[7].fetch_add(1, Relaxed);
/// assert_eq!(bins.to_vec()[6..9], [0, 1, 0]);
/// # Ok::<(), reedbed::ShmExhausted>(())
/// ```
pub struct SharedCells<T> {
    shared: Shared<T>,
}

impl<T: Atomic> SharedCell<T> {
    /// Takes a place in shared memory for a value.
    ///
    /// It takes a cache line (64 bytes), so that cells don't slow each other down; the page is
    /// shared with other small tensors of this process. One for a worker that isn't
    /// [trusted](crate::Trust) has pages of its own: see [`Worker::cell`](crate::Worker::cell).
    ///
    /// # Errors
    /// [`ShmExhausted`] if the memory can't be had.
    pub fn new(value: T) -> Result<Self, ShmExhausted> {
        Self::new_in(Home::Common(segments()), value)
    }

    /// As [`new`](Self::new), in this home.
    pub(crate) fn new_in(home: Home, value: T) -> Result<Self, ShmExhausted> {
        let cell = Self {
            shared: Shared::zeroed_in(home, 1)?,
        };
        cell.store(value);
        Ok(cell)
    }

    /// Wraps a run of exactly one value.
    pub(crate) fn from_shared(shared: Shared<T>) -> Option<Self> {
        (shared.cells().len() == 1).then_some(Self { shared })
    }

    pub(crate) fn shared(&self) -> &Shared<T> {
        &self.shared
    }

    /// Returns std's atomic that holds the value's bits: an [`AtomicU64`](std::sync::atomic::AtomicU64)
    /// for `u64` and `f64`, an [`AtomicU8`](std::sync::atomic::AtomicU8) for `u8` and `bool`.
    #[must_use]
    pub fn as_atomic(&self) -> &T::Cell {
        &self.shared.cells()[0]
    }

    /// Reads the value.
    #[must_use]
    pub fn load(&self) -> T {
        T::load(self.as_atomic(), Acquire)
    }

    /// Writes the value.
    pub fn store(&self, value: T) {
        T::store(self.as_atomic(), value, Release);
    }

    /// Writes the value and returns the one before.
    pub fn swap(&self, value: T) -> T {
        T::swap(self.as_atomic(), value, AcqRel)
    }

    /// Writes `new` if the value is `current`, and returns the value before. Floating-point values
    /// are compared by their bits.
    ///
    /// # Errors
    /// The value that is there instead.
    pub fn compare_exchange(&self, current: T, new: T) -> Result<T, T> {
        T::compare_exchange(self.as_atomic(), current, new, AcqRel, Acquire)
    }

    /// Replaces the value by what `change` makes of it, and returns the one before. Where others
    /// write at the same time, `change` is asked again.
    pub fn fetch_update(&self, mut change: impl FnMut(T) -> T) -> T {
        let mut current = self.load();
        loop {
            match self.compare_exchange(current, change(current)) {
                Ok(before) => return before,
                Err(changed) => current = changed,
            }
        }
    }
}

impl<T: AtomicInteger> SharedCell<T> {
    /// Adds `value`, wrapping around, and returns the value before.
    pub fn fetch_add(&self, value: T) -> T {
        T::fetch_add(self.as_atomic(), value, AcqRel)
    }

    /// Subtracts `value`, wrapping around, and returns the value before.
    pub fn fetch_sub(&self, value: T) -> T {
        T::fetch_sub(self.as_atomic(), value, AcqRel)
    }

    /// Keeps the larger of the two values, and returns the one before.
    pub fn fetch_max(&self, value: T) -> T {
        T::fetch_max(self.as_atomic(), value, AcqRel)
    }

    /// Keeps the smaller of the two values, and returns the one before.
    pub fn fetch_min(&self, value: T) -> T {
        T::fetch_min(self.as_atomic(), value, AcqRel)
    }
}

impl<T: Atomic> SharedCells<T> {
    /// Takes a place in shared memory for `n` values, all zero (`false`).
    ///
    /// # Errors
    /// [`ShmExhausted`] if the memory can't be had.
    pub fn zeroed(n: usize) -> Result<Self, ShmExhausted> {
        Self::zeroed_in(Home::Common(segments()), n)
    }

    /// As [`zeroed`](Self::zeroed), in this home.
    pub(crate) fn zeroed_in(home: Home, n: usize) -> Result<Self, ShmExhausted> {
        Ok(Self {
            shared: Shared::zeroed_in(home, n)?,
        })
    }

    pub(crate) fn from_shared(shared: Shared<T>) -> Self {
        Self { shared }
    }

    pub(crate) fn shared(&self) -> &Shared<T> {
        &self.shared
    }

    /// Returns std's atomics that hold the values' bits (see [`SharedCell::as_atomic`]).
    #[must_use]
    pub fn as_atomics(&self) -> &[T::Cell] {
        self.shared.cells()
    }

    /// Returns one of the values as a cell of its own, which can be passed on alone; `None` beyond
    /// the last.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<SharedCell<T>> {
        self.shared.part(index).and_then(SharedCell::from_shared)
    }

    /// Returns the number of values.
    #[must_use]
    pub fn len(&self) -> usize {
        self.as_atomics().len()
    }

    /// Tells whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads all values, one after another: others may write meanwhile.
    #[must_use]
    pub fn to_vec(&self) -> Vec<T> {
        let load = |cell| T::load(cell, Acquire);
        self.as_atomics().iter().map(load).collect()
    }
}

/// The same value, not a copy of it.
impl<T> Clone for SharedCell<T> {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
        }
    }
}

/// The same values, not a copy of them.
impl<T> Clone for SharedCells<T> {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
        }
    }
}

/// The same value, not a copy of it.
impl<T> From<&Self> for SharedCell<T> {
    fn from(cell: &Self) -> Self {
        cell.clone()
    }
}

/// The same values, not a copy of them.
impl<T> From<&Self> for SharedCells<T> {
    fn from(cells: &Self) -> Self {
        cells.clone()
    }
}

impl<T: Atomic> fmt::Debug for SharedCell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SharedCell").field(&self.load()).finish()
    }
}

impl<T: Atomic> fmt::Debug for SharedCells<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedCells")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_does_what_std_does() {
        let cell = SharedCell::new(5i32).unwrap();
        assert_eq!((cell.fetch_add(2), cell.fetch_sub(10)), (5, 7));
        assert_eq!((cell.fetch_max(1), cell.fetch_min(-4)), (-3, 1));
        assert_eq!((cell.swap(9), cell.load()), (-4, 9));
        assert_eq!(cell.compare_exchange(8, 0), Err(9));
        assert_eq!(cell.compare_exchange(9, i32::MAX), Ok(9));
        assert_eq!((cell.fetch_add(1), cell.load()), (i32::MAX, i32::MIN));
    }

    #[test]
    fn floats_and_bools_keep_their_bits() {
        let cell = SharedCell::new(f64::NAN).unwrap();
        assert!(cell.load().is_nan());
        assert!(cell.compare_exchange(f64::NAN, 0.5).is_ok());
        assert_eq!(cell.fetch_update(|value| value + 1.0), 0.5);
        assert_eq!(cell.load(), 1.5);
        let flag = SharedCell::new(false).unwrap();
        flag.as_atomic().store(7, Release);
        assert!(flag.load(), "any byte but 0 is true");
        assert_eq!(flag.compare_exchange(false, true), Err(true));
        assert!(flag.fetch_update(|before| !before));
        assert!(!flag.load());
    }

    #[test]
    fn no_increment_is_lost_between_threads() {
        let cells = SharedCells::<u16>::zeroed(3).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let cell = cells.get(1).unwrap();
                scope.spawn(move || {
                    for _ in 0..1000 {
                        cell.fetch_add(1);
                    }
                });
            }
        });
        assert_eq!(cells.to_vec(), [0, 4000, 0]);
        assert!(cells.get(3).is_none());
        assert!(SharedCells::<u64>::zeroed(0).unwrap().to_vec().is_empty());
    }

    #[test]
    fn no_memory_is_an_error() {
        assert!(SharedCells::<u64>::zeroed(usize::MAX / 2).is_err());
        assert!(SharedCells::<u64>::zeroed(usize::MAX).is_err());
    }

    #[test]
    fn recycled_memory_is_zero() {
        for _ in 0..3 {
            let cells = SharedCells::<u64>::zeroed(50_000).unwrap();
            assert!(cells.to_vec().iter().all(|value| *value == 0));
            cells
                .as_atomics()
                .iter()
                .for_each(|cell| cell.store(u64::MAX, Release));
        }
    }
}
