//! A host that speaks the wire by hand, to the real test worker: first as it should, then not.
//!
//! What the wire calls a violation ends the worker with a message that names it; what fails a call
//! fails that call alone. Nothing makes it panic.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use reedbed_tests::by_hand::bytes::{Bytes, Reader};
use reedbed_tests::by_hand::end::LIMIT;
use reedbed_tests::by_hand::frame::{self, Failure, Frame};
use reedbed_tests::by_hand::handle::{Handle, Terms, dtype};
use reedbed_tests::by_hand::host::{Hello, Host};
use reedbed_tests::by_hand::memory::{Memory, SEALS};
use reedbed_tests::by_hand::{fnv1a, function};
use rustix::fs::SealFlags;

const WORKER: &str = env!("CARGO_BIN_EXE_test-worker");

/// The body of a call whose arguments are the first `n` arrays, in order.
fn arrays(n: u32) -> Vec<u8> {
    (0..n).fold(Bytes::new(), Bytes::u32).done()
}

/// A host whose segment 1 holds 1, 2, 3 as `i64`, announced for reading.
fn lending_three() -> (Host, Memory) {
    let (host, memory) = (Host::greeted(WORKER), Memory::of_i64(&[1, 2, 3]));
    host.announce(1, &memory);
    (host, memory)
}

/// A host whose segment 1 holds four `u32`, announced for writing.
fn lending_four_for_writing() -> (Host, Memory) {
    let (host, memory) = (Host::greeted(WORKER), Memory::new(16));
    host.announce_writable(1, &memory);
    (host, memory)
}

/// The three elements, lent for reading.
fn three() -> Handle {
    Handle::row(1, dtype::I64, 3)
}

/// The four elements as a matrix, lent for writing.
fn matrix() -> Handle {
    Handle {
        shape: vec![2, 2],
        strides: vec![2, 1],
        ..Handle::row(1, dtype::U32, 4).on(Terms::ReadWrite)
    }
}

fn bad_argument(argument: &str, reason: &str) -> Failure {
    Failure::BadArgument { argument: argument.to_owned(), reason: reason.to_owned() }
}

/// The body of a call that runs until it is cancelled (the gates that it names aren't there).
fn until_cancelled() -> Vec<u8> {
    Bytes::new().run("/no/gate").run("/no/gate").done()
}

/// Calls a function that writes 7 and then never completes; returns once it has written.
fn hang_holding_the_matrix(host: &Host, memory: &Memory, call: u64) {
    let body = Bytes::new().u32(0).u32(7).run("/no/gate").done();
    host.call(call, "arrays.hang_after_writing", &[matrix()], &body);
    let since = Instant::now();
    while memory.read(0) != 7u32.to_le_bytes() {
        assert!(since.elapsed() < LIMIT, "the function wrote nothing");
        std::thread::yield_now();
    }
}

// A session as it should be.

#[test]
fn a_lent_array_is_read_in_place() {
    let (host, _memory) = lending_three();
    host.call(1, "arrays.sum", &[three()], &arrays(1));
    assert_eq!(host.result(1), 6i64.to_le_bytes());
    host.send(&frame::forget(1));
    host.shut_down();
}

#[test]
fn an_array_lent_for_writing_is_written_in_place() {
    let (host, memory) = lending_four_for_writing();
    let turned = Handle { offset_bytes: 12, strides: vec![-2, -1], ..matrix() };
    host.call(1, "arrays.fill", &[turned], &Bytes::new().u32(0).u32(9).done());
    assert_eq!(host.result(1), 4u64.to_le_bytes());
    assert_eq!(memory.read::<16>(0), [9, 0, 0, 0, 9, 0, 0, 0, 9, 0, 0, 0, 9, 0, 0, 0]);
    host.shut_down();
}

#[test]
fn one_array_may_be_read_by_two_arguments() {
    let (host, memory) = (Host::greeted(WORKER), Memory::of_f64(&[1.0, 2.0, 3.0, 4.0]));
    host.announce(1, &memory);
    let matrix =
        Handle { shape: vec![2, 2], strides: vec![2, 1], ..Handle::row(1, dtype::F64, 4) };
    host.call(1, "arrays.product", &[matrix], &Bytes::new().u32(0).u32(0).done());
    let (segment, product) = host.receive_segment();
    let Frame::Returned { handles, .. } = host.receive() else { panic!("a product is expected") };
    assert_eq!((handles[0].segment, handles[0].terms), (segment, Terms::Moved(1)));
    assert_eq!(product.f64(handles[0].offset_bytes), 7.0);
    host.send(&frame::ended(1));
    host.shut_down();
}

#[test]
fn an_option_is_a_byte_and_then_the_index() {
    let (host, _memory) = lending_three();
    let mask = Memory::of(&[1, 0, 1]);
    host.announce(2, &mask);
    let handles = [three(), Handle::row(2, dtype::BOOL, 3)];
    host.call(1, "arrays.masked_sum", &handles, &Bytes::new().u32(0).u8(1).u32(1).done());
    assert_eq!(host.result(1), 4i64.to_le_bytes());
    host.call(2, "arrays.masked_sum", &handles, &Bytes::new().u32(0).u8(0).done());
    assert_eq!(host.result(2), 6i64.to_le_bytes());
    host.shut_down();
}

