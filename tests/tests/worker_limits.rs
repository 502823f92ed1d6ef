//! What a worker's limits do, when they are set and when they are hit.

use std::time::Duration;

use ndarray::Ix1;
use reedbed::{
    CallError, EndReason, Failure, FailureCause, LimitError, LimitName, SpawnError, Tensor, Worker,
    WorkerLimits,
};
use reedbed_tests::modules::{arrays, control, edges};
use reedbed_tests::system;
use reedbed_tests::watched::watched;

type TestResult = Result<(), Box<dyn std::error::Error>>;

const WORKER: &str = env!("CARGO_BIN_EXE_test-worker");
const SIGXCPU: i32 = 24;

async fn limited(limits: WorkerLimits) -> Result<Worker, SpawnError> {
    Worker::builder(WORKER).limits(limits).spawn().await
}

fn id(worker: &Worker) -> u32 {
    worker.id().expect("a process")
}

/// What the worker said of a call that it did not complete.
fn refusal<T: std::fmt::Debug, E: std::fmt::Debug>(called: Result<T, CallError<E>>) -> Failure {
    let error = called.expect_err("the call fails");
    match error.failure().expect("not the function's own").cause() {
        FailureCause::Remote(refusal) => refusal.reason().clone(),
        cause => panic!("{cause}"),
    }
}

/// An address space with so much room beside what a worker has mapped at first.
async fn address_space(room_bytes: u64) -> Result<WorkerLimits, SpawnError> {
    let worker = Worker::spawn(WORKER).await?;
    let bytes = system::address_space_bytes(id(&worker));
    worker.shutdown(Duration::from_secs(60)).await;
    Ok(WorkerLimits::new().address_space(bytes + room_bytes))
}

