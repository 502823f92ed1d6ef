//! Several workers, called as one.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::thread;
use std::time::Duration;

use futures::future::{join_all, try_join_all};
use ndarray::array;
use reedbed::{
    Crew, EndReason, FailureCause, ImportError, Module, SpawnError, Tensor, Worker, blocking,
};
use reedbed_tests::gate::{Gates, pass};
use reedbed_tests::modules::{arrays, control, values};
use reedbed_tests::services::KeeperClient;
use reedbed_tests::system;
use reedbed_tests::watched::watched;
use rustix::process::{Pid, Signal};

type TestResult = Result<(), Box<dyn std::error::Error>>;

const WORKER: &str = env!("CARGO_BIN_EXE_test-worker");

/// Long enough for every worker here; none takes that long.
const GRACE: Duration = Duration::from_secs(20);

async fn crew(n: usize) -> Result<Crew, SpawnError> {
    Crew::spawn(Worker::builder(WORKER).name("cells"), n).await
}

fn ids(crew: &Crew) -> Vec<u32> {
    crew.workers().iter().filter_map(Worker::id).collect()
}

/// Waits, on this thread, until the worker passes the gate, too.
fn open(gate: &Path) {
    File::create(gate).expect("the gate is there");
}

fn kill(pid: u32) {
    let pid = Pid::from_raw(pid.cast_signed()).expect("a process number");
    rustix::process::kill_process(pid, Signal::KILL).expect("our child");
}

