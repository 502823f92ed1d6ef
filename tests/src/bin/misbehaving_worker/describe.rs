//! What it says of its modules, against the protocol or against reason.

use reedbed_tests::by_hand::bytes::Bytes;
use reedbed_tests::by_hand::frame::{self, Frame, Function, Module};
use reedbed_tests::by_hand::handle::{Handle, Terms, dtype};
use reedbed_tests::by_hand::memory::Memory;
use reedbed_tests::by_hand::worker::Worker;

/// Takes the first question, and does as it was told.
pub(crate) fn describe(how: &str, worker: &mut Worker) {
    let Some(Frame::Describe { call, .. }) = worker.receive() else {
        panic!("a question is expected");
    };
    let nothing = Bytes::new().u32(9).u64(call).u8(0).done();
    match how {
        "describes-with-a-reply" => worker.send(&frame::returned(call, &[], &[])),
        "describes-as-told" => describe_as_told(worker, call),
        "describes-with-a-failure" => worker.send(&frame::segment_refused(call, "full")),
        "describes-a-megabyte-of-brackets" => describe_brackets(worker, call),
        "describes-a-function-twice" => {
            let range = function("range", "own ndarray<f64, 1>");
            worker.send(&frame::described(call, &module(vec![range.clone(), range])));
        }
        "describes-what-it-does-not-return" => describe_other_types(worker, call),
        "describes-never" => {}
        "never-describes" => {
            let call = worker.receive_call();
            worker.send(&frame::returned(call, &[], &6i64.to_le_bytes()));
        }
        "late-to-describe" => {
            // Who asks again before there is an answer ends it.
            let reply = worker.receive_call();
            let range = function("range", "own ndarray<f64, 1>");
            worker.send(&frame::described(call, &module(vec![range])));
            let six = 6i64.to_le_bytes();
            worker.send(&frame::returned(reply, &[], &six));
            let reply = worker.receive_call();
            worker.send(&frame::returned(reply, &[], &six));
        }
        _ => {
            worker.send(&nothing);
            worker.send(&nothing);
        }
    }
}

/// Describes `arrays` as one function whose types are the next arguments of this program, and answers
/// a call of it with a length and so many bytes that are zero: the two behind these.
fn describe_as_told(worker: &mut Worker, question: u64) {
    let told: Vec<_> = std::env::args().skip(2).collect();
    let [taken, returned, length, n_bytes] = &told[..] else {
        panic!("two types, a length and a number of bytes are expected, not {told:?}");
    };
    let odd = Function {
        arguments: vec![("value".to_owned(), taken.clone())],
        ..function("odd", returned)
    };
    worker.send(&frame::described(question, &module(vec![odd])));
    let Some(Frame::Call { call, .. }) = worker.receive() else {
        // The host has seen that no value fits.
        std::process::exit(0);
    };
    let length: u64 = length.parse().expect("a length");
    let zeros = vec![0; n_bytes.parse().expect("a number of bytes")];
    let body = Bytes::new().u64(length).raw(&zeros).done();
    worker.send(&frame::returned(call, &[], &body));
}

pub(crate) fn module(functions: Vec<Function>) -> Module {
    Module {
        name: "arrays".to_owned(),
        docs: String::new(),
        functions,
    }
}

fn function(name: &str, returns: &str) -> Function {
    Function {
        name: name.to_owned(),
        docs: String::new(),
        arguments: Vec::new(),
        returns: returns.to_owned(),
    }
}

/// Describes functions by types inside one another, some of them beyond any reason.
fn describe_brackets(worker: &mut Worker, call: u64) {
    let deep = |n: usize| format!("{}u8{}", "option<".repeat(n), ">".repeat(n));
    let unbalanced = "struct S { f: ".repeat(75_000);
    let functions = vec![
        Function {
            arguments: vec![("value".to_owned(), deep(130_000))],
            ..function("takes_deep", "()")
        },
        function("returns_brackets", &"<{([".repeat(262_144)),
        function("returns_deep", &deep(131_000)),
        function("returns_unbalanced", &unbalanced),
        function("works", "u64"),
    ];
    send_long(worker, &frame::described(call, &module(functions)));
    let Some(Frame::Ended { transfer: 1 }) = worker.receive() else {
        panic!("the end of the description's transfer is expected");
    };
    let call = worker.receive_call();
    worker.send(&frame::returned(call, &[], &6u64.to_le_bytes()));
}

/// Sends a frame that is too long for a message.
pub(crate) fn send_long(worker: &Worker, bytes: &[u8]) {
    let memory = Memory::of(bytes);
    let len = bytes.len() as u64;
    worker
        .end()
        .send_with(&frame::segment(1, len, true), &memory);
    let place = Handle::row(1, dtype::U8, len).on(Terms::Moved(1));
    worker.send(&frame::oversize(&place));
}

/// Describes functions, and answers each call with eight bytes that are 7.
fn describe_other_types(worker: &mut Worker, call: u64) {
    let returns = [
        ("array", "own ndarray<f64, 1>"),
        ("bool", "bool"),
        ("cell", "shared u64"),
        ("list", "list<string>"),
        ("map", "map<string, own ndarray<u8, 2>>"),
        ("number", "u64"),
        ("result", "result<u8, string>"),
        ("rows", "array 3<own ndarray<f64, 1>>"),
        ("string", "string"),
        (
            "structure",
            "struct Image { width: u32, pixels: own ndarray<u8, 2> }",
        ),
        ("unit", "()"),
        ("variant", "enum Job { Nothing {  }, One { 0: u32 } }"),
    ];
    let functions = returns.map(|(name, returns)| function(name, returns));
    worker.send(&frame::described(call, &module(functions.to_vec())));
    while let Some(frame) = worker.receive() {
        match frame {
            Frame::Call { call, .. } => worker.send(&frame::returned(call, &[], &[7; 8])),
            Frame::Shutdown => std::process::exit(0),
            _ => {}
        }
    }
}
