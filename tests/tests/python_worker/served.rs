//! What `served.py` serves, as the host sees it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use half::f16;
use num_complex::{Complex32, Complex64};
use reedbed::ndarray::{ArrayView1, ArrayView2, ArrayViewD, ArrayViewMut2, Ix1, Ix2, IxDyn};
use reedbed::{Schema, Tensor, remote_module};
use reedbed_tests::system::MappedAt;
use serde::{Deserialize, Serialize};

/// What a Python function raised.
#[derive(Debug, Serialize, Deserialize, Schema, thiserror::Error)]
#[error("{type}: {message}")]
pub(crate) struct PythonError {
    pub(crate) r#type: String,
    pub(crate) message: String,
    pub(crate) traceback: String,
}

/// What NumPy sees of an array.
#[derive(Debug, PartialEq, Serialize, Deserialize, Schema)]
pub(crate) struct Layout {
    pub(crate) shape: Vec<usize>,
    pub(crate) strides: Vec<isize>,
    pub(crate) elements: Vec<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, Schema)]
pub(crate) enum Colour {
    Red,
    Green,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
pub(crate) enum Shape {
    Circle { radius: f64 },
    Nothing,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
pub(crate) struct Values {
    pub(crate) small: i8,
    pub(crate) large: i128,
    pub(crate) real: f32,
    pub(crate) flag: bool,
    pub(crate) text: String,
    pub(crate) data: Vec<u8>,
    pub(crate) path: PathBuf,
    pub(crate) names: BTreeMap<String, Vec<u8>>,
    pub(crate) maybe: Option<u32>,
    pub(crate) colour: Colour,
    pub(crate) shape: Shape,
}

#[remote_module]
pub(crate) trait Served {
    fn where_read(#[ndarray] image: ArrayView2<'_, u16>) -> Option<MappedAt>;
    fn where_written(#[ndarray] image: ArrayViewMut2<'_, u16>) -> Option<MappedAt>;
    fn layout(#[ndarray] values: ArrayViewD<'_, f64>) -> Layout;
    fn echo_bool(#[ndarray] values: ArrayViewD<'_, bool>) -> Tensor<bool, IxDyn>;
    fn echo_u8(#[ndarray] values: ArrayViewD<'_, u8>) -> Tensor<u8, IxDyn>;
    fn echo_u16(#[ndarray] values: ArrayViewD<'_, u16>) -> Tensor<u16, IxDyn>;
    fn echo_u32(#[ndarray] values: ArrayViewD<'_, u32>) -> Tensor<u32, IxDyn>;
    fn echo_u64(#[ndarray] values: ArrayViewD<'_, u64>) -> Tensor<u64, IxDyn>;
    fn echo_i8(#[ndarray] values: ArrayViewD<'_, i8>) -> Tensor<i8, IxDyn>;
    fn echo_i16(#[ndarray] values: ArrayViewD<'_, i16>) -> Tensor<i16, IxDyn>;
    fn echo_i32(#[ndarray] values: ArrayViewD<'_, i32>) -> Tensor<i32, IxDyn>;
    fn echo_i64(#[ndarray] values: ArrayViewD<'_, i64>) -> Tensor<i64, IxDyn>;
    fn echo_f16(#[ndarray] values: ArrayViewD<'_, f16>) -> Tensor<f16, IxDyn>;
    fn echo_f32(#[ndarray] values: ArrayViewD<'_, f32>) -> Tensor<f32, IxDyn>;
    fn echo_f64(#[ndarray] values: ArrayViewD<'_, f64>) -> Tensor<f64, IxDyn>;
    fn echo_c32(#[ndarray] values: ArrayViewD<'_, Complex32>) -> Tensor<Complex32, IxDyn>;
    fn echo_c64(#[ndarray] values: ArrayViewD<'_, Complex64>) -> Tensor<Complex64, IxDyn>;
    fn fill(#[ndarray] values: ArrayViewMut2<'_, u32>, value: u32) -> usize;
    fn fill_then(#[ndarray] values: ArrayViewMut2<'_, u32>, value: u32, what: &str);
    fn divide(a: i64, b: i64) -> Result<i64, PythonError>;
    fn undeclared(text: &str);
    fn echo(values: &Values) -> Values;
    fn echo_text(text: &str) -> String;
    fn masked_sum(
        #[ndarray] values: ArrayView1<'_, i64>,
        #[ndarray] mask: Option<ArrayView1<'_, bool>>,
    ) -> i64;
    fn result(kind: &str) -> Tensor<f32, Ix2>;
    fn range_of(n: usize) -> Tensor<f64, Ix1>;
    fn take(#[ndarray] values: Tensor<f64, Ix1>) -> f64;
    fn keep(#[ndarray] values: Tensor<f64, Ix1>);
    fn give_back() -> Tensor<f64, Ix1>;
    fn drop_all();
    fn pass_on(#[ndarray] values: Tensor<f64, Ix1>) -> Tensor<f64, Ix1>;
    fn keep_read(#[ndarray] image: ArrayView2<'_, u16>) -> usize;
    fn keep_written(#[ndarray] image: ArrayViewMut2<'_, u32>, value: u32);
    fn scribble() -> u32;
    fn keep_in_a_cycle(#[ndarray] image: ArrayView2<'_, u16>) -> usize;
    fn meet();
    fn wait_until_cancelled(#[ndarray] values: ArrayViewMut2<'_, u32>, gates: (PathBuf, PathBuf));
    fn wait(gates: (PathBuf, PathBuf));
    fn say(text: &str);
    fn descriptors() -> usize;
    fn segments() -> usize;
    fn pass_on_with_text(
        #[ndarray] values: Tensor<f64, Ix1>,
        n: usize,
    ) -> (Tensor<f64, Ix1>, Tensor<f64, Ix1>, String);
    fn raise_at_length(n: usize);
    fn nothing();
    fn trace() -> Option<String>;
    fn total(#[ndarray] values: ArrayView1<'_, u8>) -> u64;
}
