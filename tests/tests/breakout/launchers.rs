//! Who launches a sandboxed worker.

use std::process::{Command, Stdio};
use std::time::Duration;

use reedbed::library_beside;
use reedbed_tests::modules::{arrays, control};

use super::*;

#[tokio::test]
async fn arrays_are_shared_with_a_sandboxed_worker() {
    watched(async {
        let (worker, _client) = confined(nothing()).await;
        let arrays: arrays::Client = worker.import().await.expect("it is served");
        let values = reedbed::Tensor::from(reedbed::ndarray::Array1::<i64>::ones(100_000));
        assert_eq!(arrays.sum(&values).await.expect("a sum"), 100_000);
        let range = arrays.range(100_000).await.expect("a range");
        assert_eq!(range.view().expect("nobody else has it").len(), 100_000);
        let mut filled =
            reedbed::Tensor::<u32, reedbed::ndarray::Ix2>::zeros((300, 300)).expect("room");
        arrays.fill(&mut filled, 7).await.expect("filled");
        assert!(filled.view().expect("released").iter().all(|n| *n == 7));
        let end = worker.shutdown(Duration::from_secs(10)).await;
        assert_eq!(end.reason(), &reedbed::EndReason::Exited(0), "{end}");
    })
    .await;
}

#[tokio::test]
async fn a_sandboxed_worker_writes_nothing_that_it_reads() {
    watched(async {
        let builder = Worker::builder(env!("CARGO_BIN_EXE_misbehaving-worker"))
            .arg("untrusted-writes-what-it-reads")
            .trust(reedbed::Trust::Untrusted)
            .log(|_| {})
            .sandbox(nothing());
        let worker = builder.spawn().await.expect("a handshake");
        let arrays: arrays::Client = worker.import().await.expect("it is served");
        let values = worker.tensor(&reedbed::ndarray::Array1::from_elem(1000, 7i64));
        let values = values.expect("room");
        let n_ways = arrays.sum(&values).forbid_copies().await;
        assert_eq!(n_ways.expect("it tells how many worked"), 0);
        let view = values.view().expect("released");
        assert!(view.iter().all(|value| *value == 7));
    })
    .await;
}

#[tokio::test]
async fn a_library_is_served_from_a_sandbox() {
    watched(async {
        let library = library_beside("test_library").expect("it is built");
        let builder = Worker::builder(LAUNCHER).arg("--module").arg(&library);
        let worker = builder
            .log(|_| {})
            .sandbox(nothing().read(&library))
            .spawn()
            .await;
        let worker = worker.expect("the library is served");
        let control: control::Client = worker.import().await.expect("it is served");
        assert!(control.process_id().await.is_ok());
    })
    .await;
}

#[tokio::test]
async fn a_restarted_worker_is_in_the_same_sandbox() {
    watched(async {
        let (worker, client) = confined(nothing()).await;
        worker
            .restart(Duration::ZERO)
            .await
            .expect("another process");
        let attempt = client.read("/etc/passwd".as_ref()).await;
        assert!(is_refusal(refusal(attempt)));
    })
    .await;
}

#[test]
fn a_program_that_runs_itself_launches_itself() {
    let host = env!("CARGO_BIN_EXE_test-host");
    let output = Command::new(host)
        .arg("sandboxed")
        .stdin(Stdio::null())
        .output();
    let output = output.expect("it runs");
    let (stdout, stderr) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{stderr}");
    assert_eq!(stdout, "it can't read /etc/passwd\n", "{stderr}");
}

#[test]
fn a_program_that_runs_itself_can_have_another_one_launch_it() {
    let mut host = Command::new(env!("CARGO_BIN_EXE_test-host"));
    let host = host.args(["sandboxed-by", LAUNCHER]);
    let output = host.stdin(Stdio::null()).output().expect("it runs");
    let (stdout, stderr) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{stderr}");
    assert_eq!(stdout, "it can't read /etc/passwd\n", "{stderr}");
}

#[test]
fn a_launcher_that_is_started_by_hand_says_so() {
    for stdin in [Stdio::null(), Stdio::piped()] {
        let mut launcher = Command::new(LAUNCHER);
        let output = launcher.arg("--reedbed-sandbox").stdin(stdin).output();
        let output = output.expect("it runs");
        assert_eq!(output.status.code(), Some(71));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.starts_with("a host starts this launcher"), "{said}");
    }
}
