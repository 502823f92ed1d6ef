//! Calls that nobody waits for any more: dropped, forgotten or late, before they are sent, before their
//! function runs, while it runs, and when it has answered.
//!
//! Each of them has an argument lent for reading, one lent for writing and one given away, and returns
//! an array. Afterwards the lent ones are free again, with all or nothing written, or poisoned; and
//! neither process has kept a segment, but for what forgotten futures have.

use std::time::Duration;

use ndarray::{Array1, Ix1};
use reedbed::{AccessError, ChannelKind, Dispatcher, FailureCause, OnExhausted, Tensor, Worker};
use reedbed_tests::gate::{self, Gates};
use reedbed_tests::modules::edges;
use reedbed_tests::system;
use rustix::process::{Pid, Signal, kill_process};
use tokio::runtime::Runtime;

use crate::{Segments, TestResult, WORKER, alone, begin};

/// So many bytes have a segment of their own.
const LEN: usize = 100_000;
/// What the function writes.
const WRITTEN: u8 = 3;
/// Rounds before and after segments are counted.
const N_ROUNDS: usize = 6;
/// By how many segments two counts may differ: what is given back may come a moment later than what
/// is taken next, the arguments and the result of a call. Were one kept each time, there would be more.
const SLACK: usize = 4;

/// What becomes of the future.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Dropped,
    Forgotten,
    /// Its deadline passes.
    Late,
    /// The same, where a thread is blocked.
    LateBlocking,
}

/// How far the call has come by then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// It was never polled.
    Unpolled,
    /// It was sent, to a worker that is stopped.
    Sent,
    /// The function runs.
    Running,
    /// The answer is there, and the future doesn't know.
    Answered,
}

struct Scene {
    worker: Worker,
    edges: edges::Client,
}

/// What was lent to an abandoned call.
struct Lent {
    read: Tensor<u8, Ix1>,
    written: Tensor<u8, Ix1>,
}

impl Scene {
    async fn new(channel: ChannelKind, dispatcher: Dispatcher) -> TestResult<Self> {
        let builder = Worker::builder(WORKER).channel(channel);
        let worker = builder.dispatcher(dispatcher).spawn().await?;
        let edges = worker.import::<edges::Client>().await?;
        Ok(Self { worker, edges })
    }

