//! How soon a worker's death reaches its callers, however they and the host's driver wait.
//!
//! `REEDBED_KILLS=1000 cargo test --test death -- --nocapture` prints how long that takes for each way of
//! waiting. (What the README says of it is what `cargo chaos` finds, where calls of all shapes are mixed.)

use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use futures::executor::block_on;
use futures::future::join_all;
use reedbed::{Backoff, FailureCause, RestartPolicy, WaitPolicy, Worker, WorkerBuilder};
use reedbed_tests::gate::Gates;
use reedbed_tests::modules::{control, values};
use rustix::process::{Pid, Signal};

type TestResult = Result<(), Box<dyn std::error::Error + Send + Sync>>;

const WORKER: &str = env!("CARGO_BIN_EXE_test-worker");

/// More than a death may take to be told, even here, where other tests want the processor.
const LIMIT: Duration = Duration::from_secs(2);

/// Kills of all kinds together, unless the environment says otherwise.
const KILLS: usize = 20;

fn builder() -> WorkerBuilder {
    let backoff = Backoff {
        first: Duration::ZERO,
        n_restarts: u32::MAX,
        ..Backoff::default()
    };
    Worker::builder(WORKER).restart_policy(RestartPolicy::Always(backoff))
}

/// A worker, its clients, and how long its deaths took to be told.
struct Trial {
    worker: Worker,
    control: control::Client,
    values: values::Client,
    told_after: Mutex<Vec<Duration>>,
    killed_at: Mutex<Instant>,
}

impl Trial {
    async fn new(builder: WorkerBuilder) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let worker = builder.spawn().await?;
        Ok(Self {
            control: worker.import().await?,
            values: worker.import().await?,
            worker,
            told_after: Mutex::default(),
            killed_at: Mutex::new(Instant::now()),
        })
    }

    fn kill(&self) {
        let id = self
            .worker
            .id()
            .and_then(|id| Pid::from_raw(id.cast_signed()));
        *self.killed_at.lock().expect("no panic") = Instant::now();
        rustix::process::kill_process(id.expect("a process"), Signal::KILL).expect("it lives");
    }

    /// Notes that a caller was told of the death.
    fn told(&self, cause: &FailureCause) {
        let after = self.killed_at.lock().expect("no panic").elapsed();
        assert!(matches!(cause, FailureCause::WorkerDied { .. }), "{cause}");
        self.told_after.lock().expect("no panic").push(after);
    }

    fn n_told(&self) -> usize {
        self.told_after.lock().expect("no panic").len()
    }

    /// Sees to it that the next process is there.
    async fn come_back(&self) -> TestResult {
        Ok(self.values.nothing().await?)
    }

    fn report(&self, what: &str) {
        let mut told_after = self.told_after.lock().expect("no panic");
        told_after.sort_unstable();
        let n = told_after.len();
        let at = |percent: usize| told_after[(n * percent / 100).min(n - 1)];
        println!(
            "{what}: {n} callers, p50 {:.2?}, p99 {:.2?}, worst {:.2?}",
            at(50),
            at(99),
            at(100)
        );
        assert!(at(100) < LIMIT, "{what}: {:?}", at(100));
    }
}

/// How many kills there are of each kind.
fn n_kills() -> usize {
    let wanted = std::env::var("REEDBED_KILLS").ok();
    let wanted = wanted.and_then(|n| n.parse().ok());
    wanted.unwrap_or(KILLS).div_ceil(KINDS)
}

/// The kinds below: tasks, threads that sleep, callers that never pause.
const KINDS: usize = 2 + 2 + 6;

/// A call in flight of each of `n` tasks.
#[tokio::test]
async fn a_task_that_waits_is_told_at_once() -> TestResult {
    for (n, what) in [(1, "one task"), (50, "fifty tasks")] {
        let trial = Trial::new(builder()).await?;
        for _ in 0..n_kills() {
            let gates = Gates::new();
            let (began, never) = gates.pair();
            let calls = (0..n).map(|index| {
                let gate = if index == 0 {
                    began.clone()
                } else {
                    never.clone()
                };
                async {
                    let error = trial.control.pass((gate, never.clone())).await.unwrap_err();
                    trial.told(error.failure().expect("it is dead").cause());
                }
            });
            let kill = async {
                reedbed_tests::gate::pass(&began).await;
                trial.kill();
            };
            futures::join!(join_all(calls), kill);
            trial.come_back().await?;
        }
        trial.report(what);
    }
    Ok(())
}

/// Threads that sleep: one on the ring's bell, the others until they are woken.
#[test]
fn a_thread_that_sleeps_is_told_at_once() -> TestResult {
    for policy in [WaitPolicy::Adaptive, WaitPolicy::Park] {
        let trial = Arc::new(block_on(Trial::new(builder().wait(policy)))?);
        for _ in 0..n_kills() {
            let gates = Gates::new();
            let (began, never) = gates.pair();
            thread::scope(|scope| {
                for gate in [&began, &never, &never] {
                    scope.spawn(|| {
                        let call = trial.control.pass((gate.clone(), never.clone()));
                        let error = call.wait().unwrap_err();
                        trial.told(error.failure().expect("it is dead").cause());
                    });
                }
                block_on_gate(&began);
                // Who is late would wait for the next process, and there for a gate that stays shut.
                while trial.worker.n_calls_in_flight() < 3 {
                    thread::yield_now();
                }
                trial.kill();
            });
            block_on(trial.come_back())?;
        }
        trial.report(&format!("threads that sleep, {policy:?}"));
    }
    Ok(())
}

fn block_on_gate(gate: &std::path::Path) {
    let opened = std::fs::OpenOptions::new().write(true).open(gate);
    opened.expect("the gate is there");
}

/// Calls one after another, so that caller and worker never sleep and the driver lingers.
fn call_without_pause(trial: &Trial, has_begun: &Barrier, is_async: bool) {
    let first = trial.worker.id();
    for n in 0.. {
        if n == 100 {
            has_begun.wait();
        }
        if trial.worker.id() != first {
            // It was killed between two calls, and the next one has waited.
            return;
        }
        let call = trial.values.nothing();
        let answer = if is_async {
            block_on(call)
        } else {
            call.wait()
        };
        if let Err(error) = answer {
            return trial.told(error.failure().expect("it is dead").cause());
        }
    }
}

#[test]
fn a_caller_that_never_pauses_is_told_at_once() -> TestResult {
    for policy in [WaitPolicy::Adaptive, WaitPolicy::Park, WaitPolicy::Spin] {
        for is_async in [false, true] {
            let trial = block_on(Trial::new(builder().wait(policy)))?;
            // A kill between two calls tells nobody.
            let mut n_killed = 0;
            while trial.n_told() < n_kills() {
                assert!(n_killed < 100 * n_kills(), "nobody is told");
                n_killed += 1;
                let has_begun = Barrier::new(2);
                thread::scope(|scope| {
                    scope.spawn(|| call_without_pause(&trial, &has_begun, is_async));
                    has_begun.wait();
                    trial.kill();
                });
                block_on(trial.come_back())?;
            }
            let how = if is_async { "futures" } else { "threads" };
            trial.report(&format!("{how} that never pause, {policy:?}"));
        }
    }
    Ok(())
}
