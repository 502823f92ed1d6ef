//! Workers that are started again, and what outlasts that.

use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::time::Duration;

use futures::future::join;
use ndarray::{Ix2, array};
use reedbed::{
    Dispatcher, EndReason, FailureCause, ImportError, RestartError, SpawnError, Tensor, Worker,
    blocking,
};
use reedbed_tests::gate::{Gates, pass};
use reedbed_tests::modules::{arrays, control};
use reedbed_tests::services::{BlockingKeeperClient, KeeperClient};
use reedbed_tests::watched::watched;

type TestResult = Result<(), Box<dyn std::error::Error>>;

const WORKER: &str = env!("CARGO_BIN_EXE_test-worker");
const OTHER_WORKER: &str = env!("CARGO_BIN_EXE_misbehaving-worker");

/// Long enough for every worker here; none takes that long.
const GRACE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn clients_go_on_and_instances_are_lost() -> TestResult {
    watched(async {
        let worker = Worker::builder(WORKER).name("again").spawn().await?;
        let (clone, first) = (worker.clone(), worker.id());
        let client = worker.import::<KeeperClient>().await?;
        let keeper = client.new("before".to_owned()).await?;
        // Made before the restart and sent after it.
        let unsent = keeper.keep(Tensor::from(array![1.0, 2.0]));

        let end = worker.restart(GRACE).await?;
        assert_eq!(end.reason(), &EndReason::Exited(0));
        assert_ne!(worker.id(), first);
        assert_eq!(clone.id(), worker.id());
        assert_eq!(client.version().await?, "keeps 1");

        let lost = keeper.label().await.unwrap_err();
        assert_eq!(
            lost.to_string(),
            "calling `keeper::label` in worker `again` failed: it was not sent: instance 1 was lost \
             when the worker was restarted; construct it again"
        );
        assert!(lost.is_retryable(), "nothing was sent");
        let mut failure = unsent.await.unwrap_err().into_returned().unwrap_err();
        let cause = failure.cause();
        assert!(
            matches!(cause, FailureCause::InstanceLost { instance: 1 }),
            "{cause}"
        );
        let values: Tensor<f64, ndarray::Ix1> = failure.reclaim("values").unwrap();
        assert_eq!(values.view()?, array![1.0, 2.0].view());

        // The new process counts from one again, and this is not the old instance.
        let keeper = client.new("after".to_owned()).await?;
        assert_eq!(keeper.label().await?, "after");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_crashed_worker_is_started_again() -> TestResult {
    watched(async {
        let worker = Worker::spawn(WORKER).await?;
        let control = worker.import::<control::Client>().await?;
        let client = worker.import::<KeeperClient>().await?;
        let keeper = client.new("before".to_owned()).await?;
        control.crash().await.unwrap_err();
        worker.ended().await;
        // Without a restart, the worker is simply gone.
        let error = keeper.label().await.unwrap_err();
        let cause = error.failure().unwrap().cause();
        assert!(matches!(cause, FailureCause::WorkerGone { .. }), "{cause}");

        let end = worker.restart(GRACE).await?;
        assert_eq!(end.reason(), &EndReason::Signalled(11));
        assert!(!control.has_deadline().await?);
        let error = keeper.label().await.unwrap_err();
        let cause = error.failure().unwrap().cause();
        assert!(
            matches!(cause, FailureCause::InstanceLost { .. }),
            "{cause}"
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn calls_in_flight_end_with_the_old_process() -> TestResult {
    watched(async {
        let worker = Worker::spawn(WORKER).await?;
        let arrays = worker.import::<arrays::Client>().await?;
        let gates = Gates::new();
        let (began, never) = gates.pair();
        let mut labels = Tensor::<u32, Ix2>::zeros((2, 2))?;
        let call = arrays.fill_in_two_steps(&mut labels, 3, (began.clone(), never));
        let restart = async {
            pass(&began).await;
            worker.restart(Duration::ZERO).await
        };
        let (filled, restarted) = join(call, restart).await;
        let error = filled.unwrap_err();
        let cause = error.failure().unwrap().cause();
        assert!(matches!(cause, FailureCause::WorkerDied { .. }), "{cause}");
        assert!(!error.is_retryable());
        restarted?;
        assert!(labels.is_poisoned());
        labels.recover()?;
        assert_eq!(arrays.fill(&mut labels, 9).await?, 4);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn restarts_wait_for_each_other() -> TestResult {
    watched(async {
        let worker = Worker::spawn(WORKER).await?;
        let client = worker.import::<KeeperClient>().await?;
        let (one, other) = join(worker.restart(GRACE), worker.restart(GRACE)).await;
        assert_eq!(one?.reason(), &EndReason::Exited(0));
        assert_eq!(other?.reason(), &EndReason::Exited(0));
        assert_eq!(client.version().await?, "keeps 1");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn another_program_in_its_place_is_refused() -> TestResult {
    watched(async {
        let folder = tempfile::tempdir()?;
        let program = folder.path().join("worker");
        symlink(WORKER, &program)?;
        let worker = Worker::spawn(&program).await?;
        let client = worker.import::<KeeperClient>().await?;

        std::fs::remove_file(&program)?;
        symlink(OTHER_WORKER, &program)?;
        let error = worker.restart(GRACE).await.unwrap_err();
        let RestartError::Import(ImportError::UnknownModule { module, served, .. }) = error else {
            panic!("the other program has no keeper: {error}");
        };
        assert_eq!(module, "keeper");
        assert!(served.contains(&"arrays".to_owned()), "{served:?}");
        let error = client.version().await.unwrap_err();
        let cause = error.failure().unwrap().cause();
        assert!(matches!(cause, FailureCause::WorkerGone { .. }), "{cause}");

        std::fs::remove_file(&program)?;
        let error = worker.restart(GRACE).await.unwrap_err();
        assert!(
            matches!(error, RestartError::Spawn(SpawnError::Program { .. })),
            "{error}"
        );

        // Nothing is lost for good: once the program is back, so is the worker.
        symlink(WORKER, &program)?;
        worker.restart(GRACE).await?;
        assert_eq!(client.version().await?, "keeps 1");
        Ok(())
    })
    .await
}

#[test]
fn a_thread_is_restarted_and_waited_for() -> TestResult {
    let worker = blocking::Worker::in_process(&reedbed_tests::modules::all())?;
    let client = worker.import::<BlockingKeeperClient>()?;
    let keeper = client.new("before".to_owned())?;
    let end = worker.restart(GRACE)?;
    assert_eq!(end.reason(), &EndReason::Stopped);
    assert!(keeper.label().is_err());
    assert_eq!(client.new("after".to_owned())?.label()?, "after");
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_started_again_is_not_stopped() -> TestResult {
    let worker = Worker::builder(WORKER).dispatcher(Dispatcher::Tarpc);
    let worker = worker.spawn().await?;
    let client = worker.import::<KeeperClient>().await?;
    let (first, again) = (worker.id(), worker.clone());
    // A thread without a runtime, which tarpc's dispatcher needs.
    let restarted = std::thread::spawn(move || futures::executor::block_on(again.restart(GRACE)));
    let error = restarted.join().expect("no panic").expect_err("no runtime");
    assert!(matches!(error, RestartError::Spawn(SpawnError::NoRuntime)));
    assert_eq!(worker.id(), first);
    assert_eq!(client.version().await?, "keeps 1");
    Ok(())
}

#[tokio::test]
async fn a_relative_program_is_found_whatever_the_workers_directory() -> TestResult {
    let here = std::env::current_dir()?;
    let up = here.components().skip(1).map(|_| "..");
    let relative = up.collect::<PathBuf>().join(WORKER.trim_start_matches('/'));
    let folder = tempfile::tempdir()?;
    // In the worker's own directory, the same path leads to nothing.
    let deeper = folder.path().join("a/b/c/d/e/f/g/h/i/j/k/l/m/n");
    std::fs::create_dir_all(&deeper)?;
    let worker = Worker::builder(relative).current_dir(deeper);
    let worker = worker.spawn().await?;
    worker.restart(GRACE).await?;
    assert!(worker.modules().any(|module| module == "arrays"));
    Ok(())
}
