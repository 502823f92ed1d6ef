//! What the test worker serves.

use reedbed::remote_module;

use crate::services::{Counter, Keeper, Tally};

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

/// Functions that do things to the worker.
#[remote_module]
pub mod control {
    use std::path::PathBuf;

    use reedbed::{AnyError, Worker};

    use crate::gate::Gate;
    use crate::system;

    /// Returns the number of the process.
    pub fn process_id() -> u32 {
        std::process::id()
    }

    /// Runs this program as a worker of this worker; returns the number of its process.
    pub async fn run_itself() -> Result<u32, AnyError> {
        let worker = Worker::spawn_self().await?;
        let control = worker.import::<Client>().await?;
        Ok(control.process_id().await?)
    }

    /// Panics.
    pub fn panic(message: String) {
        panic!("{message}");
    }

    /// Panics, asynchronously.
    pub async fn panic_later(message: String) {
        panic!("{message}");
    }

    /// Exits.
    pub fn exit(code: i32) {
        std::process::exit(code);
    }

    /// Ends the process by a signal.
    pub fn crash() {
        system::crash();
    }

    /// Prints a line on standard output and one on standard error.
    pub fn print(out: String, err: String) {
        println!("{out}");
        eprintln!("{err}");
    }

    /// Passes the first gate, then waits at the second.
    pub fn pass(gates: (PathBuf, PathBuf)) -> u32 {
        Gate::at(gates.0).pass();
        Gate::at(gates.1).pass();
        7
    }

    /// Passes the gate, then runs until the call is cancelled, and passes the second gate.
    pub fn run_until_cancelled(gates: (PathBuf, PathBuf)) {
        Gate::at(gates.0).pass();
        while !reedbed::cancelled() {
            std::thread::yield_now();
        }
        Gate::at(gates.1).pass();
    }

    /// Tells whether the call has a deadline.
    pub fn has_deadline() -> bool {
        reedbed::deadline().is_some()
    }

    /// Reads what standard input has to offer.
    pub fn read_standard_input() -> Vec<u8> {
        let mut bytes = Vec::new();
        let _ = std::io::Read::read_to_end(&mut std::io::stdin(), &mut bytes);
        bytes
    }

    /// Returns a variable of the environment.
    pub fn variable(name: String) -> Option<String> {
        std::env::var(name).ok()
    }

    /// Returns the command line.
    pub fn arguments() -> Vec<String> {
        std::env::args().collect()
    }
}

/// Functions on serde values.
#[remote_module]
pub mod values {
    use std::collections::BTreeMap;
    use std::net::SocketAddr;
    use std::ops::Range;
    use std::time::Duration;

    use reedbed::{Schema, SharedCell};
    use serde::{Deserialize, Serialize};

    /// A point in the plane.
    #[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, Schema)]
    pub struct Point {
        /// To the right.
        pub x: f64,
        /// Upwards.
        pub y: f64,
    }