#[test]
fn an_array_that_is_given_is_ended_once() {
    let (host, memory) = (Host::greeted(WORKER), Memory::of_f64(&[1.0, 2.0]));
    host.announce_writable(1, &memory);
    let given = Handle::row(1, dtype::F64, 2).on(Terms::Moved(5));
    host.call(1, "arrays.take", &[given], &arrays(1));
    assert_eq!(host.receive(), Frame::Ended { transfer: 5 });
    assert_eq!(host.result(1), 3f64.to_le_bytes());
    host.shut_down();
}

#[test]
fn an_array_that_is_passed_on_comes_back() {
    let (host, memory) = (Host::greeted(WORKER), Memory::of_f64(&[1.0, 2.0]));
    host.announce_writable(1, &memory);
    let given = Handle::row(1, dtype::F64, 2).on(Terms::Moved(5));
    host.call(1, "arrays.pass_on", &[given.clone()], &arrays(1));
    let returned = Handle { origin: 1, ..given.on(Terms::Returned(5)) };
    let expected = Frame::Returned { call: 1, handles: vec![returned], body: arrays(1) };
    assert_eq!(host.receive(), expected);
    assert_eq!((memory.f64(0), memory.f64(8)), (2.0, 4.0));
    host.shut_down();
}

#[test]
fn a_returned_array_can_be_lent_back_and_given_back() {
    let host = Host::greeted(WORKER);
    host.call(1, "arrays.range", &[], &4u64.to_le_bytes());
    let (segment, memory) = host.receive_segment();
    assert!(memory.seals().contains(SEALS));
    let Frame::Returned { call: 1, handles, body } = host.receive() else {
        panic!("an array is expected");
    };
    assert_eq!(body, arrays(1));
    let range = handles[0].clone();
    assert_eq!((range.origin, range.segment, range.terms), (0, segment, Terms::Moved(1)));
    assert_eq!((range.dtype, &range.shape), (dtype::F64, &vec![4]));
    assert_eq!(memory.f64(range.offset_bytes + 24), 3.0);

    let lent = Handle { origin: 1, ..range.clone().on(Terms::Read) };
    host.call(2, "arrays.checksum", &[lent], &arrays(1));
    assert_eq!(host.result(2), 20f64.to_le_bytes());
    let given_back = Handle { origin: 1, ..range.on(Terms::Returned(1)) };
    host.call(3, "arrays.take", &[given_back], &arrays(1));
    assert_eq!(host.result(3), 6f64.to_le_bytes());
    host.shut_down();
}

#[test]
fn a_long_frame_lies_in_a_segment_in_both_directions() {
    let host = Host::greeted(WORKER);
    let text = Bytes::new().run("x".repeat(100_000)).done();
    let call = frame::call(1, function("values", "echo"), &[], &text);
    let memory = Memory::of(&call);
    host.announce(1, &memory);
    let place = Handle::row(1, dtype::U8, call.len() as u64).on(Terms::Moved(8));
    host.send(&frame::oversize(&place));
    assert_eq!(host.receive(), Frame::Ended { transfer: 8 });

    let (segment, memory) = host.receive_segment();
    let Frame::Oversize { frame: place } = host.receive() else {
        panic!("a long frame is expected");
    };
    let len = place.shape[0];
    assert_eq!((place.segment, place.origin, place.dtype), (segment, 0, dtype::U8));
    let expected = frame::returned(1, &[], &text);
    assert_eq!(len, expected.len() as u64);
    let found = memory.read::<100_048>(place.offset_bytes);
    assert_eq!(found[..expected.len()], expected);
    let Terms::Moved(transfer) = place.terms else { panic!("a long frame is moved") };
    host.send(&frame::ended(transfer));
    host.shut_down();
}

#[test]
fn the_hash_in_the_welcome_is_that_of_the_description() {
    let host = Host::greeted(WORKER);
    let (_, hash) = host.modules.iter().find(|(name, _)| name == "arrays").unwrap().clone();
    host.send(&frame::describe(1, "arrays"));
    let Frame::Description { call: 1, module: Some(module) } = host.receive() else {
        panic!("a description is expected");
    };
    assert_eq!(module.name, "arrays");
    let signatures: Vec<_> = module.functions.iter().map(|f| f.signature()).collect();
    assert!(signatures.iter().any(|text| text == "sum(values: read ndarray<i64, 1>) -> i64"));
    let name = fnv1a(b"arrays", 0xcbf2_9ce4_8422_2325);
    assert_eq!(fnv1a(signatures.join("\n").as_bytes(), name), hash);
    host.shut_down();
}

#[test]
fn an_unknown_module_has_no_description() {
    let host = Host::greeted(WORKER);
    host.send(&frame::describe(1, "nothing"));
    assert_eq!(host.receive(), Frame::Description { call: 1, module: None });
    host.assert_alive();
}

#[test]
fn a_cancelled_call_is_released_once_and_lets_go() {
    let (host, memory) = lending_four_for_writing();
    hang_holding_the_matrix(&host, &memory, 1);
    host.send(&frame::cancel(1));
    assert_eq!(host.receive(), Frame::Released { call: 1, has_begun: true });
    host.call(2, "arrays.fill", &[matrix()], &Bytes::new().u32(0).u32(1).done());
    assert_eq!(host.result(2), 4u64.to_le_bytes());
    host.shut_down();
}

#[test]
fn cancelling_what_is_not_in_flight_changes_nothing() {
    let host = Host::greeted(WORKER);
    host.send(&frame::cancel(77));
    host.assert_alive();
}

