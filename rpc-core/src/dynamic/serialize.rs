//! From Rust's types to values, by serde.

use std::fmt;

use serde::ser::{
    Error, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant,
    SerializeTuple, SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use super::value::{Value, ValueError};

type Made = Result<Value<'static>, ValueError>;

impl Value<'_> {
    /// Makes a value of anything that serde can write. Fields and variants have the names that serde
    /// gives them; a type with other names there than in Rust is passed by
    /// [`encoded`](Self::encoded).
    ///
    /// ```
    /// use reedbed::dynamic::Value;
    ///
    /// #[derive(serde::Serialize)]
    /// struct Options {
    ///     threshold: u16,
    /// }
    ///
    /// let options = Value::serialize_from(&Options { threshold: 7 })?;
    /// assert_eq!(options.to_string(), "{ threshold: 7 }");
    /// # Ok::<(), reedbed::dynamic::ValueError>(())
    /// ```
    ///
    /// # Errors
    /// [`ValueError`] if the type refuses.
    pub fn serialize_from<T: Serialize + ?Sized>(value: &T) -> Result<Value<'static>, ValueError> {
        value.serialize(ToValue)
    }
}

impl Error for ValueError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message)
    }
}

/// Makes values.
struct ToValue;

macro_rules! scalars {
    ($($method:ident: $ty:ty),*) => {$(
        fn $method(self, value: $ty) -> Made {
            Ok(value.into())
        }
    )*};
}

impl Serializer for ToValue {
    type Ok = Value<'static>;
    type Error = ValueError;
    type SerializeSeq = Elements;
    type SerializeTuple = Elements;
    type SerializeTupleStruct = Fields;
    type SerializeTupleVariant = Fields;
    type SerializeMap = Entries;
    type SerializeStruct = Fields;
    type SerializeStructVariant = Fields;

    scalars! {
        serialize_bool: bool, serialize_char: char, serialize_str: &str, serialize_bytes: &[u8],
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64,
        serialize_u128: u128, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32,
        serialize_i64: i64, serialize_i128: i128, serialize_f32: f32, serialize_f64: f64
    }

    fn serialize_none(self) -> Made {
        Ok(Value::None)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Made {
        Ok(Value::Some(Box::new(value.serialize(self)?)))
    }

    fn serialize_unit(self) -> Made {
        Ok(Value::Unit)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Made {
        Ok(Value::Unit)
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Made {
        Ok(Value::unit_variant(variant))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Made {
        Ok(Value::structure([("0", value.serialize(self)?)]))
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Made {
        Ok(Value::variant(variant, [("0", value.serialize(self)?)]))
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Elements, ValueError> {
        Ok(Elements::default())
    }

    fn serialize_tuple(self, _: usize) -> Result<Elements, ValueError> {
        Ok(Elements::default())
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Fields, ValueError> {
        Ok(Fields::default())
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Fields, ValueError> {
        Ok(Fields::of(variant))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Entries, ValueError> {
        Ok(Entries::default())
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Fields, ValueError> {
        Ok(Fields::default())
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Fields, ValueError> {
        Ok(Fields::of(variant))
    }

    /// As the bytes of a call aren't.
    fn is_human_readable(&self) -> bool {
        false
    }
}

/// A list or a tuple.
#[derive(Default)]
struct Elements {
    values: Vec<Value<'static>>,
}

impl Elements {
    fn push<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), ValueError> {
        self.values.push(value.serialize(ToValue)?);
        Ok(())
    }
}

impl SerializeSeq for Elements {
    type Ok = Value<'static>;
    type Error = ValueError;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), ValueError> {
        self.push(value)
    }

    fn end(self) -> Made {
        Ok(Value::List(self.values))
    }
}

impl SerializeTuple for Elements {
    type Ok = Value<'static>;
    type Error = ValueError;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), ValueError> {
        self.push(value)
    }

    fn end(self) -> Made {
        Ok(Value::List(self.values))
    }
}

/// A map.
#[derive(Default)]
struct Entries {
    entries: Vec<(Value<'static>, Value<'static>)>,
    key: Option<Value<'static>>,
}

impl SerializeMap for Entries {
    type Ok = Value<'static>;
    type Error = ValueError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), ValueError> {
        self.key = Some(key.serialize(ToValue)?);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), ValueError> {
        let key = self.key.take();
        let key = key.ok_or_else(|| ValueError::new("a map's value came before its key"))?;
        self.entries.push((key, value.serialize(ToValue)?));
        Ok(())
    }

    fn end(self) -> Made {
        Ok(Value::Map(self.entries))
    }
}

/// The fields of a struct or of a variant.
#[derive(Default)]
struct Fields {
    variant: Option<&'static str>,
    fields: Vec<(String, Value<'static>)>,
}

impl Fields {
    fn of(variant: &'static str) -> Self {
        Self {
            variant: Some(variant),
            fields: Vec::new(),
        }
    }

    fn push<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), ValueError> {
        let value = value.serialize(ToValue)?;
        self.fields.push((name.to_owned(), value));
        Ok(())
    }

    fn push_next<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), ValueError> {
        self.push(&self.fields.len().to_string(), value)
    }

    fn made(self) -> Value<'static> {
        match self.variant {
            Some(variant) => Value::variant(variant, self.fields),
            None => Value::Struct(self.fields),
        }
    }
}

macro_rules! fields {
    ($($kind:ident: $method:ident($($name:ident)?) => $push:ident;)*) => {$(
        impl $kind for Fields {
            type Ok = Value<'static>;
            type Error = ValueError;

            fn $method<T: Serialize + ?Sized>(
                &mut self,
                $($name: &'static str,)?
                value: &T,
            ) -> Result<(), ValueError> {
                self.$push($($name,)? value)
            }

            fn end(self) -> Made {
                Ok(self.made())
            }
        }
    )*};
}

fields! {
    SerializeTupleStruct: serialize_field() => push_next;
    SerializeTupleVariant: serialize_field() => push_next;
    SerializeStruct: serialize_field(name) => push;
    SerializeStructVariant: serialize_field(name) => push;
}
