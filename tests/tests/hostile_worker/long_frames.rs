//! Long frames that the worker says it can't read, or that the host can't: no worker is lost for that
//! alone. (Here a segment can't be mapped because its descriptor only reads; where there are no
//! descriptors, see `edges`.)

use std::path::PathBuf;
use std::time::Duration;

use ndarray::Ix1;
use reedbed::{
    CallFailure, Failure, FailureCause, ImportError, Tensor, Trust, Worker, args, ndarray,
    trim_pool,
};
use reedbed_tests::modules::{arrays, edges};
use reedbed_tests::system;
use reedbed_tests::watched::watched;

use super::{assert_violation, builder, client, failure, protocol_violation, range, spawn};

/// A name that makes a call's frame long.
fn long() -> PathBuf {
    "x".repeat(100_000).into()
}

fn refusal(failure: &CallFailure) -> &Failure {
    match failure.cause() {
        FailureCause::Remote(refusal) => refusal.reason(),
        cause => panic!("{cause}"),
    }
}

fn is_full(failure: &CallFailure) -> bool {
    let Failure::SegmentRefused { reason } = refusal(failure) else {
        return false;
    };
    reason.starts_with("no room for a frame of 100") && reason.ends_with(" bytes: full")
}

#[tokio::test]
async fn a_long_answer_that_can_not_be_read_fails_its_call_alone() {
    watched(async {
        let (_worker, client) = client("long-answer-that-can-not-be-read").await;
        let values = Tensor::from(ndarray::array![1i64, 2, 3]);
        let failure = failure(client.sum(&values).await);
        assert!(matches!(refusal(&failure), Failure::NotReturned { .. }));
        assert!(!failure.is_retryable(), "the function ran");
        assert_eq!(client.sum(&values).await.unwrap(), 6);
    })
    .await;
}

