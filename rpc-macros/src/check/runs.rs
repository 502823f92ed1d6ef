//! What a function is run by.

use syn::{Attribute, Error, Ident, Result, Signature};

use crate::remote::Runs;

/// The attribute of a function that says how it is run.
pub(super) const MARKER: &str = "reedbed";

/// Decides how the function is run.
pub(super) fn check(sig: &Signature, attrs: &[Attribute]) -> Result<Runs> {
    let mut markers = attrs.iter().filter(|attr| attr.path().is_ident(MARKER));
    let blocking = markers.next().map(blocking).transpose()?;
    if let Some(second) = markers.next() {
        return Err(Error::new_spanned(second, "a function is marked once"));
    }
    match (blocking, &sig.asyncness) {
        (None, None) => Ok(Runs::Sync),
        (None, Some(_)) => Ok(Runs::Async),
        (Some(_), None) => Ok(Runs::Blocking),
        (Some(marker), Some(_)) => Err(Error::new_spanned(
            marker,
            "an `async fn` is a task among others, and what blocks it blocks them: remove `async`, \
             or have the function await what it waits for and remove this",
        )),
    }
}

/// Checks that the attribute is `#[reedbed(blocking)]`.
fn blocking(marker: &Attribute) -> Result<&Attribute> {
    match marker.parse_args::<Ident>() {
        Ok(name) if name == "blocking" => Ok(marker),
        _ => Err(Error::new_spanned(
            marker,
            "the one form is `#[reedbed(blocking)]`: the function waits or computes for long",
        )),
    }
}
