//! Where the elements of an array lie in a range of bytes. Pure arithmetic, overflow-checked.

use std::ops::Range;

use super::element::DType;
use crate::dims::Dims;

/// The most dimensions that an array on the wire may have (as in NumPy 1).
pub(crate) const MAX_RANK: usize = 32;

/// Shape and strides as they are claimed: by a peer, a file, or this process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Where the first element (the one with index 0 in every dimension) is, in bytes.
    pub(crate) offset_bytes: u64,
    /// The number of elements along each dimension.
    pub(crate) shape: Dims<u64>,
    /// The step from one index to the next along each dimension, in elements; may be negative, or
    /// zero where an element repeats.
    pub(crate) strides: Dims<i64>,
}

/// Why a layout is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LayoutError {
    /// More dimensions than any array here has.
    #[error("{rank} dimensions are more than {MAX_RANK}")]
    Rank {
        /// The number that was claimed.
        rank: usize,
    },
    /// Shape and strides don't belong together.
    #[error("a shape of {shape} dimensions has {strides} strides")]
    StrideCount {
        /// The dimensions of the shape.
        shape: usize,
        /// The number of strides.
        strides: usize,
    },
    /// The extent can't be expressed in this machine's words.
    #[error("shape {shape:?} with strides {strides:?} overflows")]
    Overflow {
        /// The claimed shape.
        shape: Dims<u64>,
        /// The claimed strides, in elements.
        strides: Dims<i64>,
    },
    /// Some element would lie outside.
    #[error("elements from byte {first} to byte {end} are outside the {len} bytes that there are")]
    OutOfBounds {
        /// Where the lowest element begins.
        first: i128,
        /// Where the highest element ends.
        end: i128,
        /// The bytes that there are.
        len: usize,
    },
    /// The elements would not begin at their boundary.
    #[error("byte {offset} isn't a multiple of the {alignment} bytes that {dtype} needs")]
    Misaligned {
        /// Where the first element would be.
        offset: u64,
        /// The boundary that the element type needs.
        alignment: usize,
        /// The element type.
        dtype: DType,
    },
    /// Two indices of a mutable array would name the same element.
    #[error("a mutable array of shape {shape:?} and strides {strides:?} names an element twice")]
    Aliased {
        /// The claimed shape.
        shape: Dims<u64>,
        /// The claimed strides, in elements.
        strides: Dims<i64>,
    },
}

/// A layout whose every element lies aligned inside the bytes it was checked against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CheckedLayout {
    dtype: DType,
    shape: Dims<usize>,
    strides: Dims<isize>,
    bytes: Range<usize>,
}

impl CheckedLayout {
    /// Checks `layout` against `len` bytes that begin at a boundary of every element type; with
    /// `is_mutable`, also that no two indices name the same element.
    pub(crate) fn new(
        layout: &Layout,
        dtype: DType,
        len: usize,
        is_mutable: bool,
    ) -> Result<Self, LayoutError> {
        let claim = (&*layout.shape, &*layout.strides);
        Self::check(layout.offset_bytes, claim, dtype, len, is_mutable)
    }

    /// As [`new`](Self::new), of shape and strides that are claimed elsewhere.
    pub(crate) fn check(
        offset_bytes: u64,
        (shape, strides): (&[u64], &[i64]),
        dtype: DType,
        len: usize,
        is_mutable: bool,
    ) -> Result<Self, LayoutError> {
        if shape.len() > MAX_RANK {
            return Err(LayoutError::Rank { rank: shape.len() });
        }
        if shape.len() != strides.len() {
            return Err(LayoutError::StrideCount {
                shape: shape.len(),
                strides: strides.len(),
            });
        }
        let overflow = || LayoutError::Overflow {
            shape: shape.into(),
            strides: strides.into(),
        };
        // ndarray's own limit, which holds for empty arrays too.
        let nonzero_product = shape
            .iter()
            .filter(|n| **n > 0)
            .try_fold(dtype.size_bytes() as u64, |product, n| {
                product.checked_mul(*n)
            });
        if nonzero_product.is_none_or(|product| isize::try_from(product).is_err()) {
            return Err(overflow());
        }
        let dimensions: Option<Dims<usize>> =
            shape.iter().map(|n| usize::try_from(*n).ok()).collect();
        let steps: Option<Dims<isize>> = strides.iter().map(|s| isize::try_from(*s).ok()).collect();
        let (dimensions, mut steps) = dimensions.zip(steps).ok_or_else(overflow)?;
        // A step that leads nowhere is zero, as in ndarray, so that no arithmetic on it can leave
        // the bytes or overflow.
        let is_empty = dimensions.contains(&0);
        for (n, step) in dimensions.iter().zip(&mut steps) {
            if is_empty || *n == 1 {
                *step = 0;
            }
        }

        let bytes =
            Self::bounds(offset_bytes, (shape, strides), dtype, len).ok_or_else(overflow)??;
        if !offset_bytes.is_multiple_of(dtype.alignment_bytes() as u64) {
            let (offset, alignment) = (offset_bytes, dtype.alignment_bytes());
            return Err(LayoutError::Misaligned {
                offset,
                alignment,
                dtype,
            });
        }
        if is_mutable && names_an_element_twice(&dimensions, &steps) {
            return Err(LayoutError::Aliased {
                shape: shape.into(),
                strides: strides.into(),
            });
        }
        Ok(Self {
            dtype,
            shape: dimensions,
            strides: steps,
            bytes,
        })
    }