#[tokio::test]
async fn idle_workers_take_turns() -> TestResult {
    watched(async {
        let crew = crew(3).await?;
        let names: Vec<_> = crew.workers().iter().map(Worker::name).collect();
        assert_eq!(names, ["cells 1", "cells 2", "cells 3"]);
        let control = crew.import::<control::Client>().await?;
        let mut n_calls = BTreeMap::new();
        for _ in 0..9 {
            *n_calls.entry(control.process_id().await?).or_insert(0) += 1;
        }
        let three_each: BTreeMap<_, _> = ids(&crew).into_iter().map(|id| (id, 3)).collect();
        assert_eq!(n_calls, three_each);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn calls_go_where_the_fewest_are_in_flight() -> TestResult {
    watched(async {
        let crew = crew(3).await?;
        let control = crew.import::<control::Client>().await?;
        let gates = Gates::new();
        // Two that wait, in two workers: the third has all the rest.
        let pairs: Vec<_> = ["one", "other"]
            .map(|name| (gates.make(name), gates.make(&format!("end of {name}"))))
            .into();
        let waiting: Vec<_> = pairs
            .iter()
            .map(|pair| tokio::spawn(control.pass(pair.clone())))
            .collect();
        for (begun, _) in &pairs {
            pass(begun).await;
        }
        let in_flight = || crew.workers().iter().map(Worker::n_calls_in_flight);
        let mut sorted: Vec<_> = in_flight().collect();
        sorted.sort_unstable();
        assert_eq!(sorted, [0, 1, 1]);
        assert_eq!(crew.n_calls_in_flight(), 2);
        let idle = in_flight().position(|n| n == 0).expect("one has none");
        for _ in 0..5 {
            assert_eq!(control.process_id().await?, ids(&crew)[idle]);
        }
        for (_, end) in &pairs {
            pass(end).await;
        }
        for call in waiting {
            assert_eq!(call.await??, 7);
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn many_calls_at_once_are_spread_evenly() -> TestResult {
    watched(async {
        let crew = crew(2).await?;
        let control = crew.import::<control::Client>().await?;
        let gates = Gates::new();
        let pairs: Vec<_> = (0..6)
            .map(|n| {
                (
                    gates.make(&format!("{n}")),
                    gates.make(&format!("end of {n}")),
                )
            })
            .collect();
        let calls = try_join_all(pairs.iter().map(|pair| control.pass(pair.clone())));
        let in_the_middle = async {
            join_all(pairs.iter().map(|(begun, _)| pass(begun))).await;
            let in_flight: Vec<_> = crew
                .workers()
                .iter()
                .map(Worker::n_calls_in_flight)
                .collect();
            join_all(pairs.iter().map(|(_, end)| pass(end))).await;
            in_flight
        };
        let (answers, in_flight) = futures::join!(calls, in_the_middle);
        assert_eq!(answers?, [7; 6]);
        assert_eq!(in_flight, [3, 3]);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn the_calls_of_a_dead_worker_fail_and_the_next_go_elsewhere() -> TestResult {
    watched(async {
        let crew = crew(2).await?;
        let control = crew.import::<control::Client>().await?;
        let gates = Gates::new();
        let pair = gates.pair();
        let waiting = tokio::spawn(control.pass(pair.clone()));
        pass(&pair.0).await;
        let workers = crew.workers();
        let n_busy = workers
            .iter()
            .position(|worker| worker.n_calls_in_flight() == 1)
            .expect("one has the call");
        let (busy, other) = (&workers[n_busy], &workers[1 - n_busy]);
        let dead = busy.id().expect("a process");
        kill(dead);

        let failure = waiting.await?.unwrap_err();
        assert!(!failure.is_retryable(), "it had begun");
        let failure = failure.failure().expect("no function's own error");
        assert_eq!(failure.worker(), format!("cells {}", n_busy + 1));
        assert!(matches!(failure.cause(), FailureCause::WorkerDied { .. }));
        busy.ended().await;
        for _ in 0..4 {
            assert_eq!(Some(control.process_id().await?), other.id());
        }

        let ended = crew.restart_ended().await?;
        let reasons: Vec<_> = ended.iter().map(|end| end.reason().clone()).collect();
        assert_eq!(reasons, [EndReason::Signalled(9)]);
        assert!(crew.restart_ended().await?.is_empty(), "all of them run");
        let reached = [control.process_id().await?, control.process_id().await?];
        assert_ne!(reached[0], reached[1]);
        assert!(!reached.contains(&dead));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn without_a_worker_left_nothing_is_sent() -> TestResult {
    watched(async {
        let crew = crew(2).await?;
        let control = crew.import::<control::Client>().await?;
        let ends = crew.shutdown(GRACE).await;
        assert!(ends.iter().all(|end| *end.reason() == EndReason::Exited(0)));
        let error = control.process_id().await.unwrap_err();
        assert!(error.is_retryable());
        assert!(error.to_string().contains("the worker is gone"), "{error}");
        assert_eq!(crew.restart_ended().await?.len(), 2);
        assert!(ids(&crew).contains(&control.process_id().await?));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn an_instance_stays_in_its_worker() -> TestResult {
    watched(async {
        let crew = crew(3).await?;
        let client = crew.import::<KeeperClient>().await?;
        let keeper = client.new("plates".to_owned()).await?;
        // Another worker would have neither the instance nor what it keeps.
        assert!(keeper.keep(Tensor::from(array![1.0, 2.0])).await?.is_none());
        for _ in 0..6 {
            assert_eq!(keeper.label().await?, "plates");
            assert_eq!(keeper.sum(None).await?, 3.0);
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn one_array_is_lent_to_all_of_them() -> TestResult {
    watched(async {
        let crew = crew(2).await?;
        let arrays = crew.import::<arrays::Client>().await?;
        let values = Tensor::from(array![1i64, 2, 3]);
        let sums = try_join_all((0..8).map(|_| arrays.sum(&values))).await?;
        assert_eq!(sums, [6; 8]);
        let lent = |worker: &Worker| system::segment_mappings(worker.id().expect("a process"));
        assert!(crew.workers().iter().all(|worker| lent(worker) > 0));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn every_worker_is_compared_with_what_is_called() -> TestResult {
    watched(async {
        let one = Worker::in_process(&[values::MODULE]).await?;
        let other = Worker::in_process(&[control::MODULE]).await?;
        let crew = Crew::of([one, other]).expect("two workers");
        let error = crew.import::<values::Client>().await.unwrap_err();
        assert!(
            matches!(error, ImportError::UnknownModule { .. }),
            "{error}"
        );
        assert!(Crew::of([]).is_none());
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_crew_starts_as_a_whole_or_not_at_all() -> TestResult {
    watched(async {
        let error = Crew::spawn(Worker::builder("/nowhere/worker"), 2).await;
        let error = error.unwrap_err();
        assert!(matches!(error, SpawnError::Program { .. }), "{error}");
        let none: &[Module] = &[values::MODULE, values::MODULE];
        assert!(Crew::in_process(none, 2).await.is_err());
        assert_eq!(
            Crew::in_process(&[values::MODULE], 0)
                .await?
                .workers()
                .len(),
            1
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn threads_share_a_blocking_crew() -> TestResult {
    watched(async {
        tokio::task::spawn_blocking(|| {
            let crew = blocking::Crew::spawn(Worker::builder(WORKER), 2)?;
            let control: control::BlockingClient = crew.import()?;
            let gates = Gates::new();
            let (begun, met) = gates.pair();
            // The one waits in its worker until the other has been answered by the other worker.
            let (waited, id) = thread::scope(|scope| {
                let waiting = scope.spawn(|| control.pass((begun.clone(), met.clone())));
                open(&begun);
                let id = control.process_id();
                open(&met);
                (waiting.join().expect("it doesn't panic"), id)
            });
            assert_eq!(waited?, 7);
            assert!(ids(crew.as_async()).contains(&id?));
            assert_eq!(crew.shutdown(GRACE).len(), 2);
            assert_eq!(crew.restart_ended()?.len(), 2);
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
        })
        .await?
        .map_err(|error| error.to_string().into())
    })
    .await
}
