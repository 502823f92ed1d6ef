//! What the host keeps to, because the worker takes no more.

use std::time::Duration;

use reedbed::{Dispatcher, EndReason, Tensor, ndarray};
use reedbed_tests::modules::arrays;
use reedbed_tests::watched::watched;

use super::{builder, client};

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
