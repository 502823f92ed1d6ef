//! Why a call without a stub doesn't fit what the worker described.

use crate::readable::{list, shorten};

/// Why a call without a stub doesn't fit what the worker described. Nothing was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Mismatch {
    /// The worker serves no module of that name.
    #[error("the worker serves no such module; it serves {}", list(served))]
    UnknownModule {
        /// The modules that it serves.
        served: Vec<String>,
    },
    /// The module has no function of that name.
    #[error("the module has no such function{}; it has {}", suggestion(closest.as_deref()), list(served))]
    UnknownFunction {
        /// The function whose name is most like it, if one is.
        closest: Option<String>,
        /// The functions that it has.
        served: Vec<String>,
    },
    /// An argument wasn't passed.
    #[error("argument `{argument}` is missing: {expected} is expected")]
    Missing {
        /// The argument.
        argument: String,
        /// Its type.
        expected: String,
    },
    /// The function takes no such argument.
    #[error("there is no argument {argument}; the function takes {}", list(takes))]
    Surplus {
        /// Its name, or its place.
        argument: String,
        /// The arguments that there are.
        takes: Vec<String>,
    },
    /// An argument was passed twice.
    #[error("argument `{argument}` is passed twice")]
    Twice {
        /// The argument.
        argument: String,
    },
    /// A value is of another type.
    #[error("`{at}` doesn't fit: {expected} is expected, not {found}")]
    OtherType {
        /// Where: the argument, and the way to the part of it.
        at: String,
        /// What the function takes.
        expected: String,
        /// What was passed.
        found: String,
    },
    /// A number is out of its type's range.
    #[error("`{at}` doesn't fit: {found} is out of range for {expected}")]
    OutOfRange {
        /// Where.
        at: String,
        /// The type.
        expected: String,
        /// The number.
        found: String,
    },
    /// An enum has no such variant.
    #[error(
        "`{at}` doesn't fit: {expected} has no variant `{variant}`, it has {}",
        list(variants)
    )]
    UnknownVariant {
        /// Where.
        at: String,
        /// The enum.
        expected: String,
        /// What was passed.
        variant: String,
        /// The variants that it has.
        variants: Vec<String>,
    },
    /// A struct's, or a variant's, field wasn't passed.
    #[error("`{at}` lacks the field `{field}`: {expected} is expected")]
    MissingField {
        /// Where.
        at: String,
        /// The field.
        field: String,
        /// Its type.
        expected: String,
    },
    /// A struct, or a variant, has no such field, or it was passed twice.
    #[error("`{at}` has one field `{field}` too many; it takes {}", list(takes))]
    SurplusField {
        /// Where.
        at: String,
        /// The field.
        field: String,
        /// The fields that there are.
        takes: Vec<String>,
    },
    /// Only its own Rust type can write it.
    #[error(
        "`{at}` is of type `{name}`, whose bytes only its Rust type can write: pass it with `Value::encoded(&..)`"
    )]
    Opaque {
        /// Where.
        at: String,
        /// The type.
        name: String,
    },
    /// What the function takes, or returns, can't be understood by this program.
    #[error(
        "the type of `{at}` is not known here: {}; import the module's stub, or build this program with the worker's version of reedbed",
        shorten(text, 100)
    )]
    UnknownType {
        /// Where.
        at: String,
        /// The type.
        text: String,
    },
    /// What the function returns can't be taken apart.
    #[error(
        "what it returns can't be read without the Rust type `{name}`, which doesn't stand at the end: import the module's stub"
    )]
    OpaqueResult {
        /// The type.
        name: String,
    },
    /// The instance whose method is called is another worker's.
    #[error("the instance is one of worker `{worker}`")]
    OtherWorker {
        /// Whose it is.
        worker: String,
    },
    /// A value inside itself goes on for too long.
    #[error("`{at}` is deeper than {limit} levels: import the module's stub")]
    TooDeep {
        /// Where.
        at: String,
        /// The most levels.
        limit: usize,
    },
}

fn suggestion(closest: Option<&str>) -> String {
    closest.map_or_else(String::new, |closest| {
        format!(" (did you mean `{closest}`?)")
    })
}

/// The longest name that is compared with others.
const MAX_NAME_CHARS: usize = 64;

/// Finds the name that is most like `name`, if at most a third of it would have to be typed anew.
pub(super) fn closest<'n>(name: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let distances = names
        .into_iter()
        .map(|other| (distance(name, other), other));
    let (distance, closest) = distances.min_by_key(|(distance, _)| *distance)?;
    (distance <= (name.chars().count() / 3).max(1)).then_some(closest)
}

/// The number of characters to insert, remove or replace (Levenshtein's distance).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().take(MAX_NAME_CHARS).collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (above, c) in (1..).zip(one.chars().take(MAX_NAME_CHARS)) {
        let mut diagonal = std::mem::replace(&mut row[0], above);
        for (index, d) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(c != *d);
            diagonal = row[index + 1];
            row[index + 1] = replaced.min(diagonal + 1).min(row[index] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_name_is_a_typing_error_away() {
        let names = ["segment", "segment_into", "crop"];
        assert_eq!(closest("segmnet", names), Some("segment"));
        assert_eq!(closest("crops", names), Some("crop"));
        assert_eq!(closest("threshold", names), None);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", &"x".repeat(1000)), MAX_NAME_CHARS);
    }
}
