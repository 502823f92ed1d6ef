//! Named segments as a worker's kind of memory, beside memfds: what travels, what is copied, and
//! what is left when somebody is killed. (That nothing else differs is what `conformance_named`
//! shows.)

use std::future::Future;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use ndarray::{Array1, Ix1, Ix2};
use reedbed::{
    CallError, CopyReason, EndReason, FailureCause, Segment, SegmentIdentity, Segments, SharedCell,
    Tensor, Worker,
};
use reedbed_tests::gate::{Gates, pass};
use reedbed_tests::modules::arrays;
use reedbed_tests::named::names_of;
use reedbed_tests::shared::cells;

type TestResult = Result<(), Box<dyn std::error::Error>>;

const WORKER: &str = env!("CARGO_BIN_EXE_test-worker");
const HOST: &str = env!("CARGO_BIN_EXE_test-host");

async fn worker_of(
    segments: Segments,
) -> Result<(Worker, arrays::Client), Box<dyn std::error::Error>> {
    let worker = Worker::builder(WORKER).segments(segments).spawn().await?;
    let client = worker.import().await?;
    Ok((worker, client))
}

/// The name, among those of a process, of the segment that a tensor lies in.
fn name_of(identity: SegmentIdentity, pid: u32) -> Option<String> {
    names_of(pid).into_iter().find(|name| {
        let file = std::fs::metadata(format!("/dev/shm/{name}"));
        file.is_ok_and(|file| (file.dev(), file.ino()) == (identity.device, identity.inode))
    })
}

#[tokio::test]
async fn what_a_worker_makes_has_a_name_and_travels_by_it() -> TestResult {
    let (maker, making) = worker_of(Segments::Named).await?;
    let (_other, adding) = worker_of(Segments::Named).await?;
    let range = making.range(200_000).await?;
    let pid = maker.id().expect("a process");
    assert!(name_of(range.identity(), pid).is_some());
    // Back to its maker, and on to another worker.
    for arrays in [&making, &adding] {
        let view = range.tensor_view().into_dyn();
        let (_, report) = arrays.checksum(view).reported().await?;
        assert_eq!((report.shared_bytes, report.copied_bytes), (1_600_000, 0));
    }
    let small = making.range(10).await?;
    assert!(name_of(small.identity(), pid).is_some());
    let (sum, report) = adding.take(small).reported().await?;
    assert_eq!((sum, report.copied_bytes), (45.0, 0));
    Ok(())
}

#[tokio::test]
async fn a_tensor_of_the_other_kind_is_copied_in_and_back() -> TestResult {
    let (_worker, arrays) = worker_of(Segments::Named).await?;
    let values = Tensor::from(Array1::from_elem(100_000, 1i64));
    let (sum, report) = arrays.sum(&values).reported().await?;
    assert_eq!(
        (sum, report.shared_bytes, report.copied_bytes),
        (100_000, 0, 800_000)
    );
    assert_eq!(report.copies[0].reason, CopyReason::OtherSegments);
    assert_eq!(report.copies[0].argument.as_deref(), Some("values"));

    let mut labels = Tensor::<u32, Ix2>::zeros((100, 100))?;
    let (_, report) = arrays
        .fill(labels.slice_mut(ndarray::s![.., ..;2]), 7)
        .reported()
        .await?;
    assert_eq!(report.copied_bytes, 2 * 20_000, "there and back");
    assert_eq!(labels.view()?.sum(), 7 * 5_000);
    assert_eq!(labels.view()?.column(1).sum(), 0, "what lies between stays");

    let error = arrays.sum(&values).forbid_copies().await.unwrap_err();
    assert!(error.is_retryable());
    assert!(
        error.to_string().contains("`reedbed::set_segments`"),
        "{error}"
    );
    Ok(())
}

#[tokio::test]
async fn a_tensor_of_the_other_kind_is_not_written_while_another_call_reads_it() -> TestResult {
    let (_named, named) = worker_of(Segments::Named).await?;
    let (_memfd, memfd) = worker_of(Segments::Memfd).await?;
    let gates = Gates::new();
    let pair = gates.pair();
    let values = Tensor::<u64, Ix1>::zeros(4)?;
    let mut call = Box::pin(memfd.pss_while_held(&values, pair.clone()));
    let context = &mut Context::from_waker(Waker::noop());
    assert!(call.as_mut().poll(context).is_pending());
    pass(&pair.0).await;
    std::mem::forget(call);

    let mut target = values.into_segment().map_err(|_| "it is one run")?;
    let mut source = Segment::zeroed(32)?;
    source.as_bytes_mut()?[0] = 9;
    let error = named.reverse_bytes(&source, &mut target).await.unwrap_err();
    let CallError::Failed(failure) = error else {
        panic!("it isn't sent: {error}");
    };
    let cause = failure.cause();
    assert!(matches!(cause, FailureCause::Access { .. }), "{cause}");
    pass(&pair.1).await;
    target.released().await;
    named.reverse_bytes(&source, &mut target).await?;
    assert_eq!(target.as_bytes()?[31], 9);
    Ok(())
}

