//! Texts and trees.

use std::collections::BTreeMap;

use ndarray::{ArrayView2, ArrayViewMutD, Ix3};
use proptest::prelude::*;

use super::*;
use crate::call::returned::kind;
use crate::schema::{FunctionSchema, Schema, SchemaWriter};
use crate::{SegmentView, SharedCell, SharedCells, Tensor};

fn parsed(text: &str) -> Type {
    parse(text, &mut { MAX_TYPES })
}

fn has_other(ty: &Type) -> bool {
    format!("{ty:?}").contains("Other")
}

struct Everything;
impl Schema for Everything {
    fn describe(writer: &mut SchemaWriter) {
        writer.structure("Everything", |writer| {
            writer.field::<(bool, char, String, ())>("0");
            writer.field::<(u8, u16, u32, u64, u128, i8, i16, i32)>("1");
            writer.field::<(i64, i128, f32, f64, usize, isize)>("2");
            writer.field::<(std::path::PathBuf, std::ffi::OsString)>("3");
            writer.field::<(std::time::Duration, std::time::SystemTime)>("4");
            writer.field::<(std::net::IpAddr, std::net::SocketAddr)>("5");
            writer.field::<BTreeMap<String, [Vec<f32>; 3]>>("6");
            writer.field::<Option<Result<std::ops::Range<u8>, Box<Everything>>>>("7");
            writer.field::<Versions>("8");
        });
    }
}

struct Versions;
impl Schema for Versions {
    fn describe(writer: &mut SchemaWriter) {
        writer.enumeration("Versions", |writer| {
            writer.variant("None", |_| {});
            writer.variant("Some", |writer| writer.field::<Opaque>("of"));
        });
    }
}

struct Opaque;
impl Schema for Opaque {
    fn describe(writer: &mut SchemaWriter) {
        writer.opaque("Opaque", "1 \"quoted\" } > \\");
        writer.opaque_parameters(|writer| writer.field::<u8>("T"));
    }
}

