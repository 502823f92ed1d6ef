//! From the bytes of a reply to a value, by the type that the worker described. Both are a peer's:
//! what doesn't fit is an error, and neither a number nor a type costs more than the bytes pay for.

use super::encode::MAX_DEPTH;
use super::mismatch::Mismatch;
use super::types::{Field, Type, Variant};
use super::value::Value;
use crate::call::incoming::Incoming;
use crate::call::pending::FindInstance;
use crate::call::returned::RETURNED;
use crate::wire::codec::Bytes;
use crate::wire::frame::Failure;

/// The most values in one result. More numbers than these belong into an array.
const MAX_VALUES: usize = 1 << 22;

/// The most values in one result for which there is no byte.
const MAX_EMPTY_VALUES: usize = 1 << 16;

/// The most bytes of all names of fields and variants in one result: each value brings its own.
const MAX_NAME_BYTES: usize = 1 << 26;

/// What a function returned: a value, or its own error.
pub(super) type Outcome = Result<Value<'static>, Value<'static>>;

/// Reads what a function returned.
pub(super) fn decode(incoming: &mut Incoming<'_>, returns: &Type) -> Result<Outcome, Failure> {
    let n_paid = incoming.n_bytes_left().saturating_add(MAX_EMPTY_VALUES);
    let mut decoder = Decoder {
        incoming,
        open: Vec::new(),
        depth: 0,
        n_values: MAX_VALUES.min(n_paid),
        n_name_bytes: MAX_NAME_BYTES,
    };
    let Type::Result { ok, error } = returns else {
        return decoder.value(returns, true).map(Ok);
    };
    decoder.open.push(returns);
    match decoder.variant(2)? {
        0 => decoder.value(ok, true).map(Ok),
        _ => decoder.value(error, true).map(Err),
    }
}

/// Checks that what a function returns can be read at all. The bytes of an opaque type don't say
/// where they end, so it must be the last.
pub(super) fn check(returns: &Type) -> Result<(), Mismatch> {
    match returns {
        Type::Instance => Ok(()),
        Type::Result { ok, error } if **ok == Type::Instance => check_part(error, true),
        returns => check_part(returns, true),
    }
}

/// Says how to find the instance that a constructor's reply names, whoever receives the reply.
pub(super) fn find_instance(returns: &Type) -> Option<FindInstance> {
    match returns {
        Type::Instance => Some(|incoming| incoming.value(RETURNED).map(Some)),
        Type::Result { ok, .. } if **ok == Type::Instance => {
            Some(|incoming| match incoming.value(RETURNED)? {
                0u32 => incoming.value(RETURNED).map(Some),
                _ => Ok(None),
            })
        }
        _ => None,
    }
}

fn check_part(ty: &Type, is_last: bool) -> Result<(), Mismatch> {
    match ty {
        Type::Opaque { name, .. } if !is_last => Err(Mismatch::OpaqueResult { name: name.clone() }),
        Type::Other(_) | Type::Instance => Err(Mismatch::UnknownType {
            at: RETURNED.to_owned(),
            text: ty.to_string(),
        }),
        Type::Option(inner) => check_part(inner, is_last),
        Type::List(element) | Type::Array { element, .. } => check_part(element, false),
        Type::Range(bound) => check_part(bound, false),
        Type::Map { key, value } => {
            check_part(key, false)?;
            check_part(value, false)
        }
        Type::Result { ok, error } => {
            check_part(ok, is_last)?;
            check_part(error, is_last)
        }
        Type::Tuple(parts) => check_parts(parts.iter(), is_last),
        Type::Struct { fields, .. } => check_parts(fields.iter().map(|field| &field.ty), is_last),
        Type::Enum { variants, .. } => variants.iter().try_for_each(|variant| {
            check_parts(variant.fields.iter().map(|field| &field.ty), is_last)
        }),
        _ => Ok(()),
    }
}

fn check_parts<'t>(
    parts: impl ExactSizeIterator<Item = &'t Type>,
    is_last: bool,
) -> Result<(), Mismatch> {
    let n_before_last = parts.len().saturating_sub(1);
    for (index, part) in parts.enumerate() {
        check_part(part, is_last && index == n_before_last)?;
    }
    Ok(())
}

struct Decoder<'d, 'i, 't> {
    incoming: &'d mut Incoming<'i>,
    /// The types around the one being read, outermost first: what `recursive` counts.
    open: Vec<&'t Type>,
    depth: usize,
    /// How many more values there may be.
    n_values: usize,
    /// How many more bytes their names may have.
    n_name_bytes: usize,
}

type Received = Result<Value<'static>, Failure>;

impl<'t> Decoder<'_, '_, 't> {
    /// Reads a value; `is_last` tells whether nothing follows it.
    ///
    /// What leads from one value to those inside it is kept apart from the rest, which takes room on
    /// the stack: it is there once for each level.
    fn value(&mut self, ty: &'t Type, is_last: bool) -> Received {
        let ty = ty.written_as().unwrap_or(ty);
        self.n_values = self.n_values.checked_sub(1).ok_or_else(too_many)?;
        match ty {
            Type::Recursive(distance) => self.recursive(*distance, is_last),
            Type::Option(_)
            | Type::List(_)
            | Type::Map { .. }
            | Type::Range(_)
            | Type::Result { .. }
            | Type::Tuple(_)
            | Type::Array { .. }
            | Type::Struct { .. }
            | Type::Enum { .. } => {
                if self.depth >= MAX_DEPTH {
                    return Err(too_deep());
                }
                self.depth += 1;
                self.open.push(ty);
                let value = self.compound(ty, is_last);
                self.open.pop();
                self.depth -= 1;
                value
            }
            leaf => self.leaf(leaf, is_last),
        }
    }

