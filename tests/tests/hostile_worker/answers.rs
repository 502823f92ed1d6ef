//! Answers to what was not asked, or was answered already.

use reedbed::{AccessError, ImportError, Tensor, ndarray};
use reedbed_tests::modules::arrays;
use reedbed_tests::watched::watched;

use super::{assert_violation, client, failure, protocol_violation, range, spawn};

#[tokio::test]
async fn an_answer_to_an_unknown_call_ends_the_worker() {
    let what = "answered call 999, which isn't in flight";
    assert_violation("replies-to-an-unknown-call", what, range).await;
}

#[tokio::test]
async fn an_answer_that_is_replayed_ends_the_worker() {
    watched(async {
        let (worker, client) = client("replays-an-answer").await;
        let range = client.range(3).await.expect("the first answer is good");
        let end = worker.ended().await;
        let what = "answered call 1, which isn't in flight";
        // The array is in use, or the call isn't: whichever is noticed first.
        let said = protocol_violation(&end);
        assert!(said == what || said.contains("overlaps"), "{said}");
        assert_eq!(range.view().unwrap(), ndarray::aview1(&[1.0, 2.0, 3.0]));
    })
    .await;
}

#[tokio::test]
async fn a_second_answer_ends_the_worker() {
    watched(async {
        let (worker, client) = client("replies-twice").await;
        let range = client.range(3).await.expect("the first answer is good");
        let what = worker.ended().await;
        assert_eq!(
            protocol_violation(&what),
            "answered call 1, which isn't in flight"
        );
        assert_eq!(range.view().unwrap(), ndarray::aview1(&[1.0, 2.0, 3.0]));
    })
    .await;
}

#[tokio::test]
async fn a_second_release_ends_the_worker() {
    watched(async {
        let (worker, client) = client("releases-twice").await;
        let mut values = Tensor::<u32, ndarray::Ix2>::zeros((2, 2)).unwrap();
        let failure = failure(client.fill(&mut values, 1).await);
        assert!(
            failure.to_string().contains("it ended without an answer"),
            "{failure}"
        );
        assert!(matches!(values.view(), Err(AccessError::Poisoned { .. })));
        let end = worker.ended().await;
        assert_eq!(
            protocol_violation(&end),
            "answered call 1, which isn't in flight"
        );
    })
    .await;
}

#[tokio::test]
async fn a_transfer_that_ends_twice_ends_the_worker() {
    let what = "ended transfer 1, which isn't under way";
    assert_violation("ends-a-transfer-twice", what, |client| async move {
        client.take(Tensor::from(ndarray::array![1.0, 2.0])).await
    })
    .await;
}

#[tokio::test]
async fn a_question_is_answered_by_a_description_alone() {
    for how in [
        "describes-with-a-reply",
        "describes-with-a-failure",
        "describes-twice",
    ] {
        watched(async {
            let worker = spawn(how).await;
            let import = worker.import::<arrays::Client>().await;
            match import.map(drop).unwrap_err() {
                ImportError::WorkerGone { end, .. } => {
                    assert!(protocol_violation(&end).contains("call 1"), "{how}: {end}");
                }
                // The first of two answers is a good one.
                ImportError::SchemaMismatch { .. } if how == "describes-twice" => {}
                other => panic!("{how}: {other}"),
            }
            let end = worker.ended().await;
            assert!(protocol_violation(&end).contains("call 1"), "{how}: {end}");
        })
        .await;
    }
}
