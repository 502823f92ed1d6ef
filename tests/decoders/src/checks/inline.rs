//! Layouts and arrays in frames, of numbers that are worth a try: small ones, and those at the edge
//! of what a machine has.

use arbitrary::{Result, Unstructured};
use reedbed::__private::parts::{AnyHandle, bind_inline};
use reedbed::DType;

use super::model::{Claim, compare_inline};
use crate::Verdict;

pub(crate) fn check(bytes: &[u8]) -> Verdict {
    let mut source = Unstructured::new(bytes);
    let Ok((handles, inline)) = frame(&mut source) else {
        return Verdict::Refused;
    };
    let mut is_accepted = false;
    for handle in &handles {
        let (number, offset_bytes) = handle.element();
        let (shape, strides) = handle.claim();
        let Some(dtype) = DType::from_number(number) else {
            continue;
        };
        let claim = Claim {
            dtype,
            offset_bytes,
            shape,
            strides,
        };
        is_accepted |= claim.compare(inline.len(), false);
        is_accepted |= claim.compare(inline.len(), true);
    }
    let found = bind_inline(&handles, &inline);
    is_accepted |= compare_inline(&handles, &inline, &found) > 0;
    Verdict::of(is_accepted)
}

fn frame(source: &mut Unstructured<'_>) -> Result<(Vec<AnyHandle>, Vec<u8>)> {
    let len = source.int_in_range(0..=300u16)?;
    let is_flags = source.arbitrary()?;
    // Bytes that tell where they came from; or flags, nearly all of which are valid.
    let byte = |at: u16| match is_flags {
        true => u8::from(at.is_multiple_of(3)) + u8::from(at == 100),
        false => at.to_le_bytes()[0],
    };
    let inline = (0..len).map(byte).collect();
    let n_handles = source.int_in_range(1..=3u8)?;
    let handles = (0..n_handles)
        .map(|_| handle(source))
        .collect::<Result<_>>()?;
    Ok((handles, inline))
}

fn handle(source: &mut Unstructured<'_>) -> Result<AnyHandle> {
    let is_given = source.arbitrary()?;
    let dtype = source.int_in_range(0..=17u8)?;
    let offset_bytes = match source.ratio(7u8, 8u8)? {
        true => 16 * u64::from(source.int_in_range(0..=20u8)?),
        false => number(source)?,
    };
    let n_dimensions = match source.ratio(63u8, 64u8)? {
        true => source.int_in_range(0..=5u8)?,
        false => source.int_in_range(31..=34u8)?,
    };
    let (mut shape, mut strides) = (Vec::new(), Vec::new());
    for _ in 0..n_dimensions {
        shape.push(number(source)?);
        let step = number(source)? as i64;
        strides.push(if source.arbitrary()? {
            step
        } else {
            step.wrapping_neg()
        });
    }
    if source.ratio(1u8, 64u8)? {
        strides.pop();
    }
    Ok(AnyHandle::inline(
        is_given,
        dtype,
        offset_bytes,
        (shape, strides),
    ))
}

/// A small number, mostly.
fn number(source: &mut Unstructured<'_>) -> Result<u64> {
    if source.ratio(15u8, 16u8)? {
        return Ok(source.int_in_range(0..=6u8)?.into());
    }
    let near = source.int_in_range(0..=4u64)?;
    let bit = source.int_in_range(0..=63u32)?;
    Ok((1u64 << bit).wrapping_add(near).wrapping_sub(2))
}
