//! Handles: what is read can be written again, and a layout is accepted if and only if each of its
//! elements lies inside.
//!
//! The bytes are those of a handle behind three more: whether the array is to be written, and the
//! length of its segment.

use reedbed::__private::parts::AnyHandle;
use reedbed::DType;

use super::PER_BYTE;
use super::model::Claim;
use crate::Verdict;
use crate::allocation::bounded;

pub(crate) fn check(bytes: &[u8]) -> Verdict {
    let Some(([is_mutable, low, high], bytes)) = bytes.split_first_chunk::<3>() else {
        return Verdict::Refused;
    };
    let Ok(handle) = bounded(bytes.len(), PER_BYTE, || AnyHandle::decode(bytes)) else {
        return Verdict::Refused;
    };
    assert_eq!(handle.encode().as_deref(), Ok(bytes), "written again");
    let (number, offset_bytes) = handle.element();
    let (shape, strides) = handle.claim();
    let Some(dtype) = DType::from_number(number) else {
        return Verdict::Refused;
    };
    let claim = Claim {
        dtype,
        offset_bytes,
        shape,
        strides,
    };
    let len = usize::from(u16::from_le_bytes([*low, *high]));
    Verdict::of(claim.compare(len, is_mutable % 2 == 1))
}
