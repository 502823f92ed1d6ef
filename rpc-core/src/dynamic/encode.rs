//! From values to the bytes that the typed stub would send: each value is checked against the type
//! that the worker described, and written as that type.

use super::mismatch::Mismatch;
use super::place::{self, Step};
use super::types::{Field, Type, Variant};
use super::value::{Encoded, Value};
use crate::call::error::{FailureCause, SendError};
use crate::call::outgoing::Outgoing;
use crate::readable::shorten;

/// The most values inside one another.
pub(super) const MAX_DEPTH: usize = 128;

impl From<Mismatch> for SendError {
    fn from(mismatch: Mismatch) -> Self {
        Self(FailureCause::Mismatch(mismatch))
    }
}

type Sent = Result<(), SendError>;

/// Writes one argument.
pub(super) struct Encoder<'o, 'a, 't> {
    outgoing: &'o mut Outgoing<'a>,
    argument: &'t str,
    /// The types around the one being written, outermost first: what `recursive` counts.
    open: Vec<&'t Type>,
    /// How many types the value being written lies in.
    depth: usize,
    /// The way from the argument to it.
    path: Vec<Step<'t>>,
}

impl<'o, 'a, 't> Encoder<'o, 'a, 't> {
    pub(super) fn new(outgoing: &'o mut Outgoing<'a>, argument: &'t str) -> Self {
        Self {
            outgoing,
            argument,
            open: Vec::new(),
            depth: 0,
            path: Vec::new(),
        }
    }

    /// Writes the argument. A part that doesn't fit is noted for [`Outgoing::finish`]; those behind
    /// it are written all the same, so that whatever was passed by value can be handed back.
    pub(super) fn argument(mut self, value: &mut Value<'a>, ty: &'t Type) {
        self.part(value, ty);
    }

    fn part(&mut self, value: &mut Value<'a>, ty: &'t Type) {
        let sent = self.value(value, ty);
        if sent.is_err() {
            place::give_back(value, &self.at(), self.outgoing);
        }
        self.outgoing.note(sent);
    }

