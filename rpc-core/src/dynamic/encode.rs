//! From values to the bytes that the typed stub would send: each value is checked against the type
//! that the worker described, and written as that type.

use super::array::{AnyTensor, Elements, describe, describe_cells};
use super::mismatch::Mismatch;
use super::types::{Access, Field, Type, Variant};
use super::value::{Encoded, Value};
use crate::call::error::{FailureCause, SendError};
use crate::call::outgoing::Outgoing;
use crate::readable::shorten;
use crate::tensor::DType;

/// The most values inside one another.
pub(super) const MAX_DEPTH: usize = 128;

impl From<Mismatch> for SendError {
    fn from(mismatch: Mismatch) -> Self {
        Self(FailureCause::Mismatch(mismatch))
    }
}

type Sent = Result<(), SendError>;

/// What an argument that travels by handle must be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expected {
    Array { dtype: DType, rank: Option<usize> },
    Segment,
    Cells { dtype: DType, is_list: bool },
}

impl Expected {
    fn is_tensor(self, tensor: &AnyTensor) -> bool {
        let (dtype, rank) = (tensor.dtype(), tensor.ndim());
        self.is_met_by(Elements::Array { dtype, rank })
    }

    fn is_met_by(self, found: Elements) -> bool {
        match (self, found) {
            (
                Self::Array { dtype, rank },
                Elements::Array {
                    dtype: found,
                    rank: n,
                },
            ) => found == dtype && rank.is_none_or(|rank| rank == n),
            (Self::Segment, Elements::Segment) => true,
            (
                Self::Cells { dtype, is_list },
                Elements::Cells {
                    dtype: found,
                    is_list: n,
                },
            ) => (found, n) == (dtype, is_list),
            _ => false,
        }
    }

    fn to_text(self, access: Access) -> String {
        let what = match self {
            Self::Array { dtype, rank } => describe("an array", dtype, rank),
            Self::Segment => "a segment".to_owned(),
            Self::Cells { dtype, is_list } => return describe_cells(dtype, is_list),
        };
        let how = match access {
            Access::Read => "lent for reading (`&`)",
            Access::Write => "lent for writing (`&mut`)",
            Access::Own => "given away (by value)",
        };
        format!("{what}, {how},")
    }
}

/// Writes one argument.
pub(super) struct Encoder<'o, 'a, 't> {
    outgoing: &'o mut Outgoing<'a>,
    argument: &'t str,
    /// The types around the one being written, outermost first: what `recursive` counts.
    open: Vec<&'t Type>,
    /// The way from the argument to the value being written.
    path: Vec<Step<'t>>,
}

enum Step<'t> {
    Field(&'t str),
    Element(usize),
    /// What an option or a wrapper holds.
    Inside,
}

impl<'o, 'a, 't> Encoder<'o, 'a, 't> {
    pub(super) fn new(outgoing: &'o mut Outgoing<'a>, argument: &'t str) -> Self {
        Self {
            outgoing,
            argument,
            open: Vec::new(),
            path: Vec::new(),
        }
    }

    /// Writes a value as `ty`. What it gives away is taken out of it.
    pub(super) fn value(&mut self, value: &mut Value<'a>, ty: &'t Type) -> Sent {
        if let Value::Encoded(encoded) = value {
            return self.encoded(encoded, ty);
        }
        if let Some(form) = ty.written_as() {
            return self.value(value, form);
        }
        match ty {
            Type::Recursive(distance) => self.recursive(value, *distance),
            Type::NdArray {
                access,
                dtype,
                rank,
            } => {
                let (dtype, rank) = (*dtype, *rank);
                self.array(value, *access, Expected::Array { dtype, rank })
            }
            Type::Segment { access } => self.array(value, *access, Expected::Segment),
            Type::Shared { dtype, is_list } => {
                let cells = Expected::Cells {
                    dtype: *dtype,
                    is_list: *is_list,
                };
                self.array(value, Access::Write, cells)
            }
            Type::Instance => match value {
                Value::Instance(instance) => {
                    self.outgoing.encode(self.argument, &instance.number())
                }
                other => self.other_type(ty, other),
            },
            Type::Opaque { name, .. } => Err(Mismatch::Opaque {
                at: self.at(),
                name: name.clone(),
            }
            .into()),
            Type::Other(text) => Err(Mismatch::UnknownType {
                at: self.at(),
                text: text.clone(),
            }
            .into()),
            Type::Option(_)
            | Type::List(_)
            | Type::Map { .. }
            | Type::Range(_)
            | Type::Result { .. }
            | Type::Tuple(_)
            | Type::Array { .. }
            | Type::Struct { .. }
            | Type::Enum { .. } => {
                if self.path.len() >= MAX_DEPTH {
                    let (at, limit) = (self.argument.to_owned(), MAX_DEPTH);
                    return Err(Mismatch::TooDeep { at, limit }.into());
                }
                self.open.push(ty);
                let sent = self.compound(value, ty);
                self.open.pop();
                sent
            }
            _ => self.scalar(value, ty),
        }
    }

