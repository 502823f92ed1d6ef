//! A worker that speaks the wire by hand, to a real host: what it does wrong ends the worker or
//! fails a call, with an error that says what happened. Nothing hangs, and nothing is left behind.
//!
//! All of it happens twice: here over the socket, in `hostile_worker_over_rings.rs` through rings.

mod answers;
mod floods;
mod frames;
mod long_frames;
mod negotiated;
mod over_tarpc;
mod results;
mod segments;
#[cfg(feature = "failpoints")]
mod unsent;

use std::future::Future;

use ndarray::Ix1;
use reedbed::{
    CallError, CallFailure, EndReason, FailureCause, Tensor, Worker, WorkerBuilder, WorkerEnd,
    ndarray,
};
use reedbed_tests::modules::arrays;
use reedbed_tests::system;
use reedbed_tests::watched::watched;

const WORKER: &str = env!("CARGO_BIN_EXE_misbehaving-worker");

/// A worker that misbehaves over the socket, or through rings.
fn builder(how: &str) -> WorkerBuilder {
    let is_over_rings = env!("CARGO_CRATE_NAME").ends_with("over_rings");
    let over = if is_over_rings {
        "over-rings"
    } else {
        "over-the-socket"
    };
    Worker::builder(WORKER).args([how, over]).log(|_| {})
}

async fn spawn(how: &str) -> Worker {
    let worker = builder(how).spawn();
    worker.await.expect("the handshake is as it should be")
}

/// Starts a worker that misbehaves at the first call.
async fn client(how: &str) -> (Worker, arrays::Client) {
    let worker = spawn(how).await;
    let client = worker.import().await.expect("the module is served");
    (worker, client)
}

fn failure<T: std::fmt::Debug, E: std::fmt::Debug>(
    result: Result<T, CallError<E>>,
) -> Box<CallFailure> {
    match result {
        Err(CallError::Failed(failure)) => failure,
        other => panic!("the call fails; this came: {other:?}"),
    }
}

fn protocol_violation(end: &WorkerEnd) -> &str {
    match end.reason() {
        EndReason::ProtocolViolation(what) => what,
        other => panic!("the worker broke the protocol; this came: {other:?}, {end}"),
    }
}

/// Calls a function of a worker that then breaks the protocol, and checks that the call's error, and
/// the worker's end, say `what` it did.
async fn assert_violation<T, E, F>(how: &str, what: &str, call: impl FnOnce(arrays::Client) -> F)
where
    T: std::fmt::Debug,
    E: std::fmt::Debug,
    F: Future<Output = Result<T, CallError<E>>>,
{
    assert_violation_by(builder(how), how, what, call).await;
}

/// The same of a worker that was set up with more than how to misbehave.
async fn assert_violation_by<T, E, F>(
    builder: WorkerBuilder,
    how: &str,
    what: &str,
    call: impl FnOnce(arrays::Client) -> F,
) where
    T: std::fmt::Debug,
    E: std::fmt::Debug,
    F: Future<Output = Result<T, CallError<E>>>,
{
    watched(async {
        let worker = builder
            .spawn()
            .await
            .expect("the handshake is as it should be");
        let client = worker.import().await.expect("the module is served");
        let failure = failure(call(client).await);
        let FailureCause::WorkerDied { end } = failure.cause() else {
            panic!("{how}: {failure}");
        };
        assert!(protocol_violation(end).contains(what), "{how}: {failure}");
        let text = failure.to_string();
        let said =
            "the worker ended with the call in flight: it broke the protocol and was stopped";
        assert!(
            text.contains(said) && text.contains("`misbehaving-worker`"),
            "{text}"
        );
        assert!(!failure.is_retryable());
        assert!(protocol_violation(&worker.ended().await).contains(what));
        assert!(!system::exists(worker.id().expect("a process")));
    })
    .await;
}

async fn range(client: arrays::Client) -> Result<Tensor<f64, Ix1>, CallError> {
    client.range(3).await
}
