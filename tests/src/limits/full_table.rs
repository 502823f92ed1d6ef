//! Tables of descriptors that are full, in the host and in the worker.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs::File;
use std::time::Duration;

use ndarray::{Array1, Ix1};
use reedbed::{Tensor, Worker};
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

use super::{failed, limit, tell};
use crate::modules::{arrays, edges, values};
use crate::{system, watched};

/// Takes all descriptors that this process may have, until it is dropped.
pub(crate) struct FullTable {
    _files: Vec<File>,
}

impl FullTable {
    pub(crate) fn new() -> Self {
        let files = std::iter::from_fn(|| File::open("/dev/null").ok());
        Self {
            _files: files.collect(),
        }
    }
}

/// Without a free descriptor in the host, what needs one fails and says so, and everything else goes on;
/// with free ones, everything does.
pub(super) async fn of_the_host(program: &str) -> Result<(), Box<dyn Error>> {
    // Where segments have a quarter of them, small and large ones share what the worker knows.
    limit(Resource::Nofile, 400)?;
    let worker = Worker::spawn(program).await?;
    let arrays = worker.import::<arrays::Client>().await?;
    let values = worker.import::<values::Client>().await?;
    let edges = worker.import::<edges::Client>().await?;
    let heap = Array1::from_elem(200_000, 1i64);
    let known = Tensor::<i64, Ix1>::from_elem(100_000, 1)?;
    let given = || Tensor::<f64, Ix1>::from_elem(100_002, 1.0);
    assert_eq!(arrays.sum(&known).await?, 100_000);
    let long = "x".repeat(100_000);
    let n_before = system::descriptors(std::process::id());
    // Kept, so that the next one needs a segment that isn't known yet.
    let mut results = Vec::new();

    for _ in 0..3 {
        // Segments that the worker knows from before are used again otherwise.
        reedbed::trim_pool();
        let (unsent, later) = (given()?, given()?);
        let fresh = Tensor::<i64, Ix1>::from_elem(150_000, 1)?;
        let full = FullTable::new();
        assert_eq!(arrays.sum(&known).await?, 100_000, "the worker knows it");
        let small = Array1::from_elem(10, 1i64);
        assert_eq!(arrays.sum(&small).await?, 10, "it travels in the message");
        assert_eq!(
            arrays.take(unsent).await?,
            100_002.0,
            "it is handed on as it is"
        );
        assert!(failed("lending", arrays.sum(&fresh).await)?.is_retryable());
        assert!(failed("copying", arrays.sum(&heap).await)?.is_retryable());
        let said = failed("a long message", values.echo(long.clone()).await);
        assert!(said?.is_retryable());
        let returned = failed("returning", edges.ones(100_000).await)?;
        assert!(!returned.is_retryable(), "the function ran");
        let spawned = Worker::spawn(program).await;
        tell(&format!(
            "spawning: {:?}",
            spawned.err().ok_or("it was spawned")?
        ));

        drop(full);
        let own = worker.id().into_iter().collect::<BTreeSet<_>>();
        assert_eq!(watched::children(), own, "no process is left behind");
        assert_eq!(arrays.sum(&fresh).await?, 150_000);
        assert_eq!(arrays.sum(&heap).await?, 200_000);
        assert_eq!(arrays.take(later).await?, 100_002.0);
        assert_eq!(values.echo(long.clone()).await?, long);
        results.push(edges.ones(100_000).await?);
        let n_open = system::descriptors(std::process::id());
        let second = Worker::spawn(program).await?;
        second.shutdown(Duration::from_secs(60)).await;
        drop(second);
        // Its thread closes what it had a moment after it has told that the worker ended.
        while system::descriptors(std::process::id()) > n_open {
            tokio::task::yield_now().await;
        }
    }
    assert!(
        results
            .iter()
            .all(|result| result.view().is_ok_and(|view| view[99_999] == 1))
    );
    drop(results);
    let n_after = system::descriptors(std::process::id());
    // The pools of both sides keep some.
    assert!(
        n_after <= n_before + 12,
        "{n_before} descriptors became {n_after}"
    );

    let full = FullTable::new();
    let restarted = worker.restart(Duration::from_secs(60)).await;
    // What the first one had is free once it has ended, which may be enough.
    match restarted {
        Ok(end) => tell(&format!("restarting: {end}")),
        Err(error) => tell(&format!("restarting: {error:?}")),
    }
    drop(full);
    worker.restart(Duration::from_secs(60)).await?;
    assert_eq!(arrays.sum(&known).await?, 100_000);
    Ok(())
}

