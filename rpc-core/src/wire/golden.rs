//! The examples of `docs/wire.md`, against the encoder and the decoder.
//!
//! The bytes in the document were put together by hand, from its text. Here each example has the
//! value that it spells; neither side can change without the other.

mod calls;
mod document;

use std::collections::BTreeMap;

use self::calls::{failures, frames_of_calls, frames_of_tarpc};
use self::document::{Checks, DOCUMENT, examples};
use super::frame::Frame;
use super::handle::{Handle, Origin, Terms};
use super::handshake::{
    ChannelKind, Dispatcher, Hello, Limits, ServedModule, Trust, WIRE_VERSION, Welcome,
};
use super::schema::{ArgumentSchema, FunctionSchema, ModuleSchema, method_id};
use crate::dims::Dims;
use crate::tensor::DType;

const LIMITS: Limits = Limits {
    frame_bytes: 64 * 1024 * 1024,
    n_calls: 1024,
    n_handles: 1024,
    n_segments: 16384,
};

fn handle(origin: Origin, segment: u64, terms: Terms, dtype: DType) -> Handle {
    Handle {
        origin,
        segment,
        terms,
        dtype: dtype as u8,
        offset_bytes: 0,
        shape: Dims::new(),
        strides: Dims::new(),
    }
}

/// Three `i64`, lent for reading.
fn three_lent() -> Handle {
    Handle {
        shape: [3].as_slice().into(),
        strides: [1].as_slice().into(),
        ..handle(Origin::Sender, 1, Terms::Read, DType::I64)
    }
}

/// Three `i64` in the frame.
fn three_inline(terms: Terms) -> Handle {
    Handle {
        origin: Origin::Frame,
        segment: 0,
        terms,
        ..three_lent()
    }
}

/// The module of the examples.
fn arithmetic() -> ModuleSchema {
    let sum = FunctionSchema {
        name: "sum".to_owned(),
        docs: "Adds up.".to_owned(),
        arguments: vec![ArgumentSchema {
            name: "values".to_owned(),
            ty: "read ndarray<i64, 1>".to_owned(),
        }],
        returns: "i64".to_owned(),
    };
    ModuleSchema::new("arithmetic", "", vec![sum])
}

#[test]
fn every_example_of_the_document_is_what_is_spoken() {
    let mut checks = Checks::new();
    values(&mut checks);
    first_messages(&mut checks);
    frames_of_segments(&mut checks);
    handles(&mut checks);
    frames_of_calls(&mut checks);
    failures(&mut checks);
    frames_of_schemas(&mut checks);
    frames_of_tarpc(&mut checks);
    checks.finish();
}

fn values(checks: &mut Checks) {
    let results: (Result<u8, u16>, Result<u8, u16>) = (Ok(9), Err(10));
    checks.value(
        "values",
        (
            true,
            -2i16,
            1.5f32,
            'é',
            "é".to_owned(),
            None::<u64>,
            Some(300u16),
            vec![7u16, 8],
            [7u16, 8],
            BTreeMap::from([(5u8, "x".to_owned())]),
            results,
        ),
    );
    checks.value("elements", [1i64, 2, 3]);
}

fn first_messages(checks: &mut Checks) {
    assert_eq!(WIRE_VERSION, 1);
    checks.first_message(
        "hello",
        Hello {
            limits: LIMITS,
            trust: Trust::Trusted,
            dispatcher: Dispatcher::Reedbed,
            segments: 0,
            wait: 0,
            channels: vec![ChannelKind::Socket as u32],
            worker: "adder".to_owned(),
        },
    );
    checks.first_message(
        "hello-untrusted",
        Hello {
            limits: Limits {
                n_segments: 1024,
                ..LIMITS
            },
            trust: Trust::Untrusted,
            dispatcher: Dispatcher::Reedbed,
            segments: 0,
            wait: 0,
            channels: vec![ChannelKind::Ring as u32, ChannelKind::Socket as u32],
            worker: "adder".to_owned(),
        },
    );
    checks.first_message(
        "welcome",
        Welcome {
            limits: LIMITS,
            channel: ChannelKind::Socket,
            modules: vec![ServedModule {
                name: "arithmetic".to_owned(),
                schema: arithmetic().hash(),
            }],
        },
    );
}