#[test]
fn a_shutdown_waits_for_the_calls_in_flight_and_refuses_others() {
    let host = Host::greeted(WORKER);
    host.call(1, "control.run_until_cancelled", &[], &until_cancelled());
    host.send(&frame::shutdown());
    host.call(2, "values.nothing", &[], &[]);
    assert_eq!(host.failure(2), Failure::ShuttingDown);
    host.send(&frame::cancel(1));
    assert!(matches!(
        host.receive(),
        Frame::Returned { call: 1, .. } | Frame::Released { call: 1, has_begun: false }
    ));
    assert_eq!(host.ended().code, Some(0));
}

#[test]
fn an_answer_is_not_lost_to_a_shutdown() {
    for _ in 0..50 {
        let host = Host::greeted(WORKER);
        let text = Bytes::new().run("last words").done();
        host.call(1, "values.echo", &[], &text);
        host.send(&frame::shutdown());
        assert_eq!(host.result(1), text);
        assert_eq!(host.ended().code, Some(0));
    }
}

#[test]
fn the_end_of_the_connection_ends_the_worker_in_the_middle_of_a_call() {
    let (host, memory) = lending_four_for_writing();
    hang_holding_the_matrix(&host, &memory, 1);
    let ended = host.closed();
    assert_eq!((ended.signal, ended.stderr.as_str()), (Some(9), ""));
}

#[test]
fn an_empty_message_is_taken_for_the_end() {
    let host = Host::greeted(WORKER);
    host.send(&[]);
    assert_eq!(host.ended().signal, Some(9));
}

// What fails a call, and only that.

#[test]
fn an_unknown_function_fails_its_call() {
    let (host, _memory) = lending_three();
    host.call(1, "arrays.unknown", &[three()], &arrays(1));
    assert_eq!(host.failure(1), Failure::UnknownFunction);
    host.assert_alive();
}

#[test]
fn another_element_type_or_rank_fails_the_call() {
    let (host, _memory) = lending_three();
    let floats = Handle::row(1, dtype::F64, 3);
    let column = Handle { shape: vec![3, 1], strides: vec![1, 1], ..three() };
    let single = Handle { shape: vec![], strides: vec![], ..three() };
    for (call, handle, found) in [
        (1, floats, "f64 of shape [3]"),
        (2, column, "i64 of shape [3, 1]"),
        (3, single, "i64 of shape []"),
    ] {
        host.call(call, "arrays.sum", &[handle], &arrays(1));
        let reason =
            format!("an array of i64 with 1 dimensions is expected, not one of {found}");
        assert_eq!(host.failure(call), bad_argument("values", &reason));
    }
    host.assert_alive();
}

#[test]
fn other_terms_than_the_function_takes_fail_the_call() {
    let (host, _memory) = lending_four_for_writing();
    let nine = Bytes::new().u32(0).u32(9).done();
    host.call(1, "arrays.fill", &[matrix().on(Terms::Read)], &nine);
    let reason = "the array must be lent for writing";
    assert_eq!(host.failure(1), bad_argument("values", reason));

    let row = Handle::row(1, dtype::I64, 2);
    host.call(2, "arrays.sum", &[row.clone().on(Terms::ReadWrite)], &arrays(1));
    let reason = "the array must be lent for reading";
    assert_eq!(host.failure(2), bad_argument("values", reason));

    host.call(3, "arrays.take", &[row], &arrays(1));
    let reason = "the array must be given, once, and not lent";
    assert_eq!(host.failure(3), bad_argument("values", reason));
    host.assert_alive();
}

#[test]
fn an_index_beyond_the_handles_fails_the_call() {
    let (host, _memory) = lending_three();
    for index in [1, u32::MAX] {
        host.call(1, "arrays.sum", &[three()], &index.to_le_bytes());
        let reason = format!("it names array {index} of 1");
        assert_eq!(host.failure(1), bad_argument("values", &reason));
    }
    host.assert_alive();
}

#[test]
fn an_array_for_writing_is_taken_once() {
    let (host, _memory) = lending_four_for_writing();
    let row = Handle::row(1, dtype::U32, 4).on(Terms::ReadWrite);
    host.call(1, "arrays.swap", &[row], &Bytes::new().u32(0).u32(0).done());
    let reason = "the array was taken by another argument already";
    assert_eq!(host.failure(1), bad_argument("other", reason));
    host.assert_alive();
}

#[test]
fn an_array_that_is_given_is_taken_once_and_ended() {
    let (host, memory) = (Host::greeted(WORKER), Memory::of_f64(&[1.0, 2.0]));
    host.announce_writable(1, &memory);
    let given = Handle::row(1, dtype::F64, 2).on(Terms::Moved(3));
    host.call(1, "arrays.take_both", &[given], &Bytes::new().u32(0).u32(0).done());
    let reason = "the array must be given, once, and not lent";
    assert_eq!(host.receive(), Frame::Ended { transfer: 3 });
    assert_eq!(host.failure(1), bad_argument("other", reason));
    host.assert_alive();
}

#[test]
fn what_was_given_to_a_call_that_fails_is_ended() {
    let (host, memory) = (Host::greeted(WORKER), Memory::new(64));
    host.announce_writable(1, &memory);
    let given = |transfer| Handle::row(1, dtype::F32, 2).on(Terms::Moved(transfer));
    for (call, path) in [(1, "arrays.take"), (2, "arrays.unknown"), (3, "values.nothing")] {
        host.call(call, path, &[given(call)], &arrays(1));
        assert_eq!(host.receive(), Frame::Ended { transfer: call }, "{path}");
        assert!(matches!(host.receive(), Frame::Failed { .. }), "{path}");
    }
    host.assert_alive();
}

