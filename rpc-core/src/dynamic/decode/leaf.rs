//! Values that have no others inside: numbers, strings, and what travels by handle.

use super::{Decoder, Received, bad};
use crate::call::returned::RETURNED;
use crate::dynamic::array::describe;
use crate::dynamic::lent::describe_cells;
use crate::dynamic::types::Type;
use crate::dynamic::value::{Encoded, Value};
use crate::segment::Segment;
use crate::tensor::DType;

impl Decoder<'_, '_, '_> {
    pub(super) fn leaf(&mut self, ty: &Type, is_last: bool) -> Received {
        Ok(match ty {
            Type::NdArray { dtype, rank, .. } => return self.array(*dtype, *rank),
            Type::Shared { dtype, is_list } => return self.cells(*dtype, *is_list),
            Type::Segment { .. } => {
                let bytes = self.incoming.tensor(RETURNED)?;
                Value::Segment(Segment::from_bytes(bytes))
            }
            Type::Instance => Value::Instance(self.incoming.instance(RETURNED)?),
            Type::Opaque { .. } if is_last => {
                let (text, bytes) = (ty.to_string(), self.incoming.rest().to_vec());
                Value::Encoded(Encoded { text, bytes })
            }
            Type::Unit => Value::Unit,
            Type::Bool => Value::Bool(self.incoming.value(RETURNED)?),
            Type::Char => Value::Char(self.incoming.value(RETURNED)?),
            Type::String | Type::Path => Value::String(self.incoming.value(RETURNED)?),
            Type::Float { n_bits: 32 } => Value::from(self.incoming.value::<f32>(RETURNED)?),
            Type::Float { n_bits: 64 } => Value::Float(self.incoming.value(RETURNED)?),
            Type::Int {
                is_signed: true,
                n_bits,
            } => match n_bits {
                8 => Value::from(self.incoming.value::<i8>(RETURNED)?),
                16 => Value::from(self.incoming.value::<i16>(RETURNED)?),
                32 => Value::from(self.incoming.value::<i32>(RETURNED)?),
                64 => Value::from(self.incoming.value::<i64>(RETURNED)?),
                _ => Value::Int(self.incoming.value(RETURNED)?),
            },
            Type::Int { n_bits, .. } => match n_bits {
                8 => Value::from(self.incoming.value::<u8>(RETURNED)?),
                16 => Value::from(self.incoming.value::<u16>(RETURNED)?),
                32 => Value::from(self.incoming.value::<u32>(RETURNED)?),
                64 => Value::from(self.incoming.value::<u64>(RETURNED)?),
                _ => Value::from(self.incoming.value::<u128>(RETURNED)?),
            },
            other => {
                return Err(bad(&format!(
                    "a value of type {} can't be read",
                    other.summary()
                )));
            }
        })
    }

    fn array(&mut self, dtype: DType, rank: Option<usize>) -> Received {
        let tensor = self.incoming.any_tensor(RETURNED)?;
        if tensor.dtype() == dtype && rank.is_none_or(|rank| rank == tensor.ndim()) {
            return Ok(Value::Tensor(tensor));
        }
        let expected = describe("an array", dtype, rank);
        let (found, shape) = (tensor.dtype(), tensor.shape());
        Err(bad(&format!(
            "{expected} is expected, not one of {found} of shape {shape:?}"
        )))
    }

    fn cells(&mut self, dtype: DType, is_list: bool) -> Received {
        let cells = self.incoming.any_cells(RETURNED)?;
        if (cells.dtype(), cells.is_list()) == (dtype, is_list) {
            return Ok(Value::Cells(cells));
        }
        let expected = describe_cells(dtype, is_list);
        let found = describe_cells(cells.dtype(), cells.is_list());
        Err(bad(&format!("{expected} is expected, not {found}")))
    }
}
