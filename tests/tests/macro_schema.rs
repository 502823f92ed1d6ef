//! What `#[derive(Schema)]` and `#[remote_module]` say about types and functions.

#![deny(warnings)]

use std::collections::BTreeMap;
use std::marker::PhantomData;

use reedbed::schema::{FunctionSchema, ModuleSchema};
use reedbed::{Schema, Stub, remote_module};
use serde::{Deserialize, Serialize};

/// The text of a type's schema.
fn text<T: reedbed::schema::Schema>() -> String {
    FunctionSchema::new("f", "")
        .value::<T>("x")
        .arguments
        .remove(0)
        .ty
}

#[derive(Serialize, Deserialize, Schema)]
struct Options {
    threshold: f64,
    r#type: Option<String>,
    #[serde(skip)]
    cached: Option<u8>,
    #[serde(rename = "other")]
    sizes: [u16; 3],
}

#[derive(Serialize, Deserialize, Schema)]
struct Unit;

#[derive(Serialize, Deserialize, Schema)]
struct Pair<A, B = Unit>(A, B);

#[derive(Serialize, Deserialize, Schema)]
enum Shape {
    Empty,
    Disk(f32),
    Box { width: f32, height: f32 },
}

#[derive(Serialize, Deserialize, Schema)]
struct Tree {
    value: u8,
    children: Vec<Tree>,
}

#[derive(Clone, Serialize, Deserialize, Schema)]
#[serde(from = "String", into = "String")]
#[schema(opaque = "2")]
struct Name(String);

impl From<String> for Name {
    fn from(name: String) -> Self {
        Self(name)
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

#[derive(Serialize, Deserialize, Schema)]
#[schema(opaque = "1")]
struct Tagged<T> {
    tag: PhantomData<T>,
}

#[test]
fn structs_list_what_serde_writes() {
    assert_eq!(
        text::<Options>(),
        "struct Options { threshold: f64, type: option<string>, sizes: array 3<u16> }"
    );
    assert_eq!(
        text::<Pair<u8>>(),
        "struct Pair { 0: u8, 1: struct Unit {  } }"
    );
}

#[test]
fn enums_list_their_variants_in_order() {
    assert_eq!(
        text::<Shape>(),
        "enum Shape { Empty {  }, Disk { 0: f32 }, Box { width: f32, height: f32 } }"
    );
}

#[test]
fn recursion_ends() {
    assert_eq!(
        text::<Tree>(),
        "struct Tree { value: u8, children: list<recursive 1> }"
    );
}

#[test]
fn opaque_types_are_told_apart_by_version_and_parameters() {
    assert_eq!(text::<Name>(), r#"opaque Name "2""#);
    assert_eq!(text::<Tagged<u8>>(), r#"opaque Tagged "1" { T: u8 }"#);
    assert_eq!(text::<Tagged<u16>>(), r#"opaque Tagged "1" { T: u16 }"#);
}

mod renamed {
    use super::*;

    /// The same bytes as the other one.
    #[derive(Serialize, Deserialize, Schema)]
    #[serde(rename_all = "SCREAMING-KEBAB-CASE", deny_unknown_fields)]
    pub(super) struct Options {
        #[serde(default)]
        threshold: f64,
        r#type: Option<String>,
        sizes: [u16; 3],
    }
}

#[test]
fn what_leaves_the_bytes_alone_is_no_difference() {
    assert_eq!(text::<Options>(), text::<renamed::Options>());
}

/// Counts things.
///
/// In two lines.
#[remote_module]
mod counting {
    use ndarray::{Array1, ArrayView2, ArrayViewMut2, Ix3};
    use reedbed::Tensor;

    use super::{BTreeMap, Options, Pair, Shape};

    /// Counts.
    ///
    /// More words.
    pub fn count(#[ndarray] image: ArrayView2<'_, u16>, options: Options) -> usize {
        let _ = options.cached;
        image.len()
    }

    #[cfg(any())]
    pub fn absent() {}

    #[cfg(unix)]
    pub fn all_kinds(
        #[ndarray] stack: Tensor<f32, Ix3>,
        #[ndarray] masks: Option<(ArrayViewMut2<bool>,)>,
        names: &[String],
        counts: BTreeMap<String, Pair<u8, i8>>,
    ) -> Result<(Array1<u8>, u8), Shape> {
        let _ = (stack, masks, names, counts);
        Err(Shape::Empty)
    }
}

#[test]
fn modules_describe_their_functions() {
    let ModuleSchema {
        name,
        docs,
        functions,
    } = counting::Client::schema();
    assert_eq!(
        (&*name, &*docs),
        ("counting", "Counts things.\n\nIn two lines.")
    );
    let [all_kinds, count] = &*functions else {
        panic!("{functions:?}")
    };
    assert_eq!(count.docs, "Counts.\n\nMore words.");
    assert_eq!(
        count.signature(),
        format!(
            "count(image: read ndarray<u16, 2>, options: {}) -> u64",
            text::<Options>()
        )
    );
    assert_eq!(
        all_kinds.signature(),
        format!(
            "all_kinds(stack: own ndarray<f32, 3>, \
             masks: option<tuple<write ndarray<bool, 2>>>, \
             names: list<string>, \
             counts: map<string, {}>) \
             -> result<tuple<own ndarray<u8, 1>, u8>, {}>",
            text::<Pair<u8, i8>>(),
            text::<Shape>()
        )
    );
}
