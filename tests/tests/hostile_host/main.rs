//! A host that speaks the wire by hand, to the real test worker: first as it should, then not.
//!
//! What the wire calls a violation ends the worker with a message that names it; what fails a call
//! fails that call alone. Nothing makes it panic.
//!
//! All of it happens twice: here over the socket, in `hostile_host_over_rings.rs` through rings.

mod containers;
mod failures;
mod frames;
mod handles;
mod inline;
mod instances;
mod long_frames;
mod named;
mod over_tarpc;
mod segments;
mod session;
mod shared;

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

/// Whether this is the host that speaks through rings.
fn is_over_rings() -> bool {
    env!("CARGO_CRATE_NAME").ends_with("over_rings")
}

/// What a host says first that means well.
fn hello() -> Hello {
    let channels = if is_over_rings() { vec![1, 0] } else { vec![0] };
    Hello {
        channels,
        ..Hello::default()
    }
}

/// A host and the test worker, after the handshake.
fn greeted() -> Host {
    greeted_with(&hello())
}

fn greeted_with(hello: &Hello) -> Host {
    let host = Host::greeted_with(WORKER, hello);
    match is_over_rings() {
        true => host.over_rings(),
        false => host,
    }
}

/// The body of a call whose arguments are the first `n` arrays, in order.
fn arrays(n: u32) -> Vec<u8> {
    (0..n).fold(Bytes::new(), Bytes::u32).done()
}

/// A host whose segment 1 holds 1, 2, 3 as `i64`, announced for reading.
fn lending_three() -> (Host, Memory) {
    let (host, memory) = (greeted(), Memory::of_i64(&[1, 2, 3]));
    host.announce(1, &memory);
    (host, memory)
}

/// A host whose segment 1 holds four `u32`, announced for writing.
fn lending_four_for_writing() -> (Host, Memory) {
    let (host, memory) = (greeted(), Memory::new(16));
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
    Failure::BadArgument {
        argument: argument.to_owned(),
        reason: reason.to_owned(),
    }
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
