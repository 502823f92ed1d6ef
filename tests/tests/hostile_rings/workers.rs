//! Workers that write into rings what no worker writes, or are gone in the middle.

use reedbed::{CallError, EndReason, FailureCause, SpawnError, Worker};
use reedbed_tests::modules::arrays;
use reedbed_tests::watched::watched;
use rustix::process::{Pid, Signal};

const MISBEHAVING: &str = env!("CARGO_BIN_EXE_misbehaving-worker");

async fn spawn(how: &str) -> Result<Worker, SpawnError> {
    Worker::builder(MISBEHAVING)
        .arg(how)
        .log(|_| {})
        .spawn()
        .await
}

#[tokio::test]
async fn a_segment_that_can_not_hold_rings_makes_a_worker_incompatible() {
    for (how, what) in [
        (
            "ring-unsealed",
            "isn't a memfd sealed against shrinking and growing",
        ),
        (
            "ring-too-short",
            "it has 262144 bytes where 266240 were announced",
        ),
        (
            "ring-too-long",
            "it has 270336 bytes where 266240 were announced",
        ),
        (
            "ring-pipe",
            "isn't a memfd sealed against shrinking and growing",
        ),
        ("ring-missing", "didn't arrive"),
    ] {
        watched(async {
            let error = spawn(how).await.expect_err("no such worker starts");
            assert!(
                matches!(error, SpawnError::Incompatible { .. }),
                "{how}: {error:?}"
            );
            assert!(error.to_string().contains(what), "{how}: {error}");
        })
        .await;
    }
}

/// Calls a function twice at once, of which the worker answers neither; returns why.
async fn end_of(how: &str) -> EndReason {
    watched(async {
        let worker = spawn(how).await.expect("the handshake is as it should be");
        let client: arrays::Client = worker.import().await.expect("the module is served");
        let other = client.clone();
        // One that awaits, one that blocks.
        let blocked = tokio::task::spawn_blocking(move || other.range(3).wait());
        let awaited = client.range(3).await;
        for result in [awaited, blocked.await.expect("no panic")] {
            let Err(CallError::Failed(failure)) = result else {
                panic!("{how}: {result:?}");
            };
            match failure.cause() {
                FailureCause::WorkerDied { .. } | FailureCause::WorkerGone { .. } => {}
                // It came when the connection was closed, and before the end was known.
                FailureCause::NotSent { .. } => assert!(failure.is_retryable()),
                other => panic!("{how}: {other}"),
            }
        }
        worker.ended().await.reason().clone()
    })
    .await
}

#[tokio::test]
async fn rings_that_are_given_as_an_array_end_the_worker() {
    let end = end_of("ring-given-away").await;
    let EndReason::ProtocolViolation(what) = &end else {
        panic!("{end}")
    };
    let expected = "sent an array in segment 1 that overlaps another one in use";
    assert!(what.contains(expected), "{what}");
}

#[tokio::test]
async fn what_no_worker_writes_ends_the_worker() {
    for (how, what) in [
        (
            "ring-frame-of-nothing",
            "put a frame of 0 bytes into the ring",
        ),
        (
            "ring-frame-too-long",
            "put a frame of 65537 bytes into the ring",
        ),
        (
            "ring-leaves-a-slot-out",
            "left slot 1 out of a frame of 100 bytes",
        ),
        (
            "ring-counts-a-message",
            "counted a message on the socket that isn't there",
        ),
        ("ring-garbage", "sent a malformed frame"),
    ] {
        match end_of(how).await {
            EndReason::ProtocolViolation(said) => assert!(said.contains(what), "{how}: {said}"),
            other => panic!("{how}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_worker_that_dies_in_the_middle_of_a_frame_has_died_and_no_more() {
    let killed = EndReason::Signalled(Signal::KILL.as_raw());
    assert_eq!(end_of("ring-dies-in-a-frame").await, killed);
}

#[tokio::test]
async fn a_worker_that_was_stopped_in_the_middle_of_a_frame_goes_on() {
    watched(async {
        let worker = spawn("ring-stops-in-a-frame").await.expect("a handshake");
        let client: arrays::Client = worker.import().await.expect("the module is served");
        let id = Pid::from_raw(worker.id().expect("a process").cast_signed()).expect("a number");
        let call = tokio::task::spawn_blocking(move || client.range(3).wait());
        // It has stopped itself with the frame written but for its first header.
        let is_stopped = || {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", id.as_raw_pid()));
            let stat = stat.expect("a live process");
            stat.rsplit_once(')')
                .is_some_and(|(_, fields)| fields.trim().starts_with('T'))
        };
        while !is_stopped() {
            tokio::task::yield_now().await;
        }
        assert!(!call.is_finished());
        rustix::process::kill_process(id, Signal::CONT).expect("the worker");
        let range = call.await.expect("no panic").expect("an answer");
        assert_eq!(range.view().expect("nobody else has it").sum(), 6.0);
    })
    .await;
}

#[tokio::test]
async fn a_worker_that_scribbles_while_it_answers_ends_at_most() {
    watched(async {
        let worker = spawn("ring-scribbles").await.expect("a handshake");
        let client: arrays::Client = worker.import().await.expect("the module is served");
        for _ in 0..1000 {
            match client.range(3).await {
                Ok(range) => assert_eq!(range.view().expect("nobody else has it").len(), 3),
                Err(_) => break,
            }
        }
        let reason = worker.shutdown(std::time::Duration::ZERO).await;
        let reason = reason.reason();
        let is_known = matches!(
            reason,
            EndReason::ProtocolViolation(_) | EndReason::Signalled(_) | EndReason::Exited(_)
        );
        assert!(is_known, "{reason:?}");
    })
    .await;
}
