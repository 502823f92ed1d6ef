//! What a host does where the system gives little. Each function runs in a process of its own,
//! because limits are a process's.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs::File;
use std::time::{Duration, Instant, SystemTime};

use ndarray::{Array1, Ix1, array};
use reedbed::{
    Arg, CallError, CallFailure, Dispatcher, FailureCause, OnExhausted, ShmExhausted, Shortage,
    Tensor, Worker, WorkerLimits,
};
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit, setrlimit};
use rustix::thread::CapabilitySet;

use crate::containers::stacks;
use crate::modules::{arrays, control, edges, values};
use crate::{crowd, long_frames, system, watched};

/// Sets a limit of this process, and of the workers that it starts.
pub(crate) fn limit(resource: Resource, value: u64) -> Result<(), Box<dyn Error>> {
    Ok(setrlimit(
        resource,
        Rlimit {
            current: Some(value),
            maximum: Some(value),
        },
    )?)
}

/// Runs the check of this name; prints what happened.
///
/// # Errors
/// Whatever should not have happened.
pub async fn run(worker: &str, name: &str) -> Result<(), Box<dyn Error>> {
    match name {
        "budget" => budget(),
        "address-space" => address_space(),
        "file-size" => file_size(),
        "descriptors" => descriptors(worker).await,
        "ten-thousand-tensors" => ten_thousand(worker).await,
        "large-tensors-and-descriptors" => large_tensors(worker).await,
        "worker-descriptors" => worker_descriptors(worker).await,
        "full-table-of-the-host" => full_table_of_the_host(worker).await,
        "full-table-of-the-worker" => full_table_of_the_worker(worker).await,
        "long-frames-and-a-full-host" => long_frames::full_host(worker).await,
        "long-frames-and-a-full-worker" => long_frames::full_worker(worker).await,
        "long-frames-and-address-space" => long_frames::address_space(worker).await,
        "jumping-clock" => jumping_clock(worker).await,
        "waiting-for-the-budget" => waiting_for_the_budget(worker).await,
        "crowded-socket" => crowd::crowded_socket(worker).await,
        "limits-beyond-ones-own" => limits_beyond_ones_own(worker).await,
        _ => Err(format!("no check is called {name}").into()),
    }
}

fn exhausted(
    tensor: Result<Tensor<u8, Ix1>, ShmExhausted>,
) -> Result<ShmExhausted, Box<dyn Error>> {
    tensor.err().ok_or_else(|| "the memory was given".into())
}

pub(crate) fn tell(what: &dyn std::fmt::Display) {
    println!("{what}");
}

/// More than the budget is refused, and what is given back can be had again.
fn budget() -> Result<(), Box<dyn Error>> {
    reedbed::set_memory_budget(64 << 20);
    let first = Tensor::<u8, Ix1>::zeros(40 << 20)?;
    let error = exhausted(Tensor::zeros(40 << 20))?;
    assert!(matches!(error.shortage, Shortage::Budget));
    tell(&error);
    drop(first);
    Tensor::<u8, Ix1>::zeros(48 << 20)?;
    Ok(())
}

/// Beyond RLIMIT_AS nothing is mapped.
fn address_space() -> Result<(), Box<dyn Error>> {
    Tensor::<u8, Ix1>::zeros(1000)?;
    limit(Resource::As, 4 << 30)?;
    reedbed::set_memory_budget(1 << 40);
    let error = exhausted(Tensor::zeros(5 << 30))?;
    assert!(matches!(error.shortage, Shortage::Mapping(_)), "{error}");
    tell(&error);
    let small = Tensor::from(array![1, 2]);
    assert_eq!(small.view()?.sum(), 3);
    Ok(())
}

/// Beyond RLIMIT_FSIZE nothing is reserved, and no signal comes.
fn file_size() -> Result<(), Box<dyn Error>> {
    limit(Resource::Fsize, 8 << 20)?;
    let error = exhausted(Tensor::zeros(9 << 20))?;
    assert!(matches!(error.shortage, Shortage::FileSizeLimit(8_388_608)));
    tell(&error);
    Tensor::<u8, Ix1>::from_elem(4 << 20, 1)?;
    Ok(())
}

/// With 32 descriptors for host and worker each, 100 tensors live and 100 calls are answered.
async fn descriptors(worker: &str) -> Result<(), Box<dyn Error>> {
    limit(Resource::Nofile, 32)?;
    let worker = Worker::spawn(worker).await?;
    let arrays = worker.import::<arrays::Client>().await?;
    let tensors = (0..100i64)
        .map(|index| Tensor::<i64, Ix1>::from_elem(1000, index))
        .collect::<Result<Vec<_>, _>>()?;
    let calls = futures::future::join_all(tensors.iter().map(|tensor| arrays.sum(tensor)));
    for (sum, expected) in calls.await.into_iter().zip((0..).step_by(1000)) {
        assert_eq!(sum?, expected);
    }
    let mut results = Vec::new();
    for n in 0..100 {
        results.push(arrays.range(n).await?);
    }
    let lengths: usize = results.iter().map(Tensor::len).sum();
    tell(&format!(
        "{} tensors live, {lengths} elements came back",
        tensors.len() + results.len()
    ));
    Ok(())
}