    fn id(&self) -> u32 {
        self.worker.id().expect("a process")
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.id().cast_signed()).expect("a process");
        kill_process(pid, signal).expect("it is this process's child");
    }

    /// Makes a call and abandons it; returns what was lent to it.
    async fn abandon(&self, phase: Phase, fate: Fate) -> TestResult<Lent> {
        let read = Tensor::<u8, Ix1>::from_elem(LEN, 1)?;
        let mut written = Tensor::<u8, Ix1>::zeros(LEN)?;
        let given = Tensor::<u8, Ix1>::from_elem(LEN, 2)?;
        let gates = Gates::new();
        let has_gates = matches!(phase, Phase::Running | Phase::Answered);
        let pair = has_gates.then(|| gates.pair());
        if phase == Phase::Sent {
            self.signal(Signal::STOP);
            system::wait_until_stopped(self.id());
        }
        let call = self.edges.mix(&read, &mut written, given, pair.clone());
        let call = match (fate, phase) {
            // The function has to have begun by then.
            (Fate::Late, Phase::Running) => call.deadline(Duration::from_secs(2)),
            (Fate::Late | Fate::LateBlocking, _) => call.deadline(Duration::from_millis(20)),
            (Fate::Dropped | Fate::Forgotten, _) => call,
        };
        if fate == Fate::LateBlocking {
            let error = call.wait().expect_err("its deadline passes");
            assert_late(&error);
        } else {
            let mut call = Box::pin(call);
            // On a busy machine a deadline of milliseconds may pass before the first poll.
            let may_be_late = fate == Fate::Late && phase != Phase::Running;
            if phase != Phase::Unpolled && !may_be_late {
                begin(call.as_mut());
            }
            if let Some((first, second)) = &pair {
                gate::pass(first).await;
                if phase == Phase::Answered {
                    gate::pass(second).await;
                    while self.worker.n_calls_in_flight() > 0 {
                        tokio::task::yield_now().await;
                    }
                }
            }
            match fate {
                Fate::Dropped => drop(call),
                Fate::Forgotten => std::mem::forget(call),
                Fate::Late | Fate::LateBlocking => {
                    assert_late(&call.await.expect_err("its deadline passes"));
                }
            }
        }
        if phase == Phase::Sent {
            self.signal(Signal::CONT);
        }
        if let (Phase::Running, Some((_, second))) = (phase, &pair) {
            assert!(matches!(written.view(), Err(AccessError::Leased { .. })));
            gate::pass(second).await;
        }
        Ok(Lent { read, written })
    }

    /// Abandons calls over and over; what was lent is free each time, and nothing is left.
    async fn abandon_many(&self, phase: Phase, fate: Fate) -> TestResult {
        let mut counts = Vec::new();
        for _ in 0..2 {
            for _ in 0..N_ROUNDS {
                let Lent {
                    mut read,
                    mut written,
                } = self.abandon(phase, fate).await?;
                read.released().await;
                written.released().await;
                read.view_mut()?.fill(7);
                check(phase, fate, &written);
                if written.is_poisoned() {
                    written.reset()?;
                }
                written.view_mut()?.fill(7);
            }
            // What was said of them has been heard by then.
            self.check_that_it_works().await?;
            counts.push(Segments::of(self.id()));
        }
        let [before, after] = counts[..] else {
            panic!("they were counted twice");
        };
        let kept = left_by(phase, fate);
        let grown = |before: usize, after: usize| after.saturating_sub(before);
        let checks = [
            (before.mapped_here, after.mapped_here, kept.mapped_here),
            (before.open_here, after.open_here, kept.open_here),
            (before.mapped_there, after.mapped_there, kept.mapped_there),
            (before.open_there, after.open_there, kept.open_there),
        ];
        for (before, after, kept) in checks {
            let most = kept * N_ROUNDS + SLACK;
            assert!(
                grown(before, after) <= most,
                "{phase:?}, {fate:?}: {counts:?}"
            );
        }
        Ok(())
    }

    async fn check_that_it_works(&self) -> TestResult {
        let read = Tensor::<u8, Ix1>::from_elem(LEN, 1)?;
        let mut written = Tensor::<u8, Ix1>::zeros(LEN)?;
        let given = Tensor::<u8, Ix1>::from_elem(LEN, 2)?;
        let result = self.edges.mix(&read, &mut written, given, None).await?;
        assert_eq!(result.view()?, Array1::from_elem(LEN, WRITTEN));
        assert_eq!(written.view()?, Array1::from_elem(LEN, WRITTEN));
        Ok(())
    }
}

fn assert_late(error: &reedbed::CallError) {
    let cause = error.failure().map(|failure| failure.cause());
    assert!(
        matches!(cause, Some(FailureCause::DeadlineExceeded { .. })),
        "{error}"
    );
}

/// Checks what was lent for writing, once the call has let go of it.
fn check(phase: Phase, fate: Fate, written: &Tensor<u8, Ix1>) {
    let is_all = |value| {
        let expected = Array1::from_elem(LEN, value);
        written.view().is_ok_and(|view| view == expected)
    };
    match (phase, fate) {
        (Phase::Unpolled, _) => assert!(is_all(0)),
        // Whether the function began before it heard that nobody waits is for the worker to say.
        (Phase::Sent, Fate::Dropped | Fate::Late | Fate::LateBlocking) => {
            assert!(written.is_poisoned() || is_all(0) || is_all(WRITTEN));
        }
        // It doesn't look whether somebody waits, and runs to its end.
        (Phase::Sent | Phase::Running | Phase::Answered, _) => assert!(is_all(WRITTEN)),
    }
}

/// The segments that each abandoned call leaves: what its future has, if that is forgotten.
fn left_by(phase: Phase, fate: Fate) -> Segments {
    let (here, there) = match (phase, fate) {
        // The arguments. So others are used instead, and become known to the worker.
        (Phase::Unpolled, Fate::Forgotten) => (3, 1),
        // The result.
        (_, Fate::Forgotten) => (1, 1),
        _ => (0, 0),
    };
    Segments {
        mapped_here: here,
        open_here: here,
        mapped_there: there,
        open_there: there,
    }
}

const CHANNELS: [ChannelKind; 2] = [ChannelKind::Ring, ChannelKind::Socket];

