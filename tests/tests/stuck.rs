//! Workers that don't answer: how that is noticed, and what is done about it, step by step.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use futures::future::{join, poll_immediate};
use reedbed::{
    Backoff, CallError, CallFailure, ChannelKind, Dispatcher, EndReason, FailureCause, Heartbeat,
    RestartPolicy, StuckSign, StuckStep, Worker, WorkerBuilder, args,
};
use reedbed_tests::by_hand::bytes::Bytes;
use reedbed_tests::by_hand::frame::{self, Frame};
use reedbed_tests::by_hand::host::Host;
use reedbed_tests::gate::{Gates, pass};
use reedbed_tests::modules::{arrays, control, values};
use reedbed_tests::watched::{in_time, watched};
use rustix::process::{Pid, Signal};

type TestResult = Result<(), Box<dyn std::error::Error>>;

const WORKER: &str = env!("CARGO_BIN_EXE_test-worker");
const MISBEHAVING: &str = env!("CARGO_BIN_EXE_misbehaving-worker");

/// The wait between two beats: longer than a busy machine keeps a process from the processor.
const EVERY: Duration = Duration::from_millis(100);
/// Longer than a test may take.
const FOR_EVER: Duration = Duration::from_secs(3600);

const HEARTBEAT: Heartbeat = Heartbeat {
    every: EVERY,
    missed: 2,
    when_idle: false,
};

const SILENT: StuckSign = StuckSign::Silent {
    n_missed: 2,
    every: EVERY,
};

/// The bytes of a ping, a pong, a cancellation.
const FRAME_BYTES: u64 = 12;

fn builder() -> WorkerBuilder {
    Worker::builder(WORKER).name("sleeper").heartbeat(HEARTBEAT)
}

fn send(worker: &Worker, signal: Signal) -> TestResult {
    let id = worker.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    Ok(rustix::process::kill_process(
        id.ok_or("a process")?,
        signal,
    )?)
}

/// Stops all threads of a worker, and waits until they are (`man 5 proc_pid_stat`).
fn stop(worker: &Worker) -> TestResult {
    send(worker, Signal::STOP)?;
    let folder = format!("/proc/{}/task", worker.id().ok_or("a process")?);
    let is_stopped = |stat: &str| {
        stat.rsplit_once(") ")
            .is_some_and(|(_, rest)| rest.starts_with('T'))
    };
    loop {
        let threads = fs::read_dir(&folder)?.flatten();
        let mut stats =
            threads.filter_map(|thread| fs::read_to_string(thread.path().join("stat")).ok());
        if stats.all(|stat| is_stopped(&stat)) {
            return Ok(());
        }
        std::thread::yield_now();
    }
}

fn failure(error: CallError<impl Sized>) -> Box<CallFailure> {
    match error {
        CallError::Failed(failure) => failure,
        CallError::Returned(_) => panic!("no error of its own is expected"),
    }
}

/// The reason that a call's caller is told for its worker's end.
fn reason(failure: &CallFailure) -> EndReason {
    match failure.cause() {
        FailureCause::WorkerDied { end } => end.reason().clone(),
        cause => panic!("the worker is dead: {cause}"),
    }
}

#[tokio::test]
async fn a_stopped_worker_is_killed_whatever_carries_its_frames() -> TestResult {
    watched(async {
        for kind in [ChannelKind::Ring, ChannelKind::Socket] {
            let worker = builder().channel(kind).spawn().await?;
            let values = worker.import::<values::Client>().await?;
            values.nothing().await?;
            stop(&worker)?;
            let failure = failure(values.nothing().await.unwrap_err());
            // Stopped, it can't hear SIGTERM.
            let step = StuckStep::Killed;
            assert_eq!(reason(&failure), EndReason::Stuck { sign: SILENT, step });
            let told = "the worker ended with the call in flight: it was stuck and was ended by \
                        SIGKILL, having ignored SIGTERM: it answered none of 2 heartbeats in a \
                        row, one each 100ms";
            assert!(failure.to_string().contains(told), "{failure}");
        }
        Ok(())
    })
    .await
}

