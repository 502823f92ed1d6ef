//! Workers that are started again of themselves: when, how often, and what becomes of their calls.

mod by_hand;
mod holders;
mod in_flight;
mod policies;
mod waiting;

use std::path::Path;
use std::time::Duration;

use futures::future::poll_immediate;
use reedbed::{Backoff, CallFailure, EndReason, RestartPolicy, SpawnError, Worker, WorkerBuilder};
use rustix::process::{Pid, Signal};

type TestResult = Result<(), Box<dyn std::error::Error>>;

const WORKER: &str = env!("CARGO_BIN_EXE_test-worker");

/// Long enough for every worker here; none takes that long.
const GRACE: Duration = Duration::from_secs(20);
/// Longer than a test may take.
const FOR_EVER: Duration = Duration::from_secs(3600);

/// Starts a worker again at once, as often as need be.
const QUICK: Backoff = Backoff {
    first: Duration::from_millis(1),
    longest: Duration::from_millis(1),
    factor: 1,
    n_restarts: 1000,
    window: FOR_EVER,
};

/// Waits longer than a test may take.
const SLOW: Backoff = Backoff {
    first: FOR_EVER,
    longest: FOR_EVER,
    ..QUICK
};

fn builder(policy: RestartPolicy) -> WorkerBuilder {
    Worker::builder(WORKER)
        .name("phoenix")
        .log(|_| {})
        .restart_policy(policy)
}

/// A worker that is started again after each failure.
async fn spawn(backoff: Backoff) -> Result<Worker, SpawnError> {
    builder(RestartPolicy::OnFailure(backoff)).spawn().await
}

/// Kills the process that is there now, and waits until everybody knows.
async fn kill(worker: &Worker) -> Result<u32, Box<dyn std::error::Error>> {
    let id = worker.id().ok_or("a process")?;
    let pid = Pid::from_raw(id.cast_signed()).ok_or("a process")?;
    // Asked for before: the next one isn't waited for.
    let ended = worker.ended();
    let mut ended = std::pin::pin!(ended);
    assert!(poll_immediate(&mut ended).await.is_none());
    rustix::process::kill_process(pid, Signal::KILL)?;
    assert_eq!(ended.await.reason(), &EndReason::Signalled(9));
    Ok(id)
}

fn failure(error: reedbed::CallError<impl Sized>) -> Box<CallFailure> {
    match error {
        reedbed::CallError::Failed(failure) => failure,
        reedbed::CallError::Returned(_) => panic!("no error of its own is expected"),
    }
}

/// A program of the shell's.
fn script(folder: &Path, commands: &str) -> std::io::Result<std::path::PathBuf> {
    let program = folder.join("script");
    reedbed_tests::program::script(&program, commands)?;
    Ok(program)
}
