//! From the text of a type to its tree. The text is a peer's: it is bounded in length, depth and
//! number of parts, and whatever isn't understood stays text.
//!
//! [`Type`]'s `Display` is the exact inverse: every text, understood or not, is written as it was
//! read.

use super::types::{Access, Field, Type, Variant};
use crate::tensor::DType;
use crate::wire::schema::INSTANCE;

/// The longest text that is looked into.
const MAX_TEXT_BYTES: usize = 1024 * 1024;
/// The most types inside one another.
const MAX_DEPTH: usize = 64;
/// The most types in one description.
pub(super) const MAX_TYPES: usize = 1 << 18;

/// Parses the text of a type; `n_types` is how many more types the description may have.
pub(super) fn parse(text: &str, n_types: &mut usize) -> Type {
    let mut parser = Parser {
        rest: text,
        n_types,
    };
    let is_short = text.len() <= MAX_TEXT_BYTES;
    let ty = is_short.then(|| parser.ty(0)).flatten();
    ty.filter(|_| parser.rest.is_empty())
        .unwrap_or_else(|| Type::Other(text.to_owned()))
}

struct Parser<'t> {
    rest: &'t str,
    n_types: &'t mut usize,
}

impl<'t> Parser<'t> {
    /// Takes a type; `None` if the brackets around it don't match.
    fn ty(&mut self, depth: usize) -> Option<Type> {
        let start = self.rest;
        if depth < MAX_DEPTH && *self.n_types > 0 {
            *self.n_types -= 1;
            let known = self.known(depth);
            if known.is_some() && self.is_after_a_type() {
                return known;
            }
        }
        self.rest = start;
        self.other()
    }

    /// Takes a type that begins like one of those in docs/wire.md.
    fn known(&mut self, depth: usize) -> Option<Type> {
        if self.eat("()").is_some() {
            return Some(Type::Unit);
        }
        let word = self.word()?;
        if let Some(leaf) = leaf(word) {
            return Some(leaf);
        }
        match word {
            "os" => self.eat(" string").map(|()| Type::OsString),
            "ip" => self.eat(" address").map(|()| Type::IpAddress),
            "socket" => self.eat(" address").map(|()| Type::SocketAddress),
            "option" => self.applied(depth).map(Type::Option),
            "list" => self.applied(depth).map(Type::List),
            "range" => self.applied(depth).map(Type::Range),
            "map" => {
                let (key, value) = self.applied_twice(depth)?;
                Some(Type::Map { key, value })
            }
            "result" => {
                let (ok, error) = self.applied_twice(depth)?;
                Some(Type::Result { ok, error })
            }
            "tuple" => {
                self.eat("<")?;
                let mut parts = vec![self.ty(depth + 1)?];
                while self.eat(", ").is_some() {
                    parts.push(self.ty(depth + 1)?);
                }
                self.eat(">")?;
                Some(Type::Tuple(parts))
            }
            "array" => {
                self.eat(" ")?;
                let len = self.number()?;
                let element = self.applied(depth)?;
                Some(Type::Array { len, element })
            }
            "struct" => {
                let name = self.name()?;
                let fields = self.fields(depth)?;
                Some(Type::Struct { name, fields })
            }
            "enum" => {
                let name = self.name()?;
                let variants = self.braces(|parser| {
                    let name = parser.word()?.to_owned();
                    let fields = parser.fields(depth)?;
                    Some(Variant { name, fields })
                })?;
                Some(Type::Enum { name, variants })
            }
            "read" => self.lent(Access::Read),
            "write" => self.lent(Access::Write),
            "own" => self.lent(Access::Own),
            "shared" => {
                let is_list = self.eat(" list<").is_some();
                if !is_list {
                    self.eat(" ")?;
                }
                let dtype = self.dtype()?;
                if is_list {
                    self.eat(">")?;
                }
                Some(Type::Shared { dtype, is_list })
            }
            "recursive" => {
                self.eat(" ")?;
                let distance = usize::try_from(self.number()?).ok()?;
                Some(Type::Recursive(distance))
            }
            "opaque" => {
                let name = self.name()?;
                self.eat(" ")?;
                let version = self.quoted()?;
                let parameters = if self.rest.starts_with(" { ") {
                    self.fields(depth).filter(|fields| !fields.is_empty())?
                } else {
                    Vec::new()
                };
                Some(Type::Opaque {
                    name,
                    version,
                    parameters,
                })
            }
            _ => None,
        }
    }

    /// Takes `<..>` with one type inside.
    fn applied(&mut self, depth: usize) -> Option<Box<Type>> {
        self.eat("<")?;
        let inner = self.ty(depth + 1)?;
        self.eat(">")?;
        Some(Box::new(inner))
    }

    /// Takes `<.., ..>`.
    fn applied_twice(&mut self, depth: usize) -> Option<(Box<Type>, Box<Type>)> {
        self.eat("<")?;
        let first = self.ty(depth + 1)?;
        self.eat(", ")?;
        let second = self.ty(depth + 1)?;
        self.eat(">")?;
        Some((Box::new(first), Box::new(second)))
    }

