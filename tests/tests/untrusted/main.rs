//! A worker that means harm, which its host doesn't trust: whatever it does to memory that it was
//! shown, lent or given, nothing changes that the host looks at.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails where something is not as it should be"
)]

mod memory;
mod results;

use reedbed::{CallError, CallFailure, EndReason, Stub, Trust, Worker, WorkerEnd};

/// Starts a worker that misbehaves at the first call, and imports one of its modules.
pub(crate) async fn client<S: Stub>(how: &str) -> (Worker, S) {
    let worker = Worker::builder(env!("CARGO_BIN_EXE_misbehaving-worker"))
        .arg(format!("untrusted-{how}"))
        .trust(Trust::Untrusted)
        .log(|_| {});
    let worker = worker.spawn().await.unwrap();
    let client = worker.import().await.unwrap();
    (worker, client)
}

/// The failure of a call.
pub(crate) fn failure<T: std::fmt::Debug, E: std::fmt::Debug>(
    result: Result<T, CallError<E>>,
) -> Box<CallFailure> {
    match result {
        Err(CallError::Failed(failure)) => failure,
        other => panic!("the call fails; this came: {other:?}"),
    }
}

/// What a worker did that broke the protocol.
pub(crate) fn violation(end: &WorkerEnd) -> &str {
    match end.reason() {
        EndReason::ProtocolViolation(what) => what,
        other => panic!("the worker broke the protocol; this came: {other:?}, {end}"),
    }
}
