//! Memory is faulted in once: segments, their pages and both sides' mappings of them are used again.

use std::collections::BTreeSet;

use ndarray::{Array1, Array2, Ix2};
use reedbed::Worker;
use reedbed_tests::modules::arrays;
use reedbed_tests::system;
use tokio::sync::{Mutex, MutexGuard};

type TestResult = Result<(), Box<dyn std::error::Error>>;

/// 64 MiB of `u16`.
const SHAPE: (usize, usize) = (4096, 8192);
/// 64 MiB of eight bytes each.
const N_ELEMENTS: usize = 8 * 1024 * 1024;
/// How often a call is repeated once it is warm.
const N_CALLS: u64 = 20;

/// What is counted here belongs to the whole process, so the tests run one after another.
static ALONE: Mutex<()> = Mutex::const_new(());

async fn worker()
-> Result<(MutexGuard<'static, ()>, Worker, arrays::Client), Box<dyn std::error::Error>> {
    let alone = ALONE.lock().await;
    let worker = Worker::spawn(env!("CARGO_BIN_EXE_test-worker")).await?;
    let client = worker.import().await?;
    Ok((alone, worker, client))
}

/// The page faults of both processes so far.
fn faults(worker: &Worker) -> u64 {
    let guest = worker.id().expect("a process");
    system::page_faults(std::process::id()) + system::page_faults(guest)
}

#[tokio::test]
async fn heap_arrays_go_through_one_segment() -> TestResult {
    let (_alone, _worker, arrays) = worker().await?;
    let mut image = Array2::<u16>::zeros(SHAPE);
    let mut segments = BTreeSet::new();
    for _ in 0..5 {
        let read = arrays.where_read(&image).await?.expect("it is mapped");
        segments.insert(read.inode);
        let written = arrays.where_written(&mut image).await?;
        segments.insert(written.expect("it is mapped").inode);
    }
    assert_eq!(segments.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_warm_call_with_a_large_heap_array_faults_no_page_in() -> TestResult {
    let (_alone, worker, arrays) = worker().await?;
    let large = Array1::<i64>::ones(N_ELEMENTS);
    let small = Array1::<i64>::ones(1);
    for _ in 0..3 {
        assert_eq!(arrays.sum(&large).await?, N_ELEMENTS as i64);
        assert_eq!(arrays.sum(&small).await?, 1);
    }
    let (guest, host) = (worker.id().expect("a process"), std::process::id());
    let mapped = (
        system::segment_mappings(host),
        system::segment_mappings(guest),
    );
    let before = faults(&worker);
    for _ in 0..N_CALLS {
        arrays.sum(&small).await?;
    }
    let between = faults(&worker);
    for _ in 0..N_CALLS {
        arrays.sum(&large).await?;
    }
    let after = faults(&worker);
    // A call itself takes some, for threads and what their allocator does. Of huge pages alone, a
    // fresh array would take 32 on either side.
    let (with_small, with_large) = (between - before, after - between);
    assert!(
        with_large <= with_small + 8 * N_CALLS,
        "{N_CALLS} calls took {with_large} page faults, and {with_small} with a small array"
    );
    assert_eq!(
        mapped,
        (
            system::segment_mappings(host),
            system::segment_mappings(guest)
        )
    );
    Ok(())
}

#[tokio::test]
async fn a_result_that_was_dropped_makes_room_for_the_next() -> TestResult {
    let (_alone, worker, arrays) = worker().await?;
    let first = arrays.range(N_ELEMENTS).await?.identity();
    let host = std::process::id();
    let (mapped, before) = (system::segment_mappings(host), faults(&worker));
    for _ in 0..N_CALLS {
        let values = arrays.range(N_ELEMENTS).await?;
        assert_eq!(values.identity(), first);
        assert_eq!(values.view()?[N_ELEMENTS - 1], (N_ELEMENTS - 1) as f64);
    }
    assert_eq!(system::segment_mappings(host), mapped);
    let n_pages = (N_ELEMENTS * size_of::<f64>() / 4096) as u64;
    let n_faults = faults(&worker) - before;
    assert!(
        n_faults < n_pages / 2,
        "{n_faults} page faults for {N_CALLS} results of {n_pages} pages"
    );
    Ok(())
}

#[tokio::test]
async fn a_result_that_is_kept_until_the_next_alternates_with_it() -> TestResult {
    let (_alone, _worker, arrays) = worker().await?;
    let mut identities = Vec::new();
    let mut last = None;
    for _ in 0..6 {
        let values = arrays.range(N_ELEMENTS).await?;
        identities.push(values.identity());
        last = Some(values);
    }
    drop(last);
    let different: BTreeSet<_> = identities.iter().map(|of| of.inode).collect();
    assert_eq!(different.len(), 2);
    assert!(identities.windows(2).all(|pair| pair[0] != pair[1]));
    Ok(())
}

#[tokio::test]
async fn a_returned_array_is_copied_into_the_same_segment_each_time() -> TestResult {
    let (_alone, _worker, arrays) = worker().await?;
    let mut identities = BTreeSet::new();
    for _ in 0..3 {
        let (values, report) = arrays.heap_range(N_ELEMENTS).reported().await?;
        assert_eq!(report.copied_bytes, 64 << 20);
        identities.insert(values.identity().inode);
    }
    assert_eq!(identities.len(), 1);
    Ok(())
}

#[tokio::test]
async fn small_tensors_come_back_to_the_segments_that_they_shared() -> TestResult {
    let (_alone, worker, arrays) = worker().await?;
    let mut inodes = Vec::new();
    for _ in 0..3 {
        let images = (0..300)
            .map(|_| reedbed::Tensor::<u16, Ix2>::zeros((100, 100)))
            .collect::<Result<Vec<_>, _>>()?;
        for image in &images {
            arrays.where_read(image).await?.expect("it is mapped");
        }
        let shared: BTreeSet<_> = images.iter().map(|image| image.identity().inode).collect();
        inodes.push(shared);
    }
    assert!(inodes[0].len() > 1, "one segment is too small for all");
    assert!(
        inodes.iter().all(|shared| *shared == inodes[0]),
        "{inodes:?}"
    );
    let guest = worker.id().expect("a process");
    assert!(system::segment_mappings(guest) <= 2 * inodes[0].len());
    Ok(())
}

#[tokio::test]
async fn reading_one_element_of_a_large_tensor_maps_no_more_than_its_surroundings() -> TestResult {
    let (_alone, worker, arrays) = worker().await?;
    let image = reedbed::Tensor::<u16, _>::zeros(SHAPE)?;
    // Whatever the first call of a worker takes.
    arrays.where_read(&Array2::zeros((1, 1))).await?;
    let guest = worker.id().expect("a process");
    let before = system::page_table_bytes(guest);
    arrays.where_read(&image).await?.expect("it is mapped");
    let grown = system::page_table_bytes(guest) - before;
    // Entries for all of its small pages would take 128 KiB.
    assert!(grown <= 32 * 1024, "page tables grew by {grown} bytes");
    Ok(())
}