#[tokio::test]
async fn a_tensor_of_the_other_kind_is_given_as_a_copy() -> TestResult {
    let (_named, named) = worker_of(Segments::Named).await?;
    let (_memfd, memfd) = worker_of(Segments::Memfd).await?;
    let given = Tensor::<f64, Ix1>::from_elem(20_000, 0.5)?;
    let identity = given.identity();
    let error = named.pass_on(given).forbid_copies().await.unwrap_err();
    let CallError::Failed(mut failure) = error;
    assert!(matches!(
        failure.cause(),
        FailureCause::CopyForbidden { .. }
    ));
    let given: Tensor<f64, Ix1> = failure.reclaim("values").expect("it was not sent");
    assert_eq!(given.identity(), identity);

    let (doubled, report) = named.pass_on(given).reported().await?;
    assert_eq!(
        (report.shared_bytes, report.copied_bytes),
        (160_000, 160_000)
    );
    assert_ne!(doubled.identity(), identity);
    assert_eq!(doubled.view()?.sum(), 20_000.0);
    // And from a named one to a worker of memfds.
    let (again, report) = memfd.pass_on(doubled).reported().await?;
    assert_eq!(report.copied_bytes, 160_000);
    assert_eq!(again.view()?.sum(), 40_000.0);
    Ok(())
}

#[tokio::test]
async fn cells_are_not_copied_but_refused() -> TestResult {
    let worker = Worker::builder(WORKER)
        .segments(Segments::Named)
        .spawn()
        .await?;
    let cells: cells::Client = worker.import().await?;
    let cell = SharedCell::new(0.0)?;
    let error = cells.add(&cell, 1.0).await.unwrap_err();
    assert!(error.is_retryable());
    let message = error.to_string();
    assert!(message.contains("memory of another kind"), "{message}");
    let theirs = cells.make().await?.expect("memory for the test");
    assert_eq!(cells.add(&theirs, 1.0).await?, 0.5);
    assert_eq!(theirs.load(), 1.5);
    Ok(())
}

#[tokio::test]
async fn what_lost_its_name_with_its_maker_is_copied() -> TestResult {
    let (maker, making) = worker_of(Segments::Named).await?;
    let (_other, adding) = worker_of(Segments::Named).await?;
    let range = making.range(200_000).await?;
    let pid = maker.id().expect("a process");
    let end = maker.shutdown(Duration::from_secs(60)).await;
    assert_eq!(end.reason(), &EndReason::Exited(0));
    assert_eq!(names_of(pid), [""; 0], "it unlinked what it made");
    let view = range.tensor_view().into_dyn();
    let (_, report) = adding.checksum(view).reported().await?;
    assert_eq!((report.shared_bytes, report.copied_bytes), (0, 1_600_000));
    Ok(())
}

#[tokio::test]
async fn a_killed_workers_names_are_unlinked_by_its_host() -> TestResult {
    let (worker, arrays) = worker_of(Segments::Named).await?;
    let range = arrays.range(200_000).await?;
    let pid = worker.id().expect("a process");
    assert_eq!(names_of(pid).len(), 1);
    let raw = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
    rustix::process::kill_process(raw, rustix::process::Signal::KILL)?;
    worker.ended().await;
    assert_eq!(names_of(pid), [""; 0]);
    assert_eq!(range.view()?[199_999], 199_999.0, "the memory stays");
    Ok(())
}

#[test]
fn a_killed_hosts_names_are_unlinked_by_its_worker() {
    let mut host = Command::new(HOST)
        .args(["named", "serve", WORKER])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(host.stdout.as_mut().unwrap())
        .read_line(&mut line)
        .unwrap();
    let worker: u32 = line.trim_end().parse().unwrap();
    assert!(!names_of(host.id()).is_empty());
    assert!(!names_of(worker).is_empty());
    // What tells when the worker has ended, which isn't a child of this process.
    let raw = rustix::process::Pid::from_raw(worker.cast_signed()).unwrap();
    let pidfd = rustix::process::pidfd_open(raw, rustix::process::PidfdFlags::empty()).unwrap();
    host.kill().unwrap();
    host.wait().unwrap();
    assert!(reedbed_tests::by_hand::end::wait_for(
        std::os::fd::AsFd::as_fd(&pidfd)
    ));
    let since = Instant::now();
    while !names_of(host.id()).is_empty() {
        // Where the host was reaped later than its worker looked, the next process does it.
        assert!(since.elapsed() < Duration::from_secs(20));
        Command::new(HOST).args(["named", "leak"]).output().unwrap();
    }
    assert_eq!(names_of(worker), [""; 0]);
}
