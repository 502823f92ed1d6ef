//! What a function takes and returns, as a tree.

use std::fmt;
use std::sync::LazyLock;

use super::parse::{MAX_TYPES, parse};
use crate::readable::shorten;
use crate::tensor::DType;
use crate::wire::schema::INSTANCE;

/// A type, as a worker describes it (see section 10 of `docs/wire.md`).
///
/// Its [`Display`](fmt::Display) form is the text that it was parsed from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Type {
    /// `()`
    Unit,
    /// `bool`
    Bool,
    /// `char`
    Char,
    /// `string`
    String,
    /// `u8` to `u128`, `i8` to `i128`; `usize` and `isize` have 64 bits.
    Int {
        /// Whether it can be negative.
        is_signed: bool,
        /// 8, 16, 32, 64 or 128.
        n_bits: u32,
    },
    /// `f32`, `f64`
    Float {
        /// 32 or 64.
        n_bits: u32,
    },
    /// `path`
    Path,
    /// `os string`
    OsString,
    /// `duration`
    Duration,
    /// `time`
    Time,
    /// `ip address`
    IpAddress,
    /// `socket address`
    SocketAddress,
    /// `option<..>`
    Option(Box<Type>),
    /// `list<..>`
    List(Box<Type>),
    /// `map<.., ..>`
    Map {
        /// The type of the keys.
        key: Box<Type>,
        /// The type of what they lead to.
        value: Box<Type>,
    },
    /// `range<..>`
    Range(Box<Type>),
    /// `result<.., ..>`
    Result {
        /// The type of `Ok`.
        ok: Box<Type>,
        /// The type of `Err`.
        error: Box<Type>,
    },
    /// `tuple<.., ..>`
    Tuple(Vec<Type>),
    /// `array N<..>`
    Array {
        /// The number of elements.
        len: u64,
        /// Their type.
        element: Box<Type>,
    },
    /// `struct Name { field: .., .. }`
    Struct {
        /// Its name.
        name: String,
        /// Its fields, in order.
        fields: Vec<Field>,
    },
    /// `enum Name { Variant { field: .., .. }, .. }`
    Enum {
        /// Its name.
        name: String,
        /// Its variants, in order.
        variants: Vec<Variant>,
    },
    /// `read ndarray<u16, 2>`: an array that travels by handle.
    NdArray {
        /// On what terms.
        access: Access,
        /// The type of its elements.
        dtype: DType,
        /// The number of its dimensions; `None` for any.
        rank: Option<usize>,
    },
    /// `read segment`
    Segment {
        /// On what terms.
        access: Access,
    },
    /// `shared u64`, `shared list<u64>`: a [`SharedCell`](crate::SharedCell), or
    /// [`SharedCells`](crate::SharedCells).
    Shared {
        /// The type of the value, or the values.
        dtype: DType,
        /// Whether it is a run of cells.
        is_list: bool,
    },
    /// `instance`: an instance of a service, which stays in the worker.
    Instance,
    /// `recursive N`: the type that stands N types further out than the one around this.
    Recursive(usize),
    /// `opaque Name "version"`: what only its own Rust type can read and write.
    Opaque {
        /// Its name.
        name: String,
        /// The version of its form, as it stands between the quotes.
        version: String,
        /// What it is applied to, if it is generic.
        parameters: Vec<Field>,
    },
    /// A type that this version of reedbed doesn't know, as its text.
    Other(String),
}

/// On what terms an array or a segment crosses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// Lent for reading: `&tensor`.
    Read,
    /// Lent for writing: `&mut tensor`.
    Write,
    /// Given away: `tensor`.
    Own,
}

/// A field of a struct or of a variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name; `0`, `1`, ... where it has none.
    pub name: String,
    /// Its type.
    pub ty: Type,
}

/// A variant of an enum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variant {
    /// Its name.
    pub name: String,
    /// Its fields, in order.
    pub fields: Vec<Field>,
}

/// The longest text that an error quotes.
const QUOTED_CHARS: usize = 100;

impl Type {
    /// Names the type in an error: a struct or an enum without what is inside.
    pub(super) fn summary(&self) -> String {
        match self {
            Self::Struct { name, .. } => format!("struct {name}"),
            Self::Enum { name, .. } => format!("enum {name}"),
            other => shorten(&other.to_string(), QUOTED_CHARS),
        }
    }

