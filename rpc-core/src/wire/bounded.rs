//! What a short message may be decoded into.
//!
//! [`Bounded`] stands between a value and the decoder. Nothing is reserved for a length that a peer
//! claims: lists grow as their elements arrive, and strings and runs of bytes are compared with the
//! bytes that are left before they are copied. Two things cost more than the bytes they take, and are
//! counted: a type inside itself costs stack, and a list of elements without bytes costs time.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};

/// The most types inside one another.
const MAX_DEPTH: usize = 1024;
/// The most elements of lists that are there without a byte of their own.
const MAX_EMPTY_ELEMENTS: usize = 64 * 1024;

/// What is left, and what was read.
#[derive(Debug)]
struct Budget {
    depth: Cell<usize>,
    n_empty_elements: Cell<usize>,
    /// Counts whatever takes bytes.
    n_reads: Cell<usize>,
}

impl Budget {
    fn enter<E: Error>(&self) -> Result<Level<'_>, E> {
        let depth = self.depth.get().checked_sub(1);
        self.depth
            .set(depth.ok_or_else(|| E::custom(format!("deeper than {MAX_DEPTH} levels")))?);
        Ok(Level(self))
    }

    fn note_nothing(&self) {}

    fn note_read(&self) {
        self.n_reads.set(self.n_reads.get().wrapping_add(1));
    }

    /// Counts an element of a list for which nothing was read since there were `n_reads`.
    fn note_element<E: Error>(&self, n_reads: usize) -> Result<(), E> {
        if self.n_reads.get() != n_reads {
            return Ok(());
        }
        let left = self.n_empty_elements.get().checked_sub(1);
        let too_many = || {
            E::custom(format!(
                "more than {MAX_EMPTY_ELEMENTS} elements without bytes"
            ))
        };
        self.n_empty_elements.set(left.ok_or_else(too_many)?);
        Ok(())
    }
}

/// A type that is being decoded.
struct Level<'b>(&'b Budget);

impl Drop for Level<'_> {
    fn drop(&mut self) {
        self.0.depth.set(self.0.depth.get() + 1);
    }
}

/// Decodes a `T` within bounds.
pub(super) struct Root<T> {
    budget: Budget,
    value: PhantomData<T>,
}

impl<T> Root<T> {
    pub(super) fn new() -> Self {
        let budget = Budget {
            depth: Cell::new(MAX_DEPTH),
            n_empty_elements: Cell::new(MAX_EMPTY_ELEMENTS),
            n_reads: Cell::new(0),
        };
        Self {
            budget,
            value: PhantomData,
        }
    }
}

impl<'de, T: DeserializeOwned> DeserializeSeed<'de> for Root<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<T, D::Error> {
        T::deserialize(Bounded {
            inner,
            budget: &self.budget,
            is_list: false,
        })
    }
}

/// Anything of serde's that hands on a decoder: the decoder is bounded as well.
struct Bounded<'b, T> {
    inner: T,
    budget: &'b Budget,
    /// Whether the bytes say how many elements there are.
    is_list: bool,
}

impl<'b, T> Bounded<'b, T> {
    fn around<U>(&self, inner: U) -> Bounded<'b, U> {
        Bounded {
            inner,
            budget: self.budget,
            is_list: false,
        }
    }

    fn elements<U>(&self, inner: U) -> Bounded<'b, U> {
        Bounded {
            inner,
            budget: self.budget,
            is_list: self.is_list,
        }
    }

    fn list<U>(&self, inner: U) -> Bounded<'b, U> {
        Bounded {
            inner,
            budget: self.budget,
            is_list: true,
        }
    }
}

macro_rules! leaves {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            self.budget.note_read();
            self.inner.$method(visitor)
        }
    )*};
}

