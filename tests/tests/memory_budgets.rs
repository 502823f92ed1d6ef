//! Shared memory by worker: what it makes, what is copied for its calls, and who waits for whom.

use std::future::Future;
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::task::{Context, Waker};
use std::time::Duration;

use ndarray::{Array1, Ix1};
use reedbed::{
    CallError, EndReason, Failure, FailureCause, OnExhausted, Shortage, SpawnError, Tensor, Trust,
    Worker,
};
use reedbed_tests::gate::{self, Gates};
use reedbed_tests::modules::{arrays, control, edges};
use reedbed_tests::system;
use reedbed_tests::watched::watched;

type TestResult = Result<(), Box<dyn std::error::Error>>;

const WORKER: &str = env!("CARGO_BIN_EXE_test-worker");
const MIB: usize = 1 << 20;
/// What is found of ten of them.
const TEN: Option<u64> = Some(10 << 20);

/// A worker with a budget of 16 MiB.
async fn worker(on_exhausted: OnExhausted) -> Result<Worker, SpawnError> {
    let builder = Worker::builder(WORKER).shared_memory(16 << 20);
    builder.on_exhausted(on_exhausted).spawn().await
}

fn bytes(n_mebibytes: usize) -> Array1<u8> {
    Array1::from_elem(n_mebibytes * MIB, 1)
}

/// Gates that aren't there, through which everyone passes.
fn gates_of_nobody() -> (PathBuf, PathBuf) {
    ("/nowhere/first".into(), "/nowhere/second".into())
}

/// A call that has begun, with a copy of `array`, and the gate that it waits at.
async fn holding<'a>(
    edges: &edges::Client,
    array: &'a Array1<u8>,
    gates: &Gates,
) -> (
    Pin<Box<impl Future<Output = Result<Option<u64>, CallError>> + use<'a>>>,
    PathBuf,
) {
    let (began, gate) = gates.pair();
    let mut call = Box::pin(edges.hold(array, (began.clone(), gate.clone())));
    assert!(is_pending(call.as_mut()));
    gate::pass(&began).await;
    (call, gate)
}

fn is_pending(call: Pin<&mut impl Future>) -> bool {
    call.poll(&mut Context::from_waker(Waker::noop()))
        .is_pending()
}

/// The numbers of a call that found no room: asked for, in use, at most; in MiB.
fn numbers<T, E>(result: Result<T, CallError<E>>) -> (u64, u64, u64) {
    let error = result.err().expect("there is no room");
    let failure = error.failure().expect("not the function's own");
    let FailureCause::Exhausted { argument, source } = failure.cause() else {
        panic!("{failure}");
    };
    assert_eq!(argument, "values");
    assert!(failure.is_retryable());
    assert!(matches!(&source.shortage, Shortage::WorkerBudget(name) if name == "test-worker"));
    let of = |bytes: u64| bytes >> 20;
    (
        of(source.requested_bytes),
        of(source.reserved_bytes),
        of(source.budget_bytes),
    )
}