#[test]
fn malformed_arguments_fail_the_call() {
    let (host, _memory) = lending_three();
    let text = |bytes: Bytes| ("values.echo", bytes.done());
    let cases = [
        (text(Bytes::new()), "text", "UnexpectedEnd"),
        (text(Bytes::new().u64(5).raw(b"four")), "text", "UnexpectedEnd"),
        (text(Bytes::new().u64(1 << 40)), "text", "LimitExceeded"),
        (text(Bytes::new().u64(u64::MAX)), "text", "LimitExceeded"),
        (text(Bytes::new().run([0xff, 0xfe])), "text", "Utf8"),
        (text(Bytes::new().run("a").u8(0)), "after the last", "1 bytes are left over"),
        (("values.echo_bytes", Bytes::new().u64(1 << 60).done()), "bytes", "UnexpectedEnd"),
        (("arrays.masked_sum", Bytes::new().u32(0).u8(2).done()), "mask", "2"),
        (("arrays.range_or_error", Bytes::new().u8(7).done()), "n", "found: 7"),
    ];
    for ((path, body), wrong, why) in cases {
        host.call(1, path, &[three()], &body);
        let Failure::BadArgument { argument, reason } = host.failure(1) else {
            panic!("{path} fails for an argument");
        };
        assert!(argument == wrong && reason.contains(why), "{path}: `{argument}`: {reason}");
    }
    host.assert_alive();
}

#[test]
fn a_value_deeper_than_any_stack_fails_its_call() {
    let host = Host::greeted(WORKER);
    // A list of one tree, which has a list of one tree, ...
    let n = 4000;
    let deep = (0..n).fold(Bytes::new(), |bytes, _| bytes.u64(1)).u64(0).done();
    host.call(1, "values.depth", &[], &deep);
    assert_eq!(host.result(1), (n + 1u64).to_le_bytes());

    let deeper = 4_000_000;
    let body: Vec<u8> = [1u64.to_le_bytes()].concat().repeat(deeper);
    let call = frame::call(2, function("values", "depth"), &[], &body);
    let memory = Memory::of(&call);
    host.announce(1, &memory);
    let place = Handle::row(1, dtype::U8, call.len() as u64).on(Terms::Moved(1));
    host.send(&frame::oversize(&place));
    assert_eq!(host.receive(), Frame::Ended { transfer: 1 });
    assert!(matches!(host.failure(2), Failure::BadArgument { .. }));
    host.assert_alive();
}

#[test]
fn a_list_of_elements_without_bytes_can_not_claim_any_length() {
    let host = Host::greeted(WORKER);
    host.call(1, "values.count", &[], &(1u64 << 60).to_le_bytes());
    assert!(matches!(host.failure(1), Failure::BadArgument { .. }));
    host.assert_alive();
}

#[test]
fn a_segment_that_can_not_be_mapped_is_refused_and_fails_its_calls() {
    let (host, memory) = (Host::greeted(WORKER), Memory::of_i64(&[1, 2, 3]));
    // For writing, with a descriptor that only reads.
    host.end().send_with(&frame::segment(1, memory.len_bytes(), true), memory.read_only());
    host.call(1, "arrays.sum", &[three()], &arrays(1));
    let Frame::Refused { segment: 1, reason } = host.receive() else {
        panic!("a refusal is expected");
    };
    assert!(reason.contains("24 bytes can't be mapped"), "{reason}");
    assert!(matches!(host.failure(1), Failure::SegmentRefused { .. }));

    host.announce(1, &memory);
    host.call(2, "arrays.sum", &[three()], &arrays(1));
    assert_eq!(host.result(2), 6i64.to_le_bytes());
    host.shut_down();
}

#[test]
fn what_was_given_beside_a_refused_segment_is_ended() {
    let host = Host::greeted(WORKER);
    let (unwritable, memory) = (Memory::new(16), Memory::new(16));
    host.end().send_with(&frame::segment(1, 16, true), unwritable.read_only());
    host.announce_writable(2, &memory);
    let given = |segment, transfer| Handle::row(segment, dtype::F64, 2).on(Terms::Moved(transfer));
    host.call(1, "arrays.take", &[given(1, 1), given(2, 2)], &arrays(1));
    assert!(matches!(host.receive(), Frame::Refused { segment: 1, .. }));
    let mut ended = Vec::new();
    let failure = loop {
        match host.receive() {
            Frame::Ended { transfer } => ended.push(transfer),
            Frame::Failed { call: 1, failure } => break failure,
            other => panic!("{other:?} came instead"),
        }
    };
    assert!(matches!(failure, Failure::SegmentRefused { .. }), "{failure:?}");
    assert_eq!(ended, [1, 2]);
    host.assert_alive();
}

