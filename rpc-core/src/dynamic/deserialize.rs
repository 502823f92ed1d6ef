//! From values to Rust's types, by serde.

use std::fmt;

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error, IntoDeserializer,
    VariantAccess, Visitor,
};

use super::value::{Value, ValueError};

impl Value<'static> {
    /// Reads a value of a Rust type. Fields are found by the names that serde gives them, and each
    /// must be one of the type's.
    ///
    /// # Errors
    /// [`ValueError`] if it is something else. An array is taken by
    /// [`into_tensor`](Self::into_tensor), not by this.
    pub fn deserialize<T: DeserializeOwned>(self) -> Result<T, ValueError> {
        T::deserialize(self)
    }
}

impl Error for ValueError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message)
    }
}

impl IntoDeserializer<'_, ValueError> for Value<'static> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Value<'static> {
    type Error = ValueError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        match self {
            Value::Unit => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(value),
            // What a visitor of a narrow integer knows are these; it checks the range itself.
            Value::Int(value) => match (u64::try_from(value), i64::try_from(value)) {
                (Ok(value), _) => visitor.visit_u64(value),
                (_, Ok(value)) => visitor.visit_i64(value),
                _ => visitor.visit_i128(value),
            },
            Value::UInt(value) => visitor.visit_u128(value),
            Value::Float(value) => visitor.visit_f64(value),
            Value::Char(value) => visitor.visit_char(value),
            Value::String(value) => visitor.visit_string(value),
            Value::Bytes(bytes) => bytes.into_deserializer().deserialize_any(visitor),
            Value::None => visitor.visit_none(),
            Value::Some(value) => visitor.visit_some(*value),
            Value::List(values) => visit_list(values, visitor),
            Value::Map(entries) => {
                let mut entries = MapDeserializer::new(entries.into_iter());
                let map = visitor.visit_map(&mut entries)?;
                entries.end().map(|()| map)
            }
            Value::Struct(fields) => visit_fields(fields, visitor),
            Value::Variant { name, fields } => visitor.visit_enum(Chosen { name, fields }),
            other => Err(ValueError::new(format!(
                "{} can't be read by serde",
                other.summary()
            ))),
        }
    }

    fn deserialize_u128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        match self {
            Value::Int(value) => match u128::try_from(value) {
                Ok(value) => visitor.visit_u128(value),
                Err(_) => visitor.visit_i128(value),
            },
            other => other.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        self.deserialize_any(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        match self {
            Value::Bytes(bytes) => visitor.visit_byte_buf(bytes),
            other => other.deserialize_any(visitor),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        match self {
            Value::Struct(fields) if fields.is_empty() => visitor.visit_unit(),
            other => other.deserialize_any(visitor),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        match self {
            Value::Struct(mut fields) if is_tuple(&fields) && fields.len() == 1 => {
                visitor.visit_newtype_struct(fields.swap_remove(0).1)
            }
            other => visitor.visit_newtype_struct(other),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        match self {
            // A tuple has no names to find its parts by: they are taken in order.
            Value::Struct(fields) => visit_list(
                fields.into_iter().map(|(_, value)| value).collect(),
                visitor,
            ),
            other => other.deserialize_any(visitor),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        match self {
            Value::Struct(fields) => {
                check_names(&fields, names)?;
                visit_fields(fields, visitor)
            }
            Value::Unit if names.is_empty() => visit_fields(Vec::new(), visitor),
            other => other.deserialize_any(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        self.deserialize_any(visitor)
    }

    /// As the bytes of a call aren't.
    fn is_human_readable(&self) -> bool {
        false
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 f32 f64 char str string unit seq tuple_struct map
        identifier ignored_any
    }
}

fn visit_list<'de, V: Visitor<'de>>(
    values: Vec<Value<'static>>,
    visitor: V,
) -> Result<V::Value, ValueError> {
    let mut elements = SeqDeserializer::new(values.into_iter());
    let list = visitor.visit_seq(&mut elements)?;
    elements.end().map(|()| list)
}

type Fields = Vec<(String, Value<'static>)>;

fn is_tuple(fields: &Fields) -> bool {
    let mut names = (0..).zip(fields);
    names.all(|(index, (name, _)): (usize, _)| name.parse() == Ok(index))
}

/// A field that the type doesn't know is no field to be passed over: serde would fill in a default
/// for the one that it is.
fn check_names(fields: &Fields, names: &'static [&'static str]) -> Result<(), ValueError> {
    let mut unknown = fields
        .iter()
        .filter(|(name, _)| !names.contains(&name.as_str()));
    unknown.next().map_or(Ok(()), |(name, _)| {
        Err(ValueError::unknown_field(name, names))
    })
}

fn visit_fields<'de, V: Visitor<'de>>(fields: Fields, visitor: V) -> Result<V::Value, ValueError> {
    if !fields.is_empty() && is_tuple(&fields) {
        let values = fields.into_iter().map(|(_, value)| value);
        return visit_list(values.collect(), visitor);
    }
    let mut entries = MapDeserializer::new(fields.into_iter());
    let map = visitor.visit_map(&mut entries)?;
    entries.end().map(|()| map)
}

/// A variant of an enum.
struct Chosen {
    name: String,
    fields: Fields,
}

impl<'de> EnumAccess<'de> for Chosen {
    type Error = ValueError;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Self), ValueError> {
        let name = seed.deserialize(self.name.as_str().into_deserializer())?;
        Ok((name, self))
    }
}

impl<'de> VariantAccess<'de> for Chosen {
    type Error = ValueError;

    fn unit_variant(self) -> Result<(), ValueError> {
        match self.fields.len() {
            0 => Ok(()),
            n => Err(ValueError::new(format!(
                "the variant `{}` has {n} fields, and none is expected",
                self.name
            ))),
        }
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(
        mut self,
        seed: S,
    ) -> Result<S::Value, ValueError> {
        match self.fields.len() {
            1 => seed.deserialize(self.fields.swap_remove(0).1),
            n => Err(ValueError::new(format!(
                "the variant `{}` has {n} fields, and one is expected",
                self.name
            ))),
        }
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, ValueError> {
        let values = self.fields.into_iter().map(|(_, value)| value);
        visit_list(values.collect(), visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        check_names(&self.fields, names)?;
        visit_fields(self.fields, visitor)
    }
}
