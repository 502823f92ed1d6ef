//! Calls that wait for the next process, and how long they do.

use std::time::Duration;

use futures::future::{join, join_all};
use ndarray::{Ix1, array};
use reedbed::{Crew, FailureCause, RestartPolicy, Tensor, Worker, args, blocking};
use reedbed_tests::deaths::ends;
use reedbed_tests::gate::Gates;
use reedbed_tests::modules::{control, values};
use reedbed_tests::services::KeeperClient;
use reedbed_tests::watched::{in_time, watched};

use crate::{GRACE, QUICK, SLOW, TestResult, WORKER, builder, failure, kill, spawn};

#[tokio::test]
async fn a_call_waits_for_its_deadline_and_what_was_given_comes_back() -> TestResult {
    watched(async {
        let worker = spawn(SLOW).await?;
        let ends = worker.import::<ends::Client>().await?;
        kill(&worker).await?;
        let lent = Tensor::from(array![1i64, 2]);
        let mut filled = Tensor::from(array![0i64]);
        let given = Tensor::from(array![7i64, 8, 9]);
        let limit = Duration::from_millis(30);
        let call = ends.weigh(given, &lent, &mut filled, "pound".to_owned());
        let mut failure = failure(call.deadline(limit).await.unwrap_err());
        let cause = failure.cause();
        assert!(
            matches!(cause, FailureCause::DeadlineExceeded { .. }),
            "{cause}"
        );
        let given: Tensor<i64, Ix1> = failure.reclaim("given").expect("it was not sent");
        assert_eq!(given.view()?, array![7, 8, 9].view());
        assert_eq!(filled.view_mut()?, array![0].view_mut(), "nobody holds it");
        Ok(())
    })
    .await
}

#[test]
fn a_thread_that_waits_has_its_deadline_too() -> TestResult {
    in_time(|| {
        let builder =
            builder(RestartPolicy::OnFailure(SLOW)).call_deadline(Duration::from_millis(30));
        let worker = blocking::Worker::start(builder).expect("a worker");
        let ends: ends::BlockingClient = worker.import().expect("its module");
        let values: values::BlockingClient = worker.import().expect("its module");
        assert!(ends.signal(9).is_err());
        let failure = failure(values.nothing().unwrap_err());
        let cause = failure.cause();
        assert!(
            matches!(cause, FailureCause::DeadlineExceeded { .. }),
            "{cause}"
        );
    });
    Ok(())
}

#[tokio::test]
async fn a_call_deadline_is_that_of_every_call_without_one() -> TestResult {
    watched(async {
        let limit = Duration::from_millis(20);
        let worker = Worker::builder(WORKER).call_deadline(limit).spawn().await?;
        let control = worker.import::<control::Client>().await?;
        assert!(control.has_deadline().deadline(GRACE).await?);
        assert!(!control.has_deadline().deadline(Duration::MAX).await?);
        let gates = Gates::new();
        let late = failure(control.pass(gates.pair()).await.unwrap_err());
        assert!(
            matches!(late.cause(), FailureCause::DeadlineExceeded { limit: told, was_sent: true } if *told == limit),
            "{late}"
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn instances_are_lost_and_not_waited_for() -> TestResult {
    watched(async {
        let worker = spawn(QUICK).await?;
        let client = worker.import::<KeeperClient>().await?;
        let keeper = client.new("before".to_owned()).await?;
        kill(&worker).await?;
        let lost = failure(keeper.label().await.unwrap_err());
        assert!(lost.is_retryable(), "{lost}");
        // The constructor waits.
        let keeper = client.new("after".to_owned()).await?;
        assert_eq!(keeper.label().await?, "after");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_call_without_a_stub_waits_as_well() -> TestResult {
    watched(async {
        let worker = spawn(QUICK).await?;
        kill(&worker).await?;
        let answer = worker
            .call("values", "echo", args!["again".to_owned()])
            .await?;
        assert_eq!(answer.deserialize::<String>()?, "again");

        let worker = spawn(SLOW).await?;
        kill(&worker).await?;
        let call = worker.call("values", "echo", args!["again".to_owned()]);
        let late = failure(call.deadline(Duration::from_millis(30)).await.unwrap_err());
        assert!(
            matches!(late.cause(), FailureCause::DeadlineExceeded { .. }),
            "{late}"
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_crew_goes_on_without_those_that_are_away() -> TestResult {
    watched(async {
        let slow = Crew::spawn(builder(RestartPolicy::OnFailure(SLOW)), 2).await?;
        let control = slow.import::<control::Client>().await?;
        kill(&slow.workers()[0]).await?;
        // Whoever is there does it.
        let calls = (0..6).map(|_| control.process_id());
        for id in join_all(calls).await {
            assert_eq!(Some(id?), slow.workers()[1].id());
        }
        // And if nobody is, the first to come back.
        kill(&slow.workers()[1]).await?;
        let restart = slow.workers()[0].restart(GRACE);
        let (ids, restarted) = join(join_all((0..2).map(|_| control.process_id())), restart).await;
        restarted?;
        let first = slow.workers()[0].id();
        assert!(ids.into_iter().any(|id| id.ok() == first));
        Ok(())
    })
    .await
}
