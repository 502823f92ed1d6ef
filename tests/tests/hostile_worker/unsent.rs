//! An array that is given away, and a call that is not sent after all: what the worker has used meanwhile
//! is not handed back, so that the host has it once.

use std::path::PathBuf;
use std::pin::pin;
use std::thread;

use futures::poll;
use ndarray::Ix1;
use reedbed::failpoint::{Action, Point, arm, disarm};
use reedbed::{CallFailure, Dispatcher, FailureCause, Tensor, Worker};
use reedbed_tests::modules::edges;
use reedbed_tests::watched::watched;

use super::{builder, failure, protocol_violation};

type Bytes = Tensor<u8, Ix1>;

const DISPATCHERS: [Dispatcher; 2] = [Dispatcher::Reedbed, Dispatcher::Tarpc];
const USED: &str = "used an array before the call that gives it was sent";

async fn start(how: &str, dispatcher: Dispatcher) -> (Worker, edges::Client) {
    let worker = builder(how).dispatcher(dispatcher).spawn().await;
    let worker = worker.expect("the handshake is as it should be");
    let edges = worker.import().await.expect("the module is served");
    (worker, edges)
}

/// An array in a segment of its own.
fn array() -> Bytes {
    Tensor::from_elem(3_000_000, 1).expect("memory for the test")
}

/// Gives an array away in a long call, for whose frame there is no further segment. When the array has its
/// number and nothing is sent, another thread calls the worker, which does what it does, and answers.
async fn give_in_vain(edges: &edges::Client, given: Bytes) -> Box<CallFailure> {
    let other = edges.clone();
    let call = Action::Call(Box::new(move || {
        let called = thread::spawn(move || other.disobey(1).wait());
        let called = called.join().expect("the thread doesn't panic");
        called.expect("it is answered");
    }));
    arm(Point::Sending, 1, call);
    let gates: (PathBuf, PathBuf) = ("x".repeat(100_000).into(), "gate".into());
    let taken = edges.take_through(given, gates).await;
    disarm();
    failure(taken)
}

/// Checks that nothing is handed back, and that the worker has ended for what it did.
async fn assert_used(worker: &Worker, mut failure: Box<CallFailure>) {
    assert!(failure.reclaim::<Bytes>("values").is_none(), "{failure}");
    let is_told = matches!(failure.cause(), FailureCause::WorkerDied { .. });
    assert!(is_told && !failure.is_retryable(), "{failure}");
    assert_eq!(protocol_violation(&worker.ended().await), USED);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_worker_returned_before_it_was_sent_is_not_handed_back() {
    for dispatcher in DISPATCHERS {
        watched(async {
            let (worker, edges) = start("unsent-returned", dispatcher).await;
            let mut ones = pin!(edges.ones(24));
            assert!(poll!(&mut ones).is_pending());
            let failure = give_in_vain(&edges, array()).await;
            let mut ours = ones.await.expect("whatever it is, it came");
            assert_used(&worker, failure).await;
            // The host has it alone.
            ours.view_mut().unwrap().fill(7);
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_worker_gave_again_before_it_was_sent_is_not_handed_back() {
    for dispatcher in DISPATCHERS {
        watched(async {
            let (worker, edges) = start("unsent-given-again", dispatcher).await;
            let mut known = array();
            edges.increment(&mut known, None).await.unwrap();
            let theirs = edges.ones(24).await.unwrap();
            let mut ones = pin!(edges.ones(24));
            assert!(poll!(&mut ones).is_pending());
            let failure = give_in_vain(&edges, theirs).await;
            let mut again = ones.await.expect("it was given away");
            assert_used(&worker, failure).await;
            again.view_mut().unwrap().fill(7);
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transfer_that_is_over_before_it_was_sent_ends_the_worker() {
    for (how, dispatcher) in [
        ("unsent-ended", Dispatcher::Reedbed),
        ("unsent-ended", Dispatcher::Tarpc),
        // The answer that lends it is there, and nobody has looked at it.
        ("unsent-lent", Dispatcher::Reedbed),
        ("unsent-lent", Dispatcher::Tarpc),
    ] {
        watched(async {
            let (worker, edges) = start(how, dispatcher).await;
            let mut ones = pin!(edges.ones(24));
            assert!(poll!(&mut ones).is_pending());
            let failure = give_in_vain(&edges, array()).await;
            assert_used(&worker, failure).await;
        })
        .await;
    }
}

/// A worker that means well keeps nobody from what was not sent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_worker_left_alone_is_handed_back() {
    for dispatcher in DISPATCHERS {
        watched(async {
            let (_worker, edges) = start("unsent-left", dispatcher).await;
            let mut ones = pin!(edges.ones(24));
            assert!(poll!(&mut ones).is_pending());
            let mut failure = give_in_vain(&edges, array()).await;
            assert!(failure.is_retryable(), "{failure}");
            assert!(failure.to_string().contains("segments"), "{failure}");
            let mut given: Bytes = failure.reclaim("values").expect("it was not sent");
            given.view_mut().unwrap().fill(7);
            edges.disobey(1).await.expect("the worker goes on");
        })
        .await;
    }
}
