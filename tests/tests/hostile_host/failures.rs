//! What fails a call, and only that.

use super::*;

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
    let column = Handle {
        shape: vec![3, 1],
        strides: vec![1, 1],
        ..three()
    };
    let single = Handle {
        shape: vec![],
        strides: vec![],
        ..three()
    };
    for (call, handle, found) in [
        (1, floats, "f64 of shape [3]"),
        (2, column, "i64 of shape [3, 1]"),
        (3, single, "i64 of shape []"),
    ] {
        host.call(call, "arrays.sum", &[handle], &arrays(1));
        let reason = format!("an array of i64 with 1 dimensions is expected, not one of {found}");
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
    host.call(
        2,
        "arrays.sum",
        &[row.clone().on(Terms::ReadWrite)],
        &arrays(1),
    );
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
    let (host, memory) = (greeted(), Memory::of_f64(&[1.0, 2.0]));
    host.announce_writable(1, &memory);
    let given = Handle::row(1, dtype::F64, 2).on(Terms::Moved(3));
    host.call(
        1,
        "arrays.take_both",
        &[given],
        &Bytes::new().u32(0).u32(0).done(),
    );
    let reason = "the array must be given, once, and not lent";
    assert_eq!(host.receive(), Frame::Ended { transfer: 3 });
    assert_eq!(host.failure(1), bad_argument("other", reason));
    host.assert_alive();
}

#[test]
fn what_was_given_to_a_call_that_fails_is_ended() {
    let (host, memory) = (greeted(), Memory::new(64));
    host.announce_writable(1, &memory);
    let given = |transfer| Handle::row(1, dtype::F32, 2).on(Terms::Moved(transfer));
    for (call, path) in [
        (1, "arrays.take"),
        (2, "arrays.unknown"),
        (3, "values.nothing"),
    ] {
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
        (
            text(Bytes::new().u64(5).raw(b"four")),
            "text",
            "UnexpectedEnd",
        ),
        (text(Bytes::new().u64(1 << 40)), "text", "LimitExceeded"),
        (text(Bytes::new().u64(u64::MAX)), "text", "LimitExceeded"),
        (text(Bytes::new().run([0xff, 0xfe])), "text", "Utf8"),
        (
            text(Bytes::new().run("a").u8(0)),
            "after the last",
            "1 bytes are left over",
        ),
        (
            ("values.echo_bytes", Bytes::new().u64(1 << 60).done()),
            "bytes",
            "UnexpectedEnd",
        ),
        (
            ("arrays.masked_sum", Bytes::new().u32(0).u8(2).done()),
            "mask",
            "2",
        ),
        (
            ("arrays.range_or_error", Bytes::new().u8(7).done()),
            "n",
            "found: 7",
        ),
    ];
    for ((path, body), wrong, why) in cases {
        host.call(1, path, &[three()], &body);
        let Failure::BadArgument { argument, reason } = host.failure(1) else {
            panic!("{path} fails for an argument");
        };
        assert!(
            argument == wrong && reason.contains(why),
            "{path}: `{argument}`: {reason}"
        );
    }
    host.assert_alive();
}

#[test]
fn a_value_deeper_than_any_stack_fails_its_call() {
    let host = greeted();
    // A list of one tree, which has a list of one tree, ...
    let n = 300;
    let deep = (0..n)
        .fold(Bytes::new(), |bytes, _| bytes.u64(1))
        .u64(0)
        .done();
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
    let host = greeted();
    host.call(1, "values.count", &[], &(1u64 << 60).to_le_bytes());
    assert!(matches!(host.failure(1), Failure::BadArgument { .. }));
    host.assert_alive();
}

#[test]
fn a_segment_that_can_not_be_mapped_is_refused_and_fails_its_calls() {
    let (host, memory) = (greeted(), Memory::of_i64(&[1, 2, 3]));
    // For writing, with a descriptor that only reads.
    host.end().send_with(
        &frame::segment(1, memory.len_bytes(), true),
        memory.read_only(),
    );
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
fn a_refusal_for_writing_leaves_reading_as_it_was() {
    let (host, memory) = lending_three();
    let frame = frame::segment(1, memory.len_bytes(), true);
    host.end().send_with(&frame, memory.read_only());
    assert!(matches!(host.receive(), Frame::Refused { segment: 1, .. }));
    host.call(1, "arrays.sum", &[three()], &arrays(1));
    assert_eq!(host.result(1), 6i64.to_le_bytes());

    host.announce(1, &memory);
    host.announce_writable(1, &memory);
    host.call(2, "arrays.sum", &[three()], &arrays(1));
    assert_eq!(host.result(2), 6i64.to_le_bytes());
    host.shut_down();
}

#[test]
fn what_was_given_beside_a_refused_segment_is_ended() {
    let host = greeted();
    let (unwritable, memory) = (Memory::new(16), Memory::new(16));
    host.end()
        .send_with(&frame::segment(1, 16, true), unwritable.read_only());
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
    assert!(
        matches!(failure, Failure::SegmentRefused { .. }),
        "{failure:?}"
    );
    assert_eq!(ended, [1, 2]);
    host.assert_alive();
}

#[test]
fn what_can_not_be_returned_is_ended() {
    let hello = Hello {
        frame_bytes: 100_000,
        ..hello()
    };
    let (host, memory) = (greeted_with(&hello), Memory::of_f64(&[1.0]));
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
    let Failure::NotReturned { reason } = failure else {
        panic!("{failure:?}")
    };
    assert!(
        reason.contains("more than the limit of 100000 bytes"),
        "{reason}"
    );
    assert!(is_ended || host.receive() == Frame::Ended { transfer: 6 });
    host.assert_alive();
}
