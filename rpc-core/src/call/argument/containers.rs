//! What holds arrays as arguments: options, tuples, lists, maps.
//!
//! Each writes what serde writes for it, with the index of an array in the array's place.

use std::collections::{BTreeMap, HashMap};
use std::fmt::{self, Write as _};
use std::hash::{BuildHasher, Hash};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{HandleArg, SendArg};
use crate::call::error::SendError;
use crate::call::incoming::Incoming;
use crate::call::outgoing::Outgoing;
use crate::wire::frame::Failure;
use crate::wire::schema::{Schema, SchemaWriter};

/// The most bytes of a key in the name of an entry.
const KEY_BYTES: usize = 64;

impl<'a, T: SendArg<'a>> SendArg<'a> for Option<T> {
    fn send(self, argument: &str, outgoing: &mut Outgoing<'a>) -> Result<(), SendError> {
        outgoing.value(argument, &u8::from(self.is_some()));
        if let Some(value) = self {
            outgoing.handle(argument, value);
        }
        Ok(())
    }
}

impl<'a, T: HandleArg<'a>> HandleArg<'a> for Option<T> {
    type Sent = Option<T::Sent>;

    fn describe(writer: &mut SchemaWriter) {
        writer.generic("option", &[SchemaWriter::handle_part::<T>]);
    }

    fn bind(argument: &str, incoming: &mut Incoming<'a>) -> Result<Self, Failure> {
        let is_some: bool = incoming.value(argument)?;
        is_some.then(|| incoming.handle(argument)).transpose()
    }
}

impl<'a, T: SendArg<'a>> SendArg<'a> for Box<T> {
    fn send(self, argument: &str, outgoing: &mut Outgoing<'a>) -> Result<(), SendError> {
        (*self).send(argument, outgoing)
    }
}

impl<'a, T: HandleArg<'a>> HandleArg<'a> for Box<T> {
    type Sent = Box<T::Sent>;

    fn describe(writer: &mut SchemaWriter) {
        writer.through::<Self>(std::any::type_name::<T>(), T::describe);
    }

    fn bind(argument: &str, incoming: &mut Incoming<'a>) -> Result<Self, Failure> {
        incoming.handle(argument).map(Self::new)
    }
}

impl<'a, T: SendArg<'a>> SendArg<'a> for Vec<T> {
    fn send(self, argument: &str, outgoing: &mut Outgoing<'a>) -> Result<(), SendError> {
        outgoing.value(argument, &(self.len() as u64));
        send_each(self, argument, outgoing);
        Ok(())
    }
}

impl<'a, T: HandleArg<'a>> HandleArg<'a> for Vec<T> {
    type Sent = Vec<T::Sent>;

    fn describe(writer: &mut SchemaWriter) {
        writer.generic("list", &[SchemaWriter::handle_part::<T>]);
    }

    fn bind(argument: &str, incoming: &mut Incoming<'a>) -> Result<Self, Failure> {
        let n = incoming.n_parts(argument)?;
        bind_each(n, argument, incoming)
    }
}

impl<'a, T: SendArg<'a>, const N: usize> SendArg<'a> for [T; N] {
    fn send(self, argument: &str, outgoing: &mut Outgoing<'a>) -> Result<(), SendError> {
        send_each(self, argument, outgoing);
        Ok(())
    }
}

impl<'a, T: HandleArg<'a>, const N: usize> HandleArg<'a> for [T; N] {
    type Sent = [T::Sent; N];

    fn describe(writer: &mut SchemaWriter) {
        writer.generic(&format!("array {N}"), &[SchemaWriter::handle_part::<T>]);
    }

    fn bind(argument: &str, incoming: &mut Incoming<'a>) -> Result<Self, Failure> {
        let parts = bind_each(N, argument, incoming)?;
        match parts.try_into() {
            Ok(parts) => Ok(parts),
            Err(_) => unreachable!("as many parts were bound as there are places"),
        }
    }
}

/// Sends parts one after another; `stack[3]` is the name of one.
fn send_each<'a, T: SendArg<'a>>(
    parts: impl IntoIterator<Item = T>,
    argument: &str,
    outgoing: &mut Outgoing<'a>,
) {
    let mut name = String::new();
    for (index, part) in parts.into_iter().enumerate() {
        rename(&mut name, format_args!("{argument}[{index}]"));
        outgoing.handle(&name, part);
    }
}

fn bind_each<'a, T: HandleArg<'a>>(
    n: usize,
    argument: &str,
    incoming: &mut Incoming<'a>,
) -> Result<Vec<T>, Failure> {
    // Not reserved: the number is a claim.
    let mut parts = Vec::new();
    let mut name = String::new();
    for index in 0..n {
        rename(&mut name, format_args!("{argument}[{index}]"));
        parts.push(incoming.handle(&name)?);
    }
    Ok(parts)
}

/// Sends a map's entries; `masks["nuclei"]` is the name of one.
fn send_entries<'a, K: Serialize + fmt::Debug, V: SendArg<'a>>(
    entries: impl ExactSizeIterator<Item = (K, V)>,
    argument: &str,
    outgoing: &mut Outgoing<'a>,
) {
    outgoing.value(argument, &(entries.len() as u64));
    let mut name = String::new();
    for (key, value) in entries {
        name_entry(&mut name, argument, &key);
        outgoing.value(&name, &key);
        outgoing.handle(&name, value);
    }
}

