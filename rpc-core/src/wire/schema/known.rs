//! What the bytes of the standard library's types mean.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use super::{Schema, SchemaWriter};

macro_rules! leaves {
    ($($type:ty => $name:literal),* $(,)?) => {$(
        impl Schema for $type {
            fn describe(writer: &mut SchemaWriter) {
                writer.leaf($name);
            }
        }
    )*};
}

leaves! {
    () => "()", bool => "bool", char => "char", str => "string", String => "string",
    u8 => "u8", u16 => "u16", u32 => "u32", u64 => "u64", u128 => "u128", usize => "u64",
    i8 => "i8", i16 => "i16", i32 => "i32", i64 => "i64", i128 => "i128", isize => "i64",
    f32 => "f32", f64 => "f64",
    PathBuf => "path", std::path::Path => "path", OsString => "os string",
    Duration => "duration", std::time::SystemTime => "time",
    std::num::NonZeroU32 => "u32", std::num::NonZeroU64 => "u64", std::num::NonZeroUsize => "u64",
    std::net::IpAddr => "ip address", std::net::SocketAddr => "socket address",
}

macro_rules! containers {
    ($($($name:ident)::+ <$($parameter:ident),+> => $text:literal),* $(,)?) => {$(
        impl<$($parameter: Schema),+> Schema for $($name)::+<$($parameter),+> {
            fn describe(writer: &mut SchemaWriter) {
                writer.generic($text, &[$(SchemaWriter::part::<$parameter>),+]);
            }
        }
    )*};
}

containers! {
    Option<T> => "option", Vec<T> => "list", VecDeque<T> => "list",
    BTreeSet<T> => "list", std::ops::Range<T> => "range",
    BTreeMap<K, V> => "map", Result<T, E> => "result",
}

impl<T: Schema, S> Schema for HashSet<T, S> {
    fn describe(writer: &mut SchemaWriter) {
        writer.generic("list", &[SchemaWriter::part::<T>]);
    }
}

impl<K: Schema, V: Schema, S> Schema for HashMap<K, V, S> {
    fn describe(writer: &mut SchemaWriter) {
        writer.generic("map", &[SchemaWriter::part::<K>, SchemaWriter::part::<V>]);
    }
}

impl<T: Schema> Schema for [T] {
    fn describe(writer: &mut SchemaWriter) {
        writer.generic("list", &[SchemaWriter::part::<T>]);
    }
}

impl<T: Schema, const N: usize> Schema for [T; N] {
    fn describe(writer: &mut SchemaWriter) {
        writer.generic(&format!("array {N}"), &[SchemaWriter::part::<T>]);
    }
}

/// Types that travel as what they hold.
macro_rules! transparent {
    ($($($name:ident)::+),* $(,)?) => {$(
        impl<T: Schema + ?Sized> Schema for $($name)::+<T> {
            fn describe(writer: &mut SchemaWriter) {
                writer.through::<Self>(std::any::type_name::<T>(), T::describe);
            }
        }
    )*};
}

transparent! { Box, std::sync::Arc, std::rc::Rc }

impl<T: Schema + ToOwned + ?Sized> Schema for std::borrow::Cow<'_, T> {
    fn describe(writer: &mut SchemaWriter) {
        writer.through::<Self>(std::any::type_name::<T>(), T::describe);
    }
}

impl<T: ?Sized> Schema for std::marker::PhantomData<T> {
    fn describe(writer: &mut SchemaWriter) {
        writer.leaf("()");
    }
}

macro_rules! tuples {
    ($(($($part:ident),+)),* $(,)?) => {$(
        impl<$($part: Schema),+> Schema for ($($part,)+) {
            fn describe(writer: &mut SchemaWriter) {
                writer.generic("tuple", &[$(SchemaWriter::part::<$part>),+]);
            }
        }
    )*};
}

tuples! {
    (A), (A, B), (A, B, C), (A, B, C, D), (A, B, C, D, E), (A, B, C, D, E, F),
    (A, B, C, D, E, F, G), (A, B, C, D, E, F, G, H),
}