    fn compound(&mut self, ty: &'t Type, is_last: bool) -> Received {
        match ty {
            Type::Option(inner) => self.option(inner, is_last),
            Type::List(element) => self.list(element),
            Type::Array { len, element } => self.elements(*len, element),
            Type::Map { key, value } => self.map(key, value),
            Type::Range(bound) => self.range(bound),
            Type::Tuple(parts) => self.tuple(parts, is_last),
            Type::Struct { fields, .. } => self.fields(fields, is_last).map(Value::Struct),
            Type::Enum { variants, .. } => self.enumeration(variants, is_last),
            Type::Result { ok, error } => self.result(ok, error, is_last),
            leaf => self.leaf(leaf, is_last),
        }
    }

    fn option(&mut self, inner: &'t Type, is_last: bool) -> Received {
        if !self.incoming.value(RETURNED)? {
            return Ok(Value::None);
        }
        let value = self.value(inner, is_last)?;
        Ok(Value::Some(Box::new(value)))
    }

    fn list(&mut self, element: &'t Type) -> Received {
        if element.is_byte() {
            let Bytes(bytes) = self.incoming.value(RETURNED)?;
            return Ok(Value::Bytes(bytes));
        }
        let len = self.incoming.value(RETURNED)?;
        self.elements(len, element)
    }

    fn map(&mut self, key: &'t Type, value: &'t Type) -> Received {
        let len: u64 = self.incoming.value(RETURNED)?;
        let mut entries = Vec::new();
        for _ in 0..len {
            let key = self.value(key, false)?;
            entries.push((key, self.value(value, false)?));
        }
        Ok(Value::Map(entries))
    }

    fn range(&mut self, bound: &'t Type) -> Received {
        let start = self.value(bound, false)?;
        let end = self.value(bound, false)?;
        Ok(Value::structure([("start", start), ("end", end)]))
    }

    fn tuple(&mut self, parts: &'t [Type], is_last: bool) -> Received {
        let n_before_last = parts.len().saturating_sub(1);
        let mut values = Vec::new();
        for (index, ty) in parts.iter().enumerate() {
            values.push(self.value(ty, is_last && index == n_before_last)?);
        }
        Ok(Value::List(values))
    }

    fn enumeration(&mut self, variants: &'t [Variant], is_last: bool) -> Received {
        let variant = &variants[self.variant(variants.len())?];
        let name = self.name(&variant.name)?;
        let fields = self.fields(&variant.fields, is_last)?;
        Ok(Value::Variant { name, fields })
    }

    fn result(&mut self, ok: &'t Type, error: &'t Type, is_last: bool) -> Received {
        let (name, inner) = match self.variant(2)? {
            0 => ("Ok", ok),
            _ => ("Err", error),
        };
        let value = self.value(inner, is_last)?;
        Ok(Value::variant(name, [("0", value)]))
    }

    fn elements(&mut self, len: u64, ty: &'t Type) -> Received {
        let mut values = Vec::new();
        for _ in 0..len {
            values.push(self.value(ty, false)?);
        }
        Ok(Value::List(values))
    }

    fn fields(
        &mut self,
        fields: &'t [Field],
        is_last: bool,
    ) -> Result<Vec<(String, Value<'static>)>, Failure> {
        let n_before_last = fields.len().saturating_sub(1);
        let mut values = Vec::new();
        for (index, Field { name, ty }) in fields.iter().enumerate() {
            let value = self.value(ty, is_last && index == n_before_last)?;
            values.push((self.name(name)?, value));
        }
        Ok(values)
    }

    /// Copies the name of a field or a variant.
    fn name(&mut self, name: &str) -> Result<String, Failure> {
        let left = self.n_name_bytes.checked_sub(name.len());
        self.n_name_bytes = left.ok_or_else(|| {
            bad(&format!(
                "its names have more than {MAX_NAME_BYTES} bytes; have the function return arrays, \
                 or import the module's stub"
            ))
        })?;
        Ok(name.to_owned())
    }

    /// Reads the number of one of `n_variants` variants.
    fn variant(&mut self, n_variants: usize) -> Result<usize, Failure> {
        let number: u32 = self.incoming.value(RETURNED)?;
        usize::try_from(number)
            .ok()
            .filter(|number| *number < n_variants)
            .ok_or_else(|| bad(&format!("there is no variant {number} of {n_variants}")))
    }

    /// Reads a value of a type that is around this one.
    fn recursive(&mut self, distance: usize, is_last: bool) -> Received {
        let Some(index) = self.open.len().checked_sub(distance.saturating_add(1)) else {
            return Err(bad(&format!(
                "the type `recursive {distance}` leads nowhere"
            )));
        };
        let inner = self.open.split_off(index);
        let value = self.value(inner[0], is_last);
        self.open.truncate(index);
        self.open.extend(inner);
        value
    }
}

fn too_many() -> Failure {
    bad(&format!(
        "more than {MAX_VALUES} values, or more than there are bytes for; have the function return \
         an array, or import the module's stub"
    ))
}

fn too_deep() -> Failure {
    bad(&format!("it is deeper than {MAX_DEPTH} levels"))
}

fn bad(reason: &str) -> Failure {
    Failure::BadArgument {
        argument: RETURNED.to_owned(),
        reason: reason.to_owned(),
    }
}

mod leaf;

#[cfg(test)]
mod tests;
