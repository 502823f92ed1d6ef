//! Messages that are no frame, or not one that a worker sends; and a channel that ends.

use reedbed::{AccessError, EndReason, FailureCause, Tensor, ndarray};
use reedbed_tests::system;
use reedbed_tests::watched::watched;

use super::{assert_violation, client, failure, protocol_violation, range};

#[tokio::test]
async fn a_frame_that_is_garbage_ends_the_worker() {
    assert_violation("sends-garbage", "sent a malformed frame: ", range).await;
}

#[tokio::test]
async fn a_frame_that_only_a_host_sends_ends_the_worker() {
    assert_violation(
        "sends-a-hosts-frame",
        "sent a frame that a worker doesn't send",
        range,
    )
    .await;
}

#[tokio::test]
async fn an_unwanted_descriptor_ends_the_worker() {
    let what = "sent a descriptor beside a frame that takes none";
    assert_violation("brings-an-unwanted-descriptor", what, range).await;
}

#[tokio::test]
async fn half_a_frame_and_an_exit_fail_the_call() {
    watched(async {
        let (worker, client) = client("sends-half-a-frame-and-exits").await;
        let failure = failure(client.range(3).await);
        let FailureCause::WorkerDied { end } = failure.cause() else {
            panic!("{failure}")
        };
        assert!(
            protocol_violation(end).contains("sent a malformed frame"),
            "{failure}"
        );
        assert!(!system::exists(worker.id().unwrap()));
    })
    .await;
}

#[tokio::test]
async fn a_worker_that_closes_its_socket_and_goes_on_is_killed() {
    watched(async {
        let (worker, client) = client("closes-and-goes-on").await;
        let mut values = Tensor::<u32, ndarray::Ix2>::zeros((2, 2)).unwrap();
        let failure = failure(client.fill(&mut values, 1).await);
        let FailureCause::WorkerDied { end } = failure.cause() else {
            panic!("{failure}")
        };
        assert!(matches!(end.reason(), EndReason::Signalled(9)), "{end}");
        assert!(!system::exists(worker.id().unwrap()));
        assert!(matches!(values.view(), Err(AccessError::Poisoned { .. })));
        let later = super::failure(client.range(3).await);
        assert!(
            later.is_retryable() && later.to_string().contains("the worker is gone"),
            "{later}"
        );
    })
    .await;
}