/// With 1,024 descriptors for host and worker each, 10,000 small tensors are lent, 10,000 are
/// returned, and all of them live at once.
async fn ten_thousand(worker: &str) -> Result<(), Box<dyn Error>> {
    const N: usize = 10_000;
    limit(Resource::Nofile, 1024)?;
    let worker = Worker::spawn(worker).await?;
    let arrays = worker.import::<arrays::Client>().await?;
    let stacks = worker.import::<stacks::Client>().await?;
    let tensors = (0..N)
        .map(|index| Tensor::<i64, Ix1>::from_elem(100, index as i64))
        .collect::<Result<Vec<_>, _>>()?;
    let mut sums = Vec::new();
    for batch in tensors.chunks(1000) {
        sums.extend(stacks.sums(batch.iter().map(Arg::from).collect()).await?);
    }
    assert!(sums.into_iter().eq((0..N as i64).map(|index| 100 * index)));

    let mut results = Vec::new();
    for batch in 0..N / 500 {
        let calls = (0..500).map(|index| arrays.range(batch % 2 + index % 7));
        for result in futures::future::join_all(calls).await {
            results.push(result?);
        }
    }
    for (index, result) in results.iter().enumerate() {
        let n = (index / 500) % 2 + (index % 500) % 7;
        let expected: f64 = (0..n).map(|element| element as f64).sum();
        assert_eq!((result.len(), result.view()?.sum()), (n, expected));
    }
    // Those that were lent are still what they were, and can be lent again.
    assert_eq!(arrays.sum(&tensors[N - 1]).await?, 999_900);
    let of_worker = worker.id().map_or_else(String::new, |id| id.to_string());
    for process in ["self", &of_worker] {
        let n_descriptors = std::fs::read_dir(format!("/proc/{process}/fd"))?.count();
        assert!(
            n_descriptors < 200,
            "{process} has {n_descriptors} descriptors"
        );
    }
    tell(&format!("{} tensors live", tensors.len() + results.len()));
    Ok(())
}

/// With 32 descriptors, 100 tensors of a mebibyte live in few segments.
async fn large_tensors(worker: &str) -> Result<(), Box<dyn Error>> {
    limit(Resource::Nofile, 32)?;
    let worker = Worker::spawn(worker).await?;
    let arrays = worker.import::<arrays::Client>().await?;
    let tensors = (0..100i64)
        .map(|index| Tensor::<i64, Ix1>::from_elem(128 * 1024, index))
        .collect::<Result<Vec<_>, _>>()?;
    let mut results = Vec::new();
    for (tensor, index) in tensors.iter().zip(0..) {
        assert_eq!(arrays.sum(tensor).await?, index * 128 * 1024);
        results.push(arrays.range(100_000).await?);
    }
    assert!(
        results
            .iter()
            .all(|result| result.view().is_ok_and(|view| view[99_999] == 99_999.0))
    );
    tell(&format!(
        "{} large tensors live",
        tensors.len() + results.len()
    ));
    Ok(())
}

/// A worker without a free descriptor refuses the call, which was not begun, and lives on.
async fn worker_descriptors(worker: &str) -> Result<(), Box<dyn Error>> {
    let worker = Worker::spawn(worker).await?;
    let arrays = worker.import::<arrays::Client>().await?;
    let pid = worker
        .id()
        .and_then(|id| rustix::process::Pid::from_raw(id.cast_signed()));
    let before = rustix::process::getrlimit(Resource::Nofile);
    let none = Rlimit {
        current: Some(1),
        maximum: before.maximum,
    };
    rustix::process::prlimit(pid, Resource::Nofile, none)?;
    let values = Tensor::from(ndarray::Array1::from_elem(100_000, 1i64));
    let error = arrays
        .sum(&values)
        .await
        .err()
        .ok_or("the segment was taken")?;
    assert!(error.is_retryable(), "{error}");
    tell(&error);
    // With room again, the same call is answered.
    rustix::process::prlimit(pid, Resource::Nofile, before)?;
    assert_eq!(arrays.sum(&values).await?, 100_000);
    Ok(())
}

