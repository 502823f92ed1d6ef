//! What a worker does with long frames that it can't read, or that its host can't.

use reedbed_tests::by_hand::end::Received;
use reedbed_tests::by_hand::frame::{self, Frame};
use reedbed_tests::by_hand::handle::{Handle, Terms, dtype};
use reedbed_tests::by_hand::memory::Memory;
use reedbed_tests::by_hand::worker::Worker;

use crate::{announce, describe, one_array};

pub(crate) fn misbehave(how: &str, worker: &mut Worker) {
    match how {
        "answer-that-can-not-be-read" => answer_in_vain(worker),
        "description-that-can-not-be-read" => describe_in_vain(worker),
        "unread" => {
            let transfer = receive_long(worker);
            worker.send(&frame::unread(transfer, "full"));
            wait_until_all_is_forgotten(worker);
            println!("all of it was taken back");
        }
        "unread-twice" => {
            let transfer = receive_long(worker);
            worker.send(&frame::unread(transfer, "full"));
            worker.send(&frame::unread(transfer, "full"));
        }
        "unread-and-answered" => {
            let transfer = receive_long(worker);
            worker.send(&frame::unread(transfer, "full"));
            // Calls are counted from 1.
            worker.send(&frame::returned(1, &[], &[]));
        }
        "read-and-unread" => {
            let transfer = receive_long(worker);
            worker.send(&frame::ended(transfer));
            worker.send(&frame::unread(transfer, "full"));
        }
        "unread-inside" => {
            let transfer = receive_long(worker);
            describe::send_long(worker, &frame::unread(transfer, "full"));
        }
        "returned" => {
            let (segment, transfer) = receive_long_in(worker);
            let bytes = Handle::row(segment, dtype::U8, 100).on(Terms::Returned(transfer));
            let returned = Handle { origin: 1, ..bytes };
            worker.send(&frame::returned(1, &[returned], &0u32.to_le_bytes()));
        }
        "taken-and-unread" => {
            let (transfer, arrays) = read_long_call(worker);
            let Terms::Moved(array) = arrays[0].terms else {
                panic!("an array is given");
            };
            // So says a worker that has dropped it.
            worker.send(&frame::ended(array));
            worker.send(&frame::unread(transfer, "full"));
        }
        "given-again-and-unread" => give_again(worker),
        "kept-and-unread" => {
            let (transfer, arrays) = read_long_call(worker);
            let Handle {
                segment,
                offset_bytes,
                ..
            } = arrays[0];
            let kept = worker.segment(segment).try_clone();
            worker.send(&frame::unread(transfer, "full"));
            let call = worker.receive_call();
            kept.write(offset_bytes, &[9; 1000]);
            worker.send(&frame::returned(call, &[], &[]));
        }
        "array-unread" => {
            let Some(Frame::Call { handles, .. }) = worker.receive() else {
                panic!("a call is expected");
            };
            let Terms::Moved(transfer) = handles[0].terms else {
                panic!("an array is given");
            };
            worker.send(&frame::unread(transfer, "full"));
        }
        "never-sent-unread" => {
            let _ = worker.receive_call();
            worker.send(&frame::unread(1 << 60, "full"));
        }
        other => panic!("{other} is no way to deal with long frames"),
    }
}

/// Receives a long frame; returns the number of its transfer.
fn receive_long(worker: &mut Worker) -> u64 {
    receive_long_in(worker).1
}

fn receive_long_in(worker: &mut Worker) -> (u64, u64) {
    match worker.receive() {
        Some(Frame::Oversize { frame }) => match frame.terms {
            Terms::Moved(transfer) => (frame.segment, transfer),
            terms => panic!("a long frame is moved, not {terms:?}"),
        },
        other => panic!("a long frame is expected, not {other:?}"),
    }
}

/// Receives a long call and reads it; returns the number of its transfer, and the arrays.
fn read_long_call(worker: &mut Worker) -> (u64, Vec<Handle>) {
    let Some(Frame::Oversize { frame }) = worker.receive() else {
        panic!("a long frame is expected");
    };
    let Terms::Moved(transfer) = frame.terms else {
        panic!("a long frame is moved, not {:?}", frame.terms);
    };
    let memory = worker.segment(frame.segment);
    let bytes = memory.read_run(frame.offset_bytes, frame.shape[0]);
    match Frame::read(&bytes) {
        Frame::Call { handles, .. } => (transfer, handles),
        other => panic!("a call is expected, not {other:?}"),
    }
}

/// Gives an array away, is given it back in a long call, gives it away again as the answer of another
/// one, and says that it could not read the long one.
fn give_again(worker: &mut Worker) {
    let (first, _memory) = (worker.receive_call(), announce(worker, 1));
    let array = Handle::row(1, dtype::U8, 24);
    let given = array.clone().on(Terms::Moved(1));
    worker.send(&one_array(first, given));
    let second = worker.receive_call();
    let (transfer, arrays) = read_long_call(worker);
    assert_eq!(arrays[0].terms, Terms::Returned(1));
    worker.send(&one_array(second, array.on(Terms::Moved(2))));
    worker.send(&frame::unread(transfer, "full"));
}

/// Waits until the host has taken all segments back, and ended nothing that it had never heard of.
fn wait_until_all_is_forgotten(worker: &mut Worker) {
    let mut known = worker.segments();
    while !known.is_empty() {
        let Received::Message(message, None) = worker.end().receive() else {
            panic!("the host goes on");
        };
        match Frame::read(&message) {
            Frame::Forget { segment } => known.retain(|known| *known != segment),
            Frame::Ping { n } => worker.send(&frame::pong(n)),
            other => panic!("no other frame than one that takes back is expected: {other:?}"),
        }
    }
}

/// Sends a frame in a segment that can't be mapped, because its descriptor only reads.
fn send_in_vain(worker: &mut Worker, segment: u64, bytes: &[u8]) {
    let (memory, len) = (Memory::of(bytes), bytes.len() as u64);
    let announcement = frame::segment(segment, len, true);
    worker.end().send_with(&announcement, memory.read_only());
    let place = Handle::row(segment, dtype::U8, len).on(Terms::Moved(segment));
    worker.send(&frame::oversize(&place));
    let refused = worker.receive();
    assert!(matches!(refused, Some(Frame::Refused { segment: found, .. }) if found == segment));
    match worker.receive() {
        Some(Frame::Unread { transfer, reason }) => {
            assert_eq!(transfer, segment);
            assert!(reason.contains("can't be mapped"), "{reason}");
        }
        other => panic!("it can't be read, but {other:?} came"),
    }
}

/// Answers a call at the second attempt, and the next one at once.
fn answer_in_vain(worker: &mut Worker) {
    let call = worker.receive_call();
    let six = 6i64.to_le_bytes();
    send_in_vain(worker, 1, &frame::returned(call, &[], &six));
    worker.send(&frame::not_returned(call, "the host has no room"));
    let call = worker.receive_call();
    worker.send(&frame::returned(call, &[], &six));
}

/// The same with a description.
fn describe_in_vain(worker: &mut Worker) {
    for segment in [1, 2] {
        let call = match worker.receive() {
            Some(Frame::Describe { call, .. }) => call,
            other => panic!("a question is expected, not {other:?}"),
        };
        let description = frame::described(call, &describe::module(Vec::new()));
        send_in_vain(worker, segment, &description);
        worker.send(&frame::not_returned(call, "the host has no room"));
    }
    let call = worker.receive_call();
    worker.send(&frame::returned(call, &[], &[]));
}