#[test]
fn what_can_not_be_returned_is_ended() {
    let hello = Hello { frame_bytes: 100_000, ..Hello::default() };
    let (host, memory) = (Host::greeted_with(WORKER, &hello), Memory::of_f64(&[1.0]));
    host.announce_writable(1, &memory);
    let given = Handle::row(1, dtype::F64, 1).on(Terms::Moved(6));
    let body = Bytes::new().u32(0).u64(200_000).done();
    host.call(1, "arrays.pass_on_with_text", &[given], &body);
    let mut is_ended = false;
    let failure = loop {
        match host.receive() {
            Frame::Ended { transfer: 6 } => is_ended = true,
            Frame::Failed { call: 1, failure } => break failure,
            other => panic!("{other:?} came instead"),
        }
    };
    let Failure::NotReturned { reason } = failure else { panic!("{failure:?}") };
    assert!(reason.contains("more than the limit of 100000 bytes"), "{reason}");
    assert!(is_ended || host.receive() == Frame::Ended { transfer: 6 });
    host.assert_alive();
}

// Violations: handles.

/// Lends `handle` to a function and expects the worker to end, saying `what` about the array.
fn assert_handle_is_a_violation(handle: Handle, what: &str) {
    let (host, memory) = lending_three();
    host.announce_writable(2, &Memory::new(24));
    host.call(1, "arrays.sum", &[handle.clone()], &arrays(1));
    host.assert_violation(&format!("sent an array in segment {}, which {what}", handle.segment));
    drop(memory);
}

#[test]
fn elements_outside_the_segment_are_a_violation() {
    let outside = |first: i64, end: i64| {
        format!(
            "can't hold it: elements from byte {first} to byte {end} are outside the 24 bytes that \
             there are"
        )
    };
    let at = |offset_bytes, n, stride| Handle {
        offset_bytes,
        shape: vec![n],
        strides: vec![stride],
        ..three()
    };
    assert_handle_is_a_violation(at(0, 4, 1), &outside(0, 32));
    assert_handle_is_a_violation(at(24, 1, 1), &outside(24, 32));
    assert_handle_is_a_violation(at(0, 2, 3), &outside(0, 32));
    assert_handle_is_a_violation(at(8, 3, -1), &outside(-8, 16));
    assert_handle_is_a_violation(at(32, 0, 1), &outside(32, 32));
    assert_handle_is_a_violation(at(0, 1 << 50, 1), &outside(0, 1 << 53));
    assert_handle_is_a_violation(
        Handle { offset_bytes: u64::MAX - 7, ..three() },
        "can't hold it: elements from byte 18446744073709551608",
    );
}

#[test]
fn numbers_that_overflow_are_a_violation() {
    for (shape, strides) in [
        (vec![1 << 61], vec![1]),
        (vec![u64::MAX], vec![1]),
        (vec![1 << 32, 1 << 32], vec![1, 1]),
        (vec![0, 1 << 62], vec![1, 1]),
        (vec![3], vec![i64::MAX]),
        (vec![3], vec![i64::MIN]),
    ] {
        let what =
            format!("can't hold it: shape {shape:?} with strides {strides:?} overflows");
        assert_handle_is_a_violation(Handle { shape, strides, ..three() }, &what);
    }
}

#[test]
fn elements_off_their_boundary_are_a_violation() {
    assert_handle_is_a_violation(
        Handle { offset_bytes: 4, shape: vec![2], ..three() },
        "can't hold it: byte 4 isn't a multiple of the 8 bytes that i64 needs",
    );
}

#[test]
fn a_rank_beyond_the_limit_and_missing_strides_are_violations() {
    let deep = Handle { shape: vec![1; 33], strides: vec![1; 33], ..three() };
    assert_handle_is_a_violation(deep, "can't hold it: 33 dimensions are more than 32");
    let short = Handle { strides: vec![], ..three() };
    assert_handle_is_a_violation(
        short,
        "can't hold it: a shape of 1 dimensions has 0 strides",
    );
}

#[test]
fn an_unknown_element_type_is_a_violation() {
    assert_handle_is_a_violation(Handle { dtype: 17, ..three() }, "has no element type 17");
    assert_handle_is_a_violation(Handle { dtype: 255, ..three() }, "has no element type 255");
}

#[test]
fn a_broadcast_array_for_writing_is_a_violation() {
    let rows = Handle {
        segment: 2,
        shape: vec![2, 3],
        strides: vec![0, 1],
        ..three().on(Terms::ReadWrite)
    };
    assert_handle_is_a_violation(
        rows,
        "can't hold it: a mutable array of shape [2, 3] and strides [0, 1] names an element twice",
    );
}

#[test]
fn a_segment_that_was_not_announced_is_a_violation() {
    let elsewhere = Handle { segment: 9, ..three() };
    assert_handle_is_a_violation(elsewhere.clone(), "was never announced");
    let of_the_worker = Handle { origin: 1, ..elsewhere };
    assert_handle_is_a_violation(of_the_worker, "was never announced by this side");
}

#[test]
fn what_was_announced_for_reading_can_not_be_lent_for_writing_or_given() {
    let what = "wasn't announced for writing";
    assert_handle_is_a_violation(three().on(Terms::ReadWrite), what);
    assert_handle_is_a_violation(three().on(Terms::Moved(1)), what);
}

#[test]
fn terms_that_do_not_fit_the_origin_are_a_violation() {
    let what = "is moved on terms that don't fit its origin";
    assert_handle_is_a_violation(three().on(Terms::Returned(1)), what);
    assert_handle_is_a_violation(Handle { origin: 1, ..three().on(Terms::Moved(1)) }, what);
}

