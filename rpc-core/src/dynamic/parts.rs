//! Descriptions and what is read by them, for fuzzers.

use super::decode;
use super::parse::{self, MAX_TYPES};
use super::types::Type;
use super::value::Value;
use crate::call::incoming::Parcel;

/// Reads the text of a type; also returns how many types it took.
#[must_use]
pub fn parse_type(text: &str) -> (Type, usize) {
    let mut n_left = MAX_TYPES;
    let ty = parse::parse(text, &mut n_left);
    (ty, MAX_TYPES - n_left)
}

/// Reads what a function returned that returns `returns`, and brought no arrays; also returns how
/// many bytes are left over.
///
/// # Errors
/// What is wrong with the type, or with the bytes.
pub fn decode_value(
    body: &[u8],
    returns: &Type,
) -> Result<(Result<Value<'static>, Value<'static>>, usize), String> {
    decode::check(returns).map_err(|mismatch| mismatch.to_string())?;
    let parcel = Parcel::new(Vec::new(), body.to_vec());
    let mut incoming = parcel.open();
    let outcome =
        decode::decode(&mut incoming, returns).map_err(|failure| format!("{failure:?}"))?;
    Ok((outcome, incoming.n_bytes_left()))
}
