//! The arithmetic of layouts, for fuzzers.

use std::ops::Range;

use super::element::DType;
use super::layout::{CheckedLayout, Layout};

/// A layout that was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// The number of elements along each dimension.
    pub shape: Vec<usize>,
    /// The steps between neighbours, in elements; zero where a step leads nowhere.
    pub strides: Vec<isize>,
    /// The bytes from the lowest to the highest element.
    pub bytes: Range<usize>,
    /// The bytes of all elements.
    pub size_bytes: usize,
}

/// Checks a claim against `len` bytes.
///
/// # Errors
/// What is wrong with it.
pub fn check_layout(
    offset_bytes: u64,
    (shape, strides): (&[u64], &[i64]),
    dtype: DType,
    len: usize,
    is_mutable: bool,
) -> Result<Checked, String> {
    let claim = Layout {
        offset_bytes,
        shape: shape.into(),
        strides: strides.into(),
    };
    let checked = CheckedLayout::new(&claim, dtype, len, is_mutable);
    let checked = checked.map_err(|error| error.to_string())?;
    Ok(Checked {
        shape: checked.shape().to_vec(),
        strides: checked.strides().to_vec(),
        bytes: checked.bytes(),
        size_bytes: checked.size_bytes(),
    })
}
