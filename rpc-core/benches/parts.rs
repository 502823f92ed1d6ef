//! What the parts of a call take: `cargo bench --package reedbed --features internals --bench parts`.

#![expect(clippy::unwrap_used, reason = "as in tests")]

use std::hint::black_box;
use std::thread;

use criterion::{Criterion, criterion_group, criterion_main};
use futures::executor::block_on;
use ndarray::Ix1;
use reedbed::__private::parts::{Leases, Reading, encode_call, is_frame, lend_once, ring};
use reedbed::{Tensor, Worker, remote_module};

/// What is dispatched.
#[remote_module]
pub mod nothing {
    /// Does nothing.
    pub fn nothing() {}
}

fn wire(criterion: &mut Criterion) {
    for n_bytes in [0, 1024] {
        criterion.bench_function(&format!("encode, {n_bytes} bytes"), |bencher| {
            bencher.iter(|| encode_call(black_box(n_bytes)));
        });
        let call = encode_call(n_bytes);
        criterion.bench_function(&format!("decode, {n_bytes} bytes"), |bencher| {
            bencher.iter(|| assert!(is_frame(black_box(&call))));
        });
    }
}

/// In and out on one thread: what it takes without waiting for a cache line.
fn ring_on_one_thread(criterion: &mut Criterion) {
    let (mut writing, mut reading) = ring().unwrap();
    for n_bytes in [56, 1024] {
        let frame = vec![1; n_bytes];
        criterion.bench_function(&format!("ring, {n_bytes} bytes"), |bencher| {
            bencher.iter(|| {
                assert!(writing.push(black_box(&frame)));
                assert_eq!(reading.pop().map(<[u8]>::len), Some(n_bytes));
            });
        });
    }
}

/// There and back between two threads that look for frames: two hops.
fn ring_hops(criterion: &mut Criterion) {
    const CALL: [u8; 56] = [1; 56];

    /// Looks until a frame is there; tells its length.
    fn awaited(reading: &mut Reading) -> usize {
        loop {
            match reading.pop() {
                Some(frame) => return frame.len(),
                None => std::hint::spin_loop(),
            }
        }
    }

    let (mut calls, mut called) = ring().unwrap();
    let (mut answers, mut answered) = ring().unwrap();
    thread::scope(|scope| {
        // A call without contents ends it.
        scope.spawn(move || while awaited(&mut called) > 0 && answers.push(&CALL) {});
        criterion.bench_function("ring, two hops", |bencher| {
            bencher.iter(|| {
                assert!(calls.push(black_box(&CALL)));
                assert_eq!(awaited(&mut answered), CALL.len());
            });
        });
        assert!(calls.push(&[]));
    });
}

fn memory(criterion: &mut Criterion) {
    let leases = Leases::default();
    criterion.bench_function("lease", |bencher| {
        bencher.iter(|| assert!(lend_once(black_box(&leases))));
    });
    for (name, len) in [("arena", 1 << 10), ("shelf", 1 << 20)] {
        criterion.bench_function(&format!("pool, {name}"), |bencher| {
            bencher.iter(|| Tensor::<u8, Ix1>::zeros(black_box(len)).unwrap());
        });
    }
}

/// A call over a worker that is a thread: the dispatchers of both sides, and two hops.
fn dispatch(criterion: &mut Criterion) {
    let worker = block_on(Worker::in_process(&[nothing::MODULE])).unwrap();
    let client: nothing::Client = block_on(worker.import()).unwrap();
    criterion.bench_function("dispatch", |bencher| {
        bencher.iter(|| client.nothing().wait().unwrap());
    });
}

criterion_group!(
    benches,
    wire,
    ring_on_one_thread,
    ring_hops,
    memory,
    dispatch
);
criterion_main!(benches);
