//! Peers that speak through rings by hand: first as they should, then not.
//!
//! What is written into a ring against the protocol ends the connection with a message that names
//! it, or changes nothing; it never ends in a hang, a panic or a crash.

mod hosts;
mod session;
mod workers;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use reedbed_tests::by_hand::bytes::Bytes;
use reedbed_tests::by_hand::end::{LIMIT, Received};
use reedbed_tests::by_hand::frame::{self, Frame};
use reedbed_tests::by_hand::function;
use reedbed_tests::by_hand::handle::{Handle, Terms, dtype};
use reedbed_tests::by_hand::host::{Hello, Host};
use reedbed_tests::by_hand::memory::Memory;
use reedbed_tests::by_hand::rings::{self, Ring, Rings};

const WORKER: &str = env!("CARGO_BIN_EXE_test-worker");

/// A host, its rings, and how many messages went each way.
struct Talk {
    host: Host,
    rings: Rings,
    n_sent: u32,
    n_received: u32,
}

impl Talk {
    /// Starts the test worker, with so many calls at a time.
    fn begin(n_calls: u32) -> Self {
        let hello = Hello {
            channels: vec![1, 0],
            n_calls,
            ..Hello::default()
        };
        let mut host = Host::greeted_with(WORKER, &hello);
        let rings = host.take_rings();
        let (n_sent, n_received) = (0, 0);
        Self {
            host,
            rings,
            n_sent,
            n_received,
        }
    }

    /// Sends a message over the socket.
    fn message(&mut self, message: &[u8]) {
        self.host.send(message);
        self.n_sent += 1;
    }

    /// Announces a segment for reading.
    fn announce(&mut self, segment: u64, memory: &Memory) {
        self.host.announce(segment, memory);
        self.n_sent += 1;
    }

    /// Puts a frame into the ring, and rings.
    fn frame(&mut self, frame: &[u8]) {
        self.rings.push(frame, self.n_sent);
        self.message(&frame::bell());
    }

    /// Receives the next frame, wherever it comes, in the order in which they were sent.
    fn receive(&mut self) -> Frame {
        let since = Instant::now();
        loop {
            assert!(since.elapsed() < LIMIT, "nothing came within {LIMIT:?}");
            match self.rings.peek() {
                Some(after) if after == self.n_received % (1 << 15) => {
                    return Frame::read(&self.rings.pop());
                }
                None if !self.host.end().has_come() => std::thread::yield_now(),
                // A frame may have come before the message, and be there now.
                None if self.rings.peek().is_some() => {}
                _ => match self.host.end().receive() {
                    Received::Message(message, None) => {
                        self.n_received += 1;
                        if message != frame::bell() {
                            return Frame::read(&message);
                        }
                    }
                    other => panic!("a frame without a descriptor is expected, not {other:?}"),
                },
            }
        }
    }

    /// Receives the result of a call that brings no array.
    fn result(&mut self, call: u64) -> Vec<u8> {
        match self.receive() {
            Frame::Returned {
                call: answered,
                body,
                ..
            } if answered == call => body,
            other => panic!("a result of call {call} is expected, not {other:?}"),
        }
    }

    /// Checks that the worker answers a call, as if nothing had happened.
    fn assert_alive(&mut self) {
        let (call, text) = echo(u64::MAX, "still here");
        self.frame(&call);
        assert_eq!(self.result(u64::MAX), text);
    }
}

/// A call of `values.echo`, and what it returns.
fn echo(call: u64, text: &str) -> (Vec<u8>, Vec<u8>) {
    let text = Bytes::new().run(text).done();
    (
        frame::call(call, function("values", "echo"), &[], &text),
        text,
    )
}

/// Runs `test` while another thread does something again and again.
fn while_another<T>(does: impl Fn() + Sync, test: impl FnOnce() -> T) -> T {
    struct End<'a>(&'a AtomicBool);
    impl Drop for End<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                does();
            }
        });
        let _end = End(&is_over);
        test()
    })
}

/// Numbers without a pattern (xorshift), the same in each run.
fn noise(seed: u64) -> impl Iterator<Item = u64> {
    std::iter::successors(Some(seed), |&n| {
        let n = n ^ (n << 13);
        let n = n ^ (n >> 7);
        Some(n ^ (n << 17))
    })
}
