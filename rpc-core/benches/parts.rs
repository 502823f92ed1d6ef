//! What the parts of a call take: `cargo bench --package reedbed --features internals --bench parts`.

#![expect(clippy::unwrap_used, reason = "as in tests")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use futures::executor::block_on;
use ndarray::Ix1;
use reedbed::__private::parts::{Leases, Ring, encode_call, is_frame, lend_once};
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
fn ring(criterion: &mut Criterion) {
    let mut ring = Ring::new().unwrap();
    for n_bytes in [56, 1024] {
        let frame = vec![1; n_bytes];
        criterion.bench_function(&format!("ring, {n_bytes} bytes"), |bencher| {
            bencher.iter(|| {
                assert!(ring.push(black_box(&frame)));
                assert_eq!(ring.pop().map(<[u8]>::len), Some(n_bytes));
            });
        });
    }
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

criterion_group!(benches, wire, ring, memory, dispatch);
criterion_main!(benches);
