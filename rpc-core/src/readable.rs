//! Errors whose `Debug` form is for people, because that is what a `main` that returns one prints;
//! and what errors quote.

use std::borrow::Cow;
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

/// Writes out whatever would have a terminal do something else than to show it.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c == '\t' || !c.is_control();
    if text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut written = String::new();
    for c in text.chars() {
        match is_plain(c) {
            true => written.push(c),
            false => written.extend(c.escape_default()),
        }
    }
    Cow::Owned(written)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_told_nothing_by_what_is_shown() {
        assert!(matches!(printable("plain,\ttrès"), Cow::Borrowed(_)));
        assert_eq!(
            printable("\x1b]0;title\x07\u{9b}31m\rred"),
            "\\u{1b}]0;title\\u{7}\\u{9b}31m\\rred"
        );
    }
}