/// The same where it is the worker that has none.
pub(super) async fn of_the_worker(program: &str) -> Result<(), Box<dyn Error>> {
    let worker = Worker::spawn(program).await?;
    let id = worker.id().ok_or("a process")?;
    let pid = Pid::from_raw(id.cast_signed());
    let many = getrlimit(Resource::Nofile);
    let none = Rlimit {
        current: Some(1),
        maximum: many.maximum,
    };
    let arrays = worker.import::<arrays::Client>().await?;
    let values = worker.import::<values::Client>().await?;
    let edges = worker.import::<edges::Client>().await?;
    let heap = Array1::from_elem(200_000, 1i64);
    let known = Tensor::<i64, Ix1>::from_elem(100_000, 1)?;
    assert_eq!(arrays.sum(&known).await?, 100_000);
    let n_before = system::descriptors(id);

    // Kept, so that the next ones need segments that aren't there yet.
    let mut results = Vec::new();
    for _ in 0..3 {
        reedbed::trim_pool();
        let fresh = Tensor::<i64, Ix1>::from_elem(150_000, 1)?;
        let given = Tensor::<f64, Ix1>::from_elem(100_002, 1.0)?;
        prlimit(pid, Resource::Nofile, none)?;
        assert_eq!(arrays.sum(&known).await?, 100_000, "it has it already");
        let short = "needs nothing".to_owned();
        assert_eq!(values.echo(short.clone()).await?, short);
        assert!(failed("lending", arrays.sum(&fresh).await)?.is_retryable());
        assert!(failed("copying", arrays.sum(&heap).await)?.is_retryable());
        assert!(failed("giving", arrays.take(given).await)?.is_retryable());
        failed("making a result", edges.ones(3_000_000).await)?;
        let returned = failed("copying a result", arrays.heap_range(200_000).await)?;
        assert!(!returned.is_retryable(), "the function ran");

        prlimit(pid, Resource::Nofile, many)?;
        assert_eq!(arrays.sum(&fresh).await?, 150_000);
        assert_eq!(arrays.sum(&heap).await?, 200_000);
        results.push((
            edges.ones(3_000_000).await?,
            arrays.heap_range(200_000).await?,
        ));
        assert_eq!(values.echo("x".repeat(100_000)).await?.len(), 100_000);
    }
    drop(results);
    assert_eq!(worker.id(), Some(id), "it has lived all the time");
    let n_after = system::descriptors(id);
    // The pools of both sides keep some.
    assert!(
        n_after <= n_before + 12,
        "{n_before} descriptors became {n_after}"
    );
    Ok(())
}

/// A worker without a free descriptor refuses the call, which was not begun, and lives on.
pub(super) async fn at_one_call(worker: &str) -> Result<(), Box<dyn Error>> {
    let worker = Worker::spawn(worker).await?;
    let arrays = worker.import::<arrays::Client>().await?;
    let pid = worker.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    let before = getrlimit(Resource::Nofile);
    let none = Rlimit {
        current: Some(1),
        maximum: before.maximum,
    };
    prlimit(pid, Resource::Nofile, none)?;
    let values = Tensor::from(Array1::from_elem(100_000, 1i64));
    let error = arrays
        .sum(&values)
        .await
        .err()
        .ok_or("the segment was taken")?;
    assert!(error.is_retryable(), "{error}");
    tell(&error);
    // With room again, the same call is answered.
    prlimit(pid, Resource::Nofile, before)?;
    assert_eq!(arrays.sum(&values).await?, 100_000);
    Ok(())
}
