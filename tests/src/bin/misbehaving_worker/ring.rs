//! What is wrong with a ring, or is written into one.

use std::io::{PipeReader, PipeWriter};

use reedbed_tests::by_hand::bytes::Bytes;
use reedbed_tests::by_hand::frame;
use reedbed_tests::by_hand::handle::{Handle, Terms, dtype};
use reedbed_tests::by_hand::memory::{Memory, SEALS};
use reedbed_tests::by_hand::rings::{self, LEN_BYTES, Ring, Rings};
use reedbed_tests::by_hand::worker::{Welcome, Worker};
use rustix::fs::SealFlags;
use rustix::process::Signal;

/// Does as it was told, after the handshake or in it.
pub(crate) fn misbehave(how: &str, mut worker: Worker) {
    let welcome = Welcome {
        channel: 1,
        ..super::welcome(how)
    }
    .write();
    let rings = match how {
        "unsealed" => Memory::sealed(LEN_BYTES, SealFlags::empty()),
        "too-short" => Memory::new(LEN_BYTES - 4096),
        "too-long" => Memory::new(LEN_BYTES + 4096),
        _ => Memory::sealed(LEN_BYTES, SEALS),
    };
    match how {
        "pipe" => {
            let (pipe, _writer): (PipeReader, PipeWriter) = std::io::pipe().expect("a pipe");
            worker.end().send_with(&welcome, pipe);
        }
        "missing" => worker.send(&welcome),
        _ => worker.end().send_with(&welcome, &rings),
    }
    let mut rings = Rings::of_worker(rings);
    if !matches!(
        how,
        "unsealed" | "too-short" | "too-long" | "pipe" | "missing"
    ) {
        after_the_handshake(how, &mut worker, &mut rings);
    }
    worker.wait_for_the_end();
}

/// The result of `arrays::range`: one array, in the frame.
fn result(call: u64) -> Vec<u8> {
    let three = Handle::row_inline(dtype::F64, 3).on(Terms::Moved(0));
    let elements = Bytes::new().f64(1.0).f64(2.0).f64(3.0).done();
    frame::returned_inline(call, &[three], &elements, &0u32.to_le_bytes())
}

fn after_the_handshake(how: &str, worker: &mut Worker, rings: &mut Rings) {
    let call = worker.receive_call_of(rings);
    let first = Ring::ToHost.slot(0);
    let memory = rings.memory().try_clone();
    let write = |header: [u8; 8]| memory.write(first, &header);
    match how {
        "frame-of-nothing" => write(rings::header(0, 0, 0)),
        "frame-too-long" => write(rings::header(0, 0, 65_537)),
        "leaves-a-slot-out" => write(rings::header(0, 0, 100)),
        "counts-a-message" => write(rings::header(0, 9, 4)),
        "garbage" => rings.push(&[0xff; 100], 0),
        "dies-in-a-frame" => {
            rings.write_slots(&result(call));
            rustix::process::kill_process(rustix::process::getpid(), Signal::KILL)
                .expect("this process");
        }
        "stops-in-a-frame" => {
            let answer = result(call);
            rings.write_slots(&answer);
            rustix::process::kill_process(rustix::process::getpid(), Signal::STOP)
                .expect("this process");
            write(rings::header(0, 0, answer.len() as u64));
        }
        "given-away" => {
            let announced = frame::segment(1, LEN_BYTES, true);
            worker.end().send_with(&announced, &memory);
            let slots = Handle {
                offset_bytes: first,
                ..Handle::row(1, dtype::F64, 3).on(Terms::Moved(1))
            };
            worker.send(&frame::returned(call, &[slots], &0u32.to_le_bytes()));
        }
        "scribbles" => return scribble(worker, rings, call),
        other => panic!("{other} is no way to misbehave"),
    }
    worker.send(&frame::bell());
}

/// Answers calls over the socket while it writes numbers without a pattern all over both rings.
fn scribble(worker: &mut Worker, rings: &mut Rings, first: u64) {
    let mut number: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut call = first;
    loop {
        for _ in 0..50 {
            number ^= number << 13;
            number ^= number >> 7;
            number ^= number << 17;
            // The host's bells and places, and the slots of its ring.
            let offset = match number % 3 {
                0 => Ring::ToHost.word(number / 3 % 2),
                1 => Ring::ToWorker.word(number / 3 % 2),
                _ => Ring::ToHost.slot(0) + number / 3 % 131_000 / 8 * 8,
            };
            rings.memory().write(offset, &number.to_le_bytes()[..4]);
        }
        if !worker.end().try_send(&result(call), &[]) {
            return;
        }
        call += 1;
        while rings.peek().is_none() {
            if worker.end().has_come() {
                return;
            }
            std::thread::yield_now();
        }
        let _ = rings.pop();
    }
}
