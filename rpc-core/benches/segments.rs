//! What memory costs: fresh and recycled, in huge pages and in small ones, copied in several ways.
//!
//! The ratios in the comments of `segment/` and `tensor/create.rs` are of these groups. Those who
//! compare run them together, because only what was measured in one run can be compared:
//! `cargo bench --package reedbed --features internals --bench segments`.

#![expect(clippy::unwrap_used, reason = "as in tests")]

use std::hint::black_box;
use std::thread;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use ndarray::{Array1, Ix1};
use reedbed::__private::internals::{Pages, fresh, mapped_again};
use reedbed::{Tensor, set_pool_capacity};

const SIZES: [(&str, usize); 3] = [
    ("512KiB", 512 << 10),
    ("2MiB", 2 << 20),
    ("64MiB", 64 << 20),
];
const POOL_BYTES: usize = 256 << 20;

fn contents(len: usize) -> Vec<u8> {
    (0..=250).cycle().take(len).collect()
}

/// Adds up as many bytes at once as the machine can.
fn sum(bytes: &[u8]) -> u64 {
    bytes
        .as_chunks::<8>()
        .0
        .iter()
        .fold(0, |sum, chunk| sum.wrapping_add(u64::from_ne_bytes(*chunk)))
}

/// An array of the heap into a segment that was never used and is freed again.
fn copy_in_cold(criterion: &mut Criterion) {
    for (name, len) in SIZES {
        let contents = contents(len);
        let mut group = criterion.benchmark_group(format!("copy in, cold, {name}"));
        group.throughput(Throughput::Bytes(len as u64));
        group.sample_size(20);
        let ways = [
            ("huge pages", Pages::Huge),
            ("small pages", Pages::Small),
            ("small pages by pwrite", Pages::SmallWritten),
        ];
        for (way, pages) in ways {
            group.bench_function(way, |bencher| {
                bencher.iter(|| fresh(black_box(&contents), pages).unwrap());
            });
        }
        group.finish();
    }
}

/// The same into one that the pool has, beside what it takes in the heap.
fn copy_in_warm(criterion: &mut Criterion) {
    set_pool_capacity(POOL_BYTES);
    for (name, len) in SIZES {
        let array = Array1::from_vec(contents(len));
        let mut group = criterion.benchmark_group(format!("copy in, warm, {name}"));
        group.throughput(Throughput::Bytes(len as u64));
        group.sample_size(50);
        group.bench_function("tensor", |bencher| {
            bencher.iter(|| Tensor::copy_of(black_box(&array)).unwrap());
        });
        let mut target = vec![1; len];
        group.bench_function("heap", |bencher| {
            bencher.iter(|| target.copy_from_slice(black_box(array.as_slice().unwrap())));
        });
        group.bench_function("tensor, by two threads", |bencher| {
            bencher.iter(|| {
                let mut tensor = Tensor::<u8, Ix1>::uninit(len).unwrap();
                let mut view = tensor.view_mut().unwrap();
                let (one, other) = view.as_slice_mut().unwrap().split_at_mut(len / 2);
                let from = black_box(array.as_slice().unwrap()).split_at(len / 2);
                thread::scope(|scope| {
                    scope.spawn(|| other.copy_from_slice(from.1));
                    one.copy_from_slice(from.0);
                });
                tensor
            });
        });
        group.finish();
    }
}

/// What it takes a peer to map a segment and to read it: all, or one element.
fn map_in_the_peer(criterion: &mut Criterion) {
    let (name, len) = SIZES[2];
    let contents = contents(len);
    let mut group = criterion.benchmark_group(format!("map, {name}"));
    group.sample_size(20);
    for (kind, pages) in [("huge", Pages::Huge), ("small", Pages::Small)] {
        let segment = fresh(&contents, pages).unwrap();
        for (way, is_populated) in [("lazily", false), ("populated", true)] {
            group.bench_function(format!("{kind} pages, {way}, read all"), |bencher| {
                bencher.iter_batched(
                    || (),
                    |()| {
                        let mapped = mapped_again(&segment, is_populated);
                        black_box(sum(mapped.as_bytes().unwrap()));
                        mapped
                    },
                    BatchSize::PerIteration,
                );
            });
            group.bench_function(format!("{kind} pages, {way}, read one"), |bencher| {
                bencher.iter_batched(
                    || (),
                    |()| {
                        let mapped = mapped_again(&segment, is_populated);
                        black_box(mapped.view().unwrap()[len / 2]);
                        mapped
                    },
                    BatchSize::PerIteration,
                );
            });
        }
    }
    group.finish();
}

/// Taking memory and giving it back, without touching it.
fn pool(criterion: &mut Criterion) {
    set_pool_capacity(POOL_BYTES);
    let mut group = criterion.benchmark_group("take and give back");
    for (name, len) in [("64B", 64), ("64KiB", 64 << 10), ("64MiB", 64 << 20)] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| Tensor::<u8, Ix1>::uninit(black_box(len)).unwrap());
        });
    }
    group.finish();
}

criterion_group!(benches, copy_in_cold, copy_in_warm, map_in_the_peer, pool);
criterion_main!(benches);