const DISPATCHERS: [Dispatcher; 2] = [Dispatcher::Reedbed, Dispatcher::Tarpc];

async fn in_each_way(phase: Phase, fate: Fate) -> TestResult {
    alone(async {
        for channel in CHANNELS {
            for dispatcher in DISPATCHERS {
                let scene = Scene::new(channel, dispatcher).await?;
                scene.abandon_many(phase, fate).await?;
            }
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn dropped_before_it_is_polled() -> TestResult {
    in_each_way(Phase::Unpolled, Fate::Dropped).await
}

#[tokio::test]
async fn forgotten_before_it_is_polled() -> TestResult {
    in_each_way(Phase::Unpolled, Fate::Forgotten).await
}

#[tokio::test]
async fn dropped_before_its_function_runs() -> TestResult {
    in_each_way(Phase::Sent, Fate::Dropped).await
}

#[tokio::test]
async fn forgotten_before_its_function_runs() -> TestResult {
    in_each_way(Phase::Sent, Fate::Forgotten).await
}

#[tokio::test]
async fn late_before_its_function_runs() -> TestResult {
    in_each_way(Phase::Sent, Fate::Late).await
}

#[tokio::test]
async fn late_before_its_function_runs_while_a_thread_is_blocked() -> TestResult {
    in_each_way(Phase::Sent, Fate::LateBlocking).await
}

#[tokio::test]
async fn dropped_while_its_function_runs() -> TestResult {
    in_each_way(Phase::Running, Fate::Dropped).await
}

#[tokio::test]
async fn forgotten_while_its_function_runs() -> TestResult {
    in_each_way(Phase::Running, Fate::Forgotten).await
}

#[tokio::test]
async fn late_while_its_function_runs() -> TestResult {
    alone(async {
        for dispatcher in DISPATCHERS {
            let scene = Scene::new(ChannelKind::Ring, dispatcher).await?;
            let lent = scene.abandon(Phase::Running, Fate::Late).await?;
            lent.written.released().await;
            check(Phase::Running, Fate::Late, &lent.written);
            scene.check_that_it_works().await?;
        }
        Ok(())
    })
    .await
}

/// The worker is asked to stop a call before it has heard of that, and so must be asked again. Another
/// call's deadline, which passes later, tells that it was.
#[cfg(feature = "failpoints")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn late_while_it_is_sent() -> TestResult {
    use reedbed::failpoint::{Action, Point, arm, disarm};
    use reedbed_tests::modules::arrays;

    alone(async {
        for dispatcher in DISPATCHERS {
            let scene = Scene::new(ChannelKind::Ring, dispatcher).await?;
            let arrays = scene.worker.import::<arrays::Client>().await?;
            let (gates, other) = (Gates::new(), arrays.clone());
            let gate = gates.make("it was sent");
            let later = gate.clone();
            let later = std::thread::spawn(move || {
                let mut values = ndarray::Array2::<u32>::zeros((1, 1));
                let call = other.hang_after_writing(&mut values, 7, later);
                assert_late(&call.deadline(Duration::from_secs(1)).wait().unwrap_err());
            });
            gate::pass(&gate).await;
            let wait = Action::Call(Box::new(move || later.join().expect("its deadline passes")));
            arm(Point::Sending, 1, wait);
            let mut written = Tensor::<u32, ndarray::Ix2>::zeros((100, 100))?;
            // A gate that is gone lets everyone pass.
            let call = arrays.hang_after_writing(&mut written, 7, "gone".into());
            assert_late(&call.deadline(Duration::from_millis(20)).await.unwrap_err());
            disarm();
            written.released().await;
            // The other call ends as well.
            while scene.worker.n_calls_in_flight() > 0 {
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn dropped_between_reply_and_receipt() -> TestResult {
    in_each_way(Phase::Answered, Fate::Dropped).await
}

#[tokio::test]
async fn forgotten_between_reply_and_receipt() -> TestResult {
    in_each_way(Phase::Answered, Fate::Forgotten).await
}

/// A call that waits for memory holds nothing that its future could keep for ever.
#[tokio::test]
async fn forgotten_while_it_waits_for_memory() -> TestResult {
    alone(async {
        let builder = Worker::builder(WORKER).shared_memory(16 << 20);
        let worker = builder.on_exhausted(OnExhausted::Wait).spawn().await?;
        let edges = worker.import::<edges::Client>().await?;
        let (gates, array) = (Gates::new(), Array1::<u8>::from_elem(10 << 20, 1));
        let pair = gates.pair();
        let mut first = Box::pin(edges.hold(&array, pair.clone()));
        begin(first.as_mut());
        gate::pass(&pair.0).await;
        let mut lent = Tensor::<u8, Ix1>::zeros(LEN)?;
        let mut waiting = Box::pin(edges.add_all(&mut lent, &array));
        begin(waiting.as_mut());
        std::mem::forget(waiting);
        assert_eq!(lent.view()?[0], 0, "it isn't leased");
        gate::pass(&pair.1).await;
        assert_eq!(first.await?, Some(10 << 20));
        edges.add_all(&mut lent, &array).await?;
        assert_eq!(lent.view()?[0], 1);
        worker.shutdown(Duration::from_secs(60)).await;
        Ok(())
    })
    .await
}

/// tarpc's dispatcher runs where the worker was started. Should that end, nobody waits for ever.
#[test]
fn calls_over_tarpc_end_with_the_runtime_of_its_dispatcher() -> TestResult {
    let (first, second) = (Runtime::new()?, Runtime::new()?);
    let scene = first.block_on(Scene::new(ChannelKind::default(), Dispatcher::Tarpc))?;
    let gates = Gates::new();
    let pair = gates.pair();
    second.block_on(alone(async {
        let mut values = Tensor::<u8, Ix1>::zeros(LEN)?;
        let mut in_flight = Box::pin(scene.edges.increment(&mut values, Some(pair.clone())));
        begin(in_flight.as_mut());
        gate::pass(&pair.0).await;
        first.shutdown_background();
        let mut others = Tensor::<u8, Ix1>::zeros(LEN)?;
        let afterwards = scene.edges.increment(&mut others, None).await;
        for (result, was_sent) in [(in_flight.await, true), (afterwards, false)] {
            let error = result.expect_err("nobody hears of it");
            let is_told = error.to_string().contains("the runtime has ended");
            assert!(is_told, "{error}");
            assert_eq!(error.is_retryable(), !was_sent, "{error}");
        }
        assert_eq!(others.view()?[0], 0, "it isn't leased");
        let given = Tensor::<u8, Ix1>::from_elem(LEN, 5)?;
        let taken = scene.edges.take_through(given, pair.clone()).await;
        let unsent = taken.expect_err("nobody sends it").into_returned();
        let mut failure = unsent.expect_err("it never began");
        let given: Tensor<u8, Ix1> = failure.reclaim("values").expect("it was not sent");
        assert_eq!(given.view()?[LEN - 1], 5);
        // Those who look at the channel hear of the worker all the same.
        gate::pass(&pair.1).await;
        values.released().await;
        assert_eq!(
            values.view()?,
            Array1::from_elem(LEN, 1),
            "it ran to its end"
        );
        Ok(())
    }))
}

/// A host whose workers die, and are replaced, keeps nothing of them.
#[tokio::test]
async fn nothing_waits_over_tarpc_for_a_worker_that_is_gone() {
    alone(async {
        let metrics = tokio::runtime::Handle::current().metrics();
        let n_before = metrics.num_alive_tasks();
        let scene = Scene::new(ChannelKind::Ring, Dispatcher::Tarpc)
            .await
            .unwrap();
        let (gates, read) = (Gates::new(), Tensor::from_elem(LEN, 1).unwrap());
        let (mut written, given) = (Tensor::zeros(LEN).unwrap(), Tensor::zeros(LEN).unwrap());
        let (first, second) = gates.pair();
        let pair = Some((first.clone(), second));
        let call = scene.edges.mix(&read, &mut written, given, pair);
        let mut call = Box::pin(call);
        begin(call.as_mut());
        gate::pass(&first).await;
        scene.signal(Signal::KILL);
        let error = call.await.expect_err("the worker is dead");
        let cause = error.failure().map(|failure| failure.cause());
        assert!(
            matches!(cause, Some(FailureCause::WorkerDied { .. })),
            "{error}"
        );
        drop(scene);
        while metrics.num_alive_tasks() > n_before {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
