//! What becomes of frames that travel in segments where one side can't take those. Each check runs in a
//! process of its own, because limits are a process's.

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use ndarray::Ix1;
use reedbed::{ChannelKind, Dispatcher, EndReason, Failure, FailureCause, Tensor, Trust, Worker};
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit, setrlimit};

use crate::limits::{FullTable, failed, limit, tell};
use crate::modules::{arrays, edges, values};
use crate::system;

type TestResult = Result<(), Box<dyn Error>>;

const MIB: u64 = 1 << 20;

/// Each larger than those before, so that it needs a segment that isn't known yet.
const LENGTHS: [usize; 3] = [80_000, 400_000, 2_000_000];

/// A worker, and what is called in it.
struct Called {
    worker: Worker,
    arrays: arrays::Client,
    edges: edges::Client,
    values: values::Client,
    id: u32,
    is_trusted: bool,
    /// The descriptors that it had before anything failed.
    n_before: usize,
}

impl Called {
    async fn start(
        program: &str,
        dispatcher: Dispatcher,
        channel: ChannelKind,
        trust: Trust,
    ) -> Result<Self, Box<dyn Error>> {
        let builder = Worker::builder(program).dispatcher(dispatcher);
        let worker = builder.channel(channel).trust(trust).log(|_| {});
        let worker = worker.spawn().await?;
        tell(&format!("{dispatcher:?}, {channel:?}, {trust:?}"));
        Ok(Self {
            arrays: worker.import().await?,
            edges: worker.import().await?,
            values: worker.import().await?,
            id: worker.id().ok_or("a process")?,
            is_trusted: trust == Trust::Trusted,
            n_before: system::descriptors(worker.id().ok_or("a process")?),
            worker,
        })
    }

    /// The same in each way that frames travel.
    async fn in_each_way(program: &str) -> Result<Vec<Self>, Box<dyn Error>> {
        let mut all = Vec::new();
        for (dispatcher, channel, trust) in [
            (Dispatcher::Reedbed, ChannelKind::Ring, Trust::Trusted),
            (Dispatcher::Reedbed, ChannelKind::Socket, Trust::Trusted),
            (Dispatcher::Reedbed, ChannelKind::Ring, Trust::Untrusted),
            (Dispatcher::Tarpc, ChannelKind::Ring, Trust::Trusted),
            (Dispatcher::Tarpc, ChannelKind::Ring, Trust::Untrusted),
            (Dispatcher::Tarpc, ChannelKind::Socket, Trust::Trusted),
        ] {
            all.push(Self::start(program, dispatcher, channel, trust).await?);
        }
        Ok(all)
    }

    /// Sets how many descriptors, or how much address space, the worker may have.
    fn limit(&self, resource: Resource, value: Option<u64>) -> TestResult {
        let maximum = getrlimit(resource).maximum;
        let current = value.or(maximum);
        let pid = Pid::from_raw(self.id.cast_signed());
        prlimit(pid, resource, Rlimit { current, maximum })?;
        Ok(())
    }

    /// Checks that they have lived all the time, and have no more open than before; has them exit.
    async fn end(all: Vec<Self>) -> TestResult {
        for called in all {
            assert_eq!(called.worker.id(), Some(called.id));
            assert_eq!(called.worker.n_calls_in_flight(), 0);
            let (n_before, n_after) = (called.n_before, system::descriptors(called.id));
            // The pools of both sides keep some.
            assert!(
                n_after <= n_before + 16,
                "{n_before} descriptors became {n_after}"
            );
            let end = called.worker.shutdown(Duration::from_secs(60)).await;
            assert_eq!(*end.reason(), EndReason::Exited(0), "{end}");
        }
        Ok(())
    }
}

/// Gates that aren't there, with names that make a frame long: everyone may pass.
fn long_gates(n: usize) -> (PathBuf, PathBuf) {
    ("x".repeat(n).into(), "gate".into())
}

/// Tells whether a call failed because its function panicked; its message was cut.
fn has_panicked_in_short(error: &reedbed::CallError) -> bool {
    let cause = error.failure().map(reedbed::CallFailure::cause);
    matches!(cause, Some(FailureCause::Remote(refusal)) if matches!(
        refusal.reason(),
        Failure::Panicked { message, .. } if message.len() < 5000 && message.starts_with("xxx")
    ))
}

