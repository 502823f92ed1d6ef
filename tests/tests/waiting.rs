//! How callers and workers wait for each other: nothing but latency and processor time depends on it.

use std::time::Duration;

use futures::executor::block_on;
use reedbed::{CallError, EndReason, FailureCause, WaitPolicy, Worker, blocking};
use reedbed_tests::gate::{self, Gates};
use reedbed_tests::modules::{control, values};
use reedbed_tests::system;
use reedbed_tests::watched::in_time;
use rustix::process::{Pid, Signal};
use tokio::time::timeout;

type TestResult = Result<(), Box<dyn std::error::Error + Send + Sync>>;

const WORKER: &str = env!("CARGO_BIN_EXE_test-worker");
const POLICIES: [WaitPolicy; 3] = [WaitPolicy::Adaptive, WaitPolicy::Park, WaitPolicy::Spin];

fn start(policy: WaitPolicy) -> Result<blocking::Worker, Box<dyn std::error::Error + Send + Sync>> {
    let builder = Worker::builder(WORKER).wait(policy).log(|_| {});
    Ok(blocking::Worker::start(builder)?)
}

fn kill(worker: u32) {
    let worker = Pid::from_raw(worker.cast_signed()).expect("a process number");
    rustix::process::kill_process(worker, Signal::KILL).expect("a worker");
}

fn assert_died<T: std::fmt::Debug>(result: Result<T, CallError>) {
    match result {
        Err(CallError::Failed(failure)) => match failure.cause() {
            FailureCause::WorkerDied { end } => {
                assert!(matches!(end.reason(), EndReason::Signalled(_)), "{end}");
            }
            other => panic!("{other}"),
        },
        other => panic!("{other:?}"),
    }
}

#[test]
fn calls_are_answered_whoever_waits_how() -> TestResult {
    for policy in POLICIES {
        in_time(move || -> TestResult {
            let worker = start(policy)?;
            let values = worker.import::<values::BlockingClient>()?;
            for n in 0..2000 {
                assert_eq!(values.echo(n.to_string())?, n.to_string());
            }
            let end = worker.shutdown(Duration::from_secs(10));
            assert!(
                matches!(end.reason(), EndReason::Exited(0)),
                "{policy:?}: {end}"
            );
            Ok(())
        })?;
    }
    Ok(())
}

#[test]
fn what_a_worker_prints_is_read_while_its_caller_waits() -> TestResult {
    for policy in POLICIES {
        in_time(move || -> TestResult {
            let worker = start(policy)?;
            let control = worker.import::<control::BlockingClient>()?;
            // More than a pipe has room for.
            control.print("x".repeat(1 << 20), String::new())?;
            Ok(())
        })?;
    }
    Ok(())
}

#[test]
fn a_deadline_passes_while_its_caller_waits() -> TestResult {
    for policy in POLICIES {
        in_time(move || -> TestResult {
            let worker = start(policy)?;
            let control = block_on(worker.as_async().import::<control::Client>())?;
            let call = control.run_until_cancelled(("/no/gate".into(), "/no/gate".into()));
            match call.deadline(Duration::from_millis(30)).wait() {
                Err(CallError::Failed(failure)) => {
                    let cause = failure.cause();
                    assert!(
                        matches!(cause, FailureCause::DeadlineExceeded { .. }),
                        "{cause}"
                    );
                }
                other => panic!("{policy:?}: {other:?}"),
            }
            Ok(())
        })?;
    }
    Ok(())
}

#[test]
fn a_worker_that_is_killed_ends_the_calls_that_wait_for_it() -> TestResult {
    for policy in POLICIES {
        in_time(move || -> TestResult {
            let worker = start(policy)?;
            let id = worker.as_async().id().expect("a process");
            let gates = Gates::new();
            let callers: Vec<_> = (0..4)
                .map(|n| {
                    let control = worker.import::<control::BlockingClient>()?;
                    let pair = (gates.make(&n.to_string()), "/no/gate".into());
                    let gate = pair.0.clone();
                    let caller = std::thread::spawn(move || control.run_until_cancelled(pair));
                    // It runs now, and its caller waits.
                    std::fs::OpenOptions::new().write(true).open(gate)?;
                    Ok(caller)
                })
                .collect::<Result<_, Box<dyn std::error::Error + Send + Sync>>>()?;
            kill(id);
            for caller in callers {
                assert_died(caller.join().expect("no panic"));
            }
            assert!(!system::exists(id));
            Ok(())
        })?;
    }
    Ok(())
}