#[test]
fn arrays_of_the_worker_that_it_never_gave_are_a_violation() {
    let case = |terms: Terms, offset_bytes, what: &str| {
        let host = Host::greeted(WORKER);
        host.call(1, "arrays.range", &[], &4u64.to_le_bytes());
        let (_, memory) = host.receive_segment();
        let Frame::Returned { handles, .. } = host.receive() else {
            panic!("an array is expected");
        };
        let range = handles[0].clone();
        assert!(range.offset_bytes + offset_bytes + 32 <= memory.len_bytes());
        let offset_bytes = range.offset_bytes + offset_bytes;
        let handle = Handle { origin: 1, offset_bytes, ..range.on(terms) };
        host.call(2, "arrays.checksum", &[handle], &arrays(1));
        host.assert_violation(&format!("sent an array in segment 1, which {what}"));
    };
    case(Terms::Read, 4096, "lends what was never given");
    case(Terms::Returned(2), 0, "returns what was never given");
    case(Terms::Returned(1), 4096, "returns something else than was given");
}

#[test]
fn overlapping_arrays_are_a_violation_unless_both_are_read() {
    let at = |offset_bytes, terms| Handle { offset_bytes, ..Handle::row(1, dtype::U32, 2).on(terms) };
    for (one, other) in [
        (Terms::ReadWrite, Terms::ReadWrite),
        (Terms::ReadWrite, Terms::Read),
        (Terms::Read, Terms::ReadWrite),
        (Terms::Moved(1), Terms::Read),
        (Terms::Moved(1), Terms::Moved(2)),
    ] {
        let (host, _memory) = lending_four_for_writing();
        host.call(1, "arrays.swap", &[at(0, one), at(4, other)], &arrays(2));
        host.assert_violation("sent an array in segment 1 that overlaps another one in use");
    }
    let (host, _memory) = lending_four_for_writing();
    host.call(1, "arrays.swap", &[at(0, Terms::ReadWrite), at(8, Terms::ReadWrite)], &arrays(2));
    assert_eq!(host.result(1), []);
    host.shut_down();
}

#[test]
fn interleaved_arrays_for_writing_are_a_violation() {
    let column = |offset_bytes| Handle {
        offset_bytes,
        strides: vec![2],
        ..Handle::row(1, dtype::U32, 2).on(Terms::ReadWrite)
    };
    let (host, _memory) = lending_four_for_writing();
    host.call(1, "arrays.swap", &[column(0), column(4)], &arrays(2));
    host.assert_violation("sent an array in segment 1 that overlaps another one in use");
}

#[test]
fn lending_what_another_call_writes_is_a_violation() {
    let (host, memory) = lending_four_for_writing();
    hang_holding_the_matrix(&host, &memory, 1);
    host.call(2, "arrays.sum", &[Handle::row(1, dtype::I64, 1)], &arrays(1));
    host.assert_violation("sent an array in segment 1 that overlaps another one in use");
}

#[test]
fn a_bool_that_is_neither_0_nor_1_is_a_violation() {
    for terms in [Terms::Read, Terms::ReadWrite] {
        let (host, memory) = (Host::greeted(WORKER), Memory::of(&[0, 1, 2]));
        host.announce_writable(1, &memory);
        host.call(1, "arrays.invert", &[Handle::row(1, dtype::BOOL, 3).on(terms)], &arrays(1));
        host.assert_violation(
            "sent an array in segment 1, which has a bool that is neither 0 nor 1",
        );
    }
}

#[test]
fn more_arrays_than_negotiated_are_a_violation() {
    let hello = Hello { n_handles: 1, ..Hello::default() };
    let (host, memory) = (Host::greeted_with(WORKER, &hello), Memory::of_i64(&[1, 2, 3]));
    host.announce(1, &memory);
    host.call(1, "arrays.sum", &[three()], &arrays(1));
    assert_eq!(host.result(1), 6i64.to_le_bytes());
    host.call(2, "arrays.sum", &[three(), three()], &arrays(1));
    host.assert_violation("sent 2 arrays at once, more than 1");
}

// Violations: segments.

#[test]
fn what_is_not_sealed_shared_memory_is_a_violation() {
    let file = OwnedFd::from(tempfile::tempfile().unwrap());
    rustix::fs::ftruncate(&file, 4096).unwrap();
    let of_tmpfs = tempfile::tempfile_in("/dev/shm").unwrap();
    of_tmpfs.set_len(4096).unwrap();
    let (pipe, _writer) = rustix::pipe::pipe().unwrap();
    let unsealed = Memory::sealed(4096, SealFlags::empty());
    let growing = Memory::sealed(4096, SealFlags::SHRINK | SealFlags::SEAL);
    let what = "announced a segment, but it isn't a memfd sealed against shrinking and growing";
    for fd in [file.as_fd(), of_tmpfs.as_fd(), pipe.as_fd(), unsealed.as_fd(), growing.as_fd()] {
        let host = Host::greeted(WORKER);
        host.end().send_with(&frame::segment(1, 4096, true), fd);
        host.assert_violation(what);
    }
}

#[test]
fn another_length_than_announced_is_a_violation() {
    let memory = Memory::new(4096);
    for announced in [8192, 4095, 0, 1 << 62, u64::MAX] {
        let host = Host::greeted(WORKER);
        host.end().send_with(&frame::segment(1, announced, true), &memory);
        host.assert_violation(&format!(
            "announced a segment, but it has 4096 bytes where {announced} were announced"
        ));
    }
}

