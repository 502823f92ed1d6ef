//! A worker that tries to break out of its sandbox, and what the system says to it.
//!
//! Each attempt is made twice: in a worker without a sandbox, where it succeeds, so that the test
//! knows that it tries something; and in one with, where it is refused.

mod environment;
mod failures;
mod files;
mod kernel;
mod launchers;
mod network;
mod processes;
mod programs;

use std::future::Future;

use reedbed::{CallError, Sandbox, Worker, WorkerBuilder};
use reedbed_tests::breakout::attempts::Client;
use reedbed_tests::watched::watched;

const WORKER: &str = env!("CARGO_BIN_EXE_breakout-worker");
const LAUNCHER: &str = env!("CARGO_BIN_EXE_stock-worker");

/// What an attempt comes to.
type Attempt<T> = Result<T, CallError<i32>>;

/// A sandbox that allows nothing.
fn nothing() -> Sandbox {
    Sandbox::new().launcher(LAUNCHER)
}

fn builder() -> WorkerBuilder {
    Worker::builder(WORKER).log(|_| {})
}

/// Starts a worker without a sandbox.
async fn free() -> (Worker, Client) {
    started(builder()).await
}

/// Starts a worker in a sandbox.
async fn confined(sandbox: Sandbox) -> (Worker, Client) {
    started(builder().sandbox(sandbox)).await
}

async fn started(builder: WorkerBuilder) -> (Worker, Client) {
    let worker = builder.spawn().await.expect("the worker starts");
    let client = worker.import().await.expect("the module is served");
    (worker, client)
}

/// The system's error of an attempt that failed.
fn refusal<T: std::fmt::Debug>(attempt: Attempt<T>) -> i32 {
    match attempt {
        Err(CallError::Returned(errno)) => errno,
        other => panic!("the attempt is refused; this came: {other:?}"),
    }
}

fn is_refusal(errno: i32) -> bool {
    [libc::EPERM, libc::EACCES, libc::ENOSYS].contains(&errno)
}

/// Checks that an attempt succeeds in a worker without a sandbox, and is refused in one with.
async fn assert_refused<T, F>(what: &str, attempt: impl Fn(Client) -> F)
where
    T: std::fmt::Debug,
    F: Future<Output = Attempt<T>>,
{
    watched(assert_sandbox_refuses(what, attempt)).await;
}

/// As [`assert_refused`], within a test that is watched.
async fn assert_sandbox_refuses<T, F>(what: &str, attempt: impl Fn(Client) -> F)
where
    T: std::fmt::Debug,
    F: Future<Output = Attempt<T>>,
{
    let (_worker, client) = free().await;
    let success = attempt(client).await;
    assert!(success.is_ok(), "{what}, without a sandbox: {success:?}");
    assert_refused_to_confined(what, attempt).await;
}

/// As [`assert_refused`], of what without a sandbox only root may do.
async fn assert_refused_to_root<T, F>(what: &str, attempt: impl Fn(Client) -> F)
where
    T: std::fmt::Debug,
    F: Future<Output = Attempt<T>>,
{
    match rustix::process::geteuid().is_root() {
        true => assert_refused(what, attempt).await,
        false => assert_refused_to_all(what, attempt).await,
    }
}

/// Checks that an attempt is refused in a sandbox. What comes of it without one is the system's.
async fn assert_refused_to_all<T, F>(what: &str, attempt: impl Fn(Client) -> F)
where
    T: std::fmt::Debug,
    F: Future<Output = Attempt<T>>,
{
    watched(assert_refused_to_confined(what, attempt)).await;
}

async fn assert_refused_to_confined<T, F>(what: &str, attempt: impl Fn(Client) -> F)
where
    T: std::fmt::Debug,
    F: Future<Output = Attempt<T>>,
{
    let (_worker, client) = confined(nothing()).await;
    let errno = refusal(attempt(client.clone()).await);
    assert!(is_refusal(errno), "{what}: error {errno}");
    assert!(client.start_thread().await.is_ok(), "{what}: it lives on");
}
