//! What holds arrays as a part of what is returned: options, tuples, lists, maps.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, Hash};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Give, RETURNED, kind};
use crate::call::incoming::Incoming;
use crate::call::reply::Reply;
use crate::wire::frame::Failure;
use crate::wire::schema::{Schema, SchemaWriter};

impl<K, T: Give<K>> Give<kind::Optional<K>> for Option<T> {
    type Received = Option<T::Received>;

    fn describe(writer: &mut SchemaWriter) {
        writer.generic("option", &[T::describe]);
    }

    fn give(self, reply: &mut Reply) -> Result<(), Failure> {
        reply.value(&u8::from(self.is_some()))?;
        self.map_or(Ok(()), |value| value.give(reply))
    }

    fn receive(incoming: &mut Incoming<'_>) -> Result<Option<T::Received>, Failure> {
        let is_some: bool = incoming.value(RETURNED)?;
        is_some.then(|| incoming.part::<T, K>()).transpose()
    }
}

impl<K, T: Give<K>> Give<kind::Each<K>> for Box<T> {
    type Received = Box<T::Received>;

    fn describe(writer: &mut SchemaWriter) {
        T::describe(writer);
    }

    fn give(self, reply: &mut Reply) -> Result<(), Failure> {
        (*self).give(reply)
    }

    fn receive(incoming: &mut Incoming<'_>) -> Result<Self::Received, Failure> {
        incoming.part::<T, K>().map(Box::new)
    }
}

impl<K, T: Give<K>> Give<kind::Each<K>> for Vec<T> {
    type Received = Vec<T::Received>;

    fn describe(writer: &mut SchemaWriter) {
        writer.generic("list", &[T::describe]);
    }

    fn give(self, reply: &mut Reply) -> Result<(), Failure> {
        reply.value(&(self.len() as u64))?;
        self.into_iter().try_for_each(|part| part.give(reply))
    }

    fn receive(incoming: &mut Incoming<'_>) -> Result<Self::Received, Failure> {
        let n = incoming.n_parts(RETURNED)?;
        receive_each::<T, K>(n, incoming)
    }
}

impl<K, T: Give<K>, const N: usize> Give<kind::Each<K>> for [T; N] {
    type Received = [T::Received; N];

    fn describe(writer: &mut SchemaWriter) {
        writer.generic(&format!("array {N}"), &[T::describe]);
    }

    fn give(self, reply: &mut Reply) -> Result<(), Failure> {
        self.into_iter().try_for_each(|part| part.give(reply))
    }

    fn receive(incoming: &mut Incoming<'_>) -> Result<Self::Received, Failure> {
        match receive_each::<T, K>(N, incoming)?.try_into() {
            Ok(parts) => Ok(parts),
            Err(_) => unreachable!("as many parts were received as there are places"),
        }
    }
}

fn receive_each<T: Give<K>, K>(
    n: usize,
    incoming: &mut Incoming<'_>,
) -> Result<Vec<T::Received>, Failure> {
    // Not reserved: the number is a claim.
    let mut parts = Vec::new();
    for _ in 0..n {
        parts.push(incoming.part::<T, K>()?);
    }
    Ok(parts)
}

fn give_entries<Key: Serialize, V: Give<K>, K>(
    entries: impl ExactSizeIterator<Item = (Key, V)>,
    reply: &mut Reply,
) -> Result<(), Failure> {
    reply.value(&(entries.len() as u64))?;
    for (key, value) in entries {
        reply.value(&key)?;
        value.give(reply)?;
    }
    Ok(())
}

fn receive_entries<
    Key: DeserializeOwned,
    V: Give<K>,
    K,
    M: Default + Extend<(Key, V::Received)>,
>(
    incoming: &mut Incoming<'_>,
) -> Result<M, Failure> {
    let mut map = M::default();
    for _ in 0..incoming.n_parts(RETURNED)? {
        let key = incoming.value(RETURNED)?;
        let value = incoming.part::<V, K>()?;
        map.extend([(key, value)]);
    }
    Ok(map)
}

impl<K, Key, V: Give<K>> Give<kind::Each<K>> for BTreeMap<Key, V>
where
    Key: Serialize + DeserializeOwned + Schema + Ord,
{
    type Received = BTreeMap<Key, V::Received>;

    fn describe(writer: &mut SchemaWriter) {
        writer.generic("map", &[SchemaWriter::part::<Key>, V::describe]);
    }

    fn give(self, reply: &mut Reply) -> Result<(), Failure> {
        give_entries(self.into_iter(), reply)
    }

    fn receive(incoming: &mut Incoming<'_>) -> Result<Self::Received, Failure> {
        receive_entries::<Key, V, K, _>(incoming)
    }
}

impl<K, Key, V: Give<K>, S: BuildHasher + Default> Give<kind::Each<K>> for HashMap<Key, V, S>
where
    Key: Serialize + DeserializeOwned + Schema + Eq + Hash,
{
    type Received = HashMap<Key, V::Received, S>;

    fn describe(writer: &mut SchemaWriter) {
        writer.generic("map", &[SchemaWriter::part::<Key>, V::describe]);
    }

    fn give(self, reply: &mut Reply) -> Result<(), Failure> {
        give_entries(self.into_iter(), reply)
    }

    fn receive(incoming: &mut Incoming<'_>) -> Result<Self::Received, Failure> {
        receive_entries::<Key, V, K, _>(incoming)
    }
}

macro_rules! tuples {
    ($(($($part:ident $kind:ident),+)),* $(,)?) => {$(
        impl<$($kind, $part: Give<$kind>),+> Give<($($kind,)+)> for ($($part,)+) {
            type Received = ($($part::Received,)+);

            fn describe(writer: &mut SchemaWriter) {
                writer.generic("tuple", &[$($part::describe),+]);
            }

            fn give(self, reply: &mut Reply) -> Result<(), Failure> {
                #[expect(non_snake_case, reason = "the parts are named after their types")]
                let ($($part,)+) = self;
                $($part.give(reply)?;)+
                Ok(())
            }

            fn receive(incoming: &mut Incoming<'_>) -> Result<Self::Received, Failure> {
                Ok(($(incoming.part::<$part, $kind>()?,)+))
            }
        }
    )*};
}

tuples! {
    (A KA), (A KA, B KB), (A KA, B KB, C KC), (A KA, B KB, C KC, D KD),
    (A KA, B KB, C KC, D KD, E KE), (A KA, B KB, C KC, D KD, E KE, F KF),
}