#[test]
fn whatever_a_schema_can_say_is_understood() {
    let function = FunctionSchema::new("f", "")
        .value::<Everything>("everything")
        .handle::<ArrayView2<'static, u16>>("image")
        .handle::<Option<(ArrayViewMutD<'static, num_complex::Complex32>,)>>("any")
        .handle::<Tensor<half::bf16, Ix3>>("given")
        .handle::<SegmentView<'static>>("segment")
        .handle::<(SharedCell<u64>, SharedCells<f32>)>("shared")
        .returns::<Result<Vec<u8>, crate::AnyError>, kind::Fallible<kind::Value>>();
    for text in function.arguments.iter().map(|argument| &argument.ty) {
        let ty = parsed(text);
        assert!(!has_other(&ty), "{ty:?}");
        assert_eq!(ty.to_string(), *text);
    }
    assert_eq!(
        parsed(&function.arguments[1].ty),
        Type::NdArray {
            access: Access::Read,
            dtype: DType::U16,
            rank: Some(2)
        }
    );
    assert!(!has_other(&parsed(&function.returns)));
}

#[test]
fn what_is_not_known_stays_text_and_the_rest_is_understood() {
    let text = "struct S { a: list<tensor<u8, \">\"> of f32>, b: u8 }";
    let Type::Struct { fields, .. } = parsed(text) else {
        panic!("{:?}", parsed(text));
    };
    let other = Type::Other("tensor<u8, \">\"> of f32".to_owned());
    assert_eq!(fields[0].ty, Type::List(Box::new(other)));
    assert_eq!(fields[1].ty, leaf("u8").unwrap());
    for text in [
        "",
        "list<u8",
        "list<>",
        "u8>",
        "u8 ",
        "struct S {}",
        "array 03<u8>",
        "u8<u8>",
    ] {
        assert_eq!(parsed(text), Type::Other(text.to_owned()));
    }
}

#[test]
fn a_megabyte_of_brackets_costs_neither_stack_nor_memory() {
    let n = 100_000;
    for (open, close) in [("option<", ">"), ("struct S { f: ", " }"), ("<", ">")] {
        let text = format!("{}u8{}", open.repeat(n), close.repeat(n));
        let ty = parsed(&text);
        assert_eq!(ty.to_string(), text);
        let unbalanced = open.repeat(n);
        assert_eq!(parsed(&unbalanced), Type::Other(unbalanced));
    }
    let wide = format!("tuple<{}u8>", "u8, ".repeat(200_000));
    assert!(matches!(parsed(&wide), Type::Tuple(parts) if parts.len() == 200_001));
    let mut left = 10;
    assert_eq!(parse(&wide, &mut left).to_string(), wide);
    assert_eq!(left, 0);
    let long = format!("tuple<{}u8>", "u8, ".repeat(300_000));
    assert_eq!(parsed(&long), Type::Other(long));
}

fn name() -> impl Strategy<Value = String> + Clone {
    "[a-zA-Zé_0-9]{1,6}"
}

fn access() -> impl Strategy<Value = Access> {
    prop_oneof![Just(Access::Read), Just(Access::Write), Just(Access::Own)]
}

pub(in crate::dynamic) fn types() -> impl Strategy<Value = Type> {
    let words = [
        "bool", "char", "string", "u8", "u16", "u32", "u64", "u128", "i8", "i16", "i32", "i64",
        "i128", "f32", "f64", "path", "duration", "time", "instance",
    ];
    let leaves = prop_oneof![
        prop::sample::select(words.to_vec()).prop_map(|word| leaf(word).unwrap()),
        Just(Type::Unit),
        Just(Type::OsString),
        Just(Type::IpAddress),
        Just(Type::SocketAddress),
        (
            access(),
            prop::sample::select(&DType::ALL[..]),
            any::<Option<usize>>()
        )
            .prop_map(|(access, dtype, rank)| Type::NdArray {
                access,
                dtype,
                rank
            }),
        access().prop_map(|access| Type::Segment { access }),
        (prop::sample::select(&DType::ALL[..]), any::<bool>())
            .prop_map(|(dtype, is_list)| Type::Shared { dtype, is_list }),
        any::<usize>().prop_map(Type::Recursive),
    ];
    leaves.prop_recursive(5, 40, 4, |inner| {
        let boxed = inner.clone().prop_map(Box::new);
        let fields = prop::collection::vec(
            (name(), inner.clone()).prop_map(|(name, ty)| Field { name, ty }),
            0..4,
        );
        let variants = prop::collection::vec(
            (name(), fields.clone()).prop_map(|(name, fields)| Variant { name, fields }),
            0..3,
        );
        prop_oneof![
            boxed.clone().prop_map(Type::Option),
            boxed.clone().prop_map(Type::List),
            boxed.clone().prop_map(Type::Range),
            (boxed.clone(), boxed.clone()).prop_map(|(key, value)| Type::Map { key, value }),
            (boxed.clone(), boxed.clone()).prop_map(|(ok, error)| Type::Result { ok, error }),
            prop::collection::vec(inner, 1..4).prop_map(Type::Tuple),
            (any::<u64>(), boxed).prop_map(|(len, element)| Type::Array { len, element }),
            (name(), fields.clone()).prop_map(|(name, fields)| Type::Struct { name, fields }),
            (name(), variants).prop_map(|(name, variants)| Type::Enum { name, variants }),
            (name(), any::<String>(), fields).prop_map(|(name, version, parameters)| {
                let version = version.escape_debug().to_string();
                Type::Opaque {
                    name,
                    version,
                    parameters,
                }
            }),
        ]
    })
}

proptest! {
    #[test]
    fn what_was_written_is_read_back(ty in types()) {
        prop_assert_eq!(parsed(&ty.to_string()), ty);
    }

    #[test]
    fn any_text_is_read_and_written_as_it_is(text in ".*") {
        prop_assert_eq!(parsed(&text).to_string(), text);
    }

    #[test]
    fn any_run_of_tokens_is_read_and_written_as_it_is(
        tokens in prop::collection::vec(
            prop::sample::select(&[
                "<", ">", " { ", " }", ", ", ": ", "\"", "\\", "()", "(", "]", " ", "u8", "list",
                "tuple<", "struct", "enum", "opaque", "read", " ndarray<", "complex<f32>", "any",
                "3", "03", "recursive", "array", "map<", "é", "S", "->",
            ][..]),
            0..24,
        ),
    ) {
        let text = tokens.concat();
        prop_assert_eq!(parsed(&text).to_string(), text);
    }
}