#[test]
fn an_asynchronous_caller_leaves_the_thread_to_others() -> TestResult {
    for policy in POLICIES {
        in_time(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(async {
                let worker = Worker::builder(WORKER).wait(policy).spawn().await?;
                let control = worker.import::<control::Client>().await?;
                let gates = Gates::new();
                let pair = gates.pair();
                let call = control.pass(pair.clone());
                let others = async {
                    // The call ends when this has had its turn.
                    gate::pass(&pair.0).await;
                    gate::pass(&pair.1).await;
                };
                let (seven, ()) = tokio::join!(call, others);
                assert_eq!(seven?, 7);
                let never = control.run_until_cancelled(("/no/gate".into(), "/no/gate".into()));
                let timed = timeout(Duration::from_millis(30), never).await;
                assert!(timed.is_err());
                assert_eq!(control.process_id().await?, worker.id().expect("a process"));
                TestResult::Ok(())
            })
        })?;
    }
    Ok(())
}

/// Whether a thread of this process runs, or would if there were a processor for it (`man 5
/// proc_pid_stat`).
fn is_running(thread: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/self/task/{thread}/stat"));
    let stat = stat.expect("a thread of this process");
    // The name, in parentheses, may have spaces.
    let (_, fields) = stat.rsplit_once(')').expect("a name");
    fields.trim_start().starts_with('R')
}

#[test]
fn a_caller_sleeps_while_a_function_runs_unless_it_spins() -> TestResult {
    for policy in POLICIES {
        in_time(move || -> TestResult {
            let worker = start(policy)?;
            let control = worker.import::<control::BlockingClient>()?;
            let gates = Gates::new();
            let pair = gates.pair();
            let open = |gate| std::fs::OpenOptions::new().write(true).open(gate);
            let (tell, told) = std::sync::mpsc::channel();
            let caller = std::thread::spawn({
                let pair = pair.clone();
                move || {
                    let _ = tell.send(rustix::thread::gettid().as_raw_pid());
                    control.pass(pair)
                }
            });
            let thread = told.recv()?;
            // The function runs now.
            open(&pair.0)?;
            if policy == WaitPolicy::Spin {
                assert!((0..1000).all(|_| is_running(thread)));
            } else {
                while is_running(thread) {
                    std::thread::yield_now();
                }
            }
            open(&pair.1)?;
            assert_eq!(caller.join().expect("no panic")?, 7);
            Ok(())
        })?;
    }
    Ok(())
}

#[test]
fn a_worker_that_spins_is_busy_until_its_host_is_done_with_it() -> TestResult {
    in_time(|| {
        let worker = start(WaitPolicy::Spin)?;
        let id = worker.as_async().id().expect("a process");
        let n_ticks = || -> u64 {
            let threads = system::activity(id).into_values();
            threads.flat_map(|thread| thread.n_ticks).sum()
        };
        let before = n_ticks();
        while n_ticks() < before + 10 {
            std::thread::yield_now();
        }
        let end = worker.shutdown(Duration::from_secs(10));
        assert!(matches!(end.reason(), EndReason::Exited(0)), "{end}");
        Ok(())
    })
}

#[tokio::test]
async fn calls_that_end_at_once_give_way_to_other_tasks() -> TestResult {
    let worker = Worker::spawn(WORKER).await?;
    let values = worker.import::<values::Client>().await?;
    worker.shutdown(Duration::from_secs(10)).await;
    // On the only thread, whose turn comes when the calls, each of which fails at its first poll, let it.
    let other = tokio::spawn(async {});
    let n_calls = 10_000;
    for n in 0..=n_calls {
        assert!(n < n_calls, "nobody else had a turn during {n} calls");
        values.echo(String::new()).await.expect_err("it is gone");
        if other.is_finished() {
            break;
        }
    }
    Ok(())
}