    /// The range of bytes from the lowest to the highest element; `None` on overflow.
    fn bounds(
        offset_bytes: u64,
        (shape, strides): (&[u64], &[i64]),
        dtype: DType,
        len: usize,
    ) -> Option<Result<Range<usize>, LayoutError>> {
        let size = dtype.size_bytes() as i128;
        let offset = i128::from(offset_bytes);
        let is_empty = shape.contains(&0);
        let (mut first, mut end) = (offset, if is_empty { offset } else { offset + size });
        for (n, stride) in shape.iter().zip(strides) {
            // The step across a whole dimension must fit ndarray's index arithmetic as well.
            let span = i128::from(n.saturating_sub(1)).checked_mul(i128::from(*stride))?;
            let span = span.checked_mul(size)?;
            isize::try_from(span).ok()?;
            if !is_empty {
                first += span.min(0);
                end += span.max(0);
            }
        }
        let range = usize::try_from(first).ok().zip(usize::try_from(end).ok());
        match range {
            Some((first, end)) if end <= len => Some(Ok(first..end)),
            _ => Some(Err(LayoutError::OutOfBounds { first, end, len })),
        }
    }

    /// The same elements, where all bytes are `by` further down, a multiple of every boundary.
    ///
    /// # Panics
    /// If they would begin before the first byte.
    pub(crate) fn moved_down(self, by: usize) -> Self {
        assert!(by <= self.bytes.start && by.is_multiple_of(16));
        let bytes = self.bytes.start - by..self.bytes.end - by;
        Self { bytes, ..self }
    }

    /// An array of the same shape whose elements lie one behind the other, in row-major order, from
    /// the first byte on.
    pub(crate) fn packed(&self) -> Self {
        let mut strides = Dims::from_elem(0, self.shape.len());
        let mut step = 1isize;
        for (stride, n) in strides.iter_mut().zip(&self.shape).rev() {
            *stride = step;
            // Elements that there are have offsets which fit; without any, no step matters.
            step = step.saturating_mul(isize::try_from((*n).max(1)).unwrap_or(isize::MAX));
        }
        if self.shape.contains(&0) {
            strides.fill(0);
        }
        Self {
            dtype: self.dtype,
            shape: self.shape.clone(),
            strides,
            bytes: 0..self.size_bytes(),
        }
    }

    /// Where each element is, in bytes, in row-major order.
    pub(crate) fn offsets(&self) -> impl Iterator<Item = usize> + '_ {
        let size = self.dtype.size_bytes();
        // Sizes were checked not to overflow. The first element is the lowest one, but for
        // dimensions that lead downwards.
        let downwards = |(n, stride): (&usize, &isize)| match *stride < 0 {
            true => stride.unsigned_abs() * n.saturating_sub(1) * size,
            false => 0,
        };
        let dimensions = || self.shape.iter().zip(&self.strides);
        let first = self.bytes.start + dimensions().map(downwards).sum::<usize>();
        let n_elements: usize = self.shape.iter().product();
        (0..n_elements).map(move |mut number| {
            let mut offset = first;
            for (n, stride) in dimensions().rev() {
                let step = stride.unsigned_abs() * (number % n) * size;
                number /= n;
                offset = match *stride < 0 {
                    true => offset - step,
                    false => offset + step,
                };
            }
            offset
        })
    }

    /// The element type it was checked for.
    pub(crate) fn dtype(&self) -> DType {
        self.dtype
    }

    /// The number of elements along each dimension.
    pub(crate) fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The strides, in elements.
    pub(crate) fn strides(&self) -> &[isize] {
        &self.strides
    }

    /// The bytes of all elements, however often one is named.
    pub(crate) fn size_bytes(&self) -> usize {
        // Checked not to overflow.
        self.shape.iter().product::<usize>() * self.dtype.size_bytes()
    }

    /// The bytes from the lowest to the highest element.
    pub(crate) fn bytes(&self) -> Range<usize> {
        self.bytes.clone()
    }
}

