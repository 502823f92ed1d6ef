//! Layouts once more: slower, in numbers that can't overflow, and by looking at each element.

use reedbed::__private::parts::{AnyHandle, Checked, Found, check_layout};
use reedbed::DType;

/// More elements than these aren't looked at one by one.
const MAX_ELEMENTS: i128 = 512;

/// Where the elements of a claim are, by the text of docs/wire.md; an error says what is wrong.
pub(crate) struct Claim<'a> {
    pub(crate) dtype: DType,
    pub(crate) offset_bytes: u64,
    pub(crate) shape: &'a [u64],
    pub(crate) strides: &'a [i64],
}

/// What is known of a claim that only the question of aliasing can still refuse.
pub(crate) struct Extent {
    /// The bytes from the lowest to the highest element.
    pub(crate) first: i128,
    pub(crate) end: i128,
    pub(crate) n_elements: i128,
}

impl Claim<'_> {
    /// Where the elements are, if they are inside `len` bytes and everything fits this machine.
    pub(crate) fn extent(&self, len: usize) -> Option<Extent> {
        let size = self.dtype.size_bytes() as i128;
        if self.shape.len() > 32 || self.shape.len() != self.strides.len() {
            return None;
        }
        // Wide enough for any product of two, so that a limit is checked before the next one.
        let limit = isize::MAX as i128;
        let mut n_claimed = size;
        let is_empty = self.shape.contains(&0);
        let offset = i128::from(self.offset_bytes);
        let (mut first, mut end) = (offset, offset + if is_empty { 0 } else { size });
        for (n, stride) in self.shape.iter().zip(self.strides) {
            let (n, stride) = (i128::from(*n), i128::from(*stride));
            n_claimed *= n.max(1);
            let span = (n - 1).max(0).checked_mul(stride)?.checked_mul(size)?;
            if n_claimed > limit || span > limit || span < -limit - 1 {
                return None;
            }
            if !is_empty {
                first += span.min(0);
                end += span.max(0);
            }
        }
        let is_inside = first >= 0 && end <= len as i128;
        let is_aligned = offset % self.dtype.alignment_bytes() as i128 == 0;
        let n_elements = if is_empty { 0 } else { n_claimed / size };
        (is_inside && is_aligned).then_some(Extent {
            first,
            end,
            n_elements,
        })
    }

    /// Where each element begins, in row-major order; `None` if there are too many.
    pub(crate) fn offsets(&self, extent: &Extent) -> Option<Vec<usize>> {
        match extent.n_elements {
            0 => return Some(Vec::new()),
            n if n > MAX_ELEMENTS => return None,
            _ => {}
        }
        let size = self.dtype.size_bytes() as i128;
        let mut offsets = vec![i128::from(self.offset_bytes)];
        for (n, stride) in self.shape.iter().zip(self.strides) {
            let steps = (0..i128::from(*n)).map(|i| i * i128::from(*stride) * size);
            let steps: Vec<_> = steps.collect();
            offsets = offsets
                .iter()
                .flat_map(|offset| steps.iter().map(move |step| offset + step))
                .collect();
        }
        let offsets = offsets.into_iter().map(usize::try_from);
        Some(offsets.collect::<Result<_, _>>().unwrap())
    }

    /// Checks what Reedbed says of the claim; returns whether it was accepted.
    pub(crate) fn compare(&self, len: usize, is_mutable: bool) -> bool {
        let claim = (self.shape, self.strides);
        let found = check_layout(self.offset_bytes, claim, self.dtype, len, is_mutable);
        let expected = self.extent(len);
        let (checked, extent) = match (found, expected) {
            (Err(_), None) => return false,
            (Ok(checked), Some(extent)) => (checked, extent),
            // It may refuse layouts that are injective by accident, if they are to be written.
            (Err(reason), Some(_)) => {
                assert!(
                    is_mutable && reason.contains("names an element twice"),
                    "{reason}"
                );
                return false;
            }
            (Ok(checked), None) => panic!("accepted {checked:?} in {len} bytes"),
        };
        self.compare_checked(&checked, &extent);
        if let Some(mut offsets) = self.offsets(&extent) {
            let size = self.dtype.size_bytes();
            assert_eq!(offsets.len() * size, checked.size_bytes);
            assert!(offsets.iter().all(|offset| offset + size <= len));
            if is_mutable {
                // Strides are whole elements, so two elements overlap only if they are the same.
                offsets.sort_unstable();
                let is_once = offsets.is_sorted_by(|a, b| a < b);
                assert!(is_once, "an element is named twice");
            }
        }
        true
    }

    fn compare_checked(&self, checked: &Checked, extent: &Extent) {
        let Checked {
            shape,
            strides,
            bytes,
            size_bytes,
        } = checked;
        assert!(
            shape
                .iter()
                .map(|n| *n as u64)
                .eq(self.shape.iter().copied())
        );
        assert_eq!(bytes.start as i128, extent.first);
        assert_eq!(bytes.end as i128, extent.end);
        let size = self.dtype.size_bytes() as i128;
        assert_eq!(*size_bytes as i128, extent.n_elements * size);
        for ((n, claimed), stride) in self.shape.iter().zip(self.strides).zip(strides) {
            let leads_nowhere = *n == 1 || self.shape.contains(&0);
            let expected = if leads_nowhere { 0 } else { *claimed };
            assert_eq!(*stride as i64, expected);
        }
    }
}

/// Checks which arrays of a frame were found, and each of their elements; returns how many were.
pub(crate) fn compare_inline(handles: &[AnyHandle], inline: &[u8], found: &[Found]) -> usize {
    assert_eq!(handles.len(), found.len());
    let mut n_found = 0;
    for (handle, found) in handles.iter().zip(found) {
        let Found::Array(elements) = found else {
            continue;
        };
        n_found += 1;
        let (number, offset_bytes) = handle.element();
        let (shape, strides) = handle.claim();
        assert_eq!(offset_bytes % 16, 0, "arrays in a frame begin at 16 bytes");
        let dtype = DType::from_number(number).unwrap();
        let claim = Claim {
            dtype,
            offset_bytes,
            shape,
            strides,
        };
        let Some(extent) = claim.extent(inline.len()) else {
            panic!("an array outside of the {} bytes that came", inline.len());
        };
        let Some(offsets) = claim.offsets(&extent) else {
            continue;
        };
        let size = dtype.size_bytes();
        let expected = offsets.iter().map(|offset| &inline[*offset..offset + size]);
        assert!(expected.clone().eq(elements.iter().map(Vec::as_slice)));
        if dtype == DType::Bool {
            assert!(
                expected.flatten().all(|byte| *byte <= 1),
                "a bool is neither 0 nor 1"
            );
        }
    }
    n_found
}