fn bind_entries<'a, K, V, M>(argument: &str, incoming: &mut Incoming<'a>) -> Result<M, Failure>
where
    K: DeserializeOwned + fmt::Debug,
    V: HandleArg<'a>,
    M: Default + Extend<(K, V)>,
{
    let mut map = M::default();
    let mut name = String::new();
    for _ in 0..incoming.n_parts(argument)? {
        let key: K = incoming.value(argument)?;
        name_entry(&mut name, argument, &key);
        let value = incoming.handle(&name)?;
        map.extend([(key, value)]);
    }
    Ok(map)
}

/// Names an entry by the beginning of its key, whose length is the sender's choice.
pub(crate) fn name_entry(name: &mut String, argument: &str, key: &impl fmt::Debug) {
    rename(name, format_args!("{argument}["));
    let mut beginning = Beginning {
        text: name,
        n_left: KEY_BYTES,
    };
    let is_whole = write!(beginning, "{key:?}").is_ok();
    name.push_str(if is_whole { "]" } else { "..]" });
}

/// Takes so many bytes and refuses the rest.
struct Beginning<'n> {
    text: &'n mut String,
    n_left: usize,
}

impl fmt::Write for Beginning<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = text.floor_char_boundary(self.n_left);
        self.text.push_str(&text[..end]);
        self.n_left -= end;
        if end < text.len() {
            return Err(fmt::Error);
        }
        Ok(())
    }
}

fn rename(name: &mut String, to: fmt::Arguments<'_>) {
    name.clear();
    // A string takes whatever is written.
    let _ = name.write_fmt(to);
}

impl<'a, K: Serialize + fmt::Debug, V: SendArg<'a>> SendArg<'a> for BTreeMap<K, V> {
    fn send(self, argument: &str, outgoing: &mut Outgoing<'a>) -> Result<(), SendError> {
        send_entries(self.into_iter(), argument, outgoing);
        Ok(())
    }
}

impl<'a, K, V: HandleArg<'a>> HandleArg<'a> for BTreeMap<K, V>
where
    K: Serialize + DeserializeOwned + Schema + Ord + fmt::Debug,
{
    type Sent = BTreeMap<K, V::Sent>;

    fn describe(writer: &mut SchemaWriter) {
        let parts = [SchemaWriter::part::<K>, SchemaWriter::handle_part::<V>];
        writer.generic("map", &parts);
    }

    fn bind(argument: &str, incoming: &mut Incoming<'a>) -> Result<Self, Failure> {
        bind_entries(argument, incoming)
    }
}

impl<'a, K: Serialize + fmt::Debug, V: SendArg<'a>, S> SendArg<'a> for HashMap<K, V, S> {
    fn send(self, argument: &str, outgoing: &mut Outgoing<'a>) -> Result<(), SendError> {
        send_entries(self.into_iter(), argument, outgoing);
        Ok(())
    }
}

impl<'a, K, V: HandleArg<'a>, S: BuildHasher + Default> HandleArg<'a> for HashMap<K, V, S>
where
    K: Serialize + DeserializeOwned + Schema + Eq + Hash + fmt::Debug,
{
    type Sent = HashMap<K, V::Sent, S>;

    fn describe(writer: &mut SchemaWriter) {
        let parts = [SchemaWriter::part::<K>, SchemaWriter::handle_part::<V>];
        writer.generic("map", &parts);
    }

    fn bind(argument: &str, incoming: &mut Incoming<'a>) -> Result<Self, Failure> {
        bind_entries(argument, incoming)
    }
}

macro_rules! tuples {
    ($(($($part:ident $index:literal),+)),* $(,)?) => {$(
        impl<'a, $($part: SendArg<'a>),+> SendArg<'a> for ($($part,)+) {
            fn send(self, argument: &str, outgoing: &mut Outgoing<'a>) -> Result<(), SendError> {
                #[expect(non_snake_case, reason = "the parts are named after their types")]
                let ($($part,)+) = self;
                $(outgoing.handle(&format!("{argument}.{}", $index), $part);)+
                Ok(())
            }
        }

        impl<'a, $($part: HandleArg<'a>),+> HandleArg<'a> for ($($part,)+) {
            type Sent = ($($part::Sent,)+);

            fn describe(writer: &mut SchemaWriter) {
                writer.generic("tuple", &[$(SchemaWriter::handle_part::<$part>),+]);
            }

            fn bind(argument: &str, incoming: &mut Incoming<'a>) -> Result<Self, Failure> {
                Ok(($(incoming.handle::<$part>(&format!("{argument}.{}", $index))?,)+))
            }
        }
    )*};
}

tuples! {
    (A 0), (A 0, B 1), (A 0, B 1, C 2), (A 0, B 1, C 2, D 3), (A 0, B 1, C 2, D 3, E 4),
    (A 0, B 1, C 2, D 3, E 4, F 5),
}
