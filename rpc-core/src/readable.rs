//! Errors whose `Debug` form is for people, because that is what a `main` that returns one prints;
//! and what errors quote.

use std::error::Error;
use std::fmt;

/// Writes an error and what caused it, in one line.
pub(crate) fn write_chain(error: &dyn Error, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "{error}")?;
    let mut source = error.source();
    while let Some(cause) = source {
        write!(f, ": {cause}")?;
        source = cause.source();
    }
    Ok(())
}

/// Lists names for people.
pub(crate) fn list(names: &[String]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

/// Cuts a text that may be too long to be read.
pub(crate) fn shorten(text: &str, n_chars: usize) -> String {
    match text.char_indices().nth(n_chars) {
        Some((end, _)) => format!("{} ..", &text[..end]),
        None => text.to_owned(),
    }
}

/// Has the `Debug` form of errors be their message and what caused them.
macro_rules! debug_as_message {
    ($($error:ty),+) => {$(
        impl ::std::fmt::Debug for $error {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                $crate::readable::write_chain(self, f)
            }
        }
    )+};
}

pub(crate) use debug_as_message;
