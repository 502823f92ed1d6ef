//! Inputs to begin with: the examples of docs/wire.md, and of what they leave out.

use std::collections::BTreeMap;

use ndarray::{Array, Array2};
use reedbed::__private::parts::AnyFrame;
use reedbed::{Element, Tensor};

use crate::checks::body;

const DOCUMENT: &str = include_str!("../../../docs/wire.md");

/// Types that a worker may describe.
const TYPES: [&str; 12] = [
    "struct Options { threshold: u16, name: option<string>, limits: range<f64> }",
    "enum Shape { Point { }, Circle { 0: f64 }, Text { text: string } }",
    "result<map<string, list<u8>>, tuple<bool, char>>",
    "struct Tree { value: u8, children: list<recursive 1> }",
    "read ndarray<u16, 2>",
    "write ndarray<f32, any>",
    "own segment",
    "shared list<u64>",
    "opaque Seconds \"1\" { T: f64 }",
    "array 300<tuple<os string, ip address, socket address>>",
    "option<duration>",
    "something[else], \"quoted \\\" text\"",
];

/// The examples by name: fenced blocks ```` ```hex name=... ````, without their comments.
///
/// # Panics
/// If the document has an example that isn't hexadecimal.
#[must_use]
pub fn examples() -> BTreeMap<&'static str, Vec<u8>> {
    let mut examples = BTreeMap::new();
    let mut lines = DOCUMENT.lines();
    while let Some(line) = lines.next() {
        let Some(name) = line.strip_prefix("```hex name=") else {
            continue;
        };
        let block = lines.by_ref().take_while(|line| *line != "```");
        let bytes = block.flat_map(|line| {
            let code = line.split('#').next().unwrap_or_default();
            let digits = code.split_whitespace();
            digits.map(|byte| u8::from_str_radix(byte, 16).unwrap())
        });
        examples.insert(name, bytes.collect());
    }
    examples
}

/// What a decoder is tried with first, by name.
#[must_use]
pub fn seeds(decoder: &str) -> Vec<(String, Vec<u8>)> {
    match decoder {
        "frame" => {
            let is_frame = |bytes: &Vec<u8>| AnyFrame::decode(bytes).is_ok();
            let frames = examples().into_iter().filter(|(_, bytes)| is_frame(bytes));
            frames
                .map(|(name, bytes)| (name.to_owned(), bytes))
                .collect()
        }
        "first_message" => examples()
            .into_iter()
            .filter(|(name, _)| matches!(*name, "hello" | "welcome"))
            .map(|(name, bytes)| (name.to_owned(), bytes))
            .collect(),
        "handle" => handles(),
        "schema" => schemas(),
        "body" => bodies(),
        "npy" => files(),
        // Their bytes are choices.
        _ => (0..8u8)
            .map(|seed| (format!("choices-{seed}"), choices(seed)))
            .collect(),
    }
}

fn handles() -> Vec<(String, Vec<u8>)> {
    let handles = examples().into_iter();
    handles
        .filter(|(name, _)| name.starts_with("handle-"))
        .flat_map(|(name, bytes)| {
            [0, 1].map(|is_mutable| {
                let segment = [&[is_mutable, 128, 0][..], &bytes].concat();
                (format!("{name}-{is_mutable}"), segment)
            })
        })
        .collect()
}

fn schemas() -> Vec<(String, Vec<u8>)> {
    let mut seeds = Vec::new();
    for (name, bytes) in examples() {
        // The number of the frame, that of the call, and that there is a module.
        if name == "description" {
            seeds.push((name.to_owned(), [b"m", &bytes[13..]].concat()));
        }
    }
    for (index, text) in TYPES.into_iter().enumerate() {
        seeds.push((format!("type-{index}"), [b"t", text.as_bytes()].concat()));
    }
    seeds
}

fn bodies() -> Vec<(String, Vec<u8>)> {
    let mut seeds = Vec::new();
    for (choice, (_, example)) in (0u8..).zip(body::types()) {
        seeds.push((
            format!("value-{choice}"),
            [&[choice][..], &example].concat(),
        ));
    }
    for (index, text) in TYPES.into_iter().enumerate() {
        let len = u8::try_from(text.len()).unwrap();
        let described = [&[255, len][..], text.as_bytes(), &[0; 40]].concat();
        seeds.push((format!("described-{index}"), described));
    }
    seeds
}

fn files() -> Vec<(String, Vec<u8>)> {
    fn file<A: Element>(array: Array2<A>) -> Vec<u8> {
        let mut file = Vec::new();
        Tensor::from(array).write_npy_to(&mut file).unwrap();
        file
    }
    let numbers = || {
        Array::from_iter(0..6u8)
            .into_shape_with_order((2, 3))
            .unwrap()
    };
    let column_major = b"\x93NUMPY\x02\x00\x37\x00\x00\x00{'shape': (2, 3), 'fortran_order': True, 'descr': '|u1'}abcdef";
    let files = [
        (0, file(numbers().mapv(|n| n % 2 == 0))),
        (1, file(numbers())),
        (1, column_major.to_vec()),
        (2, file(numbers().mapv(u16::from))),
        (7, file(numbers().mapv(i32::from))),
        (11, file(numbers().mapv(f64::from))),
        (1, file(Array2::<u8>::zeros((0, 3)))),
    ];
    let files = files.into_iter().enumerate();
    let seed = |(index, (choice, file)): (usize, (u8, Vec<u8>))| {
        (format!("file-{index}"), [&[choice][..], &file].concat())
    };
    files.map(seed).collect()
}

/// 64 bytes of all kinds.
fn choices(seed: u8) -> Vec<u8> {
    let mut state = u32::from(seed) + 1;
    let next = |_| {
        // The constants of Numerical Recipes.
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0] & if seed < 4 { 255 } else { 7 }
    };
    (0..64).map(next).collect()
}
