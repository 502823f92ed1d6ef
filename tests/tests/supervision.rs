//! Workers that are started again of themselves: when, how often, and what becomes of their calls.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::future::{join, join_all, poll_immediate};
use ndarray::{Ix1, array};
use reedbed::schema::{Schema, SchemaWriter};
use reedbed::{
    Backoff, CallFailure, ChannelKind, Crew, EndReason, FailureCause, Request, RestartError,
    RestartPolicy, SpawnError, Tensor, Worker, WorkerBuilder, args, blocking,
};
use reedbed_tests::deaths::ends;
use reedbed_tests::gate::{Gates, pass};
use reedbed_tests::modules::{arrays, control, values};
use reedbed_tests::services::KeeperClient;
use reedbed_tests::watched::{in_time, watched};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize, Serializer};

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

#[tokio::test]
async fn calls_go_on_after_every_failure() -> TestResult {
    watched(async {
        let worker = spawn(QUICK).await?;
        let ends = worker.import::<ends::Client>().await?;
        let values = worker.import::<values::Client>().await?;
        let control = worker.import::<control::Client>().await?;
        let mut before = control.process_id().await?;
        for round in 0..4 {
            let error = match round {
                0 => ends.signal(9).await,
                1 => ends.abort().await,
                2 => control.exit(1).await,
                _ => ends.panic_for_good("for good".to_owned()).await,
            };
            // Nobody knows how far it came, so it isn't repeated.
            let failure = failure(error.unwrap_err());
            let cause = failure.cause();
            assert!(matches!(cause, FailureCause::WorkerDied { .. }), "{cause}");
            // This one was not sent, so it is, to the next process.
            assert_eq!(values.echo("again".to_owned()).await?, "again");
            let after = control.process_id().await?;
            assert_ne!(before, after);
            before = after;
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn who_exits_in_peace_is_started_again_always_or_never() -> TestResult {
    watched(async {
        let worker = spawn(QUICK).await?;
        let control = worker.import::<control::Client>().await?;
        assert!(control.exit(0).await.is_err());
        let failure = failure(control.process_id().await.unwrap_err());
        let cause = failure.cause();
        assert!(matches!(cause, FailureCause::WorkerGone { .. }), "{cause}");

        let worker = builder(RestartPolicy::Always(QUICK)).spawn().await?;
        let control = worker.import::<control::Client>().await?;
        assert!(control.exit(0).await.is_err());
        control.process_id().await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn without_a_policy_nothing_comes_of_itself() -> TestResult {
    watched(async {
        let worker = Worker::spawn(WORKER).await?;
        let values = worker.import::<values::Client>().await?;
        kill(&worker).await?;
        let failure = failure(values.nothing().await.unwrap_err());
        let cause = failure.cause();
        assert!(matches!(cause, FailureCause::WorkerGone { .. }), "{cause}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_worker_that_ends_too_often_is_given_up() -> TestResult {
    watched(async {
        let backoff = Backoff {
            n_restarts: 2,
            ..QUICK
        };
        let worker = spawn(backoff).await?;
        let ends = worker.import::<ends::Client>().await?;
        for _ in 0..3 {
            let failure = failure(ends.signal(6).await.unwrap_err());
            let cause = failure.cause();
            assert!(matches!(cause, FailureCause::WorkerDied { .. }), "{cause}");
        }
        for _ in 0..2 {
            let failure = failure(ends.signal(6).await.unwrap_err());
            assert_eq!(
                failure.to_string(),
                "calling `ends::signal` in worker `phoenix` failed: it was not sent: the worker is \
                 given up: it was started again 2 times within 3600s and ended once more: it was \
                 killed by signal 6 (SIGABRT)"
            );
            assert!(failure.is_retryable(), "nothing was sent");
            let FailureCause::GivenUp { given_up } = failure.cause() else {
                panic!("{failure}");
            };
            assert_eq!((given_up.n_restarts(), given_up.window()), (2, FOR_EVER));
            assert_eq!(given_up.end().reason(), &EndReason::Signalled(6));
        }
        // By hand it can be started again, and what was is forgotten.
        worker.restart(GRACE).await?;
        for _ in 0..2 {
            let failure = failure(ends.signal(6).await.unwrap_err());
            let cause = failure.cause();
            assert!(matches!(cause, FailureCause::WorkerDied { .. }), "{cause}");
        }
        let values = worker.import::<values::Client>().await?;
        values.nothing().await?;
        Ok(())
    })
    .await
}

/// A program that says why it doesn't start.
fn broken(folder: &Path) -> std::io::Result<std::path::PathBuf> {
    script(folder, "echo there is no licence >&2\nexit 3\n")
}

/// A program of the shell's.
fn script(folder: &Path, commands: &str) -> std::io::Result<std::path::PathBuf> {
    let program = folder.join("script");
    reedbed_tests::program::script(&program, commands)?;
    Ok(program)
}

#[tokio::test]
async fn restarts_that_fail_count_and_are_told() -> TestResult {
    watched(async {
        let folder = tempfile::tempdir()?;
        let program = folder.path().join("worker");
        symlink(WORKER, &program)?;
        let backoff = Backoff {
            n_restarts: 3,
            ..QUICK
        };
        let worker = Worker::builder(&program).restart_policy(RestartPolicy::OnFailure(backoff));
        let worker = worker.log(|_| {}).spawn().await?;
        let values = worker.import::<values::Client>().await?;
        fs::remove_file(&program)?;
        symlink(broken(folder.path())?, &program)?;
        kill(&worker).await?;
        let failure = failure(values.nothing().await.unwrap_err());
        let FailureCause::GivenUp { given_up } = failure.cause() else {
            panic!("{failure}");
        };
        assert_eq!(given_up.n_restarts(), 3);
        let Some(RestartError::Spawn(SpawnError::Ended { end, .. })) = given_up.failure() else {
            panic!("{given_up}");
        };
        assert_eq!(end.reason(), &EndReason::Exited(3));
        assert!(
            failure.to_string().contains("there is no licence"),
            "{failure}"
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_call_waits_for_its_deadline_and_what_was_given_comes_back() -> TestResult {
    watched(async {
        let worker = spawn(SLOW).await?;
        let ends = worker.import::<ends::Client>().await?;
        kill(&worker).await?;
        let lent = Tensor::from(array![1i64, 2]);
        let mut filled = Tensor::from(array![0i64]);
        let given = Tensor::from(array![7i64, 8, 9]);
        let limit = Duration::from_millis(30);
        let call = ends.weigh(given, &lent, &mut filled, "pound".to_owned());
        let mut failure = failure(call.deadline(limit).await.unwrap_err());
        let cause = failure.cause();
        assert!(
            matches!(cause, FailureCause::DeadlineExceeded { .. }),
            "{cause}"
        );
        let given: Tensor<i64, Ix1> = failure.reclaim("given").expect("it was not sent");
        assert_eq!(given.view()?, array![7, 8, 9].view());
        assert_eq!(filled.view_mut()?, array![0].view_mut(), "nobody holds it");
        Ok(())
    })
    .await
}

#[test]
fn a_thread_that_waits_has_its_deadline_too() -> TestResult {
    in_time(|| {
        let builder =
            builder(RestartPolicy::OnFailure(SLOW)).call_deadline(Duration::from_millis(30));
        let worker = blocking::Worker::start(builder).expect("a worker");
        let ends: ends::BlockingClient = worker.import().expect("its module");
        let values: values::BlockingClient = worker.import().expect("its module");
        assert!(ends.signal(9).is_err());
        let failure = failure(values.nothing().unwrap_err());
        let cause = failure.cause();
        assert!(
            matches!(cause, FailureCause::DeadlineExceeded { .. }),
            "{cause}"
        );
    });
    Ok(())
}

#[tokio::test]
async fn a_restart_by_hand_is_quicker_and_serves_who_waits() -> TestResult {
    watched(async {
        let worker = spawn(SLOW).await?;
        let ends = worker.import::<ends::Client>().await?;
        let before = kill(&worker).await?;
        let lent = Tensor::from(array![1i64, 2]);
        let mut filled = Tensor::from(array![0i64]);
        let given = Tensor::from(array![7i64, 8, 9]);
        let call = ends.weigh(given, &lent, &mut filled, "pound".to_owned());
        let (returned, end) = join(call, worker.restart(GRACE)).await;
        assert_eq!(returned?.view()?, array![7, 8, 9].view());
        assert_eq!(end?.reason(), &EndReason::Signalled(9));
        assert_eq!(filled.view()?, array![8].view());
        assert_ne!(worker.id(), Some(before));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_restart_by_hand_sends_no_call_to_a_worker_that_is_ending() -> TestResult {
    watched(async {
        let worker = spawn(SLOW).await?;
        let control = worker.import::<control::Client>().await?;
        let gates = Gates::new();
        let (began, ends) = gates.pair();
        let before = worker.id();
        // The old process has a call to finish.
        let first = control.pass((began.clone(), ends.clone()));
        let rest = async {
            pass(&began).await;
            let restart = worker.restart(GRACE);
            let mut restart = std::pin::pin!(restart);
            assert!(poll_immediate(&mut restart).await.is_none());
            let second = async {
                let call = control.process_id();
                let mut call = std::pin::pin!(call);
                assert!(poll_immediate(&mut call).await.is_none());
                pass(&ends).await;
                call.await
            };
            join(second, restart).await
        };
        let (first, (second, restarted)) = join(first, rest).await;
        assert_eq!(first?, 7);
        assert_ne!(before, Some(second?));
        assert_eq!(restarted?.reason(), &EndReason::Exited(0));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_restart_by_hand_that_is_dropped_leaves_nobody_dead() -> TestResult {
    watched(async {
        let (folder, gates) = (tempfile::tempdir()?, Gates::new());
        let program = folder.path().join("worker");
        symlink(WORKER, &program)?;
        let worker = Worker::builder(&program).restart_policy(RestartPolicy::Always(QUICK));
        let worker = worker.log(|_| {}).spawn().await?;
        let values = worker.import::<values::Client>().await?;
        fs::remove_file(&program)?;
        let gate = gates.make("gate");
        symlink(late(folder.path(), &gate)?, &program)?;
        let first = kill(&worker).await?;
        let restart = worker.restart(GRACE);
        let mut restart = Box::pin(restart);
        // The next process has begun to start of itself, so it waits for its turn.
        let opened =
            tokio::task::spawn_blocking(move || fs::OpenOptions::new().write(true).open(gate));
        let open = opened.await??;
        assert!(poll_immediate(&mut restart).await.is_none());
        fs::remove_file(&program)?;
        symlink(WORKER, &program)?;
        drop(open);
        while worker.id() == Some(first) {
            tokio::task::yield_now().await;
        }
        // This one ends while somebody else is about to replace it, who changes their mind.
        let second = kill(&worker).await?;
        drop(restart);
        assert_eq!(values.echo("third".to_owned()).await?, "third");
        assert_ne!(worker.id(), Some(second));
        Ok(())
    })
    .await
}

/// A worker that starts once a gate was opened and closed again.
fn late(folder: &Path, gate: &Path) -> std::io::Result<std::path::PathBuf> {
    let gate = gate.display();
    script(folder, &format!("read line <'{gate}'\nexec '{WORKER}'\n"))
}

#[tokio::test]
async fn the_last_holder_ends_a_backoff() -> TestResult {
    watched(async {
        let worker = spawn(SLOW).await?;
        kill(&worker).await?;
        drop(worker);
        // That no thread is left is seen by its name.
        let is_over = || {
            let threads = fs::read_dir("/proc/self/task")
                .into_iter()
                .flatten()
                .flatten();
            let mut names =
                threads.filter_map(|thread| fs::read_to_string(thread.path().join("comm")).ok());
            !names.any(|name| name.trim() == "reedbed phoenix")
        };
        while !is_over() {
            tokio::task::yield_now().await;
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn the_last_holder_ends_a_start() -> TestResult {
    watched(async {
        let folder = tempfile::tempdir()?;
        let program = folder.path().join("worker");
        symlink(WORKER, &program)?;
        let worker = Worker::builder(&program).restart_policy(RestartPolicy::Always(QUICK));
        let worker = worker.startup_timeout(FOR_EVER).spawn().await?;
        // The next one never says a word.
        let gates = Gates::new();
        let began = gates.make("began");
        fs::remove_file(&program)?;
        let script = folder.path().join("silent");
        let silent = format!("echo > '{}'\nexec sleep 3600\n", began.display());
        reedbed_tests::program::script(&script, &silent)?;
        symlink(script, &program)?;
        kill(&worker).await?;
        let read = tokio::task::spawn_blocking(move || fs::read(began)).await??;
        assert_eq!(read, b"\n");
        drop(worker);
        // `watched` sees that no process is left.
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_worker_that_is_shut_down_stays_so() -> TestResult {
    watched(async {
        let worker = builder(RestartPolicy::Always(QUICK)).spawn().await?;
        let values = worker.import::<values::Client>().await?;
        assert_eq!(worker.shutdown(GRACE).await.reason(), &EndReason::Exited(0));
        let gone = failure(values.nothing().await.unwrap_err());
        assert!(
            matches!(gone.cause(), FailureCause::WorkerGone { .. }),
            "{gone}"
        );

        // In the middle of a backoff, too; and who waits is told.
        let worker = spawn(SLOW).await?;
        let values = worker.import::<values::Client>().await?;
        kill(&worker).await?;
        let call = values.nothing();
        let (answer, end) = join(call, worker.shutdown(GRACE)).await;
        assert_eq!(end.reason(), &EndReason::Signalled(9));
        let gone = failure(answer.unwrap_err());
        assert!(
            matches!(gone.cause(), FailureCause::WorkerGone { .. }),
            "{gone}"
        );

        // By hand it can be started again, and then its policy holds again.
        worker.restart(GRACE).await?;
        values.nothing().await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn instances_are_lost_and_not_waited_for() -> TestResult {
    watched(async {
        let worker = spawn(QUICK).await?;
        let client = worker.import::<KeeperClient>().await?;
        let keeper = client.new("before".to_owned()).await?;
        kill(&worker).await?;
        let lost = failure(keeper.label().await.unwrap_err());
        assert!(lost.is_retryable(), "{lost}");
        // The constructor waits.
        let keeper = client.new("after".to_owned()).await?;
        assert_eq!(keeper.label().await?, "after");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_call_without_a_stub_waits_as_well() -> TestResult {
    watched(async {
        let worker = spawn(QUICK).await?;
        kill(&worker).await?;
        let answer = worker
            .call("values", "echo", args!["again".to_owned()])
            .await?;
        assert_eq!(answer.deserialize::<String>()?, "again");

        let worker = spawn(SLOW).await?;
        kill(&worker).await?;
        let call = worker.call("values", "echo", args!["again".to_owned()]);
        let late = failure(call.deadline(Duration::from_millis(30)).await.unwrap_err());
        assert!(
            matches!(late.cause(), FailureCause::DeadlineExceeded { .. }),
            "{late}"
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_crew_goes_on_without_those_that_are_away() -> TestResult {
    watched(async {
        let slow = Crew::spawn(builder(RestartPolicy::OnFailure(SLOW)), 2).await?;
        let control = slow.import::<control::Client>().await?;
        kill(&slow.workers()[0]).await?;
        // Whoever is there does it.
        let calls = (0..6).map(|_| control.process_id());
        for id in join_all(calls).await {
            assert_eq!(Some(id?), slow.workers()[1].id());
        }
        // And if nobody is, the first to come back.
        kill(&slow.workers()[1]).await?;
        let restart = slow.workers()[0].restart(GRACE);
        let (ids, restarted) = join(join_all((0..2).map(|_| control.process_id())), restart).await;
        restarted?;
        let first = slow.workers()[0].id();
        assert!(ids.into_iter().any(|id| id.ok() == first));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn only_who_says_so_is_called_twice() -> TestResult {
    watched(async {
        let worker = spawn(QUICK).await?;
        let ends = worker.import::<ends::Client>().await?;
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("bomb");
        fs::write(&path, "")?;
        let failed = failure(ends.abort_once(path.clone()).await.unwrap_err());
        let cause = failed.cause();
        assert!(matches!(cause, FailureCause::WorkerDied { .. }), "{cause}");

        fs::write(&path, "")?;
        let request = Request::new(move |client: &ends::Client| client.abort_once(path.clone()));
        assert_eq!(Some(request.repeated(&ends).await?), worker.id());

        // As often as was said, and no more; and each attempt has run.
        static ATTEMPTS: AtomicU32 = AtomicU32::new(0);
        let request = Request::new(|client: &ends::Client| {
            ATTEMPTS.fetch_add(1, Ordering::Relaxed);
            client.abort()
        });
        let failed = failure(request.repeated(&ends).attempts(4).await.unwrap_err());
        assert!(
            matches!(failed.cause(), FailureCause::WorkerDied { .. }),
            "{failed}"
        );
        assert_eq!(ATTEMPTS.load(Ordering::Relaxed), 4);

        // Where nobody comes, nobody knows whether the first attempt ran.
        let worker = Worker::spawn(WORKER).await?;
        let ends = worker.import::<ends::Client>().await?;
        let failed = failure(request.repeated(&ends).await.unwrap_err());
        assert!(
            matches!(failed.cause(), FailureCause::WorkerDied { .. }),
            "{failed}"
        );
        assert!(!failed.is_retryable());
        Ok(())
    })
    .await
}

#[tokio::test]
async fn what_was_in_flight_is_poisoned_and_not_repeated() -> TestResult {
    watched(async {
        let worker = spawn(QUICK).await?;
        let arrays = worker.import::<arrays::Client>().await?;
        let gates = Gates::new();
        let (began, never) = gates.pair();
        let mut labels = Tensor::<u32, ndarray::Ix2>::zeros((2, 2))?;
        let call = arrays.fill_in_two_steps(&mut labels, 3, (began.clone(), never));
        let rest = async {
            pass(&began).await;
            kill(&worker).await
        };
        let (filled, killed) = join(call, rest).await;
        killed?;
        let failed = failure(filled.unwrap_err());
        assert!(!failed.is_retryable(), "{failed}");
        assert!(labels.is_poisoned());
        labels.recover()?;
        assert_eq!(arrays.fill(&mut labels, 9).await?, 4);
        Ok(())
    })
    .await
}

/// A label that takes so long to write that the worker is dead when it is.
#[derive(Debug, Deserialize)]
struct Deadly(String);

/// The process that dies, once.
static VICTIM: AtomicU32 = AtomicU32::new(0);

impl Serialize for Deadly {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Some(pid) = Pid::from_raw(VICTIM.swap(0, Ordering::Relaxed).cast_signed()) {
            let pidfd = pidfd_open(pid, PidfdFlags::empty()).expect("it lives");
            pidfd_send_signal(&pidfd, Signal::KILL).expect("it lives");
            let mut fds = [rustix::event::PollFd::new(
                &pidfd,
                rustix::event::PollFlags::IN,
            )];
            rustix::event::poll(&mut fds, None).expect("its end");
        }
        self.0.serialize(serializer)
    }
}

impl Schema for Deadly {
    fn describe(writer: &mut SchemaWriter) {
        String::describe(writer);
    }
}

/// The worker's module, as a caller knows it that kills the worker while it prepares a call.
mod deadly {
    #[reedbed::remote_module]
    pub(super) mod ends {
        use ndarray::{ArrayView1, ArrayViewMut1, Ix1};
        use reedbed::Tensor;

        use crate::Deadly;

        pub fn weigh(
            #[ndarray] given: Tensor<i64, Ix1>,
            #[ndarray] lent: ArrayView1<'_, i64>,
            #[ndarray] filled: ArrayViewMut1<'_, i64>,
            label: Deadly,
        ) -> Tensor<i64, Ix1> {
            let _ = (lent, filled, label);
            given
        }
    }
}

#[tokio::test]
async fn a_worker_that_dies_while_a_call_is_prepared_never_had_it() -> TestResult {
    watched(async {
        for backoff in [QUICK, SLOW] {
            // A message, unlike a frame in a ring, can't be sent to who is dead.
            let policy = RestartPolicy::OnFailure(backoff);
            let worker = builder(policy).channel(ChannelKind::Socket).spawn().await?;
            let ends = worker.import::<deadly::ends::Client>().await?;
            let lent = Tensor::from(array![1i64, 2]);
            let mut filled = Tensor::from(array![0i64]);
            let given = Tensor::from(array![7i64, 8, 9]);
            VICTIM.store(worker.id().ok_or("a process")?, Ordering::Relaxed);
            let call = ends.weigh(given, &lent, &mut filled, Deadly("pound".to_owned()));
            if backoff == QUICK {
                // The next one has it, with every array.
                assert_eq!(call.await?.view()?, array![7, 8, 9].view());
                assert_eq!(filled.view()?, array![8].view());
            } else {
                let call = call.deadline(Duration::from_millis(200));
                let mut failed = failure(call.await.unwrap_err());
                let given: Tensor<i64, Ix1> = failed.reclaim("given").expect("it was not sent");
                assert_eq!(given.view()?, array![7, 8, 9].view());
                assert!(!filled.is_poisoned());
            }
            assert_eq!(VICTIM.load(Ordering::Relaxed), 0, "it was killed");
            assert_eq!(lent.released().await, ());
            filled.view_mut()?.fill(1);
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_call_deadline_is_that_of_every_call_without_one() -> TestResult {
    watched(async {
        let limit = Duration::from_millis(20);
        let worker = Worker::builder(WORKER).call_deadline(limit).spawn().await?;
        let control = worker.import::<control::Client>().await?;
        assert!(control.has_deadline().deadline(GRACE).await?);
        assert!(!control.has_deadline().deadline(Duration::MAX).await?);
        let gates = Gates::new();
        let late = failure(control.pass(gates.pair()).await.unwrap_err());
        assert!(
            matches!(late.cause(), FailureCause::DeadlineExceeded { limit: told } if *told == limit),
            "{late}"
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_restart_keeps_the_policy_of_tarpcs_dispatcher() -> TestResult {
    watched(async {
        let builder = builder(RestartPolicy::OnFailure(QUICK));
        let builder = builder.dispatcher(reedbed::Dispatcher::Tarpc);
        let worker = builder.spawn().await?;
        let values = worker.import::<values::Client>().await?;
        // The thread that starts the next one has no runtime of its own.
        kill(&worker).await?;
        assert_eq!(values.echo("again".to_owned()).await?, "again");
        Ok(())
    })
    .await
}