#[tokio::test]
async fn a_worker_makes_no_more_than_its_host_has_told_it() -> TestResult {
    watched(async {
        let worker = worker(OnExhausted::Fail).await?;
        let edges = worker.import::<edges::Client>().await?;
        let (n, reason) = edges.keep_tensors(3 * MIB).await?;
        assert_eq!(n, 5);
        assert!(reason.contains("of 16777216 bytes are in use"), "{reason}");
        let error = edges.ones(3 * MIB).await.unwrap_err().to_string();
        assert!(error.contains("the budget refuses it"), "{error}");
        edges.drop_tensors().await?;
        // What the worker has made counts as long as anybody has it.
        let mut results = Vec::new();
        for _ in 0..5 {
            results.push(edges.ones(3 * MIB).await?);
        }
        assert!(edges.ones(3 * MIB).await.is_err());
        results.pop();
        assert_eq!(edges.ones(3 * MIB).await?.len(), 3 * MIB);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn what_a_worker_makes_all_the_same_is_not_mapped() -> TestResult {
    watched(async {
        let worker = worker(OnExhausted::Fail).await?;
        let edges = worker.import::<edges::Client>().await?;
        edges.disobey(1 << 30).await?;
        let kept = edges.ones(10 * MIB).await?;
        let before = system::segment_mappings(std::process::id());
        for _ in 0..20 {
            let error = edges.ones(7 * MIB).await.unwrap_err();
            let failure = error.failure().expect("not the function's own");
            let FailureCause::Remote(refusal) = failure.cause() else {
                panic!("{failure}");
            };
            let Failure::NotReturned { reason } = refusal.reason() else {
                panic!("{failure}");
            };
            assert!(reason.contains("10485760 of 16777216 bytes"), "{reason}");
            assert!(reason.contains("7340032 more don't fit"), "{reason}");
        }
        assert_eq!(system::segment_mappings(std::process::id()), before);
        let mapped = system::segment_mappings(worker.id().expect("a process"));
        assert!(mapped < 10, "the results went back to the worker: {mapped}");
        drop(kept);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn copies_beyond_the_budget_are_refused_with_the_numbers() -> TestResult {
    watched(async {
        let worker = worker(OnExhausted::Fail).await?;
        let edges = worker.import::<edges::Client>().await?;
        let (gates, array) = (Gates::new(), bytes(10));
        let (first, gate) = holding(&edges, &array, &gates).await;
        let second = edges.hold(&array, gates_of_nobody()).await;
        assert_eq!(numbers(second), (10, 10, 16));
        let tensor = Tensor::from(bytes(20));
        let lent = edges.hold(&tensor, gates_of_nobody()).await?;
        assert_eq!(lent, Some(20 << 20), "what is lent isn't copied");
        gate::pass(&gate).await;
        assert_eq!(first.await?, TEN);
        assert_eq!(edges.hold(&array, gates_of_nobody()).await?, TEN);
        assert_eq!(
            numbers(edges.hold(&bytes(17), gates_of_nobody()).await),
            (17, 0, 16)
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_copy_that_is_given_away_counts_as_long_as_its_call() -> TestResult {
    watched(async {
        let builder = Worker::builder(WORKER).shared_memory(16 << 20);
        let worker = builder.trust(Trust::Untrusted).spawn().await?;
        let edges = worker.import::<edges::Client>().await?;
        let gates = Gates::new();
        let pair = gates.pair();
        let mut first = pin!(edges.take_through(Tensor::from(bytes(10)), pair.clone()));
        assert!(is_pending(first.as_mut()));
        gate::pass(&pair.0).await;
        let second = edges.take_through(Tensor::from(bytes(10)), gates_of_nobody());
        assert_eq!(numbers(second.await), (10, 10, 16));
        gate::pass(&pair.1).await;
        assert_eq!(first.await?, 10 << 20);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_call_waits_until_another_ends() -> TestResult {
    watched(async {
        let worker = worker(OnExhausted::Wait).await?;
        let edges = worker.import::<edges::Client>().await?;
        let (gates, array) = (Gates::new(), bytes(10));
        let (first, gate) = holding(&edges, &array, &gates).await;
        let mut second = pin!(edges.hold(&array, gates_of_nobody()));
        assert!(is_pending(second.as_mut()));
        assert_eq!(worker.n_calls_in_flight(), 1, "it isn't sent");
        gate::pass(&gate).await;
        let (first, second) = futures::join!(first, second);
        assert_eq!((first?, second?), (TEN, TEN));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn many_calls_share_a_small_budget_and_all_are_answered() -> TestResult {
    watched(async {
        let worker = worker(OnExhausted::Wait).await?;
        let edges = worker.import::<edges::Client>().await?;
        let mut arrays: Vec<_> = (1..=40)
            .map(|n| Array1::from_elem(n * MIB / 30, 0u8))
            .collect();
        for n in 1..=2 {
            let calls = arrays.iter_mut().map(|array| edges.increment(array, None));
            futures::future::try_join_all(calls).await?;
            for array in &arrays {
                assert_eq!(array, Array1::from_elem(array.len(), n));
            }
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn what_never_comes_is_not_waited_for() -> TestResult {
    watched(async {
        let worker = worker(OnExhausted::Wait).await?;
        let edges = worker.import::<edges::Client>().await?;
        assert_eq!(
            numbers(edges.hold(&bytes(17), gates_of_nobody()).await),
            (17, 0, 16)
        );
        let result = edges.ones(7 * MIB).await?;
        assert_eq!(
            numbers(edges.hold(&bytes(10), gates_of_nobody()).await),
            (10, 7, 16)
        );
        drop(result);
        assert_eq!(edges.hold(&bytes(10), gates_of_nobody()).await?, TEN);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_call_that_waits_holds_nothing_and_can_be_dropped() -> TestResult {
    watched(async {
        let worker = worker(OnExhausted::Wait).await?;
        let edges = worker.import::<edges::Client>().await?;
        let (gates, array) = (Gates::new(), bytes(10));
        let (first, gate) = holding(&edges, &array, &gates).await;

        let mut lent = Tensor::<u8, Ix1>::zeros(MIB)?;
        let mut waiting = Box::pin(edges.add_all(&mut lent, &array));
        assert!(is_pending(waiting.as_mut()));
        drop(waiting);
        assert_eq!(lent.view()?[0], 0, "it is neither leased nor poisoned");
        gate::pass(&gate).await;
        assert_eq!(first.await?, TEN);
        edges.add_all(&mut lent, &array).await?;
        assert_eq!(lent.view()?[0], 1);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_call_waits_until_its_deadline_and_hands_back_what_it_was_given() -> TestResult {
    watched(async {
        let worker = worker(OnExhausted::Wait).await?;
        let edges = worker.import::<edges::Client>().await?;
        let (gates, array) = (Gates::new(), bytes(10));
        let (first, gate) = holding(&edges, &array, &gates).await;

        let given = Tensor::<u8, Ix1>::from_elem(MIB, 5)?;
        let limit = Duration::from_millis(20);
        let error = edges.take_beside(given, &array).deadline(limit).await;
        let CallError::Failed(mut failure) = error.expect_err("its time is up");
        assert!(matches!(
            failure.cause(),
            FailureCause::DeadlineExceeded { .. }
        ));
        let given: Tensor<u8, Ix1> = failure.reclaim("given").expect("it wasn't sent");
        assert_eq!(given.view()?[0], 5);
        gate::pass(&gate).await;
        first.await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_call_that_waits_hears_of_its_workers_end() -> TestResult {
    watched(async {
        let worker = worker(OnExhausted::Wait).await?;
        let edges = worker.import::<edges::Client>().await?;
        let control = worker.import::<control::Client>().await?;
        let (gates, array) = (Gates::new(), bytes(10));
        let (first, _gate) = holding(&edges, &array, &gates).await;
        let mut second = pin!(edges.hold(&array, gates_of_nobody()));
        assert!(is_pending(second.as_mut()));
        let (first, second, _) = futures::join!(first, second, control.exit(3));
        let is = |error: &CallError, expected: fn(&FailureCause) -> bool| {
            expected(error.failure().expect("it failed").cause())
        };
        let died = |cause: &FailureCause| matches!(cause, FailureCause::WorkerDied { .. });
        let gone = |cause: &FailureCause| matches!(cause, FailureCause::WorkerGone { .. });
        assert!(is(&first.unwrap_err(), died));
        assert!(is(&second.unwrap_err(), gone), "it wasn't sent");
        assert_eq!(*worker.ended().await.reason(), EndReason::Exited(3));

        worker.restart(Duration::ZERO).await?;
        assert_eq!(edges.hold(&array, gates_of_nobody()).await?, TEN);
        Ok(())
    })
    .await
}

/// Without a stub, too, arguments wait.
#[tokio::test]
async fn a_dynamic_call_waits_as_well() -> TestResult {
    watched(async {
        let worker = worker(OnExhausted::Wait).await?;
        let edges = worker.import::<edges::Client>().await?;
        let (gates, array) = (Gates::new(), bytes(10));
        let (first, gate) = holding(&edges, &array, &gates).await;
        worker.interface("edges").await?;
        let nobodys = gates_of_nobody();
        let nobodys = (
            nobodys.0.to_string_lossy().into_owned(),
            nobodys.1.to_string_lossy().into_owned(),
        );
        let mut second = pin!(worker.call("edges", "hold", reedbed::args![&array, nobodys]));
        assert!(is_pending(second.as_mut()));
        assert_eq!(worker.n_calls_in_flight(), 1);
        gate::pass(&gate).await;
        let (first, second) = futures::join!(first, second);
        assert_eq!((first?, second?.deserialize::<Option<u64>>()?), (TEN, TEN));
        // Nothing is copied here.
        let arrays = worker.import::<arrays::Client>().await?;
        assert_eq!(
            arrays
                .sum(&Tensor::from(Array1::from_elem(9, 2i64)))
                .await?,
            18
        );
        Ok(())
    })
    .await
}
