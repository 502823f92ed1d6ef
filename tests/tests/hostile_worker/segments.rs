//! Segments that are none, or that one side can't use.

use std::time::Duration;

use ndarray::Ix2;
use reedbed::{Failure, FailureCause, Tensor, ndarray};
use reedbed_tests::modules::arrays;
use reedbed_tests::watched::watched;

use super::{assert_violation, client, failure, range, spawn};

#[tokio::test]
async fn what_is_no_segment_ends_the_worker() {
    let unsealed = "announced a segment, but it isn't a memfd sealed against shrinking and growing";
    for (how, what) in [
        ("announces-a-pipe", unsealed),
        ("offers-a-pipe", unsealed),
        ("offers-a-device", unsealed),
        ("offers-a-file", unsealed),
        ("offers-a-file-of-dev-shm", unsealed),
        ("offers-an-unsealed-memfd", unsealed),
        ("offers-a-memfd-that-grows", unsealed),
        ("offers-a-memfd-that-shrinks", unsealed),
        ("offers-the-channel", unsealed),
        ("offers-huge-pages", "it isn't ordinary shared memory"),
        ("offers-no-pages", "not all of its pages are reserved"),
        (
            "offers-too-little",
            "it has 1048576 bytes where 2097152 were",
        ),
        ("offers-too-much", "it has 4194304 bytes where 2097152 were"),
        ("offers-nothing", "announced segment 1 without a descriptor"),
        ("offers-two-descriptors", "a message with more than one"),
    ] {
        assert_violation(how, what, range).await;
    }
}

#[tokio::test]
async fn what_it_was_lent_for_writing_keeps_its_length() {
    watched(async {
        let (_worker, client) = client("resizes-what-it-may-write").await;
        let mut values = Tensor::<u32, Ix2>::from_elem((300, 200), 7).unwrap();
        let call = client.fill(&mut values, 0).forbid_copies();
        assert_eq!(call.await.unwrap(), 4, "each of four lengths was refused");
        assert!(values.view().unwrap().iter().all(|value| *value == 7));
    })
    .await;
}

#[tokio::test]
async fn a_result_that_can_not_be_mapped_fails_the_call_and_goes_back() {
    watched(async {
        let worker = spawn("announces-what-can-not-be-mapped").await;
        let client: arrays::Client = worker.import().await.unwrap();
        let failure = failure(client.ranges(3).await);
        let FailureCause::Remote(refusal) = failure.cause() else {
            panic!("{failure}")
        };
        let Failure::NotReturned { reason } = refusal.reason() else {
            panic!("{failure}")
        };
        assert!(reason.contains("64 bytes can't be mapped"), "{reason}");
        // The worker waits for both transfers before it looks at anything else.
        let end = worker.shutdown(Duration::from_secs(5)).await;
        assert_eq!(end.last_lines(), ["both transfers are over"], "{end}");
    })
    .await;
}

#[tokio::test]
async fn a_segment_that_the_worker_refuses_fails_the_call_and_is_announced_again() {
    watched(async {
        let (_worker, client) = client("refuses-its-arguments").await;
        let values = Tensor::from(ndarray::array![1i64, 2, 3]);
        let failure = failure(client.sum(&values).await);
        let text = failure.to_string();
        assert!(
            text.contains("the worker could not map an argument: the table is full"),
            "{text}"
        );
        assert!(failure.is_retryable());
        assert_eq!(client.sum(&values).await.unwrap(), 6);
    })
    .await;
}
