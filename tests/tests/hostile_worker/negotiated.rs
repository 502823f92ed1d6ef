//! What the host keeps to, because the worker takes no more.

use std::time::Duration;

use ndarray::Ix1;
use reedbed::{CallFailure, Dispatcher, EndReason, FailureCause, StuckSign, Tensor, ndarray};
use reedbed_tests::modules::arrays;
use reedbed_tests::watched::watched;

use super::{builder, client, failure};

#[tokio::test]
async fn a_worker_that_takes_next_to_nothing_can_be_called() {
    watched(async {
        let (_worker, client) = client("takes-next-to-nothing").await;
        let values = Tensor::from(ndarray::array![1i64, 2, 3]);
        assert_eq!(client.sum(&values).await.unwrap(), 6);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_host_never_has_more_requests_open_than_the_worker_takes() {
    watched(async {
        let builder = builder("counts-requests").dispatcher(Dispatcher::Tarpc);
        let worker = builder
            .spawn()
            .await
            .expect("the handshake is as it should be");
        let client: arrays::Client = worker.import().await.expect("the module is served");
        let values = Tensor::from(ndarray::array![1i64, 2, 3]);
        for n in 0..200 {
            // Cancelled before it is sent, or after.
            let moment = Duration::from_millis(n % 2);
            let cancelled = tokio::time::timeout(moment, client.range(4)).await;
            assert!(cancelled.is_err(), "nobody answers");
            assert_eq!(client.sum(&values).await.unwrap(), 6);
        }
        drop(client);
        let end = worker.shutdown(Duration::from_secs(5)).await;
        assert!(matches!(end.reason(), EndReason::Exited(0)), "{end}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_host_never_sends_more_calls_than_the_worker_takes() {
    watched(async {
        let (worker, client) = client("counts-calls").await;
        // Copying them in takes a while, in which another call begins.
        let values = ndarray::Array1::<i64>::zeros(1 << 20);
        let calls = (0..8).map(|_| {
            let (client, values) = (client.clone(), values.clone());
            tokio::spawn(async move { client.sum(&values).await })
        });
        for call in calls.collect::<Vec<_>>() {
            let result = call.await.unwrap();
            assert!(result.is_ok(), "{}", result.unwrap_err());
        }
        drop(client);
        let end = worker.shutdown(std::time::Duration::from_secs(5)).await;
        assert!(matches!(end.reason(), EndReason::Exited(0)), "{end}");
    })
    .await;
}

/// Calls that nobody waits for any more count as long as the worker has not let go of them, whoever
/// matches calls and answers; those that find no room wait until somebody loses patience.
#[tokio::test]
async fn a_worker_that_lets_go_of_nothing_has_no_more_calls_than_it_takes() {
    for dispatcher in [Dispatcher::Reedbed, Dispatcher::Tarpc] {
        watched(async {
            let builder = builder("answers-nothing").dispatcher(dispatcher);
            let worker = builder.spawn().await.unwrap();
            let client: arrays::Client = worker.import().await.unwrap();
            let moment = Duration::from_millis(2);
            let is_late = |failure: &CallFailure| {
                matches!(failure.cause(), FailureCause::DeadlineExceeded { limit, .. } if *limit == moment)
            };
            for _ in 0..10 {
                let dropped = tokio::time::timeout(moment, client.range(4)).await;
                assert!(dropped.is_err(), "nobody answers");
                let late = failure(client.range(4).deadline(moment).await);
                assert!(is_late(&late), "{late}");
                let late = failure(client.range(4).deadline(moment).wait());
                assert!(is_late(&late), "{late}");
                assert!(worker.n_calls_in_flight() <= 4, "{dispatcher:?}");
            }
            assert_eq!(worker.n_calls_in_flight(), 4);
            // What waits for room holds nothing, and hands back what it was given.
            let mut values = Tensor::<i64, Ix1>::zeros(1000).unwrap();
            let late = failure(client.sum(&values).deadline(moment).await);
            assert!(is_late(&late), "{late}");
            values.view_mut().unwrap().fill(1);
            let given = Tensor::<f64, Ix1>::from_elem(1000, 2.0).unwrap();
            let mut late = failure(client.take(given).deadline(moment).await);
            let given: Tensor<f64, Ix1> = late.reclaim("values").expect("it was not sent");
            assert_eq!(given.view().unwrap()[999], 2.0);
        })
        .await;
    }
}

#[tokio::test]
async fn calls_that_wait_for_room_are_told_when_the_worker_is_found_to_be_stuck() {
    for dispatcher in [Dispatcher::Reedbed, Dispatcher::Tarpc] {
        watched(async {
            let limit = Duration::from_millis(100);
            let builder = builder("answers-nothing").dispatcher(dispatcher);
            let worker = builder.stuck_timeout(limit).spawn().await.unwrap();
            let client: arrays::Client = worker.import().await.unwrap();
            for _ in 0..4 {
                let moment = Duration::from_millis(2);
                let dropped = tokio::time::timeout(moment, client.range(4)).await;
                drop(dropped);
            }
            let waiting = failure(client.range(4).await);
            let FailureCause::WorkerGone { end } = waiting.cause() else {
                panic!("{dispatcher:?}: {waiting}");
            };
            let sign = StuckSign::Overdue { limit };
            let is_stuck =
                matches!(end.reason(), EndReason::Stuck { sign: found, .. } if *found == sign);
            assert!(is_stuck && waiting.is_retryable(), "{dispatcher:?}: {end}");
            assert_eq!(worker.n_calls_in_flight(), 0);
        })
        .await;
    }
}