/// With room for the copies of two calls, ten at a time are answered; one that is larger than the
/// budget is refused, and so is one that only tensors are in the way of.
async fn waiting_for_the_budget(worker: &str) -> Result<(), Box<dyn Error>> {
    const LEN: usize = 4 << 20;
    reedbed::set_memory_budget(10 << 20);
    let builder = Worker::builder(worker).on_exhausted(OnExhausted::Wait);
    let worker = builder.spawn().await?;
    let edges = worker.import::<edges::Client>().await?;
    let mut arrays = vec![Array1::<u8>::zeros(LEN); 10];
    for n in 1..=2 {
        let calls = arrays.iter_mut().map(|array| edges.increment(array, None));
        futures::future::try_join_all(calls).await?;
        assert!(
            arrays
                .iter()
                .all(|array| array.iter().all(|value| *value == n))
        );
    }
    std::thread::scope(|scope| {
        let calls: Vec<_> = arrays
            .iter_mut()
            .map(|array| scope.spawn(|| edges.increment(array, None).wait()))
            .collect();
        let results = calls
            .into_iter()
            .map(|call| call.join().map_err(|_| "it panicked"));
        results.flatten().collect::<Result<(), _>>()
    })?;
    assert!(
        arrays
            .iter()
            .all(|array| array.iter().all(|value| *value == 3))
    );

    let mut large = Array1::<u8>::zeros(11 << 20);
    let error = edges.increment(&mut large, None).await;
    tell(&format!(
        "{:?}",
        error.err().ok_or("there was room for it")?
    ));
    let kept = Tensor::<u8, Ix1>::zeros(8 << 20)?;
    let error = edges.increment(&mut arrays[0], None).await;
    tell(&format!(
        "{:?}",
        error.err().ok_or("there was room for it")?
    ));
    drop(kept);
    edges.increment(&mut arrays[0], None).await?;
    Ok(())
}

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

/// The failure of a call, told.
pub(crate) fn failed<T, E: std::fmt::Display>(
    what: &str,
    called: Result<T, CallError<E>>,
) -> Result<CallError<E>, Box<dyn Error>> {
    let error = called.err().ok_or_else(|| format!("{what} was done"))?;
    tell(&format!("{what}: {error}"));
    Ok(error)
}

/// Without a free descriptor in the host, what needs one fails and says so, and everything else goes on;
/// with free ones, everything does.
async fn full_table_of_the_host(program: &str) -> Result<(), Box<dyn Error>> {
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
async fn full_table_of_the_worker(program: &str) -> Result<(), Box<dyn Error>> {
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

/// Where the wall clock jumps by years whenever it is read, deadlines come in time.
async fn jumping_clock(program: &str) -> Result<(), Box<dyn Error>> {
    let jumps = (0..4).map(|_| SystemTime::now()).collect::<Vec<_>>();
    let year = Duration::from_secs(300 * 86_400);
    let has_jumped = |pair: &[SystemTime]| match pair[1].duration_since(pair[0]) {
        Ok(ahead) => ahead > year,
        Err(behind) => behind.duration() > year,
    };
    assert!(
        jumps.windows(2).all(has_jumped),
        "the clock doesn't jump: {jumps:?}"
    );

    for dispatcher in [Dispatcher::Reedbed, Dispatcher::Tarpc] {
        let builder = Worker::builder(program).dispatcher(dispatcher);
        let worker = builder
            .startup_timeout(Duration::from_secs(60))
            .spawn()
            .await?;
        let control = worker.import::<control::Client>().await?;
        let values = worker.import::<values::Client>().await?;
        let began = Instant::now();
        let limit = Duration::from_millis(100);
        // Gates that aren't there let everyone pass.
        let gates = ("/nowhere/first".into(), "/nowhere/second".into());
        let late = control.run_until_cancelled(gates).deadline(limit).await;
        assert!(began.elapsed() >= limit, "not before");
        // Told of the deadline, the function may return before its host gives up.
        if let Err(error) = late {
            let cause = error.failure().map(CallFailure::cause);
            assert!(
                matches!(cause, Some(FailureCause::DeadlineExceeded { .. })),
                "{error}"
            );
        }
        for n in 0..100 {
            let text = format!("in time {n}");
            let limit = Duration::from_secs(60);
            assert_eq!(values.echo(text.clone()).deadline(limit).await?, text);
        }
        let began = Instant::now();
        worker.shutdown(Duration::from_secs(60)).await;
        assert!(
            began.elapsed() < Duration::from_secs(50),
            "the late call holds nobody up"
        );
        tell(&format!("{dispatcher:?}: in time"));
    }
    Ok(())
}

/// A host without privileges gives its workers no more than it may have itself.
async fn limits_beyond_ones_own(worker: &str) -> Result<(), Box<dyn Error>> {
    limit(Resource::Nofile, 100)?;
    let mut capabilities = rustix::thread::capabilities(None)?;
    let privileges = CapabilitySet::SYS_RESOURCE | CapabilitySet::SYS_NICE;
    capabilities.effective.remove(privileges);
    rustix::thread::set_capabilities(None, capabilities)?;
    let own = rustix::process::getpriority_process(None)?;
    let beyond = [
        WorkerLimits::new().open_files(101),
        WorkerLimits::new().niceness(own - 1),
    ];
    for limits in beyond {
        let spawned = Worker::builder(worker).limits(limits).spawn().await;
        tell(&format!("{:?}", spawned.err().ok_or("the limit was set")?));
        assert_eq!(watched::children(), BTreeSet::new());
    }
    let limits = WorkerLimits::new().open_files(100).niceness(own + 1);
    let worker = Worker::builder(worker).limits(limits).spawn().await?;
    assert_eq!(
        system::niceness(worker.id().ok_or("a process")?),
        [own + 1].into()
    );
    Ok(())
}