    /// Why there is no quotient.
    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema, thiserror::Error)]
    pub enum DivideError {
        /// The divisor was zero.
        #[error("{dividend} can't be divided by zero")]
        ByZero {
            /// What was to be divided.
            dividend: i64,
        },
    }

    /// Returns what it gets.
    pub fn echo(text: String) -> String {
        text
    }

    /// Returns what it gets.
    pub fn echo_bytes(bytes: Vec<u8>) -> Vec<u8> {
        bytes
    }

    /// Returns the number of bytes.
    pub fn length(text: &str) -> usize {
        text.len()
    }

    /// Divides.
    pub fn divide(dividend: i64, divisor: i64) -> Result<i64, DivideError> {
        dividend
            .checked_div(divisor)
            .ok_or(DivideError::ByZero { dividend })
    }

    /// Moves a point.
    pub async fn shift(point: Point, by: Point) -> Point {
        tokio::task::yield_now().await;
        Point {
            x: point.x + by.x,
            y: point.y + by.y,
        }
    }

    /// Makes so many bytes.
    pub fn zeros(n_bytes: usize) -> Vec<u8> {
        vec![0; n_bytes]
    }

    /// Does nothing.
    pub fn nothing() {}

    /// A type inside itself.
    #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Schema)]
    pub struct Tree {
        /// Its parts.
        pub children: Vec<Tree>,
    }

    /// Returns the number of trees from the root to the first leaf.
    pub fn depth(tree: Tree) -> usize {
        let (mut depth, mut tree) = (1, tree);
        while !tree.children.is_empty() {
            tree = tree.children.swap_remove(0);
            depth += 1;
        }
        depth
    }

    /// An enum of every kind of variant.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
    pub enum Shape {
        /// Nothing.
        Empty,
        /// A disk of this radius.
        Disk(f32),
        /// A rectangle.
        Box {
            /// From left to right.
            width: f32,
            /// From top to bottom.
            height: f32,
        },
    }

    /// A struct of every kind of field.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
    #[expect(missing_docs, reason = "the fields are what their types are")]
    pub struct Survey {
        pub origin: Point,
        pub names: BTreeMap<String, i16>,
        pub shapes: Vec<Shape>,
        pub colour: [u8; 3],
        pub initial: char,
        pub widest: u128,
        pub lowest: i128,
        pub takes: Duration,
        pub lines: Range<u32>,
        pub address: SocketAddr,
        pub is_done: (bool, ()),
        pub nested: Option<Box<Survey>>,
        pub outcome: Result<u8, String>,
    }

    impl Default for Survey {
        fn default() -> Self {
            Self {
                origin: Point { x: 0.0, y: 0.0 },
                names: BTreeMap::new(),
                shapes: Vec::new(),
                colour: [0; 3],
                initial: 'a',
                widest: 0,
                lowest: 0,
                takes: Duration::ZERO,
                lines: 0..0,
                address: SocketAddr::from(([127, 0, 0, 1], 80)),
                is_done: (false, ()),
                nested: None,
                outcome: Ok(0),
            }
        }
    }

    /// Returns the survey with the shape, if there is one, at the end.
    pub fn survey(mut survey: Survey, shape: Option<Shape>) -> Survey {
        survey.shapes.extend(shape);
        survey
    }

    /// Seconds, as a number of nanoseconds.
    #[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, Schema)]
    #[serde(from = "u64", into = "u64")]
    #[schema(opaque = "1")]
    pub struct Seconds(pub f64);

    impl From<u64> for Seconds {
        fn from(nanos: u64) -> Self {
            Self(Duration::from_nanos(nanos).as_secs_f64())
        }
    }

    impl From<Seconds> for u64 {
        fn from(seconds: Seconds) -> Self {
            let nanos = Duration::from_secs_f64(seconds.0).as_nanos();
            u64::try_from(nanos).unwrap_or(u64::MAX)
        }
    }

    /// Returns a second more.
    pub fn later(seconds: Seconds) -> Seconds {
        Seconds(seconds.0 + 1.0)
    }

    /// Counts a shared cell up.
    pub fn count_up(#[segment] counter: SharedCell<u64>, n: u64) {
        counter.fetch_add(n);
    }

    /// Returns how many there are.
    pub fn count(units: Vec<()>) -> usize {
        units.len()
    }
}

macro_rules! element_modules {
    ($($module:ident => $element:ty),* $(,)?) => {
        $(
            /// Functions on arrays of one element type.
            #[remote_module]
            pub mod $module {
                use reedbed::ndarray::{ArrayD, ArrayViewD, ArrayViewMutD};

                /// Returns a copy.
                pub fn copy(#[ndarray] values: ArrayViewD<'_, $element>) -> ArrayD<$element> {
                    values.to_owned()
                }

                /// Copies element by element.
                pub fn copy_into(
                    #[ndarray] values: ArrayViewD<'_, $element>,
                    #[ndarray] mut target: ArrayViewMutD<'_, $element>,
                ) {
                    target.assign(&values);
                }
            }
        )*

        /// The modules of all element types.
        pub const ELEMENTS: &[reedbed::Module] = &[$($module::MODULE),*];
    };
}

element_modules! {
    of_bool => bool,
    of_u8 => u8, of_u16 => u16, of_u32 => u32, of_u64 => u64, of_u128 => u128,
    of_i8 => i8, of_i16 => i16, of_i32 => i32, of_i64 => i64, of_i128 => i128,
    of_f16 => half::f16, of_bf16 => half::bf16, of_f32 => f32, of_f64 => f64,
    of_c32 => num_complex::Complex32, of_c64 => num_complex::Complex64,
}

/// All modules that the test worker serves.
#[must_use]
pub fn all() -> Vec<reedbed::Module> {
    let mut modules = vec![arrays::MODULE, control::MODULE, values::MODULE];
    modules.push(crate::shared::cells::MODULE);
    modules.push(crate::containers::stacks::MODULE);
    modules.push(crate::bundles::bundled::MODULE);
    modules.extend_from_slice(ELEMENTS);
    modules.extend([Keeper::MODULE, Counter::MODULE]);
    modules
}
