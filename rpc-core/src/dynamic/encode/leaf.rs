//! Values that have no others inside: numbers, strings, and what travels by handle.

use super::{Encoder, Sent};
use crate::dynamic::lent::Expected;
use crate::dynamic::mismatch::Mismatch;
use crate::dynamic::types::{Access, Type};
use crate::dynamic::value::Value;

impl<'a> Encoder<'_, 'a, '_> {
    pub(super) fn leaf(&mut self, value: &mut Value<'a>, ty: &Type) -> Sent {
        match ty {
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
            _ => self.scalar(value, ty),
        }
    }

    /// Adds what travels by handle.
    fn array(&mut self, value: &mut Value<'a>, access: Access, expected: Expected) -> Sent {
        let fits = match &*value {
            Value::Tensor(tensor) => access == Access::Own && expected.is_tensor(tensor),
            Value::Segment(_) => access == Access::Own && expected == Expected::Segment,
            Value::Cells(cells) => expected.is_met_by(cells.elements()),
            Value::Lent(lent) => {
                let is_allowed = access == Access::Read || access == lent.access();
                is_allowed && expected.is_met_by(lent.elements())
            }
            _ => false,
        };
        let at = self.at();
        match std::mem::replace(value, Value::Unit) {
            Value::Tensor(tensor) if fits => tensor.send(&at, self.outgoing),
            Value::Segment(segment) if fits => {
                let located = crate::Segment::located;
                self.outgoing.give(&at, segment, located)
            }
            Value::Cells(cells) if fits => cells.lent().send(&at, access, self.outgoing),
            Value::Lent(lent) if fits => lent.send(&at, access, self.outgoing),
            other => {
                let found = other.summary();
                *value = other;
                Err(Mismatch::OtherType {
                    at,
                    expected: expected.to_text(access),
                    found,
                }
                .into())
            }
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

    fn out_of_range(&self, ty: &Type, found: &str) -> Sent {
        Err(Mismatch::OutOfRange {
            at: self.at(),
            expected: ty.to_string(),
            found: found.to_owned(),
        }
        .into())
    }
}