    fn scalar(&mut self, value: &Value<'a>, ty: &Type) -> Sent {
        match (ty, value) {
            (Type::Unit, Value::Unit) => Ok(()),
            (Type::Unit, Value::Struct(fields)) if fields.is_empty() => Ok(()),
            (Type::Bool, Value::Bool(value)) => self.outgoing.encode(self.argument, value),
            (Type::Char, Value::Char(value)) => self.outgoing.encode(self.argument, value),
            (Type::String | Type::Path, Value::String(value)) => {
                self.outgoing.encode(self.argument, value)
            }
            (Type::Int { is_signed, n_bits }, Value::Int(number)) => {
                // Shifted down to the sign, nothing else is left of a number in range.
                let n_digits = n_bits - u32::from(*is_signed);
                let above = number.checked_shr(n_digits).unwrap_or(number >> 127);
                if above != 0 && (!is_signed || above != -1) {
                    return self.out_of_range(ty, &number.to_string());
                }
                self.digits(&number.to_le_bytes(), *n_bits)
            }
            (Type::Int { is_signed, n_bits }, Value::UInt(number)) => {
                if *is_signed || *n_bits < 128 {
                    return self.out_of_range(ty, &number.to_string());
                }
                self.digits(&number.to_le_bytes(), *n_bits)
            }
            (Type::Float { n_bits: 64 }, Value::Float(number)) => {
                self.outgoing.encode(self.argument, number)
            }
            (Type::Float { n_bits: 32 }, Value::Float(number)) => {
                #[expect(clippy::cast_possible_truncation, reason = "rounded, as `as` says")]
                let rounded = *number as f32;
                if rounded.is_infinite() && number.is_finite() {
                    return self.out_of_range(ty, &format!("{number:?}"));
                }
                self.outgoing.encode(self.argument, &rounded)
            }
            _ => self.other_type(ty, value),
        }
    }

    /// Writes the lower bytes of a number.
    fn digits(&mut self, bytes: &[u8; 16], n_bits: u32) -> Sent {
        let n_bytes = (n_bits as usize / 8).min(bytes.len());
        self.outgoing.body.extend_from_slice(&bytes[..n_bytes]);
        Ok(())
    }

    fn compound(&mut self, value: &mut Value<'a>, ty: &'t Type) -> Sent {
        match (ty, value) {
            (Type::Option(_), Value::None) => self.outgoing.encode(self.argument, &0u8),
            (Type::Option(inner), Value::Some(value)) => {
                self.outgoing.encode(self.argument, &1u8)?;
                self.step(Step::Inside, value, inner)
            }
            (Type::List(element), Value::Bytes(bytes)) if element.is_byte() => {
                self.outgoing.encode(self.argument, bytes)
            }
            (Type::List(element), Value::List(values)) => {
                self.outgoing
                    .encode(self.argument, &(values.len() as u64))?;
                self.elements(values, element)
            }
            (Type::Array { len, element }, Value::Bytes(bytes))
                if element.is_byte() && bytes.len() as u64 == *len =>
            {
                self.outgoing.body.extend_from_slice(bytes);
                Ok(())
            }
            (Type::Array { len, element }, Value::List(values)) if values.len() as u64 == *len => {
                self.elements(values, element)
            }
            (Type::Tuple(types), Value::List(values)) if values.len() == types.len() => {
                for (index, (value, ty)) in values.iter_mut().zip(types).enumerate() {
                    self.step(Step::Element(index), value, ty)?;
                }
                Ok(())
            }
            (Type::Map { key, value: ty }, Value::Map(entries)) => {
                self.outgoing
                    .encode(self.argument, &(entries.len() as u64))?;
                for (index, (name, value)) in entries.iter_mut().enumerate() {
                    self.step(Step::Element(index), name, key)?;
                    self.step(Step::Element(index), value, ty)?;
                }
                Ok(())
            }
            (Type::Range(bound), Value::Struct(fields)) => {
                self.fields(fields, &[("start", bound), ("end", bound)])
            }
            (Type::Struct { fields, .. }, value) => self.structure(value, fields, ty),
            (Type::Enum { variants, .. }, Value::Variant { name, fields }) => {
                let index = self.variant(name, variants.iter().map(|v| &*v.name), ty)?;
                let Some(Variant { fields: types, .. }) = variants.get(index) else {
                    unreachable!("the index was just found");
                };
                self.fields(fields, &declared(types))
            }
            (Type::Result { ok, error }, Value::Variant { name, fields }) => {
                let index = self.variant(name, ["Ok", "Err"], ty)?;
                let inner = if index == 0 { ok } else { error };
                self.fields(fields, &[("0", inner)])
            }
            (_, value) => self.other_type(ty, value),
        }
    }

