//! The edges: where calls are abandoned, threads panic, tables are full, processes fork and clocks
//! jump. Nothing is lost there, and whatever fails says so.

mod abandoned;
mod clock;
mod descriptors;
mod fork;
mod long_frames;
#[cfg(feature = "failpoints")]
mod mixed_crew;
mod panics;
#[cfg(feature = "failpoints")]
mod replies;

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::process::Command;
use std::task::{Context, Waker};
use std::time::Duration;

use reedbed_tests::system;
use tokio::sync::Mutex;
use tokio::time::timeout;

type TestResult<T = ()> = Result<T, Box<dyn Error>>;

const WORKER: &str = env!("CARGO_BIN_EXE_test-worker");
const HOST: &str = env!("CARGO_BIN_EXE_test-host");

/// How long a test may take. It is never waited out unless the test fails.
const LIMIT: Duration = Duration::from_secs(120);

/// Tests that count what this process has open have it to themselves.
static TURN: Mutex<()> = Mutex::const_new(());

/// Runs a test that must end in time, while no other one runs.
async fn alone<T>(test: impl Future<Output = T>) -> T {
    let _turn = TURN.lock().await;
    timeout(LIMIT, test).await.expect("the test ends in time")
}

/// Polls a future once, which isn't ready yet.
fn begin<F: Future>(future: Pin<&mut F>) {
    let polled = future.poll(&mut Context::from_waker(Waker::noop()));
    assert!(polled.is_pending(), "the worker doesn't answer at once");
}

/// What a host and its worker have of segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Segments {
    mapped_here: usize,
    open_here: usize,
    mapped_there: usize,
    open_there: usize,
}

impl Segments {
    /// Counts them.
    fn of(worker: u32) -> Self {
        let host = std::process::id();
        Self {
            mapped_here: system::segment_mappings(host),
            open_here: system::segment_descriptors(host),
            mapped_there: system::segment_mappings(worker),
            open_there: system::segment_descriptors(worker),
        }
    }
}

/// Runs a check of `src/limits` in a host of its own; returns what it printed.
fn check(name: &str) -> String {
    let output = Command::new(HOST)
        .args(["under-limits", WORKER, name])
        // Where threads have arenas of their own, there is room in those that no limit takes.
        .env("MALLOC_ARENA_MAX", "1")
        .output()
        .expect("the host starts");
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{}\n{stdout}\n{stderr}",
        output.status
    );
    stdout
}
