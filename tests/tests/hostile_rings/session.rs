//! A session as it should be.

use super::*;

#[test]
fn frames_go_through_rings_and_over_the_socket_in_order() {
    let mut talk = Talk::begin(16);
    for n in 0..500 {
        let (call, text) = echo(n, &"x".repeat(usize::try_from(n).expect("a length")));
        if n % 3 == 0 {
            talk.message(&call);
        } else {
            talk.frame(&call);
        }
        assert_eq!(talk.result(n), text);
    }
    talk.frame(&frame::shutdown());
    assert_eq!(talk.host.ended().code, Some(0));
}

#[test]
fn a_segment_that_is_announced_over_the_socket_is_named_in_the_ring() {
    let mut talk = Talk::begin(16);
    for segment in 1..=50 {
        let memory = Memory::of_i64(&[1, 2, 3]);
        talk.announce(segment, &memory);
        let three = Handle::row(segment, dtype::I64, 3);
        let sum = function("arrays", "sum");
        talk.frame(&frame::call(segment, sum, &[three], &0u32.to_le_bytes()));
        assert_eq!(talk.result(segment), 6i64.to_le_bytes());
        talk.frame(&frame::forget(segment));
    }
    talk.assert_alive();
}

#[test]
fn a_long_frame_is_named_in_the_ring() {
    let mut talk = Talk::begin(16);
    let (call, text) = echo(1, &"x".repeat(65_000));
    let (frame, call_of_a_ring) = (call.clone(), call);
    let memory = Memory::of(&frame);
    talk.announce(1, &memory);
    let place = Handle::row(1, dtype::U8, frame.len() as u64).on(Terms::Moved(8));
    talk.frame(&frame::oversize(&place));
    assert_eq!(talk.receive(), Frame::Ended { transfer: 8 });
    assert_eq!(talk.result(1), text);
    // The longest that go through a ring.
    for _ in 0..5 {
        talk.frame(&call_of_a_ring);
        assert_eq!(talk.result(1), text);
    }
}

#[test]
fn answers_that_find_no_room_in_the_ring_come_all_the_same() {
    const N: u64 = 1000;
    let mut talk = Talk::begin(1024);
    let text = |n: u64| format!("{n}{}", "x".repeat(200));
    for n in 0..N {
        // Nothing is read meanwhile: 1000 answers take 5000 slots.
        talk.message(&echo(n, &text(n)).0);
    }
    let mut missing: std::collections::BTreeSet<u64> = (0..N).collect();
    for _ in 0..N {
        match talk.receive() {
            Frame::Returned { call, body, .. } => {
                assert_eq!(body, echo(call, &text(call)).1);
                assert!(missing.remove(&call), "two answers to call {call}");
            }
            other => panic!("an answer is expected, not {other:?}"),
        }
    }
    talk.assert_alive();
}

#[test]
fn a_frame_without_its_first_header_is_not_there() {
    let mut talk = Talk::begin(16);
    talk.assert_alive();
    // As if the host were stopped, or killed, in the middle.
    let (call, _) = echo(1, &"x".repeat(500));
    talk.rings.write_slots(&call);
    talk.message(&frame::bell());
    // The messages are received as if there were no ring.
    talk.message(&echo(2, "over the socket").0);
    assert_eq!(talk.result(2), echo(2, "over the socket").1);
    let ended = talk.host.closed();
    assert_eq!((ended.signal, ended.stderr.as_str()), (Some(9), ""));
}