#[test]
fn pages_that_are_not_reserved_are_a_violation() {
    use rustix::fs::MemfdFlags;
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let sparse = rustix::fs::memfd_create("sparse", flags).unwrap();
    rustix::fs::ftruncate(&sparse, 1 << 20).unwrap();
    rustix::fs::fcntl_add_seals(&sparse, SEALS).unwrap();
    let host = Host::greeted(WORKER);
    host.end().send_with(&frame::segment(1, 1 << 20, false), &sparse);
    host.assert_violation("announced a segment, but its pages aren't reserved");
}

#[test]
fn a_segment_is_announced_once_for_each_access() {
    let (host, memory) = lending_three();
    host.announce_writable(1, &memory);
    host.assert_alive();
    host.announce(1, &memory);
    host.assert_violation("announced segment 1 twice");
}

#[test]
fn more_segments_than_negotiated_are_a_violation() {
    let hello = Hello { n_segments: 2, ..Hello::default() };
    let (host, memory) = (Host::greeted_with(WORKER, &hello), Memory::new(64));
    host.announce(1, &memory);
    host.announce(2, &memory);
    host.announce_writable(2, &memory);
    host.send(&frame::forget(1));
    host.announce(3, &memory);
    host.assert_alive();
    host.announce(4, &memory);
    host.assert_violation("announced more than 2 segments");
}

#[test]
fn descriptors_come_with_segments_and_with_nothing_else() {
    let memory = Memory::new(64);
    let host = Host::greeted(WORKER);
    host.send(&frame::segment(1, 64, false));
    host.assert_violation("announced segment 1 without a descriptor");

    let host = Host::greeted(WORKER);
    host.end().send_with(&frame::cancel(1), &memory);
    host.assert_violation("sent a descriptor beside a frame that takes none");

    for n in [2, 3, 8] {
        let host = Host::greeted(WORKER);
        host.end().try_send(&frame::segment(1, 64, true), &vec![memory.as_fd(); n]);
        host.assert_violation("sent what can't be received: a message with more than one descriptor");
    }
}

#[test]
fn ending_forgetting_and_refusing_what_is_unknown_are_violations() {
    let cases = [
        (frame::ended(5), "ended transfer 5, which isn't under way"),
        (frame::forget(5), "took back segment 5, which it never announced"),
        (frame::refused(5, "no"), "refused segment 5, which it never got"),
    ];
    for (frame, what) in cases {
        let host = Host::greeted(WORKER);
        host.send(&frame);
        host.assert_violation(what);
    }
}

#[test]
fn a_transfer_ends_once() {
    let host = Host::greeted(WORKER);
    host.call(1, "arrays.range", &[], &4u64.to_le_bytes());
    let _segment = host.receive_segment();
    let _range = host.receive();
    host.send(&frame::ended(1));
    host.assert_alive();
    host.send(&frame::ended(1));
    host.assert_violation("ended transfer 1, which isn't under way");
}

// Violations: frames and calls.

#[test]
fn malformed_frames_are_a_violation() {
    let echo = function("values", "echo");
    let (whole, cancel) = (frame::call(1, echo, &[three()], b"1234"), frame::cancel(1));
    let call = |bytes: Bytes| Bytes::new().u32(4).u64(1).u64(echo).raw(&bytes.done()).done();
    let cases = [
        (vec![4], "UnexpectedEnd"),
        (whole[..whole.len() - 1].to_vec(), "UnexpectedEnd"),
        (whole[..20].to_vec(), "UnexpectedEnd"),
        ([whole.as_slice(), &[0]].concat(), "1 bytes are left over"),
        ([cancel.as_slice(), &[0; 9]].concat(), "9 bytes are left over"),
        (Bytes::new().u32(13).done(), "13"),
        (Bytes::new().u32(u32::MAX).done(), "4294967295"),
        (call(Bytes::new().u8(2)), "found: 2"),
        (call(Bytes::new().u8(0).u64(1 << 60)), "UnexpectedEnd"),
        (call(Bytes::new().u8(0).u64(0).u64(1 << 40)), "LimitExceeded"),
        (call(Bytes::new().u8(0).u64(1).u32(2)), "2"),
        (Bytes::new().u32(0).u64(1).u64(64).u8(2).done(), "InvalidBooleanValue(2)"),
        (Bytes::new().u32(8).u64(1).run([0xc3]).done(), "Utf8"),
    ];
    for (message, why) in cases {
        let host = Host::greeted(WORKER);
        host.send(&message);
        let ended = host.ended();
        assert_eq!(ended.code, Some(70), "{ended:?}");
        let said = "the host broke the protocol: it sent a malformed frame: ";
        assert!(ended.stderr.contains(said) && ended.stderr.contains(why), "{why}: {ended:?}");
        assert!(!ended.stderr.contains("panicked"), "{ended:?}");
    }
}

#[test]
fn frames_that_only_a_worker_sends_are_a_violation() {
    for frame in [
        frame::returned(1, &[], &[]),
        frame::released(1, false),
        Bytes::new().u32(9).u64(1).u8(0).done(),
        frame::tarpc(&[]),
    ] {
        let host = Host::greeted(WORKER);
        host.send(&frame);
        host.assert_violation("sent a frame that a host doesn't send");
    }
}