fn frames_of_segments(checks: &mut Checks) {
    checks.value(
        "segment",
        Frame::Segment {
            segment: 1,
            len_bytes: 24,
            is_writable: false,
        },
    );
    checks.value(
        "named-segment",
        Frame::NamedSegment {
            segment: 1,
            len_bytes: 24,
            is_writable: true,
            name: "reedbed-4026531836-7-815-0-00112233445566ff".to_owned(),
        },
    );
    checks.value("forget", Frame::Forget { segment: 1 });
    checks.value(
        "refused",
        Frame::Refused {
            segment: 1,
            reason: "full".to_owned(),
        },
    );
    checks.value("ended", Frame::Ended { transfer: 7 });
    let long = handle(Origin::Sender, 2, Terms::Moved { transfer: 1 }, DType::U8);
    checks.value(
        "oversize",
        Frame::Oversize {
            frame: Handle {
                shape: [100_000].as_slice().into(),
                strides: [1].as_slice().into(),
                ..long
            },
        },
    );
    checks.value(
        "unread",
        Frame::Unread {
            transfer: 1,
            reason: "full".to_owned(),
        },
    );
}

fn handles(checks: &mut Checks) {
    checks.value("handle-read", three_lent());
    checks.value(
        "handle-read-write",
        Handle {
            offset_bytes: 22,
            shape: [3, 4].as_slice().into(),
            strides: [-4, -1].as_slice().into(),
            ..handle(Origin::Sender, 2, Terms::ReadWrite, DType::U16)
        },
    );
    let behind_others = |terms| Handle {
        offset_bytes: 16,
        ..three_inline(terms)
    };
    checks.value("handle-inline-read", behind_others(Terms::Read));
    checks.value(
        "handle-inline-moved",
        behind_others(Terms::Moved { transfer: 0 }),
    );
    let single = |origin, terms| Handle {
        offset_bytes: 64,
        ..handle(origin, 3, terms, DType::F64)
    };
    checks.value(
        "handle-moved",
        single(Origin::Sender, Terms::Moved { transfer: 7 }),
    );
    checks.value(
        "handle-shared",
        single(Origin::Sender, Terms::Shared { transfer: 8 }),
    );
    checks.value(
        "handle-returned",
        single(Origin::Receiver, Terms::Returned { transfer: 7 }),
    );
}

fn frames_of_schemas(checks: &mut Checks) {
    checks.value(
        "describe",
        Frame::Describe {
            call: 3,
            module: "arithmetic".to_owned(),
        },
    );
    checks.value(
        "description",
        Frame::Description {
            call: 3,
            module: Some(arithmetic()),
        },
    );
    checks.value(
        "description-of-nothing",
        Frame::Description {
            call: 4,
            module: None,
        },
    );
}

#[test]
fn the_numbers_in_the_text_are_those_of_the_examples() {
    let names = |number: u64| format!("`{number:#018x}`");
    let number = method_id("arithmetic", "sum");
    assert!(DOCUMENT.contains(&names(number)), "{}", names(number));
    let hash = arithmetic().hash();
    assert!(DOCUMENT.contains(&names(hash)), "{}", names(hash));
    let signature = arithmetic().functions[0].signature();
    assert!(DOCUMENT.contains(&format!("```text\n{signature}\n```")));
}

#[test]
fn the_sizes_in_the_session_are_those_of_the_examples() {
    let examples = examples();
    let (_, session) = DOCUMENT.split_once("## 14. A session").unwrap();
    let mut n_sizes = 0;
    for line in session
        .lines()
        .filter(|line| line.contains(" bytes  ") || line.contains("bytes reply"))
    {
        let words: Vec<_> = line.split_whitespace().collect();
        let Some(at) = words.iter().position(|word| *word == "bytes") else {
            continue;
        };
        let Ok(size) = words[at - 1].parse::<usize>() else {
            continue;
        };
        let Some(example) = words.iter().find_map(|word| examples.get(word)) else {
            continue;
        };
        assert_eq!(example.len(), size, "{line}");
        n_sizes += 1;
    }
    assert_eq!(n_sizes, 7);
}

#[test]
fn every_element_type_is_in_the_table() {
    let (_, section) = DOCUMENT.split_once("## 7. Handles").unwrap();
    let rows = || section.lines().filter(|line| line.starts_with('|'));
    let cells = rows().flat_map(|row| {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let half = |from: usize| cells.get(from..from + 4).map(<[&str]>::to_vec);
        [half(1), half(7)].into_iter().flatten().collect::<Vec<_>>()
    });
    let cells: Vec<_> = cells.collect();
    for dtype in DType::ALL {
        let number = (dtype as u8).to_string();
        let row = cells.iter().find(|cells| cells[0] == number);
        let row = row.unwrap_or_else(|| panic!("no row for {dtype}"));
        assert_eq!(row[2], dtype.size_bytes().to_string(), "{dtype}");
        assert_eq!(row[3], dtype.alignment_bytes().to_string(), "{dtype}");
    }
}