    fn fields(&mut self, depth: usize) -> Option<Vec<Field>> {
        self.braces(|parser| {
            let name = parser.word()?.to_owned();
            parser.eat(": ")?;
            let ty = parser.ty(depth + 1)?;
            Some(Field { name, ty })
        })
    }

    /// Takes ` { .., .. }`.
    fn braces<T>(&mut self, mut part: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        self.eat(" { ")?;
        let mut parts = Vec::new();
        if self.eat(" }").is_some() {
            return Some(parts);
        }
        loop {
            parts.push(part(self)?);
            if self.eat(", ").is_none() {
                self.eat(" }")?;
                return Some(parts);
            }
        }
    }

    /// Takes what follows the access of an array or a segment.
    fn lent(&mut self, access: Access) -> Option<Type> {
        if self.eat(" segment").is_some() {
            return Some(Type::Segment { access });
        }
        self.eat(" ndarray<")?;
        let dtype = self.dtype()?;
        self.eat(", ")?;
        let rank = match self.eat("any") {
            Some(()) => None,
            None => Some(usize::try_from(self.number()?).ok()?),
        };
        self.eat(">")?;
        Some(Type::NdArray {
            access,
            dtype,
            rank,
        })
    }

    fn dtype(&mut self) -> Option<DType> {
        let mut names = DType::ALL.into_iter();
        let dtype = names.find(|dtype| {
            let rest = self.rest.strip_prefix(dtype.name());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([',', '>', ' ']))
        })?;
        self.eat(dtype.name())?;
        Some(dtype)
    }

    fn eat(&mut self, expected: &str) -> Option<()> {
        self.rest = self.rest.strip_prefix(expected)?;
        Some(())
    }

    /// Takes characters up to one that stands between words.
    fn word(&mut self) -> Option<&'t str> {
        let is_between = |c: char| " ,:\"<>{}()[]".contains(c);
        let end = self.rest.find(is_between).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        (!word.is_empty()).then_some(word)
    }

    fn name(&mut self) -> Option<String> {
        self.eat(" ")?;
        self.word().map(str::to_owned)
    }

    /// Takes a number as it is written, without leading zeros.
    fn number(&mut self) -> Option<u64> {
        let word = self.word()?;
        let number: u64 = word.parse().ok()?;
        (number.to_string() == word).then_some(number)
    }

    /// Takes what stands between quotes, escapes and all.
    fn quoted(&mut self) -> Option<String> {
        self.eat("\"")?;
        let end = quoted_len(self.rest)?;
        let (quoted, rest) = self.rest.split_at(end);
        self.rest = &rest[1..];
        Some(quoted.to_owned())
    }

    /// Tells whether a type can end here.
    fn is_after_a_type(&self) -> bool {
        let ends = [",", ">", " }"];
        self.rest.is_empty() || ends.iter().any(|end| self.rest.starts_with(end))
    }

    /// Takes a type that isn't known: all up to where a type can end, outside its own brackets.
    fn other(&mut self) -> Option<Type> {
        let mut depth = 0usize;
        let mut at = 0;
        while let Some(c) = self.rest[at..].chars().next() {
            match c {
                '<' | '{' | '(' | '[' => depth += 1,
                ',' | '>' | '}' | ')' | ']' if depth == 0 => break,
                '>' | '}' | ')' | ']' => depth -= 1,
                '"' => at += 1 + quoted_len(&self.rest[at + 1..])?,
                _ => {}
            }
            at += c.len_utf8();
        }
        let before = &self.rest[..at];
        // The space before a closing brace belongs to the brace.
        let text = before.strip_suffix(' ').unwrap_or(before);
        self.rest = &self.rest[text.len()..];
        (depth == 0 && !text.is_empty()).then(|| Type::Other(text.to_owned()))
    }
}

/// The bytes up to the quote that ends a quotation.
fn quoted_len(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    text.bytes().position(|byte| {
        let is_end = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        is_end
    })
}

fn leaf(word: &str) -> Option<Type> {
    let int = |is_signed, n_bits| Type::Int { is_signed, n_bits };
    Some(match word {
        "bool" => Type::Bool,
        "char" => Type::Char,
        "string" => Type::String,
        "u8" => int(false, 8),
        "u16" => int(false, 16),
        "u32" => int(false, 32),
        "u64" => int(false, 64),
        "u128" => int(false, 128),
        "i8" => int(true, 8),
        "i16" => int(true, 16),
        "i32" => int(true, 32),
        "i64" => int(true, 64),
        "i128" => int(true, 128),
        "f32" => Type::Float { n_bits: 32 },
        "f64" => Type::Float { n_bits: 64 },
        "path" => Type::Path,
        "duration" => Type::Duration,
        "time" => Type::Time,
        INSTANCE => Type::Instance,
        _ => return None,
    })
}

#[cfg(test)]
pub(super) mod tests;
