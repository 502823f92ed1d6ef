//! Who is started again, how often, and what is told when that is over.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use futures::future::join;
use reedbed::{Backoff, EndReason, FailureCause, RestartError, RestartPolicy, SpawnError, Worker};
use reedbed_tests::deaths::ends;
use reedbed_tests::modules::{control, values};
use reedbed_tests::watched::watched;

use crate::{
    FOR_EVER, GRACE, QUICK, SLOW, TestResult, WORKER, builder, failure, kill, script, spawn,
};

#[tokio::test]
async fn calls_go_on_after_every_failure() -> TestResult {
    watched(async {
        let worker = spawn(QUICK).await?;
        let ends = worker.import::<ends::Client>().await?;
        let values = worker.import::<values::Client>().await?;
        let control = worker.import::<control::Client>().await?;
        let mut before = control.process_id().await?;
        for round in 0..4 {
            let error = match round {
                0 => ends.signal(9).await,
                1 => ends.abort().await,
                2 => control.exit(1).await,
                _ => ends.panic_for_good("for good".to_owned()).await,
            };
            // Nobody knows how far it came, so it isn't repeated.
            let failure = failure(error.unwrap_err());
            let cause = failure.cause();
            assert!(matches!(cause, FailureCause::WorkerDied { .. }), "{cause}");
            // This one was not sent, so it is, to the next process.
            assert_eq!(values.echo("again".to_owned()).await?, "again");
            let after = control.process_id().await?;
            assert_ne!(before, after);
            before = after;
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn who_exits_in_peace_is_started_again_always_or_never() -> TestResult {
    watched(async {
        let worker = spawn(QUICK).await?;
        let control = worker.import::<control::Client>().await?;
        assert!(control.exit(0).await.is_err());
        let failure = failure(control.process_id().await.unwrap_err());
        let cause = failure.cause();
        assert!(matches!(cause, FailureCause::WorkerGone { .. }), "{cause}");

        let worker = builder(RestartPolicy::Always(QUICK)).spawn().await?;
        let control = worker.import::<control::Client>().await?;
        assert!(control.exit(0).await.is_err());
        control.process_id().await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn without_a_policy_nothing_comes_of_itself() -> TestResult {
    watched(async {
        let worker = Worker::spawn(WORKER).await?;
        let values = worker.import::<values::Client>().await?;
        kill(&worker).await?;
        let failure = failure(values.nothing().await.unwrap_err());
        let cause = failure.cause();
        assert!(matches!(cause, FailureCause::WorkerGone { .. }), "{cause}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_worker_that_ends_too_often_is_given_up() -> TestResult {
    watched(async {
        let backoff = Backoff {
            n_restarts: 2,
            ..QUICK
        };
        let worker = spawn(backoff).await?;
        let ends = worker.import::<ends::Client>().await?;
        for _ in 0..3 {
            let failure = failure(ends.signal(6).await.unwrap_err());
            let cause = failure.cause();
            assert!(matches!(cause, FailureCause::WorkerDied { .. }), "{cause}");
        }
        for _ in 0..2 {
            let failure = failure(ends.signal(6).await.unwrap_err());
            assert_eq!(
                failure.to_string(),
                "calling `ends::signal` in worker `phoenix` failed: it was not sent: the worker is \
                 given up: it was started again 2 times within 3600s and ended once more: it was \
                 killed by signal 6 (SIGABRT)"
            );
            assert!(failure.is_retryable(), "nothing was sent");
            let FailureCause::GivenUp { given_up } = failure.cause() else {
                panic!("{failure}");
            };
            assert_eq!((given_up.n_restarts(), given_up.window()), (2, FOR_EVER));
            assert_eq!(given_up.end().reason(), &EndReason::Signalled(6));
        }
        // By hand it can be started again, and what was is forgotten.
        worker.restart(GRACE).await?;
        for _ in 0..2 {
            let failure = failure(ends.signal(6).await.unwrap_err());
            let cause = failure.cause();
            assert!(matches!(cause, FailureCause::WorkerDied { .. }), "{cause}");
        }
        let values = worker.import::<values::Client>().await?;
        values.nothing().await?;
        Ok(())
    })
    .await
}

/// A program that says why it doesn't start.
fn broken(folder: &Path) -> std::io::Result<std::path::PathBuf> {
    script(folder, "echo there is no licence >&2\nexit 3\n")
}

#[tokio::test]
async fn restarts_that_fail_count_and_are_told() -> TestResult {
    watched(async {
        let folder = tempfile::tempdir()?;
        let program = folder.path().join("worker");
        symlink(WORKER, &program)?;
        let backoff = Backoff {
            n_restarts: 3,
            ..QUICK
        };
        let worker = Worker::builder(&program).restart_policy(RestartPolicy::OnFailure(backoff));
        let worker = worker.log(|_| {}).spawn().await?;
        let values = worker.import::<values::Client>().await?;
        fs::remove_file(&program)?;
        symlink(broken(folder.path())?, &program)?;
        kill(&worker).await?;
        let failure = failure(values.nothing().await.unwrap_err());
        let FailureCause::GivenUp { given_up } = failure.cause() else {
            panic!("{failure}");
        };
        assert_eq!(given_up.n_restarts(), 3);
        let Some(RestartError::Spawn(SpawnError::Ended { end, .. })) = given_up.failure() else {
            panic!("{given_up}");
        };
        assert_eq!(end.reason(), &EndReason::Exited(3));
        assert!(
            failure.to_string().contains("there is no licence"),
            "{failure}"
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_restart_keeps_the_policy_of_tarpcs_dispatcher() -> TestResult {
    watched(async {
        let builder = builder(RestartPolicy::OnFailure(QUICK));
        let builder = builder.dispatcher(reedbed::Dispatcher::Tarpc);
        let worker = builder.spawn().await?;
        let values = worker.import::<values::Client>().await?;
        // The thread that starts the next one has no runtime of its own.
        kill(&worker).await?;
        assert_eq!(values.echo("again".to_owned()).await?, "again");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_worker_that_is_shut_down_stays_so() -> TestResult {
    watched(async {
        let worker = builder(RestartPolicy::Always(QUICK)).spawn().await?;
        let values = worker.import::<values::Client>().await?;
        assert_eq!(worker.shutdown(GRACE).await.reason(), &EndReason::Exited(0));
        let gone = failure(values.nothing().await.unwrap_err());
        assert!(
            matches!(gone.cause(), FailureCause::WorkerGone { .. }),
            "{gone}"
        );

        // In the middle of a backoff, too; and who waits is told.
        let worker = spawn(SLOW).await?;
        let values = worker.import::<values::Client>().await?;
        kill(&worker).await?;
        let call = values.nothing();
        let (answer, end) = join(call, worker.shutdown(GRACE)).await;
        assert_eq!(end.reason(), &EndReason::Signalled(9));
        let gone = failure(answer.unwrap_err());
        assert!(
            matches!(gone.cause(), FailureCause::WorkerGone { .. }),
            "{gone}"
        );

        // By hand it can be started again, and then its policy holds again.
        worker.restart(GRACE).await?;
        values.nothing().await?;
        Ok(())
    })
    .await
}