    fn elements(&mut self, values: &mut [Value<'a>], ty: &'t Type) -> Sent {
        for (index, value) in values.iter_mut().enumerate() {
            self.step(Step::Element(index), value, ty)?;
        }
        Ok(())
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
            value if is_tuple && types.len() == 1 => self.step(Step::Inside, value, &types[0].ty),
            Value::List(values) if is_tuple && values.len() == types.len() => {
                for (field, value) in types.iter().zip(values) {
                    self.step(Step::Field(&field.name), value, &field.ty)?;
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
        for (name, ty) in declared {
            let Some((_, value)) = given.iter_mut().find(|(given, _)| given == name) else {
                return Err(Mismatch::MissingField {
                    at: self.at(),
                    field: (*name).to_owned(),
                    expected: ty.summary(),
                }
                .into());
            };
            self.step(Step::Field(name), value, ty)?;
        }
        Ok(())
    }

    /// Writes a part.
    fn step(&mut self, step: Step<'t>, value: &mut Value<'a>, ty: &'t Type) -> Sent {
        self.path.push(step);
        let sent = self.value(value, ty);
        self.path.pop();
        sent
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

    /// Adds what travels by handle.
    fn array(&mut self, value: &mut Value<'a>, access: Access, expected: Expected) -> Sent {
        let fits = match &*value {
            Value::Tensor(tensor) => access == Access::Own && expected.is_tensor(tensor),
            Value::Segment(_) => access == Access::Own && expected == Expected::Segment,
            Value::Lent(lent) => {
                let is_allowed = access == Access::Read || access == lent.access();
                is_allowed && expected.is_met_by(lent.elements())
            }
            _ => false,
        };
        match std::mem::replace(value, Value::Unit) {
            Value::Tensor(tensor) if fits => tensor.send(self.argument, self.outgoing),
            Value::Segment(segment) if fits => {
                let located = crate::Segment::located;
                self.outgoing.give(self.argument, segment, located)
            }
            Value::Lent(lent) if fits => lent.send(self.argument, access, self.outgoing),
            other => {
                let found = other.summary();
                *value = other;
                Err(Mismatch::OtherType {
                    at: self.at(),
                    expected: expected.to_text(access),
                    found,
                }
                .into())
            }
        }
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

    fn other_type(&self, ty: &Type, value: &Value<'a>) -> Sent {
        Err(Mismatch::OtherType {
            at: self.at(),
            expected: ty.summary(),
            found: value.summary(),
        }
        .into())
    }

    fn out_of_range(&self, ty: &Type, found: &str) -> Sent {
        Err(Mismatch::OutOfRange {
            at: self.at(),
            expected: ty.to_string(),
            found: found.to_owned(),
        }
        .into())
    }

    /// Where the value is that is being written: `options.points[3].x`.
    fn at(&self) -> String {
        let mut at = self.argument.to_owned();
        for step in &self.path {
            match step {
                Step::Field(name) => at.extend([".", *name]),
                Step::Element(index) => at.push_str(&format!("[{index}]")),
                Step::Inside => {}
            }
        }
        at
    }
}

fn declared(fields: &[Field]) -> Vec<(&str, &Type)> {
    let fields = fields.iter();
    fields
        .map(|Field { name, ty }| (name.as_str(), ty))
        .collect()
}

impl<'a> Value<'a> {
    /// Hands back what is to be given away, for a call that isn't sent.
    pub(super) fn give_back(&mut self, argument: &str, outgoing: &mut Outgoing<'a>) {
        match self {
            Self::Tensor(_) | Self::Segment(_) => {
                let given: Box<dyn std::any::Any + Send + Sync> =
                    match std::mem::replace(self, Self::Unit) {
                        Self::Tensor(tensor) => Box::new(tensor),
                        Self::Segment(segment) => Box::new(segment),
                        _ => return,
                    };
                outgoing.given.push((argument.to_owned(), given));
            }
            Self::Some(value) => value.give_back(argument, outgoing),
            Self::List(values) => {
                (values.iter_mut()).for_each(|value| value.give_back(argument, outgoing));
            }
            Self::Map(entries) => {
                (entries.iter_mut()).for_each(|(_, value)| value.give_back(argument, outgoing));
            }
            Self::Struct(fields) | Self::Variant { fields, .. } => {
                (fields.iter_mut()).for_each(|(_, value)| value.give_back(argument, outgoing));
            }
            _ => {}
        }
    }
}