    /// The struct or enum that serde writes a type of Rust's standard library as.
    pub(super) fn written_as(&self) -> Option<&'static Self> {
        static FORMS: LazyLock<[Type; 5]> = LazyLock::new(|| {
            [
                "struct Duration { secs: u64, nanos: u32 }",
                "struct SystemTime { secs_since_epoch: u64, nanos_since_epoch: u32 }",
                "enum OsString { Unix { 0: list<u8> }, Windows { 0: list<u16> } }",
                "enum IpAddr { V4 { 0: array 4<u8> }, V6 { 0: array 16<u8> } }",
                "enum SocketAddr { V4 { 0: tuple<array 4<u8>, u16> }, \
                 V6 { 0: tuple<array 16<u8>, u16> } }",
            ]
            .map(|text| parse(text, &mut { MAX_TYPES }))
        });
        let [duration, time, os_string, ip_address, socket_address] = &*FORMS;
        match self {
            Self::Duration => Some(duration),
            Self::Time => Some(time),
            Self::OsString => Some(os_string),
            Self::IpAddress => Some(ip_address),
            Self::SocketAddress => Some(socket_address),
            _ => None,
        }
    }

    /// Tells whether it is `u8`, of which lists are runs of bytes.
    pub(super) fn is_byte(&self) -> bool {
        matches!(
            self,
            Self::Int {
                is_signed: false,
                n_bits: 8
            }
        )
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unit => f.write_str("()"),
            Self::Bool => f.write_str("bool"),
            Self::Char => f.write_str("char"),
            Self::String => f.write_str("string"),
            Self::Int { is_signed, n_bits } => {
                write!(f, "{}{n_bits}", if *is_signed { 'i' } else { 'u' })
            }
            Self::Float { n_bits } => write!(f, "f{n_bits}"),
            Self::Path => f.write_str("path"),
            Self::OsString => f.write_str("os string"),
            Self::Duration => f.write_str("duration"),
            Self::Time => f.write_str("time"),
            Self::IpAddress => f.write_str("ip address"),
            Self::SocketAddress => f.write_str("socket address"),
            Self::Option(inner) => write!(f, "option<{inner}>"),
            Self::List(element) => write!(f, "list<{element}>"),
            Self::Map { key, value } => write!(f, "map<{key}, {value}>"),
            Self::Range(bound) => write!(f, "range<{bound}>"),
            Self::Result { ok, error } => write!(f, "result<{ok}, {error}>"),
            Self::Tuple(parts) => {
                f.write_str("tuple<")?;
                separated(f, parts)?;
                f.write_str(">")
            }
            Self::Array { len, element } => write!(f, "array {len}<{element}>"),
            Self::Struct { name, fields } => {
                write!(f, "struct {name}")?;
                braces(f, fields)
            }
            Self::Enum { name, variants } => {
                write!(f, "enum {name}")?;
                braces(f, variants)
            }
            Self::NdArray {
                access,
                dtype,
                rank: Some(rank),
            } => write!(f, "{access} ndarray<{dtype}, {rank}>"),
            Self::NdArray { access, dtype, .. } => write!(f, "{access} ndarray<{dtype}, any>"),
            Self::Segment { access } => write!(f, "{access} segment"),
            Self::Shared {
                dtype,
                is_list: true,
            } => write!(f, "shared list<{dtype}>"),
            Self::Shared { dtype, .. } => write!(f, "shared {dtype}"),
            Self::Instance => f.write_str(INSTANCE),
            Self::Recursive(distance) => write!(f, "recursive {distance}"),
            Self::Opaque {
                name,
                version,
                parameters,
            } => {
                write!(f, "opaque {name} \"{version}\"")?;
                if parameters.is_empty() {
                    return Ok(());
                }
                braces(f, parameters)
            }
            Self::Other(text) => f.write_str(text),
        }
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Own => "own",
        })
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.ty)
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        braces(f, &self.fields)
    }
}

fn braces<T: fmt::Display>(f: &mut fmt::Formatter<'_>, parts: &[T]) -> fmt::Result {
    f.write_str(" { ")?;
    separated(f, parts)?;
    f.write_str(" }")
}

fn separated<T: fmt::Display>(f: &mut fmt::Formatter<'_>, parts: &[T]) -> fmt::Result {
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            f.write_str(", ")?;
        }
        part.fmt(f)?;
    }
    Ok(())
}