/// Tells whether two indices may name the same element.
///
/// Sorts the dimensions by stride and asks that each step over all elements of the ones before it.
/// That refuses a few exotic layouts that are injective by accident, and no slice, transposition
/// or reversal of an ordinary array.
fn names_an_element_twice(shape: &[usize], strides: &[isize]) -> bool {
    if shape.contains(&0) {
        return false;
    }
    let mut steps: Dims<_> = shape
        .iter()
        .zip(strides)
        .filter(|(n, _)| **n > 1)
        .map(|(n, stride)| (stride.unsigned_abs(), n - 1))
        .collect();
    steps.sort_unstable();
    let mut reach = 0usize;
    for (stride, last) in steps {
        if stride <= reach {
            return true;
        }
        reach = reach.saturating_add(stride.saturating_mul(last));
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn layout(offset_bytes: u64, shape: &[u64], strides: &[i64]) -> Layout {
        Layout {
            offset_bytes,
            shape: shape.into(),
            strides: strides.into(),
        }
    }

    #[test]
    fn a_reversed_matrix_spans_its_bytes() {
        let reversed = layout(2 * 11, &[3, 4], &[-4, -1]);
        let checked = CheckedLayout::new(&reversed, DType::U16, 24, true).unwrap();
        assert_eq!(checked.bytes(), 0..24);
        assert!(matches!(
            CheckedLayout::new(&layout(2 * 10, &[3, 4], &[-4, -1]), DType::U16, 24, true),
            Err(LayoutError::OutOfBounds {
                first: -2,
                end: 22,
                len: 24
            })
        ));
    }

    #[test]
    fn no_elements_need_no_bytes_but_a_place() {
        assert_eq!(
            CheckedLayout::new(&layout(8, &[0, 7], &[9, 1]), DType::F64, 8, true)
                .unwrap()
                .bytes(),
            8..8
        );
        assert!(CheckedLayout::new(&layout(16, &[0], &[1]), DType::F64, 8, true).is_err());
    }

    #[test]
    fn absurd_claims_are_errors() {
        let claims = [
            layout(0, &[u64::MAX], &[1]),
            layout(0, &[1 << 32, 1 << 32], &[1, 1]),
            layout(0, &[0, 1 << 62], &[1, 1]),
            layout(u64::MAX, &[2], &[1]),
            layout(0, &[3], &[i64::MAX]),
            layout(0, &[3], &[i64::MIN]),
            layout(0, &[1], &[]),
            layout(0, &[1; 33], &[1; 33]),
            layout(1, &[1], &[1]),
        ];
        for claim in claims {
            assert!(
                CheckedLayout::new(&claim, DType::F32, 4096, false).is_err(),
                "{claim:?}"
            );
        }
    }

    #[test]
    fn broadcast_is_readable_and_not_writable() {
        let repeated = layout(0, &[5, 3], &[0, 1]);
        assert!(CheckedLayout::new(&repeated, DType::U8, 3, false).is_ok());
        assert!(matches!(
            CheckedLayout::new(&repeated, DType::U8, 3, true),
            Err(LayoutError::Aliased { .. })
        ));
    }

    proptest! {
        /// Whatever is accepted names only elements inside; mutable, each of them once.
        #[test]
        fn accepted_layouts_keep_their_promise(
            offset_bytes in 0u64..64,
            dims in prop::collection::vec((0u64..5, -6i64..7), 0..4),
            len in 0usize..96,
            is_mutable: bool,
        ) {
            let (shape, strides): (Dims<_>, Dims<_>) = dims.into_iter().unzip();
            let claim = Layout { offset_bytes, shape, strides };
            if let Ok(checked) = CheckedLayout::new(&claim, DType::U16, len, is_mutable) {
                let mut offsets = vec![i64::try_from(offset_bytes).unwrap()];
                for (n, stride) in claim.shape.iter().zip(&claim.strides) {
                    offsets = offsets
                        .iter()
                        .flat_map(|o| (0..*n).map(move |i| o + 2 * stride * i64::try_from(i).unwrap()))
                        .collect();
                }
                for offset in &offsets {
                    prop_assert!(*offset >= 0 && *offset % 2 == 0);
                    prop_assert!(usize::try_from(*offset).unwrap() + 2 <= len);
                }
                if is_mutable {
                    let n_elements = offsets.len();
                    offsets.sort_unstable();
                    offsets.dedup();
                    prop_assert_eq!(offsets.len(), n_elements);
                }
                prop_assert!(checked.bytes().end <= len);
            }
        }
    }
}