/// The host has no free descriptor, so it can't take the worker's long frames, nor send its own.
///
/// # Errors
/// Whatever should not have happened.
pub async fn full_host(program: &str) -> TestResult {
    limit(Resource::Nofile, 400)?;
    let all = Called::in_each_way(program).await?;
    for called in &all {
        let Called {
            arrays,
            edges,
            values,
            ..
        } = called;
        let mut written = Tensor::<u8, Ix1>::zeros(1000)?;
        // Few enough for a frame: a copy for an untrusted worker would take a descriptor.
        let given = || Tensor::<f64, Ix1>::from_elem(500, 1.0);
        // From now on a trusted worker knows their segments.
        edges.increment(&mut written, None).await?;
        arrays.take(given()?).await?;
        for n in LENGTHS {
            reedbed::trim_pool();
            let (first, second) = (given()?, given()?);
            let full = FullTable::new();
            let zeros = failed("a long result", values.zeros(n).await)?;
            assert!(!zeros.is_retryable(), "the function ran");
            let passed = arrays.pass_on_with(first, n).await;
            assert!(!failed("a long result beside an array", passed)?.is_retryable());
            // It is printed, too, so once will do.
            if called.is_trusted && n == LENGTHS[0] {
                let panicked = edges.panic_at_length(&mut written, n).await;
                assert!(has_panicked_in_short(&panicked.err().ok_or("no panic")?));
                assert!(written.is_poisoned(), "it was half written");
                written.recover()?;
            }
            let sent = failed("a long message", values.echo("x".repeat(n)).await)?;
            assert!(sent.is_retryable(), "it was not sent");
            assert_eq!(values.echo("short".to_owned()).await?, "short");

            drop(full);
            assert_eq!(values.zeros(n).await?.len(), n);
            let (passed, beside) = arrays.pass_on_with(second, n).await?;
            assert_eq!((passed.view()?[499], beside.len()), (1.0, n));
            assert_eq!(values.echo("x".repeat(n)).await?.len(), n);
        }
    }
    Called::end(all).await
}

/// The worker has no free descriptor, so it can't take the host's long frames, nor send its own.
///
/// # Errors
/// Whatever should not have happened.
pub async fn full_worker(program: &str) -> TestResult {
    let all = Called::in_each_way(program).await?;
    for called in &all {
        let Called {
            arrays,
            edges,
            values,
            ..
        } = called;
        let mut written = Tensor::<u32, ndarray::Ix2>::zeros((10, 10))?;
        let given = || Tensor::<u8, Ix1>::from_elem(1000, 1);
        arrays.fill(&mut written, 1).await?;
        edges.take_through(given()?, long_gates(1)).await?;
        for n in LENGTHS {
            reedbed::trim_pool();
            let unread = given()?;
            called.limit(Resource::Nofile, Some(1))?;
            let long = "x".repeat(n);
            let length = failed("a long message", values.length(&long).await)?;
            assert!(length.is_retryable(), "the function never began");
            let taken = edges.take_through(unread, long_gates(n)).await;
            let taken = failed("a long message beside an array", taken)?;
            let mut taken = taken.into_returned().err().ok_or("it never began")?;
            assert!(taken.is_retryable());
            let unread: Tensor<u8, Ix1> = taken.reclaim("values").ok_or("it was never read")?;
            assert_eq!(
                unread.view()?,
                Tensor::<u8, Ix1>::from_elem(1000, 1)?.view()?
            );
            let gate = PathBuf::from("x".repeat(n));
            let hung = arrays.hang_after_writing(&mut written, 7, gate).await;
            assert!(failed("a long message that lends", hung)?.is_retryable());
            assert!(!written.is_poisoned());
            assert_eq!(written.view_mut()?[[9, 9]], 1, "it is as it was");
            let zeros = failed("a long result", values.zeros(n).await)?;
            assert!(!zeros.is_retryable(), "the function ran");
            assert_eq!(values.echo("short".to_owned()).await?, "short");

            called.limit(Resource::Nofile, None)?;
            assert_eq!(values.length(&long).await?, n);
            let taken = edges.take_through(unread, long_gates(n)).await?;
            assert_eq!(taken, 1000);
            assert_eq!(values.zeros(n).await?.len(), n);
        }
    }
    Called::end(all).await
}

/// The worker, and then the host, has no room for a long frame among its addresses: first for the
/// segment, then for what is copied out of it.
///
/// # Errors
/// Whatever should not have happened.
pub async fn address_space(program: &str) -> TestResult {
    const LEN: usize = 16 << 20;
    let (own, ring) = (Dispatcher::Reedbed, ChannelKind::Ring);
    let called = Called::start(program, own, ring, Trust::Trusted).await?;
    let values = &called.values;
    let long = "x".repeat(LEN);
    assert_eq!(values.length("short").await?, 5);
    for room in [8, 24] {
        reedbed::trim_pool();
        let there = system::address_space_bytes(called.id) + room * MIB;
        called.limit(Resource::As, Some(there))?;
        let length = failed(&format!("{room} MiB there"), values.length(&long).await)?;
        assert!(length.is_retryable(), "the function never began");
        called.limit(Resource::As, None)?;
    }
    assert_eq!(values.length(&long).await?, LEN);

    let maximum = getrlimit(Resource::As).maximum;
    for room in [8, 24] {
        let here = system::address_space_bytes(std::process::id()) + room * MIB;
        let current = Some(here);
        setrlimit(Resource::As, Rlimit { current, maximum })?;
        let zeros = failed(&format!("{room} MiB here"), values.zeros(LEN).await);
        let current = maximum;
        setrlimit(Resource::As, Rlimit { current, maximum })?;
        assert!(!zeros?.is_retryable(), "the function ran");
    }
    assert_eq!(values.zeros(LEN).await?.len(), LEN);
    Ok(())
}
