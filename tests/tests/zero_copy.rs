//! Arrays cross without a copy: proven by identity, by traffic and by the memory that is used.

use ndarray::{Array2, Ix1, Ix2};
use reedbed::{Tensor, Worker};
use reedbed_tests::gate::{self, Gates};
use reedbed_tests::modules::arrays;
use reedbed_tests::system;

type TestResult = Result<(), Box<dyn std::error::Error>>;

/// A call may send this much over the channel, whatever the size of its arrays.
const FRAME_BYTES: u64 = 4096;
/// 64 MiB of `u64`.
const N_ELEMENTS: usize = 8 * 1024 * 1024;

async fn worker() -> Result<(Worker, arrays::Client), Box<dyn std::error::Error>> {
    let worker = Worker::spawn(env!("CARGO_BIN_EXE_test-worker")).await?;
    let client = worker.import().await?;
    Ok((worker, client))
}

/// The device number of `fstat`, as `/proc/PID/maps` spells it.
fn device(identity: reedbed::SegmentIdentity) -> (u32, u32) {
    (
        rustix::fs::major(identity.device),
        rustix::fs::minor(identity.device),
    )
}

#[tokio::test]
async fn both_sides_map_the_same_inode() -> TestResult {
    let (_worker, arrays) = worker().await?;
    for shape in [(4, 4), (1000, 1000)] {
        let mut image = Tensor::<u16, Ix2>::zeros(shape)?;
        let identity = image.identity();
        let read = arrays
            .where_read(&image)
            .await?
            .expect("the view is mapped from somewhere");
        assert_eq!(
            (read.inode, read.device),
            (identity.inode, device(identity))
        );
        assert!(
            !read.is_writable,
            "what is lent for reading is mapped for reading"
        );
        let written = arrays
            .where_written(&mut image)
            .await?
            .expect("mapped from somewhere");
        assert_eq!(
            (written.inode, written.device),
            (identity.inode, device(identity))
        );
        assert!(written.is_writable);
        // An array of the heap isn't where its owner has it.
        let heap = Array2::<u16>::zeros(shape);
        let staged = arrays
            .where_read(&heap)
            .await?
            .expect("mapped from somewhere");
        let own = system::mapped_at(heap.as_ptr().addr());
        assert_ne!(Some(staged.inode), own.map(|own| own.inode));
    }
    Ok(())
}

#[tokio::test]
async fn what_the_worker_writes_is_what_the_host_sees() -> TestResult {
    let (_worker, arrays) = worker().await?;
    let gates = Gates::new();
    let pair = gates.pair();
    let mut labels = Tensor::<u32, Ix2>::zeros((100, 100))?;
    let view = labels.tensor_view_mut();
    let call = arrays.fill_in_two_steps(view, 7, pair.clone());
    let watch = async {
        gate::pass(&pair.0).await;
        gate::pass(&pair.1).await;
    };
    let (count, ()) = futures::join!(call, watch);
    assert_eq!(count?, 10_000);
    assert_eq!(labels.view()?.sum(), 70_000);
    Ok(())
}

#[tokio::test]
async fn a_large_array_costs_a_small_frame() -> TestResult {
    let (worker, arrays) = worker().await?;
    let values = Tensor::<u64, Ix1>::from_elem(N_ELEMENTS, 1)?;
    for _ in 0..2 {
        let before = worker.traffic();
        let (total, report) = arrays.total(&values).reported().await?;
        let after = worker.traffic();
        assert_eq!(total, N_ELEMENTS as u64);
        assert_eq!((report.shared_bytes, report.copied_bytes), (64 << 20, 0));
        assert!(after.sent_bytes - before.sent_bytes < FRAME_BYTES);
        assert!(after.received_bytes - before.received_bytes < FRAME_BYTES);
    }
    Ok(())
}

#[tokio::test]
async fn a_large_array_takes_its_own_memory_once() -> TestResult {
    let (worker, arrays) = worker().await?;
    let (host, guest) = (std::process::id(), worker.id().expect("a process"));
    let gates = Gates::new();
    let summed = || system::pss_bytes(host) + system::pss_bytes(guest);
    let before = summed();
    let values = Tensor::<u64, Ix1>::from_elem(N_ELEMENTS, 1)?;
    let pair = gates.pair();
    let call = arrays.pss_while_held(&values, pair.clone());
    let measure = async {
        // The worker has read every page and still holds the array.
        gate::pass(&pair.0).await;
        let during = summed();
        gate::pass(&pair.1).await;
        during
    };
    let (total, during) = futures::join!(call, measure);
    assert_eq!(total?, N_ELEMENTS as u64);
    let size = 64 << 20;
    let grown = during.saturating_sub(before);
    assert!(
        grown <= size + size / 10,
        "{grown} bytes for a tensor of {size}"
    );
    Ok(())
}

#[tokio::test]
async fn a_descriptor_travels_once() -> TestResult {
    let (worker, arrays) = worker().await?;
    let (host, guest) = (std::process::id(), worker.id().expect("a process"));
    let values = Tensor::<u64, Ix1>::zeros(N_ELEMENTS)?;
    arrays.total(&values).await?;
    let (mappings, open) = (system::segment_mappings(guest), system::descriptors(host));
    for _ in 0..100 {
        arrays.total(&values).await?;
    }
    assert_eq!(system::segment_mappings(guest), mappings);
    assert!(system::descriptors(host) <= open);
    assert_eq!(
        system::segment_descriptors(guest),
        0,
        "receivers close descriptors after mapping"
    );
    Ok(())
}