#[test]
fn a_message_longer_than_any_frame_is_a_violation() {
    let longest = 65536 - frame::describe(1, "").len();
    let host = Host::greeted(WORKER);
    host.send(&frame::describe(1, &"m".repeat(longest)));
    assert_eq!(host.receive(), Frame::Description { call: 1, module: None });
    host.send(&frame::describe(2, &"m".repeat(longest + 2)));
    host.assert_violation("sent what can't be received: a message longer than any frame");

    let host = Host::greeted(WORKER);
    host.send(&frame::describe(1, &"m".repeat(longest + 1)));
    host.assert_violation("sent what can't be received: a message longer than any frame");
}

#[test]
fn a_number_in_flight_is_not_used_again() {
    let host = Host::greeted(WORKER);
    host.call(1, "control.run_until_cancelled", &[], &until_cancelled());
    host.call(1, "values.nothing", &[], &[]);
    host.assert_violation("called number 1 while it was in flight");
}

#[test]
fn more_calls_than_negotiated_are_a_violation() {
    let hello = Hello { n_calls: 2, ..Hello::default() };
    let host = Host::greeted_with(WORKER, &hello);
    for call in 1..=3 {
        host.call(call, "control.run_until_cancelled", &[], &until_cancelled());
    }
    host.assert_violation("sent more than 2 calls at once");
}

#[test]
fn long_frames_that_are_none_are_violations() {
    let place = || Handle::row(1, dtype::U8, 64).on(Terms::Moved(1));
    let shapes = [
        (place().on(Terms::Read), "sent a long frame that isn't moved"),
        (Handle { dtype: 6, ..place() }, "sent a long frame that isn't a run of bytes"),
        (Handle { strides: vec![-1], ..place() }, "sent a long frame that isn't a run of bytes"),
        (Handle { origin: 1, ..place() }, "sent a long frame that isn't a run of bytes"),
        (Handle { shape: vec![100_001], ..place() }, "sent a frame longer than 100000 bytes"),
        (Handle { shape: vec![65], ..place() }, "sent an array in segment 1, which can't hold it"),
        (Handle { segment: 2, ..place() }, "sent an array in segment 2, which was never announced"),
        (place(), "sent a malformed long frame: 43 bytes are left over"),
    ];
    for (handle, what) in shapes {
        let hello = Hello { frame_bytes: 100_000, ..Hello::default() };
        let (host, memory) = (Host::greeted_with(WORKER, &hello), Memory::new(64));
        host.announce(1, &memory);
        host.send(&frame::oversize(&handle));
        host.assert_violation(what);
    }
}

#[test]
fn long_frames_hold_frames_of_calls_alone() {
    let nested = frame::oversize(&Handle::row(1, dtype::U8, 64).on(Terms::Moved(2)));
    let cases = [
        (nested, "sent a long frame inside a long frame"),
        (frame::forget(1), "sent a frame that a host doesn't send"),
        (frame::ended(1), "sent a frame that a host doesn't send"),
    ];
    for (inner, what) in cases {
        let (host, memory) = (Host::greeted(WORKER), Memory::of(&inner));
        host.announce(1, &memory);
        let place = Handle::row(1, dtype::U8, inner.len() as u64).on(Terms::Moved(1));
        host.send(&frame::oversize(&place));
        host.assert_violation(what);
    }
}

// tarpc's dispatchers.

/// The fields of a request of tarpc's, before the call.
fn tarpc_request(deadline_secs: u64, id: u64) -> Bytes {
    Bytes::new().u32(0).u64(deadline_secs).u32(0).u64(0).u64(0).u64(0).u32(1).u64(id)
}

fn greeted_over_tarpc() -> Host {
    Host::greeted_with(WORKER, &Hello { dispatcher: 1, ..Hello::default() })
}

#[test]
fn a_call_over_tarpc_is_answered() {
    let (host, memory) = (greeted_over_tarpc(), Memory::of_i64(&[1, 2, 3]));
    host.announce(1, &memory);
    let call = frame::request(9, function("arrays", "sum"), &[three()], &arrays(1));
    host.send(&frame::tarpc(&tarpc_request(10, 5).raw(&call).done()));
    let Frame::Tarpc { message } = host.receive() else { panic!("an answer of tarpc's") };
    let mut reader = Reader::new(&message);
    assert_eq!((reader.u64(), reader.u32(), reader.u64(), reader.u32()), (5, 0, 9, 0));
    assert_eq!(reader.list(Handle::read), []);
    assert_eq!(reader.run(), 6i64.to_le_bytes());
    let _copied_bytes = reader.u64();
    reader.end();
    host.shut_down();
}

#[test]
fn malformed_messages_over_tarpc_are_a_violation() {
    let host = greeted_over_tarpc();
    host.send(&frame::tarpc(&[1, 2, 3]));
    host.assert_violation("sent a malformed request: UnexpectedEnd");
    let host = greeted_over_tarpc();
    host.call(1, "values.nothing", &[], &[]);
    host.assert_violation("sent a frame that a host doesn't send");
}

#[test]
fn an_absurd_deadline_over_tarpc_does_no_harm() {
    for secs in [u64::MAX, 10 * 365 * 24 * 60 * 60] {
        let host = greeted_over_tarpc();
        let call = frame::request(1, function("values", "nothing"), &[], &[]);
        host.send(&frame::tarpc(&tarpc_request(secs, 1).raw(&call).done()));
        let Frame::Tarpc { .. } = host.receive() else { panic!("an answer of tarpc's") };
        host.shut_down();
    }
}