/// Methods whose visitors get another decoder.
macro_rules! nests {
    ($around:ident, $note:ident: $($method:ident($($argument:ident: $type:ty),*))*) => {$(
        fn $method<V: Visitor<'de>>(
            self,
            $($argument: $type,)*
            visitor: V,
        ) -> Result<V::Value, D::Error> {
            let _level = self.budget.enter()?;
            self.budget.$note();
            let visitor = self.$around(visitor);
            self.inner.$method($($argument,)* visitor)
        }
    )*};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Bounded<'_, D> {
    type Error = D::Error;

    leaves! {
        deserialize_any deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32
        deserialize_i64 deserialize_i128 deserialize_u8 deserialize_u16 deserialize_u32
        deserialize_u64 deserialize_u128 deserialize_f32 deserialize_f64 deserialize_char
        deserialize_str deserialize_bytes deserialize_identifier deserialize_ignored_any
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.budget.note_read();
        self.inner.deserialize_str(Copying(visitor))
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.budget.note_read();
        self.inner.deserialize_bytes(Copying(visitor))
    }

    nests! { list, note_read: deserialize_seq() deserialize_map() }

    nests! { around, note_read:
        deserialize_option()
        deserialize_enum(name: &'static str, variants: &'static [&'static str])
    }

    nests! { around, note_nothing:
        deserialize_unit()
        deserialize_unit_struct(name: &'static str)
        deserialize_newtype_struct(name: &'static str)
        deserialize_tuple(len: usize)
        deserialize_tuple_struct(name: &'static str, len: usize)
        deserialize_struct(name: &'static str, fields: &'static [&'static str])
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

/// The visitor of a string or a run of bytes that it wants as its own: it gets a copy of the message's,
/// which is as long as it claims to be. A decoder that is asked for an owned one reserves it first.
struct Copying<V>(V);

impl<'de, V: Visitor<'de>> Visitor<'de> for Copying<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }

    fn visit_str<E: Error>(self, string: &str) -> Result<V::Value, E> {
        self.0.visit_string(string.to_owned())
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<V::Value, E> {
        self.0.visit_byte_buf(bytes.to_vec())
    }
}

/// The visitors of the methods that nest; no other method is called on them.
impl<'de, V: Visitor<'de>> Visitor<'de> for Bounded<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_unit()
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        let inner = self.around(inner);
        self.inner.visit_some(inner)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        let inner = self.around(inner);
        self.inner.visit_newtype_struct(inner)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        let inner = self.elements(inner);
        self.inner.visit_seq(inner)
    }

    fn visit_map<A: MapAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        let inner = self.elements(inner);
        self.inner.visit_map(inner)
    }

    fn visit_enum<A: EnumAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        let inner = self.around(inner);
        self.inner.visit_enum(inner)
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Bounded<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<S::Value, D::Error> {
        let inner = self.around(inner);
        self.inner.deserialize(inner)
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Bounded<'_, A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        let (seed, n_reads) = (self.around(seed), self.budget.n_reads.get());
        let element = self.inner.next_element_seed(seed)?;
        if self.is_list && element.is_some() {
            self.budget.note_element(n_reads)?;
        }
        Ok(element)
    }

    /// None: what the peer claims is no reason to reserve anything.
    fn size_hint(&self) -> Option<usize> {
        None
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Bounded<'_, A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        let (seed, n_reads) = (self.around(seed), self.budget.n_reads.get());
        let key = self.inner.next_key_seed(seed)?;
        if key.is_some() {
            self.budget.note_element(n_reads)?;
        }
        Ok(key)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        let seed = self.around(seed);
        self.inner.next_value_seed(seed)
    }

    /// None: what the peer claims is no reason to reserve anything.
    fn size_hint(&self) -> Option<usize> {
        None
    }
}

impl<'de, 'b, A: EnumAccess<'de>> EnumAccess<'de> for Bounded<'b, A> {
    type Error = A::Error;
    type Variant = Bounded<'b, A::Variant>;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Self::Variant), A::Error> {
        let (seed, fields) = (self.around(seed), self.around(()));
        let (value, inner) = self.inner.variant_seed(seed)?;
        Ok((value, fields.around(inner)))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Bounded<'_, A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.inner.unit_variant()
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        let seed = self.around(seed);
        self.inner.newtype_variant_seed(seed)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, A::Error> {
        let visitor = self.around(visitor);
        self.inner.tuple_variant(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        let visitor = self.around(visitor);
        self.inner.struct_variant(fields, visitor)
    }
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use serde::de::{SeqAccess, Visitor};
    use serde::{Deserialize, Deserializer, Serialize};

    use crate::wire::codec;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Tree {
        children: Vec<Tree>,
    }

    #[test]
    fn a_type_inside_itself_ends_somewhere() {
        let tree = |depth: usize| {
            let mut bytes = 1u64.to_le_bytes().repeat(depth);
            bytes.extend(0u64.to_le_bytes());
            bytes
        };
        assert!(codec::decode::<Tree>(&tree(300)).is_ok());
        let error = codec::decode::<Tree>(&tree(100_000)).unwrap_err();
        assert!(
            error.to_string().contains("deeper than 1024 levels"),
            "{error}"
        );
    }

    /// What a list says of itself before its elements are read.
    #[derive(Debug, PartialEq)]
    struct Announced(Option<usize>);

    impl<'de> Deserialize<'de> for Announced {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Ask;
            impl<'de> Visitor<'de> for Ask {
                type Value = Announced;

                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("a list")
                }

                fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Announced, A::Error> {
                    Ok(Announced(list.size_hint()))
                }
            }
            deserializer.deserialize_seq(Ask)
        }
    }

    #[test]
    fn claimed_lengths_are_no_reason_to_reserve() {
        let claim = (1u64 << 20).to_le_bytes();
        assert_eq!(codec::decode(&claim), Ok(Announced(None)));
        assert_eq!(
            codec::decode(&[1, 0, 0, 0, 0, 0, 0, 0, b'x']),
            Ok("x".to_owned())
        );
    }

    #[test]
    fn elements_without_bytes_are_counted_and_others_are_not() {
        assert_eq!(codec::decode(&3u64.to_le_bytes()), Ok(vec![(); 3]));
        let error = codec::decode::<Vec<()>>(&(1u64 << 60).to_le_bytes()).unwrap_err();
        assert!(
            error.to_string().contains("elements without bytes"),
            "{error}"
        );

        let many = vec![((1u8, ()), [(); 3]); 200_000];
        assert_eq!(codec::decode(&codec::encode(&many).unwrap()), Ok(many));
    }
}
