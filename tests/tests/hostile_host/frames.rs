//! Violations: frames and calls.

use super::*;

#[test]
fn a_host_that_asks_and_reads_no_answer_is_left() {
    let host = greeted();
    // Answers are far longer than questions.
    let question = frame::describe(1, "arrays");
    assert!((1..1_000_000).any(|_| !host.end().try_send(&question, &[])));
    host.assert_violation("leaves unread what it is sent");
}

#[test]
fn a_flood_of_cancellations_changes_nothing() {
    let host = greeted();
    for n in 0..20_000 {
        host.send(&frame::cancel(n));
    }
    host.assert_alive();
    host.shut_down();
}

#[test]
fn malformed_frames_are_a_violation() {
    let echo = function("values", "echo");
    let (whole, cancel) = (frame::call(1, echo, &[three()], b"1234"), frame::cancel(1));
    let call = |bytes: Bytes| {
        Bytes::new()
            .u32(4)
            .u64(1)
            .u64(echo)
            .raw(&bytes.done())
            .done()
    };
    let untimed = || Bytes::new().u8(0);
    let untraced = || untimed().u8(0);
    let cases = [
        (vec![4], "UnexpectedEnd"),
        (whole[..whole.len() - 1].to_vec(), "UnexpectedEnd"),
        (whole[..20].to_vec(), "UnexpectedEnd"),
        ([whole.as_slice(), &[0]].concat(), "1 bytes are left over"),
        (
            [cancel.as_slice(), &[0; 9]].concat(),
            "9 bytes are left over",
        ),
        (Bytes::new().u32(99).done(), "99"),
        (Bytes::new().u32(u32::MAX).done(), "4294967295"),
        (call(Bytes::new().u8(2)), "found: 2"),
        (call(untimed().u8(2)), "found: 2"),
        (
            call(untimed().u8(1).raw(&[0; 25]).raw(&[0; 24])),
            "nonzero u128",
        ),
        (
            call(untimed().u8(1).raw(&[1; 16]).raw(&[0; 9]).raw(&[0; 24])),
            "nonzero u64",
        ),
        (
            call(untimed().u8(1).raw(&[1; 24]).u8(2)),
            "InvalidBooleanValue(2)",
        ),
        (call(untraced().u64(1 << 60)), "UnexpectedEnd"),
        (call(untraced().u64(0).u64(1 << 40)), "LimitExceeded"),
        (call(untraced().u64(1).u32(3)), "3"),
        (
            Bytes::new().u32(0).u64(1).u64(64).u8(2).done(),
            "InvalidBooleanValue(2)",
        ),
        (Bytes::new().u32(8).u64(1).run([0xc3]).done(), "Utf8"),
    ];
    for (message, why) in cases {
        let host = greeted();
        host.send(&message);
        let ended = host.ended();
        assert_eq!(ended.code, Some(70), "{ended:?}");
        let said = "the host broke the protocol: it sent a malformed frame: ";
        assert!(
            ended.stderr.contains(said) && ended.stderr.contains(why),
            "{why}: {ended:?}"
        );
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
        let host = greeted();
        host.send(&frame);
        host.assert_violation("sent a frame that a host doesn't send");
    }
}

#[test]
fn a_message_longer_than_any_frame_is_a_violation() {
    let longest = 65536 - frame::describe(1, "").len();
    let host = greeted();
    host.send(&frame::describe(1, &"m".repeat(longest)));
    assert_eq!(
        host.receive(),
        Frame::Description {
            call: 1,
            module: None
        }
    );
    host.send(&frame::describe(2, &"m".repeat(longest + 2)));
    host.assert_violation("sent what can't be received: a message longer than any frame");

    let host = greeted();
    host.send(&frame::describe(1, &"m".repeat(longest + 1)));
    host.assert_violation("sent what can't be received: a message longer than any frame");
}

#[test]
fn a_number_in_flight_is_not_used_again() {
    let host = greeted();
    host.call(1, "control.run_until_cancelled", &[], &until_cancelled());
    host.call(1, "values.nothing", &[], &[]);
    host.assert_violation("called number 1 while it was in flight");
}

#[test]
fn more_calls_than_negotiated_are_a_violation() {
    let hello = Hello {
        n_calls: 2,
        ..hello()
    };
    let host = greeted_with(&hello);
    for call in 1..=3 {
        host.call(call, "control.run_until_cancelled", &[], &until_cancelled());
    }
    host.assert_violation("sent more than 2 calls at once");
}

#[test]
fn long_frames_that_are_none_are_violations() {
    let place = || Handle::row(1, dtype::U8, 64).on(Terms::Moved(1));
    let shapes = [
        (
            place().on(Terms::Read),
            "sent a long frame that isn't moved",
        ),
        (
            Handle {
                dtype: 6,
                ..place()
            },
            "sent a long frame that isn't a run of bytes",
        ),
        (
            Handle {
                strides: vec![-1],
                ..place()
            },
            "sent a long frame that isn't a run of bytes",
        ),
        (
            Handle {
                origin: 1,
                ..place()
            },
            "sent a long frame that isn't a run of bytes",
        ),
        (
            Handle {
                shape: vec![100_001],
                ..place()
            },
            "sent a frame longer than 100000 bytes",
        ),
        (
            Handle {
                shape: vec![65],
                ..place()
            },
            "sent an array in segment 1, which can't hold it",
        ),
        (
            Handle {
                segment: 2,
                ..place()
            },
            "sent an array in segment 2, which was never announced",
        ),
        (
            place(),
            "sent a malformed long frame: 43 bytes are left over",
        ),
    ];
    for (handle, what) in shapes {
        let hello = Hello {
            frame_bytes: 100_000,
            ..hello()
        };
        let (host, memory) = (greeted_with(&hello), Memory::new(64));
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
        (
            frame::unread(1, "full"),
            "sent a frame that a host doesn't send",
        ),
    ];
    for (inner, what) in cases {
        let (host, memory) = (greeted(), Memory::of(&inner));
        host.announce(1, &memory);
        let place = Handle::row(1, dtype::U8, inner.len() as u64).on(Terms::Moved(1));
        host.send(&frame::oversize(&place));
        host.assert_violation(what);
    }
}
