//! Errors whose `Debug` form is for people, because that is what a `main` that returns one prints.

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