/// A description is awaited as a call is, without a deadline of its own.
#[tokio::test]
async fn a_worker_that_is_stopped_before_it_describes_a_module_is_killed() -> TestResult {
    watched(async {
        let worker = builder().spawn().await?;
        stop(&worker)?;
        let called = worker.call("values", "nothing", args![]).deadline(FOR_EVER);
        let failure = failure(called.await.unwrap_err());
        let FailureCause::WorkerGone { end } = failure.cause() else {
            panic!("nothing but a question was sent: {failure}");
        };
        let step = StuckStep::Killed;
        assert_eq!(*end.reason(), EndReason::Stuck { sign: SILENT, step });
        assert!(failure.is_retryable());
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_stopped_worker_is_started_again() -> TestResult {
    watched(async {
        let policy = RestartPolicy::OnFailure(Backoff::default());
        let worker = builder().restart_policy(policy).spawn().await?;
        let values = worker.import::<values::Client>().await?;
        stop(&worker)?;
        assert!(values.nothing().await.is_err());
        values.nothing().await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_worker_that_nobody_calls_is_asked_if_that_is_wanted() -> TestResult {
    watched(async {
        let heartbeat = Heartbeat {
            when_idle: true,
            ..HEARTBEAT
        };
        let worker = builder().heartbeat(heartbeat).spawn().await?;
        stop(&worker)?;
        let step = StuckStep::Killed;
        let end = worker.ended().await;
        assert_eq!(end.reason(), &EndReason::Stuck { sign: SILENT, step });
        Ok(())
    })
    .await
}

/// Waits until so many bytes more were sent and received.
async fn more_traffic(worker: &Worker, sent_bytes: u64, received_bytes: u64) {
    let before = worker.traffic();
    loop {
        let now = worker.traffic();
        if now.sent_bytes >= before.sent_bytes + sent_bytes
            && now.received_bytes >= before.received_bytes + received_bytes
        {
            return;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_function_that_takes_long_is_no_sign() -> TestResult {
    watched(async {
        for kind in [ChannelKind::Ring, ChannelKind::Socket] {
            let worker = builder().channel(kind).spawn().await?;
            let control = worker.import::<control::Client>().await?;
            let gates = Gates::new();
            let (began, ends) = gates.pair();
            let call = control.pass((began.clone(), ends.clone()));
            let rest = async {
                pass(&began).await;
                // Far more than it may miss, and each was answered.
                more_traffic(&worker, 6 * FRAME_BYTES, 6 * FRAME_BYTES).await;
                pass(&ends).await;
            };
            let (answer, ()) = join(call, rest).await;
            assert_eq!(answer?, 7);
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_worker_that_recovers_lives_on_and_its_calls_are_cancelled() -> TestResult {
    watched(async {
        for dispatcher in [Dispatcher::Reedbed, Dispatcher::Tarpc] {
            // It has all the time it wants to recover.
            let builder = builder().dispatcher(dispatcher).stuck_timeout(FOR_EVER);
            is_told_when_its_worker_has_recovered(builder).await?;
        }
        Ok(())
    })
    .await
}

/// Makes a call of a worker that is stopped for a while; checks that it is cancelled, and how that is told.
async fn is_told_when_its_worker_has_recovered(builder: WorkerBuilder) -> TestResult {
    let worker = builder.spawn().await?;
    let control = worker.import::<control::Client>().await?;
    let gates = Gates::new();
    let (began, ends) = gates.pair();
    let call = control.run_until_cancelled((began.clone(), ends.clone()));
    let rest = async {
        pass(&began).await;
        stop(&worker)?;
        // Two questions, and the cancellation, which is as long as one at least.
        more_traffic(&worker, 3 * FRAME_BYTES, 0).await;
        send(&worker, Signal::CONT)?;
        pass(&ends).await;
        TestResult::Ok(())
    };
    let (answer, told) = join(call, rest).await;
    told?;
    let failure = failure(answer.expect_err("it was cancelled"));
    let FailureCause::Cancelled { sign, has_begun } = failure.cause() else {
        panic!("{failure}");
    };
    assert_eq!((*sign, *has_begun), (SILENT, true));
    assert!(!failure.is_retryable());
    control.process_id().await?;
    Ok(())
}

/// Two gates, the second of which is never opened.
fn never(gates: &Gates) -> (PathBuf, PathBuf) {
    gates.pair()
}

#[tokio::test]
async fn a_call_that_goes_on_beyond_its_deadline_ends_the_worker() -> TestResult {
    watched(async {
        let limit = Duration::from_millis(300);
        let worker = Worker::builder(WORKER).stuck_timeout(limit).spawn().await?;
        let control = worker.import::<control::Client>().await?;
        let arrays = worker.import::<arrays::Client>().await?;
        let gates = Gates::new();
        let (began, never) = never(&gates);
        let late = control.pass((began.clone(), never)).deadline(limit);
        let other = Gates::new();
        let gate = other.pair();
        let mut labels = reedbed::Tensor::<u32, ndarray::Ix2>::zeros((2, 2))?;
        let bystander = arrays.fill_in_two_steps(&mut labels, 3, gate.clone());
        let open = async {
            pass(&began).await;
            pass(&gate.0).await;
        };
        let (late, (bystander, ())) = join(late, join(bystander, open)).await;
        let late = failure(late.unwrap_err());
        let cause = late.cause();
        assert!(
            matches!(cause, FailureCause::DeadlineExceeded { .. }),
            "{cause}"
        );
        // The function doesn't look whether it is cancelled, but its process heeds SIGTERM.
        let (sign, step) = (StuckSign::Overdue { limit }, StuckStep::Terminated);
        let stuck = EndReason::Stuck { sign, step };
        assert_eq!(reason(&failure(bystander.unwrap_err())), stuck);
        assert_eq!(worker.ended().await.reason(), &stuck);
        assert!(labels.is_poisoned());
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_call_that_goes_on_beyond_its_cancellation_ends_the_worker() -> TestResult {
    watched(async {
        let limit = Duration::from_millis(300);
        let worker = Worker::builder(WORKER).stuck_timeout(limit).spawn().await?;
        let control = worker.import::<control::Client>().await?;
        let gates = Gates::new();
        let (began, never) = never(&gates);
        {
            let call = control.pass((began.clone(), never));
            let mut call = std::pin::pin!(call);
            assert!(poll_immediate(&mut call).await.is_none());
            pass(&began).await;
        }
        let (sign, step) = (StuckSign::Overdue { limit }, StuckStep::Terminated);
        let end = worker.ended().await;
        assert_eq!(end.reason(), &EndReason::Stuck { sign, step });
        assert_eq!(
            end.to_string(),
            "it was stuck and was ended by SIGTERM: it had not let go of a call 300ms after that \
             was cancelled or its deadline passed"
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_call_that_heeds_its_cancellation_ends_nothing() -> TestResult {
    watched(async {
        let limit = Duration::from_secs(2);
        let worker = Worker::builder(WORKER).stuck_timeout(limit).spawn().await?;
        let control = worker.import::<control::Client>().await?;
        let gates = Gates::new();
        let pair = gates.pair();
        {
            let call = control.run_until_cancelled(pair.clone());
            let mut call = std::pin::pin!(call);
            assert!(poll_immediate(&mut call).await.is_none());
            pass(&pair.0).await;
        }
        pass(&pair.1).await;
        while worker.n_calls_in_flight() > 0 {
            tokio::task::yield_now().await;
        }
        // Well past the limit of a call that is over.
        let id = control.process_id().await?;
        let waits = control.pass(gates_of(&gates)).deadline(limit + limit / 4);
        let late = failure(waits.await.unwrap_err());
        assert!(
            matches!(late.cause(), FailureCause::DeadlineExceeded { .. }),
            "{late}"
        );
        assert_eq!(worker.id(), Some(id));
        Ok(())
    })
    .await
}

fn gates_of(gates: &Gates) -> (PathBuf, PathBuf) {
    (gates.make("third"), gates.make("fourth"))
}

#[test]
fn a_ping_is_answered_in_order_whatever_the_functions_do() {
    in_time(|| {
        let host = Host::greeted(WORKER);
        host.send(&frame::ping(1));
        assert_eq!(host.receive(), Frame::Pong { n: 1 });
        let gates = Gates::new();
        let never = gates.pair();
        let path = |path: &PathBuf| path.display().to_string();
        let body = Bytes::new().run(path(&never.0)).run(path(&never.1)).done();
        host.call(1, "control.pass", &[], &body);
        for n in 2..5 {
            host.send(&frame::ping(n));
        }
        for n in 2..5 {
            assert_eq!(host.receive(), Frame::Pong { n });
        }
        drop(gates);
    });
}

#[test]
fn a_worker_asks_nothing() {
    in_time(|| {
        let host = Host::greeted(WORKER);
        host.send(&frame::pong(1));
        host.assert_violation("sent a frame that a host doesn't send");
    });
}

#[tokio::test]
async fn an_answer_that_is_not_due_ends_the_worker() -> TestResult {
    watched(async {
        for how in ["answers-no-ping", "answers-twice"] {
            let worker = Worker::builder(MISBEHAVING).arg(how).heartbeat(HEARTBEAT);
            let worker = worker.stuck_timeout(FOR_EVER).spawn().await?;
            let arrays = worker.import::<arrays::Client>().await?;
            let failure = failure(arrays.range(3).await.unwrap_err());
            let EndReason::ProtocolViolation(what) = reason(&failure) else {
                panic!("{how}: {failure}");
            };
            assert!(
                what.contains("which was not asked, or not next"),
                "{how}: {what}"
            );
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_worker_that_reads_and_does_not_answer_is_stuck() -> TestResult {
    watched(async {
        let worker = Worker::builder(MISBEHAVING).arg("ignores-pings");
        let worker = worker.heartbeat(HEARTBEAT).spawn().await?;
        let arrays = worker.import::<arrays::Client>().await?;
        let failure = failure(arrays.range(3).await.unwrap_err());
        let step = StuckStep::Terminated;
        assert_eq!(reason(&failure), EndReason::Stuck { sign: SILENT, step });
        Ok(())
    })
    .await
}
