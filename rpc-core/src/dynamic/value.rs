//! What is passed to a function, or came back from it, when no Rust type says what it is.

use std::fmt;

use ndarray::Dimension;
use serde::Serialize;

use super::array::{AnyTensor, describe};
use super::cells::AnyCells;
use super::lent::{Lent, describe_cells};
use crate::call::instance::Instance;
use crate::readable::{list, shorten};
use crate::segment::Segment;
use crate::tensor::{Element, Tensor};
use crate::wire::codec::{self, CodecError};
use crate::wire::schema::{self, Schema};

/// A value of a function that is called without a stub: an argument, or a part of one, or what came
/// back.
///
/// It is made by `into()` from Rust's scalars, strings, options, lists, maps and tuples, and from
/// whatever a stub takes for an array; by [`structure`](Self::structure) and
/// [`variant`](Self::variant); and by [`serialize_from`](Self::serialize_from) from anything that
/// serde knows. What came back is read by matching, or by [`deserialize`](Self::deserialize).
///
/// ```
/// use reedbed::dynamic::Value;
///
/// let options = Value::structure([("threshold", 7.into()), ("name", Some("nuclei").into())]);
/// assert_eq!(options.to_string(), r#"{ threshold: 7, name: Some("nuclei") }"#);
///
/// let (threshold, name): (u16, Option<String>) = options.deserialize()?;
/// assert_eq!((threshold, name.as_deref()), (7, Some("nuclei")));
/// # Ok::<(), reedbed::dynamic::ValueError>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Value<'a> {
    /// `()`
    Unit,
    /// `bool`
    Bool(bool),
    /// An integer of any width, unless it is greater than [`i128::MAX`].
    Int(i128),
    /// An integer greater than [`i128::MAX`].
    UInt(u128),
    /// `f32` or `f64`
    Float(f64),
    /// `char`
    Char(char),
    /// A string, or a path.
    String(String),
    /// A list or an array of `u8`.
    Bytes(Vec<u8>),
    /// `None`
    None,
    /// `Some`
    Some(Box<Value<'a>>),
    /// A list, an array of fixed length (not one by handle), or a tuple.
    List(Vec<Value<'a>>),
    /// A map's keys and values.
    Map(Vec<(Value<'a>, Value<'a>)>),
    /// A struct's fields. Those without a name are `0`, `1`, ...
    Struct(Vec<(String, Value<'a>)>),
    /// A variant of an enum.
    Variant {
        /// Its name.
        name: String,
        /// Its fields. Those without a name are `0`, `1`, ...
        fields: Vec<(String, Value<'a>)>,
    },
    /// An array that is given away, or was returned.
    Tensor(AnyTensor),
    /// A segment that is given away, or was returned.
    Segment(Segment),
    /// Shared cells that were returned, and may be passed on.
    Cells(AnyCells),
    /// An array, a segment or a shared cell that is lent to the function.
    Lent(Lent<'a>),
    /// An instance of a service: what a constructor returned, and a method's `self`.
    Instance(Instance),
    /// A value of a Rust type, as its bytes (see [`Value::encoded`]).
    Encoded(Encoded),
}

/// A value of a Rust type, as its bytes and the text of its schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    pub(super) text: String,
    pub(super) bytes: Vec<u8>,
}

/// Why a value is not what a program takes it for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ValueError {
    pub(super) message: String,
}

impl ValueError {
    pub(super) fn new(message: impl fmt::Display) -> Self {
        Self {
            message: message.to_string(),
        }
    }
}

/// Pairs of names and values, as a struct's fields.
fn named<'a>(
    fields: impl IntoIterator<Item = (impl Into<String>, Value<'a>)>,
) -> Vec<(String, Value<'a>)> {
    let named = |(name, value): (_, _)| (Into::<String>::into(name), value);
    fields.into_iter().map(named).collect()
}

impl<'a> Value<'a> {
    /// Makes a struct of its fields, in any order. Those without a name are `0`, `1`, ...
    pub fn structure(
        fields: impl IntoIterator<Item = (impl Into<String>, Value<'a>)>,
    ) -> Value<'a> {
        Self::Struct(named(fields))
    }

    /// Makes a variant of an enum, with its fields in any order. Those without a name are `0`, `1`,
    /// ...
    pub fn variant(
        name: impl Into<String>,
        fields: impl IntoIterator<Item = (impl Into<String>, Value<'a>)>,
    ) -> Value<'a> {
        Self::Variant {
            name: name.into(),
            fields: named(fields),
        }
    }

    /// Makes a variant of an enum that has no fields.
    pub fn unit_variant(name: impl Into<String>) -> Value<'a> {
        Self::Variant {
            name: name.into(),
            fields: Vec::new(),
        }
    }

    /// Takes a value of a Rust type as its bytes. It fits where the function takes the very same
    /// type, compared by the text of its schema, and is the one way to pass an opaque type.
    ///
    /// # Errors
    /// [`ValueError`] if it can't be encoded.
    pub fn encoded<T: Schema + Serialize + ?Sized>(value: &T) -> Result<Value<'a>, ValueError> {
        let bytes = codec::encode(value).map_err(ValueError::new)?;
        let text = schema::text_of::<T>();
        Ok(Self::Encoded(Encoded { text, bytes }))
    }

    /// Reads a value of a Rust type, whose bytes came as [`Value::Encoded`]: an opaque type.
    ///
    /// # Errors
    /// [`ValueError`] if the bytes are of another type, or are malformed.
    pub fn decode<T: Schema + serde::de::DeserializeOwned>(&self) -> Result<T, ValueError> {
        let (expected, found) = (schema::text_of::<T>(), self.summary());
        match self {
            Self::Encoded(Encoded { text, bytes }) if *text == expected => {
                codec::decode(bytes).map_err(|error: CodecError| ValueError::new(error))
            }
            _ => Err(ValueError::new(format!(
                "the bytes of {expected} are expected, not {found}"
            ))),
        }
    }

    /// Takes the value of a field, of a struct or a variant.
    pub fn take(&mut self, field: &str) -> Option<Value<'a>> {
        let (Self::Struct(fields) | Self::Variant { fields, .. }) = self else {
            return None;
        };
        let index = fields.iter().position(|(name, _)| name == field)?;
        Some(fields.remove(index).1)
    }

    /// Takes the instance that it is, for the methods that follow its constructor.
    ///
    /// # Errors
    /// [`ValueError`] if it is something else.
    pub fn into_instance(self) -> Result<Instance, ValueError> {
        match self {
            Self::Instance(instance) => Ok(instance),
            other => Err(ValueError::new(format!(
                "an instance of a service is expected, not {}",
                other.summary()
            ))),
        }
    }

    /// Takes the array that it is.
    ///
    /// # Errors
    /// [`ValueError`] if it is something else, or an array of another element type or number of
    /// dimensions.
    pub fn into_tensor<A: Element, D: Dimension>(self) -> Result<Tensor<A, D>, ValueError> {
        match self {
            Self::Tensor(tensor) => tensor.into_tensor().map_err(ValueError::new),
            other => {
                let expected = describe("a tensor", A::DTYPE, D::NDIM);
                let found = other.summary();
                Err(ValueError::new(format!(
                    "{expected} is expected, not {found}"
                )))
            }
        }
    }

    /// Says what it is, in an error.
    pub(super) fn summary(&self) -> String {
        match self {
            Self::Unit => "`()`".to_owned(),
            Self::Bool(value) => format!("the bool {value}"),
            Self::Int(value) => format!("the integer {value}"),
            Self::UInt(value) => format!("the integer {value}"),
            Self::Float(value) => format!("the number {value:?}"),
            Self::Char(value) => format!("the char {value:?}"),
            Self::String(value) => format!("the string {:?}", shorten(value, 40)),
            Self::Bytes(bytes) => format!("{} bytes", bytes.len()),
            Self::None => "`None`".to_owned(),
            Self::Some(value) => format!("`Some` of {}", value.summary()),
            Self::List(values) => format!("a list of {}", values.len()),
            Self::Map(entries) => format!("a map of {}", entries.len()),
            Self::Struct(fields) => {
                let names: Vec<_> = fields.iter().map(|(name, _)| name.clone()).collect();
                format!("a struct of {}", list(&names))
            }
            Self::Variant { name, .. } => format!("the variant `{name}`"),
            Self::Tensor(tensor) => {
                let array = describe("an array", tensor.dtype(), Some(tensor.ndim()));
                format!("{array}, given away")
            }
            Self::Segment(_) => "a segment, given away".to_owned(),
            Self::Cells(cells) => describe_cells(cells.dtype(), cells.is_list()),
            Self::Lent(lent) => lent.summary(),
            Self::Instance(_) => "an instance of a service".to_owned(),
            Self::Encoded(encoded) => {
                format!("the bytes of {}", shorten(&encoded.text, 100))
            }
        }
    }
}

