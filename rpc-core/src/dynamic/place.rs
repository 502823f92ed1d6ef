//! Where a part of an argument is: `options.points[3].x`, as typed stubs name it. By these names an
//! error says what doesn't fit, a report what was copied, and a program takes back what wasn't sent.

use super::value::Value;
use crate::call::argument::name_entry;
use crate::call::outgoing::Outgoing;

/// A step from a value to a part of it. What an option holds is where the option is.
pub(super) enum Step<'t> {
    /// To a field of a struct, or of a variant; or to a variant.
    Field(&'t str),
    /// To a part of a tuple.
    Part(usize),
    /// To an element of a list, or of an array.
    Element(usize),
    /// To an entry of a map, which [`of_key`] names.
    Entry(String),
}

/// Where a number of steps lead from an argument.
pub(super) fn of(argument: &str, path: &[Step<'_>]) -> String {
    let mut at = argument.to_owned();
    for step in path {
        match step {
            Step::Field(name) => at.extend([".", *name]),
            Step::Part(index) => at.push_str(&format!(".{index}")),
            Step::Element(index) => at.push_str(&format!("[{index}]")),
            Step::Entry(key) => at.push_str(key),
        }
    }
    at
}

/// Names an entry of a map by the beginning of its key: `["nuclei"]`.
pub(super) fn of_key(key: &Value<'_>) -> String {
    let mut at = String::new();
    // The `Debug` form of a format is what it formats.
    name_entry(&mut at, "", &format_args!("{key}"));
    at
}

/// Hands back what is to be given away in a value that isn't sent. What no type says is named by the
/// value itself: the parts of what may be a list or a tuple are `at[0]`, `at[1]`, ...
///
/// A value may be deeper than the stack, because no type has bounded it: this doesn't recurse.
pub(super) fn give_back<'a>(value: &mut Value<'a>, at: &str, outgoing: &mut Outgoing<'a>) {
    let mut left = vec![(at.to_owned(), std::mem::replace(value, Value::Unit))];
    while let Some((at, value)) = left.pop() {
        match value {
            Value::Tensor(tensor) => outgoing.given.push((at, Box::new(tensor))),
            Value::Segment(segment) => outgoing.given.push((at, Box::new(segment))),
            Value::Some(value) => left.push((at, *value)),
            Value::List(values) => {
                let values = values.into_iter().enumerate();
                left.extend(values.map(|(index, value)| (format!("{at}[{index}]"), value)));
            }
            Value::Map(entries) => left.extend(entries.into_iter().flat_map(|(key, value)| {
                let at = format!("{at}{}", of_key(&key));
                [(at.clone(), key), (at, value)]
            })),
            Value::Struct(fields) => left.extend(below(&at, fields)),
            Value::Variant { name, fields } => left.extend(below(&format!("{at}.{name}"), fields)),
            _ => {}
        }
    }
}

fn below<'a>(
    at: &str,
    fields: Vec<(String, Value<'a>)>,
) -> impl Iterator<Item = (String, Value<'a>)> {
    let fields = fields.into_iter();
    fields.map(move |(name, value)| (format!("{at}.{name}"), value))
}
