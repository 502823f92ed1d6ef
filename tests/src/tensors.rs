//! Functions on arrays that a test worker serves.

use reedbed::remote_module;

/// Functions on arrays.
#[remote_module]
pub mod arrays {
    use std::path::PathBuf;

    use ndarray::{
        Array1, Array2, ArrayD, ArrayView1, ArrayView2, ArrayViewD, ArrayViewMut1, ArrayViewMut2,
        Ix1, Ix2,
    };
    use reedbed::{Schema, Segment, SegmentView, SegmentViewMut, Tensor, ndarray};
    use serde::{Deserialize, Serialize};

    use crate::gate::Gate;
    use crate::system::{self, MappedAt};

    /// Why a function of this module returns no result.
    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema, thiserror::Error)]
    pub enum ArrayError {
        /// The function was told to fail.
        #[error("told to fail after {n_written} elements")]
        Told {
            /// How many elements it wrote before.
            n_written: usize,
        },
        /// The bytes of a segment don't fit.
        #[error("{0}")]
        Segment(String),
    }

    /// Adds the elements up.
    pub fn sum(#[ndarray] values: ArrayView1<'_, i64>) -> i64 {
        values.sum()
    }

    /// Adds the elements of an array of any number of dimensions up, weighted by their place.
    pub fn checksum(#[ndarray] values: ArrayViewD<'_, f64>) -> f64 {
        values
            .iter()
            .zip(1u32..)
            .map(|(value, place)| value * f64::from(place))
            .sum()
    }

    /// Adds up the elements where `mask` is set, or all of them.
    pub fn masked_sum(
        #[ndarray] values: ArrayView1<'_, i64>,
        #[ndarray] mask: Option<ArrayView1<'_, bool>>,
    ) -> i64 {
        match mask {
            None => values.sum(),
            Some(mask) => values
                .iter()
                .zip(mask)
                .filter(|(_, is_set)| **is_set)
                .map(|(v, _)| v)
                .sum(),
        }
    }

    /// Multiplies two matrices.
    pub fn product(#[ndarray] factors: (ArrayView2<'_, f64>, ArrayView2<'_, f64>)) -> Array2<f64> {
        factors.0.dot(&factors.1)
    }

    /// Sets all elements; returns how many there are.
    pub fn fill(#[ndarray] mut values: ArrayViewMut2<'_, u32>, value: u32) -> usize {
        values.fill(value);
        values.len()
    }

    /// Turns every element round.
    pub fn invert(#[ndarray] mut flags: ArrayViewMut1<'_, bool>) {
        flags.mapv_inplace(|flag| !flag);
    }

    /// Adds `source` to `target`, element by element.
    pub fn add_to(
        #[ndarray] source: ArrayView2<'_, u32>,
        #[ndarray] mut target: ArrayViewMut2<'_, u32>,
    ) {
        target += &source;
    }

    /// Keeps the array; returns the sum of its elements.
    pub fn take(#[ndarray] values: Tensor<f64, Ix1>) -> f64 {
        values.view().map_or(f64::NAN, |view| view.sum())
    }

    /// Doubles the elements of an array that is passed on.
    pub fn pass_on(#[ndarray] mut values: Tensor<f64, Ix1>) -> Tensor<f64, Ix1> {
        if let Ok(mut view) = values.view_mut() {
            view *= 2.0;
        }
        values
    }

    /// Makes an array in shared memory: 0, 1, 2, ...
    pub fn range(n: usize) -> Tensor<f64, Ix1> {
        make_range(n)
    }

    /// Makes two arrays and a number.
    pub fn ranges(n: usize) -> (Tensor<f64, Ix1>, Option<Tensor<f64, Ix1>>, usize) {
        (make_range(n), (n > 2).then(|| make_range(n - 2)), n)
    }

    /// Makes an ordinary array: 0, 1, 2, ...
    pub fn heap_range(n: usize) -> Array1<f64> {
        Array1::from_iter((0..n).map(|value| value as f64))
    }

    /// Makes an array, or fails.
    pub fn range_or_error(n: Option<usize>) -> Result<Tensor<f64, Ix1>, ArrayError> {
        n.map(make_range).ok_or(ArrayError::Told { n_written: 0 })
    }

    fn make_range(n: usize) -> Tensor<f64, Ix1> {
        Tensor::from_shape_fn(n, |index| index as f64).expect("memory for the test")
    }

    /// Tells where in this process the elements are mapped from.
    pub fn where_read(#[ndarray] values: ArrayView2<'_, u16>) -> Option<MappedAt> {
        system::mapped_at(values.as_ptr().addr())
    }

    /// Tells where in this process the elements are mapped from.
    pub fn where_written(#[ndarray] values: ArrayViewMut2<'_, u16>) -> Option<MappedAt> {
        system::mapped_at(values.as_ptr().addr())
    }

    /// Adds all elements up, reading each.
    pub fn total(#[ndarray] values: ArrayView1<'_, u64>) -> u64 {
        values.iter().fold(0, |sum, value| sum.wrapping_add(*value))
    }

    /// The proportional set size of this process while it holds the array, having read all of it.
    pub fn pss_while_held(
        #[ndarray] values: ArrayView1<'_, u64>,
        gates: (PathBuf, PathBuf),
    ) -> u64 {
        let sum = values
            .iter()
            .fold(0, |sum: u64, value| sum.wrapping_add(*value));
        Gate::at(gates.0).pass();
        Gate::at(gates.1).pass();
        sum
    }

    /// Writes half of the elements, passes the first gate, waits at the second, writes the rest.
    pub fn fill_in_two_steps(
        #[ndarray] mut values: ArrayViewMut2<'_, u32>,
        value: u32,
        gates: (PathBuf, PathBuf),
    ) -> usize {
        let half = values.len() / 2;
        values
            .iter_mut()
            .take(half)
            .for_each(|element| *element = value);
        Gate::at(gates.0).pass();
        Gate::at(gates.1).pass();
        values
            .iter_mut()
            .skip(half)
            .for_each(|element| *element = value);
        values.len()
    }

    /// Writes an element, and fails.
    pub fn fail_after_writing(
        #[ndarray] mut values: ArrayViewMut2<'_, u32>,
        value: u32,
    ) -> Result<(), ArrayError> {
        values[[0, 0]] = value;
        Err(ArrayError::Told { n_written: 1 })
    }

    /// Writes an element, and panics.
    pub fn panic_after_writing(#[ndarray] mut values: ArrayViewMut2<'_, u32>, value: u32) {
        values[[0, 0]] = value;
        panic!("told to panic after one element");
    }

    /// Writes an element, and ends the process by a signal.
    pub fn crash_after_writing(#[ndarray] mut values: ArrayViewMut2<'_, u32>, value: u32) {
        values[[0, 0]] = value;
        system::crash();
    }

    /// Writes an element, passes the gate, and returns as soon as the call is cancelled.
    pub fn write_until_cancelled(
        #[ndarray] mut values: ArrayViewMut2<'_, u32>,
        value: u32,
        gate: PathBuf,
    ) -> usize {
        values[[0, 0]] = value;
        Gate::at(gate).pass();
        while !reedbed::cancelled() {
            std::thread::yield_now();
        }
        1
    }

    /// Never completes, having written an element and passed the gate.
    pub async fn hang_after_writing(
        #[ndarray] mut values: ArrayViewMut2<'_, u32>,
        value: u32,
        gate: PathBuf,
    ) {
        values[[0, 0]] = value;
        Gate::at(gate).pass();
        std::future::pending::<()>().await;
    }

    /// Copies one segment into another, reversed.
    pub fn reverse_bytes(
        #[segment] source: SegmentView<'_>,
        #[segment] mut target: SegmentViewMut<'_>,
    ) -> Result<(), ArrayError> {
        let source = source.as_bytes();
        let target = target.as_bytes();
        if source.len() != target.len() {
            let (source, target) = (source.len(), target.len());
            return Err(ArrayError::Segment(format!(
                "{source} bytes don't fit {target}"
            )));
        }
        target
            .iter_mut()
            .zip(source.iter().rev())
            .for_each(|(to, from)| *to = *from);
        Ok(())
    }

    /// Adds 1 to every `u32` of a segment that is passed on.
    pub fn increment(#[segment] mut words: Segment) -> Result<Segment, ArrayError> {
        let failed = |error: reedbed::NotAligned| ArrayError::Segment(error.to_string());
        words
            .as_slice_mut::<u32>()
            .map_err(failed)?
            .iter_mut()
            .for_each(|word| *word += 1);
        Ok(words)
    }

    /// Joins two matrices below one another.
    pub fn stack(
        #[ndarray] upper: ArrayViewD<'_, i32>,
        #[ndarray] lower: ArrayViewD<'_, i32>,
    ) -> Option<ArrayD<i32>> {
        ndarray::concatenate(ndarray::Axis(0), &[upper, lower]).ok()
    }

    /// Makes a matrix that is given away transposed.
    pub fn transposed(rows: usize, columns: usize) -> Tensor<f64, Ix2> {
        Tensor::from_shape_fn((rows, columns), |(row, column)| {
            (row * columns + column) as f64
        })
        .expect("memory for the test")
        .reversed_axes()
    }

    /// Swaps the elements of two arrays.
    pub fn swap(
        #[ndarray] mut one: ArrayViewMut1<'_, u32>,
        #[ndarray] mut other: ArrayViewMut1<'_, u32>,
    ) {
        one.iter_mut()
            .zip(&mut other)
            .for_each(|(one, other)| std::mem::swap(one, other));
    }

    /// Keeps two arrays; returns how many elements they have.
    pub fn take_both(
        #[ndarray] one: Tensor<f64, Ix1>,
        #[ndarray] other: Tensor<f64, Ix1>,
    ) -> usize {
        one.len() + other.len()
    }

    /// Passes an array on, with a text of this length.
    pub fn pass_on_with_text(
        #[ndarray] values: Tensor<f64, Ix1>,
        n_bytes: usize,
    ) -> (Tensor<f64, Ix1>, String) {
        (values, "x".repeat(n_bytes))
    }

    /// Turns every element round between two gates.
    pub fn invert_after(#[ndarray] mut flags: ArrayViewMut1<'_, bool>, gates: (PathBuf, PathBuf)) {
        Gate::at(gates.0).pass();
        Gate::at(gates.1).pass();
        flags.mapv_inplace(|flag| !flag);
    }

    /// Turns every element round, and panics.
    pub fn panic_after_inverting(#[ndarray] mut flags: ArrayViewMut1<'_, bool>) {
        flags.mapv_inplace(|flag| !flag);
        panic!("told to panic after all elements");
    }

    /// Passes an array on, beside so many bytes.
    pub fn pass_on_with(
        #[ndarray] values: Tensor<f64, Ix1>,
        n_bytes: usize,
    ) -> (Tensor<f64, Ix1>, Vec<u8>) {
        (values, vec![0; n_bytes])
    }
}