    /// Writes a value as `ty`. What it gives away is taken out of it.
    ///
    /// As in `decode`, what leads to the values inside is kept apart from the rest.
    fn value(&mut self, value: &mut Value<'a>, ty: &'t Type) -> Sent {
        if let Value::Encoded(encoded) = value {
            return self.encoded(encoded, ty);
        }
        if let Some(form) = ty.written_as() {
            return self.value(value, form);
        }
        match ty {
            Type::Recursive(distance) => self.recursive(value, *distance),
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
                    return self.too_deep();
                }
                self.depth += 1;
                self.open.push(ty);
                let sent = self.compound(value, ty);
                self.open.pop();
                self.depth -= 1;
                sent
            }
            leaf => self.leaf(value, leaf),
        }
    }

    fn compound(&mut self, value: &mut Value<'a>, ty: &'t Type) -> Sent {
        match (ty, value) {
            (Type::Option(_), Value::None) => self.outgoing.encode(self.argument, &0u8),
            (Type::Option(inner), Value::Some(value)) => {
                self.outgoing.encode(self.argument, &1u8)?;
                self.part(value, inner);
                Ok(())
            }
            (Type::List(element), Value::Bytes(bytes)) if element.is_byte() => {
                self.outgoing.encode(self.argument, bytes)
            }
            (Type::List(element), Value::List(values)) => {
                self.outgoing
                    .encode(self.argument, &(values.len() as u64))?;
                self.elements(values, element);
                Ok(())
            }
            (Type::Array { len, element }, Value::Bytes(bytes))
                if element.is_byte() && bytes.len() as u64 == *len =>
            {
                self.outgoing.body.extend_from_slice(bytes);
                Ok(())
            }
            (Type::Array { len, element }, Value::List(values)) if values.len() as u64 == *len => {
                self.elements(values, element);
                Ok(())
            }
            (Type::Tuple(types), Value::List(values)) if values.len() == types.len() => {
                for (index, (value, ty)) in values.iter_mut().zip(types).enumerate() {
                    self.step(Step::Part(index), value, ty);
                }
                Ok(())
            }
            (Type::Map { key, value: ty }, Value::Map(entries)) => {
                self.outgoing
                    .encode(self.argument, &(entries.len() as u64))?;
                for (name, value) in entries {
                    let at = place::of_key(name);
                    self.step(Step::Entry(at.clone()), name, key);
                    self.step(Step::Entry(at), value, ty);
                }
                Ok(())
            }
            (Type::Range(bound), Value::Struct(fields)) => {
                self.fields(fields, &[("start", bound), ("end", bound)])
            }
            (Type::Struct { fields, .. }, value) => self.structure(value, fields, ty),
            (Type::Enum { variants, .. }, Value::Variant { name, fields }) => {
                let index = self.variant(name, variants.iter().map(|v| &*v.name), ty)?;
                let Variant {
                    name,
                    fields: types,
                } = &variants[index];
                self.variant_fields(name, fields, &declared(types))
            }
            (Type::Result { ok, error }, Value::Variant { name, fields }) => {
                let index = self.variant(name, ["Ok", "Err"], ty)?;
                let (name, inner) = if index == 0 {
                    ("Ok", ok)
                } else {
                    ("Err", error)
                };
                self.variant_fields(name, fields, &[("0", inner)])
            }
            (_, value) => self.other_type(ty, value),
        }
    }

    fn elements(&mut self, values: &mut [Value<'a>], ty: &'t Type) {
        for (index, value) in values.iter_mut().enumerate() {
            self.step(Step::Element(index), value, ty);
        }
    }

    /// Writes the number of a variant, and returns it.
    fn variant<'n>(
        &mut self,
        name: &str,
        variants: impl IntoIterator<Item = &'n str>,
        ty: &Type,
    ) -> Result<usize, SendError> {
        let variants: Vec<_> = variants.into_iter().map(str::to_owned).collect();
        let Some(index) = variants.iter().position(|variant| variant == name) else {
            return Err(Mismatch::UnknownVariant {
                at: self.at(),
                expected: ty.summary(),
                variant: name.to_owned(),
                variants,
            }
            .into());
        };
        let number = u32::try_from(index).unwrap_or(u32::MAX);
        self.outgoing.encode(self.argument, &number)?;
        Ok(index)
    }

    fn structure(&mut self, value: &mut Value<'a>, types: &'t [Field], ty: &'t Type) -> Sent {
        let is_tuple = (0..)
            .zip(types)
            .all(|(index, field): (usize, _)| field.name.parse() == Ok(index));
        match value {
            Value::Struct(fields) => self.fields(fields, &declared(types)),
            Value::Unit if types.is_empty() => Ok(()),
            // A struct of one field without a name is written as what it wraps.
            value if is_tuple && types.len() == 1 => {
                self.step(Step::Part(0), value, &types[0].ty);
                Ok(())
            }
            Value::List(values) if is_tuple && values.len() == types.len() => {
                for (field, value) in types.iter().zip(values) {
                    self.step(Step::Field(&field.name), value, &field.ty);
                }
                Ok(())
            }
            value => self.other_type(ty, value),
        }
    }

    fn fields(
        &mut self,
        given: &mut [(String, Value<'a>)],
        declared: &[(&'t str, &'t Type)],
    ) -> Sent {
        let mut left: Vec<&str> = declared.iter().map(|(name, _)| *name).collect();
        for (name, _) in &*given {
            let Some(index) = left.iter().position(|expected| expected == name) else {
                return Err(Mismatch::SurplusField {
                    at: self.at(),
                    field: name.clone(),
                    takes: declared
                        .iter()
                        .map(|(name, _)| (*name).to_owned())
                        .collect(),
                }
                .into());
            };
            left.swap_remove(index);
        }
        if let Some(missing) = left.first() {
            let missing = declared.iter().find(|(name, _)| name == missing);
            return Err(Mismatch::MissingField {
                at: self.at(),
                field: missing.map_or_else(String::new, |(name, _)| (*name).to_owned()),
                expected: missing.map_or_else(String::new, |(_, ty)| ty.summary()),
            }
            .into());
        }
        for (name, ty) in declared {
            if let Some((_, value)) = given.iter_mut().find(|(given, _)| given == name) {
                self.step(Step::Field(name), value, ty);
            }
        }
        Ok(())
    }

    fn variant_fields(
        &mut self,
        variant: &'t str,
        given: &mut [(String, Value<'a>)],
        declared: &[(&'t str, &'t Type)],
    ) -> Sent {
        self.path.push(Step::Field(variant));
        let sent = self.fields(given, declared);
        self.path.pop();
        sent
    }

    /// Writes a part of a value.
    fn step(&mut self, step: Step<'t>, value: &mut Value<'a>, ty: &'t Type) {
        self.path.push(step);
        self.part(value, ty);
        self.path.pop();
    }

    /// Writes a value of a type that is around this one.
    fn recursive(&mut self, value: &mut Value<'a>, distance: usize) -> Sent {
        let Some(index) = self.open.len().checked_sub(distance.saturating_add(1)) else {
            return Err(Mismatch::UnknownType {
                at: self.at(),
                text: Type::Recursive(distance).to_string(),
            }
            .into());
        };
        let inner = self.open.split_off(index);
        let sent = self.value(value, inner[0]);
        self.open.truncate(index);
        self.open.extend(inner);
        sent
    }

    /// Writes a value of a Rust type that is the very type that is expected.
    fn encoded(&mut self, encoded: &Encoded, ty: &Type) -> Sent {
        let Encoded { text, bytes } = encoded;
        if *text == ty.to_string() {
            self.outgoing.body.extend_from_slice(bytes);
            return Ok(());
        }
        Err(Mismatch::OtherType {
            at: self.at(),
            expected: ty.summary(),
            found: shorten(text, 100),
        }
        .into())
    }

    fn too_deep(&self) -> Sent {
        let (at, limit) = (self.argument.to_owned(), MAX_DEPTH);
        Err(Mismatch::TooDeep { at, limit }.into())
    }

    fn other_type(&self, ty: &Type, value: &Value<'a>) -> Sent {
        Err(Mismatch::OtherType {
            at: self.at(),
            expected: ty.summary(),
            found: value.summary(),
        }
        .into())
    }

    /// Where the value is that is being written.
    fn at(&self) -> String {
        place::of(self.argument, &self.path)
    }
}

fn declared(fields: &[Field]) -> Vec<(&str, &Type)> {
    let fields = fields.iter();
    fields
        .map(|Field { name, ty }| (name.as_str(), ty))
        .collect()
}

mod leaf;
