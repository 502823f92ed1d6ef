//! Tests that must end in time and leave nothing behind.

use std::collections::BTreeSet;
use std::fs;
use std::future::Future;
use std::panic::resume_unwind;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::timeout;

/// How long a test may take, on a machine with much else to do. It is never waited out unless the test
/// fails.
pub(crate) const LIMIT: Duration = Duration::from_secs(120);

/// Tests that count descriptors and children have the process to themselves.
static TURN: Mutex<()> = Mutex::const_new(());

/// Runs a test; then checks that no child and no descriptor is left.
///
/// # Panics
/// If it takes too long, or leaves something behind.
pub async fn watched<T>(test: impl Future<Output = T>) -> T {
    let _turn = TURN.lock().await;
    let before = descriptors();
    let result = timeout(LIMIT, test).await.expect("the test ends in time");
    // A worker's thread closes its descriptors a moment after it has told that the worker ended.
    let is_clean = async {
        while !children().is_empty() || descriptors() > before {
            tokio::task::yield_now().await;
        }
    };
    if timeout(LIMIT, is_clean).await.is_err() {
        let (children, after) = (children(), descriptors());
        panic!("children {children:?} are left, and {after} descriptors where {before} were");
    }
    result
}

/// Runs a test that blocks, on a thread of its own.
///
/// # Panics
/// If it takes too long, and as the test does.
pub fn in_time<T: Send + 'static>(test: impl FnOnce() -> T + Send + 'static) -> T {
    let (ended, end) = mpsc::channel();
    let thread = thread::spawn(move || {
        let result = test();
        let _ = ended.send(());
        result
    });
    let waited = end.recv_timeout(LIMIT);
    assert_ne!(waited, Err(RecvTimeoutError::Timeout), "the test hangs");
    thread.join().unwrap_or_else(|panic| resume_unwind(panic))
}

/// The sockets, pipes and processes that this process has open. Segments are kept for later tensors;
/// and other tests, which wait for their turn, have runtimes with descriptors for polling.
fn descriptors() -> usize {
    let is_watched = |path: &std::path::Path| {
        fs::read_link(path).is_ok_and(|to| {
            let to = to.to_string_lossy();
            ["socket:", "pipe:", "anon_inode:[pidfd]"]
                .iter()
                .any(|kind| to.starts_with(kind))
        })
    };
    let folder = fs::read_dir("/proc/self/fd")
        .into_iter()
        .flatten()
        .flatten();
    folder.filter(|entry| is_watched(&entry.path())).count()
}

/// The children of this process, zombies included (`man 5 proc_pid_stat`).
#[must_use]
pub fn children() -> BTreeSet<u32> {
    let own = std::process::id().to_string();
    let parent = |pid: u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name, in parentheses, may have spaces.
        let (_, fields) = stat.rsplit_once(')')?;
        fields.split_whitespace().nth(1).map(str::to_owned)
    };
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| parent(*pid).as_ref() == Some(&own))
        .collect()
}