/// As Rust's programs would write it, without the names of structs.
impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unit => f.write_str("()"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Int(value) => write!(f, "{value}"),
            Self::UInt(value) => write!(f, "{value}"),
            Self::Float(value) => write!(f, "{value:?}"),
            Self::Char(value) => write!(f, "{value:?}"),
            Self::String(value) => write!(f, "{value:?}"),
            Self::Bytes(bytes) => write!(f, "{bytes:?}"),
            Self::None => f.write_str("None"),
            Self::Some(value) => write!(f, "Some({value})"),
            Self::List(values) => {
                f.write_str("[")?;
                separated(f, values, |f, value| value.fmt(f))?;
                f.write_str("]")
            }
            Self::Map(entries) => {
                f.write_str("{")?;
                separated(f, entries, |f, (key, value)| write!(f, "{key}: {value}"))?;
                f.write_str("}")
            }
            Self::Struct(fields) => write_fields(f, fields),
            Self::Variant { name, fields } if fields.is_empty() => f.write_str(name),
            Self::Variant { name, fields } => {
                write!(f, "{name} ")?;
                write_fields(f, fields)
            }
            array => write!(f, "<{}>", array.summary()),
        }
    }
}

fn write_fields(f: &mut fmt::Formatter<'_>, fields: &[(String, Value<'_>)]) -> fmt::Result {
    f.write_str("{ ")?;
    separated(f, fields, |f, (name, value)| write!(f, "{name}: {value}"))?;
    f.write_str(" }")
}

fn separated<T>(
    f: &mut fmt::Formatter<'_>,
    parts: &[T],
    write: impl Fn(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            f.write_str(", ")?;
        }
        write(f, part)?;
    }
    Ok(())
}

mod from;
