//! Sends more than anybody asked for, without end.

use std::os::fd::AsFd;

use reedbed_tests::by_hand::frame;
use reedbed_tests::by_hand::memory::Memory;
use reedbed_tests::by_hand::worker::Worker;

/// Floods the host until it has had enough.
pub(crate) fn flood(how: &str, worker: &Worker) {
    let memory = Memory::new(4096);
    let read_only = memory.read_only();
    let end = worker.end();
    let is_heard = |number: u64| match how {
        "bells" => end.try_send(&frame::bell(), &[]),
        "segments" => {
            end.try_send(&frame::segment(number, 4096, true), &[memory.as_fd()])
                && end.try_send(&frame::forget(number), &[])
        }
        // For each of them the host has to say why it can't have it; nobody reads that.
        "refusals" => {
            end.try_send(&frame::segment(number, 4096, true), &[read_only.as_fd()])
                && end.try_send(&frame::forget(number), &[])
        }
        "numbers" => end.try_send(&frame::segment(number, 4096, true), &[memory.as_fd()]),
        other => panic!("{other} is nothing to flood with"),
    };
    // By several threads, so that the host doesn't come to the end of it.
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let is_heard = &is_heard;
            scope.spawn(move || (1..).all(|n| is_heard(4 * n + thread)));
        }
    });
}
