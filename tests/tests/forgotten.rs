//! What is forgotten, or kept for too long, keeps nothing that a dead worker needed.

use std::fs;
use std::task::{Context, Waker};
use std::time::Duration;

use futures::FutureExt;
use reedbed::Worker;
use reedbed_tests::gate::Gates;
use reedbed_tests::modules::control;
use reedbed_tests::services::{KeeperClient, KeeperInstance};
use reedbed_tests::system;
use tokio::time::timeout;

type TestResult = Result<(), Box<dyn std::error::Error>>;

const WORKER: &str = env!("CARGO_BIN_EXE_test-worker");
const GRACE: Duration = Duration::ZERO;

/// The sockets and eventfds of this process, and what it maps of segments: rings among them.
fn held() -> (usize, usize) {
    let is_channel = |path: &std::path::Path| {
        fs::read_link(path).is_ok_and(|to| {
            let to = to.to_string_lossy();
            to.starts_with("socket:") || to.starts_with("anon_inode:[eventfd]")
        })
    };
    let folder = fs::read_dir("/proc/self/fd").into_iter().flatten();
    let descriptors = folder
        .flatten()
        .filter(|entry| is_channel(&entry.path()))
        .count();
    (descriptors, system::segment_mappings(std::process::id()))
}

#[tokio::test]
async fn forgotten_calls_and_lost_instances_keep_no_channel() -> TestResult {
    let worker = Worker::spawn(WORKER).await?;
    let control = worker.import::<control::Client>().await?;
    let keepers = worker.import::<KeeperClient>().await?;
    let mut lost: Vec<KeeperInstance> = Vec::new();
    let gates = Gates::new();
    let before = held();
    for round in 0..4 {
        let keeper = keepers.new("lost".to_owned()).await?;
        let mut cx = Context::from_waker(Waker::noop());
        let gate = gates.make(&format!("{round}"));
        let mut call = control.pass((gate.clone(), gate));
        assert!(call.poll_unpin(&mut cx).is_pending());
        std::mem::forget(call);
        lost.push(keeper);
        worker.restart(GRACE).await?;
    }
    // The thread that has told of a worker's end lets go of its channel a moment later.
    let is_clean = async {
        while held() != before {
            tokio::task::yield_now().await;
        }
    };
    let is_clean = timeout(Duration::from_secs(20), is_clean).await;
    assert!(is_clean.is_ok(), "{:?} where {before:?} were", held());
    let error = lost[0].label().await.expect_err("it is lost");
    assert!(error.to_string().contains("was lost"), "{error}");
    Ok(())
}