#[tokio::test]
async fn limits_are_those_of_the_process_and_of_its_successor() -> TestResult {
    watched(async {
        let limits = WorkerLimits::new()
            .address_space(1 << 40)
            .cpu_time(Duration::from_secs(1000))
            .open_files(200)
            .niceness(3);
        let worker = limited(limits).await?;
        let first = id(&worker);
        for _ in 0..2 {
            let pid = id(&worker);
            let limit = |resource| system::limit(pid, resource);
            let pair = |soft: &str, hard: &str| (soft.to_owned(), hard.to_owned());
            let bytes = "1099511627776";
            assert_eq!(limit("Max address space"), pair(bytes, bytes));
            assert_eq!(limit("Max cpu time"), pair("1000", "1001"));
            assert_eq!(limit("Max open files"), pair("200", "200"));
            assert_eq!(system::niceness(pid), [3].into(), "of all its threads");
            worker.restart(Duration::from_secs(60)).await?;
        }
        assert_ne!(id(&worker), first);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_segment_beyond_the_address_space_is_refused_and_the_worker_lives_on() -> TestResult {
    watched(async {
        let worker = limited(address_space(256 << 20).await?).await?;
        let arrays = worker.import::<arrays::Client>().await?;
        let large = Tensor::<i64, Ix1>::zeros(64 << 20)?;
        let reason = match refusal(arrays.sum(&large).await) {
            Failure::SegmentRefused { reason } => reason,
            failure => panic!("{failure:?}"),
        };
        assert!(
            reason.contains("536870912 bytes can't be mapped"),
            "{reason}"
        );
        let small = Tensor::<i64, Ix1>::from_elem(1 << 20, 1)?;
        assert_eq!(arrays.sum(&small).await?, 1 << 20);

        let edges = worker.import::<edges::Client>().await?;
        let error = edges.ones(512 << 20).await.unwrap_err().to_string();
        assert!(error.contains("raise `ulimit -v` (RLIMIT_AS)"), "{error}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn memory_of_its_own_beyond_the_address_space_ends_the_worker_in_words() -> TestResult {
    watched(async {
        let limits = address_space(256 << 20).await?;
        let builder = Worker::builder(WORKER).limits(limits);
        // A backtrace would be the last that it prints.
        let worker = builder.env("RUST_BACKTRACE", "0").spawn().await?;
        let arrays = worker.import::<arrays::Client>().await?;
        let error = arrays.heap_range(64 << 20).await.unwrap_err().to_string();
        assert!(error.contains("SIGABRT"), "{error}");
        let words = "memory allocation of 536870912 bytes failed";
        assert!(error.contains(words), "{error}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_worker_that_has_used_up_its_time_ends_in_words() -> TestResult {
    watched(async {
        let limits = WorkerLimits::new().cpu_time(Duration::from_millis(1));
        let worker = limited(limits).await?;
        let edges = worker.import::<edges::Client>().await?;
        let error = edges.spin().await.unwrap_err().to_string();
        assert!(error.contains("SIGXCPU"), "{error}");
        assert!(error.contains("used up its processor time"), "{error}");
        let end = worker.ended().await;
        assert_eq!(*end.reason(), EndReason::Signalled(SIGXCPU));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_segment_without_a_descriptor_is_refused_and_the_worker_lives_on() -> TestResult {
    watched(async {
        let worker = limited(WorkerLimits::new().open_files(100)).await?;
        let arrays = worker.import::<arrays::Client>().await?;
        let edges = worker.import::<edges::Client>().await?;
        let n_files = edges.fill_descriptors().await?;
        assert!((20..100).contains(&n_files), "{n_files}");
        let values = Tensor::<i64, Ix1>::from_elem(100_000, 1)?;
        let reason = match refusal(arrays.sum(&values).await) {
            Failure::SegmentRefused { reason } => reason,
            failure => panic!("{failure:?}"),
        };
        assert!(reason.contains("RLIMIT_NOFILE"), "{reason}");
        edges.free_descriptors(0).await?;
        assert_eq!(arrays.sum(&values).await?, 100_000);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_limit_that_nobody_can_have_leaves_no_process() -> TestResult {
    watched(async {
        let error = limited(WorkerLimits::new().open_files(1 << 40)).await;
        let error = error.expect_err("no kernel gives so many");
        let SpawnError::Limit { source, worker, .. } = &error else {
            panic!("{error:?}");
        };
        assert_eq!(worker, "test-worker");
        let LimitError::NotPermitted {
            limit,
            wanted,
            most,
            ..
        } = source
        else {
            panic!("{source}");
        };
        assert_eq!((*limit, *wanted), (LimitName::OpenFiles, 1 << 40));
        assert!(*most < 1 << 40, "{most}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_limit_too_small_to_start_with_ends_the_worker_with_its_own_words() -> TestResult {
    watched(async {
        let error = limited(WorkerLimits::new().open_files(4)).await;
        let SpawnError::Ended { end, .. } = error.expect_err("it can't start") else {
            panic!("it ends of itself");
        };
        let lines = end.last_lines().concat();
        assert!(lines.contains("Too many open files"), "{end}");
        Ok(())
    })
    .await
}

/// Where the memory controller is delegated, the worker gets a group of its own; elsewhere it is not
/// started.
#[tokio::test]
async fn memory_is_limited_in_a_group_that_ends_with_the_worker_or_not_at_all() -> TestResult {
    watched(async {
        let error = match limited(WorkerLimits::new().memory(1 << 30)).await {
            Ok(worker) => {
                let group = format!("/proc/{}/cgroup", id(&worker));
                let groups = std::fs::read_to_string(group)?;
                let name = format!("reedbed-{}-", std::process::id());
                assert!(groups.lines().any(|line| line.contains(&name)), "{groups}");
                let control = worker.import::<control::Client>().await?;
                assert_eq!(control.process_id().await?, id(&worker));
                worker.shutdown(Duration::from_secs(60)).await;
                return Ok(());
            }
            Err(error) => error,
        };
        let text = format!("{error:?}");
        let SpawnError::Limit { source, .. } = error else {
            panic!("{text}");
        };
        assert!(matches!(source, LimitError::NoControlGroup { wanted, .. } if wanted == 1 << 30));
        assert!(
            text.contains("`memory` can't be 1073741824 bytes"),
            "{text}"
        );
        assert!(text.contains("or use `address_space`"), "{text}");
        let test = "memory_is_limited_in_a_group_that_ends_with_the_worker_or_not_at_all";
        needs::missing("cgroup2-memory", test, format!("the former: {text}"));
        Ok(())
    })
    .await
}
