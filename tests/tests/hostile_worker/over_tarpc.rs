//! How requests that came by tarpc's dispatcher end, and how they don't.

use std::time::Duration;

use reedbed::{AccessError, CallError, Dispatcher, Tensor, ndarray};
use reedbed_tests::modules::arrays;
use reedbed_tests::watched::watched;

use super::{assert_violation_by, builder, failure, protocol_violation, range};

async fn assert_violation_over_tarpc(how: &str, what: &str) {
    let builder = builder(how).dispatcher(Dispatcher::Tarpc);
    assert_violation_by(builder, how, what, range).await;
}

#[tokio::test]
async fn an_error_of_tarpcs_is_no_end_of_a_call() {
    let what = "ended request 0 with an error of tarpc's, where a reply or `Released` belongs";
    assert_violation_over_tarpc("tarpc-fails-a-request", what).await;
}

#[tokio::test]
async fn an_answer_outside_tarpcs_messages_ends_the_worker() {
    let what = "answered call 1 by a frame of its own, where tarpc's dispatchers answer";
    assert_violation_over_tarpc("tarpc-replies-without-tarpc", what).await;
}

#[tokio::test]
async fn an_answer_to_another_request_ends_the_worker() {
    let what = "answered call 1 as request 7, which came as request 0";
    assert_violation_over_tarpc("tarpc-names-another-request", what).await;
}

#[tokio::test]
async fn an_answer_to_what_was_not_requested_ends_the_worker() {
    let what = "answered call 999, which isn't in flight";
    for how in [
        "tarpc-answers-an-unknown-call",
        "tarpc-releases-an-unknown-call",
    ] {
        assert_violation_over_tarpc(how, what).await;
    }
}

/// `Released` ends a request for everybody, so nothing follows it.
#[tokio::test]
async fn a_request_ends_once() {
    let unknown = "answered call 1, which isn't in flight";
    let failed = "ended request 0 with an error of tarpc's, where a reply or `Released` belongs";
    for (how, what) in [
        ("tarpc-releases-and-replies", unknown),
        ("tarpc-releases-twice", unknown),
        ("tarpc-releases-and-fails", failed),
    ] {
        watched(async {
            let builder = builder(how).dispatcher(Dispatcher::Tarpc);
            let worker = builder.spawn().await.expect("it welcomes");
            let client: arrays::Client = worker.import().await.expect("it is served");
            let mut values = Tensor::<u32, ndarray::Ix2>::zeros((2, 2)).unwrap();
            let failure = failure(client.fill(&mut values, 1).await);
            let said = failure.to_string();
            assert!(said.contains("it ended without an answer"), "{how}: {said}");
            assert!(matches!(values.view(), Err(AccessError::Poisoned { .. })));
            let end = worker.ended().await;
            assert_eq!(protocol_violation(&end), what, "{how}");
        })
        .await;
    }
}

/// A worker has told of each call by `Released` alone, and takes one at a time.
#[tokio::test]
async fn what_is_released_makes_room_for_another_request() {
    watched(async {
        let builder = builder("tarpc-releases-all").dispatcher(Dispatcher::Tarpc);
        let worker = builder.spawn().await.expect("it welcomes");
        let client: arrays::Client = worker.import().await.expect("it is served");
        for _ in 0..100 {
            let call = client.range(3).deadline(Duration::from_secs(60));
            let failure = match call.await {
                Err(CallError::Failed(failure)) => failure,
                other => panic!("it is released; this came: {other:?}"),
            };
            assert!(failure.to_string().contains("within 60s"), "{failure}");
        }
        assert_eq!(worker.n_calls_in_flight(), 0);
    })
    .await;
}