#[tokio::test]
async fn a_long_description_that_can_not_be_read_fails_its_question_alone() {
    watched(async {
        let worker = spawn("long-description-that-can-not-be-read").await;
        match worker.import::<arrays::Client>().await.map(drop) {
            Err(error @ ImportError::NotDescribed { .. }) => {
                let text = error.to_string();
                assert!(text.contains("the host has no room"), "{text}");
            }
            other => panic!("it can't be described; this came: {other:?}"),
        }
        let called = worker.call("arrays", "sum", args![]).await;
        let failure = called.unwrap_err().into_returned().unwrap_err();
        let is_said = matches!(failure.cause(), FailureCause::NotSent { reason } if reason.contains("no room"));
        assert!(is_said && failure.is_retryable(), "{failure}");
        let edges: edges::Client = worker.import().await.unwrap();
        edges.disobey(1).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_long_call_that_is_not_read_takes_back_what_it_lent_and_gave() {
    watched(async {
        let (worker, client) = client("long-unread").await;
        let mut lent = Tensor::<u32, ndarray::Ix2>::zeros((1000, 1000)).unwrap();
        let failure = failure(client.hang_after_writing(&mut lent, 7, long()).await);
        assert!(is_full(&failure) && failure.is_retryable(), "{failure}");
        assert!(!lent.is_poisoned());
        assert_eq!(lent.view_mut().unwrap().sum(), 0);
        drop(lent);
        trim_pool();
        let end = worker.shutdown(Duration::from_secs(20)).await;
        assert_eq!(end.last_lines(), ["all of it was taken back"], "{end}");
    })
    .await;
    watched(async {
        let worker = spawn("long-unread").await;
        let edges: edges::Client = worker.import().await.unwrap();
        let given = Tensor::<u8, Ix1>::from_elem(3_000_000, 1).unwrap();
        let mut failure = failure(edges.take_through(given, (long(), "gate".into())).await);
        assert!(is_full(&failure), "{failure}");
        let given: Tensor<u8, Ix1> = failure.reclaim("values").expect("it was never read");
        assert_eq!(given.view().unwrap()[2_999_999], 1);
        drop(given);
        trim_pool();
        let end = worker.shutdown(Duration::from_secs(20)).await;
        assert_eq!(end.last_lines(), ["all of it was taken back"], "{end}");
    })
    .await;
}

/// Checks that nothing is handed back, and that the worker ended because it had used that.
async fn assert_used(worker: &Worker, mut failure: Box<CallFailure>) {
    assert!(matches!(failure.cause(), FailureCause::WorkerDied { .. }));
    assert!(failure.reclaim::<Tensor<u8, Ix1>>("values").is_none());
    let what = "could not read a long frame, but used what came with it";
    assert_eq!(protocol_violation(&worker.ended().await), what);
}

/// A worker that did read a call may have what came with it, whatever it says: the host must not have
/// it as well.
#[tokio::test]
async fn what_the_worker_has_used_is_not_handed_back() {
    watched(async {
        let worker = spawn("long-taken-and-unread").await;
        let edges: edges::Client = worker.import().await.unwrap();
        let given = Tensor::<u8, Ix1>::zeros(1000).unwrap();
        let taken = edges.take_through(given, (long(), "gate".into())).await;
        assert_used(&worker, failure(taken)).await;
    })
    .await;
    watched(async {
        let worker = spawn("long-given-again-and-unread").await;
        let edges: edges::Client = worker.import().await.unwrap();
        let array = || Tensor::<u8, Ix1>::zeros(24).unwrap();
        let (read, mut first, mut second) = (array(), array(), array());
        let theirs = edges.mix(&read, &mut first, array(), None).await.unwrap();
        let mixed = edges.mix(&read, &mut second, array(), None);
        let taken = edges.take_through(theirs, (long(), "gate".into()));
        let (mixed, taken) = futures::join!(mixed, taken);
        let mut again = mixed.expect("it was given, and the host has it alone");
        again.view_mut().unwrap().fill(7);
        assert_used(&worker, failure(taken)).await;
    })
    .await;
}

/// What is handed back after an untrusted worker had read the call all the same, and goes on writing,
/// is no memory of that worker's.
#[tokio::test]
async fn what_is_handed_back_is_out_of_reach_of_an_untrusted_worker() {
    watched(async {
        let worker = builder("long-kept-and-unread").trust(Trust::Untrusted);
        let worker = worker.spawn().await.unwrap();
        let edges: edges::Client = worker.import().await.unwrap();
        let given = Tensor::<u8, Ix1>::from_elem(100_000, 1).unwrap();
        let mut failure = failure(edges.take_through(given, (long(), "gate".into())).await);
        assert!(is_full(&failure), "{failure}");
        let mut given: Tensor<u8, Ix1> = failure.reclaim("values").expect("it was never read");
        // It answers when it has written.
        edges.disobey(1).await.unwrap();
        assert!(given.view().unwrap().iter().all(|byte| *byte == 1));
        given.view_mut().unwrap().fill(2);
    })
    .await;
}

/// Makes a long call, then waits for the worker's end; checks how it ended.
async fn assert_end(how: &str, what: &str) {
    watched(async {
        let (worker, client) = client(how).await;
        let mut lent = Tensor::<u32, ndarray::Ix2>::zeros((2, 2)).expect("memory for the test");
        let failure = failure(client.hang_after_writing(&mut lent, 7, long()).await);
        let was_read = matches!(failure.cause(), FailureCause::WorkerDied { .. });
        assert!(was_read || is_full(&failure), "{how}: {failure}");
        assert_eq!(lent.is_poisoned(), was_read, "{how}");
        let end = worker.ended().await;
        assert!(protocol_violation(&end).contains(what), "{how}: {end}");
        assert!(!system::exists(worker.id().expect("a process")));
    })
    .await;
}

#[tokio::test]
async fn to_refuse_a_long_frame_twice_or_after_reading_it_ends_the_worker() {
    let what = "which is no long frame under way";
    assert_end("long-unread-twice", what).await;
    assert_end("long-read-and-unread", what).await;
}

#[tokio::test]
async fn to_answer_a_call_that_was_not_read_ends_the_worker() {
    assert_end("long-unread-and-answered", "answered call 1, which isn't").await;
}

#[tokio::test]
async fn a_refusal_of_a_long_frame_is_none_itself() {
    let what = "sent a frame that a worker doesn't send";
    assert_end("long-unread-inside", what).await;
}

#[tokio::test]
async fn a_long_frame_is_no_array_to_be_returned() {
    assert_end("long-returned", "which returns what was never given").await;
}

#[tokio::test]
async fn to_refuse_what_is_no_long_frame_ends_the_worker() {
    let what = "which is no long frame under way";
    assert_violation("long-never-sent-unread", what, range).await;
    assert_violation("long-array-unread", what, async |client: arrays::Client| {
        client.take(Tensor::zeros(1000).unwrap()).await
    })
    .await;
}
