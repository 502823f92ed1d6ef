//! Arguments and results: a Rust type and the description of it read the same value, or both none.
//!
//! The first byte chooses the type. The last choice is a type that the bytes describe themselves.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::Range;
use std::path::PathBuf;

use reedbed::__private::parts::{decode_part, decode_value, encode_part, parse_type};
use reedbed::Schema;
use reedbed::schema::FunctionSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::PER_BYTE;
use crate::Verdict;
use crate::allocation::bounded;

/// A type inside itself.
#[derive(Debug, Serialize, Deserialize, Schema)]
pub(crate) struct Tree {
    value: u8,
    children: Vec<Tree>,
}

/// One variant of each kind.
#[derive(Debug, Serialize, Deserialize, Schema)]
pub(crate) enum Shape {
    Point,
    Circle(f64),
    Line(i16, i16),
    Text { at: (u8, u8), text: Option<String> },
}

/// How a type is compared.
type Compare = fn(&[u8]) -> Verdict;

/// The types, and an example of each.
pub(crate) fn types() -> Vec<(Compare, Vec<u8>)> {
    fn of<T: Schema + Serialize + DeserializeOwned>(example: T) -> (Compare, Vec<u8>) {
        (compare::<T>, encode_part(&example).unwrap())
    }
    let text = || "é".to_owned();
    let leaf = |value| Tree {
        value,
        children: Vec::new(),
    };
    let tree = Tree {
        value: 1,
        children: vec![leaf(2), leaf(3)],
    };
    vec![
        of((1u8, -2i16, 3u32, -4i64, 5u128, i128::MIN)),
        of((true, 'é', text())),
        of((Some(vec![7u16, 8]), None::<bool>)),
        of(vec![(text(), Some(1u32)), (String::new(), None)]),
        of(BTreeMap::from([(5u8, text()), (6, String::new())])),
        of((Ok::<u32, String>(9), Err::<u32, String>(text()))),
        of(([7u16, 8, 9], vec![vec![1u8], Vec::new()])),
        of((1.5f64, 2u64..3)),
        of((PathBuf::from("a/b"), IpAddr::from([127, 0, 0, 1]))),
        of(tree),
        of(vec![
            Shape::Point,
            Shape::Circle(1.5),
            Shape::Line(1, -1),
            Shape::Text {
                at: (1, 2),
                text: Some(text()),
            },
        ]),
        of(Vec::<Range<Option<u8>>>::new()),
    ]
}

pub(crate) fn check(bytes: &[u8]) -> Verdict {
    let Some((choice, bytes)) = bytes.split_first() else {
        return Verdict::Refused;
    };
    thread_local! {
        static TYPES: Vec<Compare> = types().into_iter().map(|(compare, _)| compare).collect();
    }
    let compare = TYPES.with(|types| types.get(usize::from(*choice)).copied());
    match compare {
        Some(compare) => compare(bytes),
        None => described(bytes),
    }
}

fn compare<T: Schema + Serialize + DeserializeOwned>(bytes: &[u8]) -> Verdict {
    let typed = bounded(bytes.len(), 2 * PER_BYTE, || decode_part::<T>(bytes));
    let function = FunctionSchema::new("f", "").value::<T>("x");
    let (ty, _) = parse_type(&function.arguments[0].ty);
    let value = match decode_value(bytes, &ty) {
        Ok((outcome, 0)) => outcome.ok(),
        Ok(_) | Err(_) => None,
    };
    let Ok(typed) = typed else {
        assert!(value.is_none(), "read by the description alone: {value:?}");
        return Verdict::Refused;
    };
    let again: T = value.unwrap().deserialize().unwrap();
    let encoded = encode_part(&again).unwrap();
    assert_eq!(Ok(&encoded), encode_part(&typed).as_ref());
    // What a map has twice is written once, and in order.
    if !ty.to_string().contains("map") {
        assert_eq!(encoded, bytes, "written again");
    }
    Verdict::Accepted
}

/// A length, the text of a type, and a value.
fn described(bytes: &[u8]) -> Verdict {
    let parts = bytes.split_first();
    let parts = parts.and_then(|(len, rest)| rest.split_at_checked(usize::from(*len)));
    let Some((text, body)) = parts else {
        return Verdict::Refused;
    };
    let Ok(text) = std::str::from_utf8(text) else {
        return Verdict::Refused;
    };
    let (ty, _) = parse_type(text);
    match decode_value(body, &ty) {
        Ok((value, n_left)) => {
            assert!(n_left <= body.len());
            // Names it, however deep.
            let _ = format!("{value:?}");
            Verdict::Accepted
        }
        Err(_) => Verdict::Refused,
    }
}
