//! What arrays contain: numbers that tell where they belong.
//!
//! Every array that is made has contents of its own, and each element depends on its place, so that an
//! element of another array, or of another place, or from before, is told from the right one.

use ndarray::{Array2, ArrayView2, ArrayViewMut2, ShapeBuilder, Slice, s};
use reedbed::ndarray::Ix2;
use reedbed::{Tensor, TensorView, TensorViewMut};

/// Scrambles a number, one to one (the finaliser of SplitMix64).
#[must_use]
pub fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// The element at a place of the array that was made with `tag`.
#[must_use]
pub fn element(tag: u64, (row, column): (usize, usize)) -> u64 {
    mix(tag ^ mix(((row as u64) << 32) | column as u64))
}

/// An array of the heap.
#[must_use]
pub fn array(tag: u64, shape: (usize, usize)) -> Array2<u64> {
    Array2::from_shape_fn(shape, |place| element(tag, place))
}

/// What becomes of an element that is stirred, the `place`-th of its view.
#[must_use]
pub fn stirred(element: u64, key: u64, place: u64) -> u64 {
    mix(element ^ key).wrapping_add(place)
}

/// Stirs the elements of a view, in its order.
pub fn stir(values: ArrayViewMut2<'_, u64>, key: u64) {
    for (value, place) in values.into_iter().zip(0..) {
        *value = stirred(*value, key, place);
    }
}

/// Adds the elements up, each weighted by its place.
#[must_use]
pub fn checksum(values: ArrayView2<'_, u64>) -> u64 {
    let weighted = values.iter().zip(1u64..);
    weighted.fold(0, |sum, (value, place)| {
        sum.wrapping_add(value.wrapping_mul(place))
    })
}

/// A part of a matrix: a slice with any steps, perhaps transposed.
#[derive(Clone, Copy, Debug)]
pub struct Cut {
    rows: Slice,
    columns: Slice,
    is_transposed: bool,
}

impl Cut {
    /// All of it.
    #[must_use]
    pub fn whole() -> Self {
        let all = Slice::new(0, None, 1);
        Self {
            rows: all,
            columns: all,
            is_transposed: false,
        }
    }

    /// A part of a matrix of this shape.
    pub fn random(rng: &mut fastrand::Rng, (n_rows, n_columns): (usize, usize)) -> Self {
        if rng.u8(0..3) == 0 {
            return Self::whole();
        }
        Self {
            rows: random_slice(rng, n_rows),
            columns: random_slice(rng, n_columns),
            is_transposed: rng.bool(),
        }
    }

    /// That part of an ordinary view.
    #[must_use]
    pub fn of<'a>(&self, view: ArrayView2<'a, u64>) -> ArrayView2<'a, u64> {
        let part = view.slice_move(s![self.rows, self.columns]);
        if self.is_transposed {
            part.reversed_axes()
        } else {
            part
        }
    }

    /// That part of an ordinary mutable view.
    #[must_use]
    pub fn of_mut<'a>(&self, view: ArrayViewMut2<'a, u64>) -> ArrayViewMut2<'a, u64> {
        let part = view.slice_move(s![self.rows, self.columns]);
        if self.is_transposed {
            part.reversed_axes()
        } else {
            part
        }
    }

    /// That part of a tensor.
    #[must_use]
    pub fn lend<'a>(&self, tensor: &'a Tensor<u64, Ix2>) -> TensorView<'a, u64, Ix2> {
        let part = tensor.slice(s![self.rows, self.columns]);
        if self.is_transposed {
            part.reversed_axes()
        } else {
            part
        }
    }

    /// That part of a tensor, to be written.
    #[must_use]
    pub fn lend_mut<'a>(&self, tensor: &'a mut Tensor<u64, Ix2>) -> TensorViewMut<'a, u64, Ix2> {
        let part = tensor.slice_mut(s![self.rows, self.columns]);
        if self.is_transposed {
            part.reversed_axes()
        } else {
            part
        }
    }
}

fn random_slice(rng: &mut fastrand::Rng, n: usize) -> Slice {
    let start = rng.usize(0..=n);
    let end = rng.usize(start..=n);
    let step = [1, 1, 2, 3, -1, -2][rng.usize(0..6)];
    Slice::new(start.cast_signed(), Some(end.cast_signed()), step)
}

/// A random shape. Most are small; some have a segment of their own, few a megabyte.
pub fn random_shape(rng: &mut fastrand::Rng) -> (usize, usize) {
    let most = match rng.u8(0..100) {
        0..60 => 24,
        60..90 => 96,
        90..99 => 200,
        _ => 400,
    };
    (rng.usize(1..=most), rng.usize(1..=most))
}

/// An array of the heap in column-major order, as other programs' arrays often are.
#[must_use]
pub fn array_by_columns(tag: u64, shape: (usize, usize)) -> Array2<u64> {
    Array2::from_shape_fn(shape.f(), |place| element(tag, place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_is_the_same_part_of_a_tensor_and_of_an_array() {
        let mut rng = fastrand::Rng::with_seed(7);
        for _ in 0..200 {
            let shape = (rng.usize(1..9), rng.usize(1..9));
            let mut expected = array(rng.u64(..), shape);
            let mut tensor = Tensor::copy_of(&expected).unwrap();
            let cut = Cut::random(&mut rng, shape);
            assert_eq!(cut.lend(&tensor).view().unwrap(), cut.of(expected.view()));
            stir(cut.lend_mut(&mut tensor).view_mut().unwrap(), 3);
            stir(cut.of_mut(expected.view_mut()), 3);
            assert_eq!(tensor.view().unwrap(), expected);
        }
    }
}
