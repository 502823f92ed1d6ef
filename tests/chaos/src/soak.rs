//! A run of the soak.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::calls::{Caller, Run};
use crate::census::Census;
use crate::slot::{Kind, Slot};
use crate::tally::Tally;
use crate::watchdog::Board;
use crate::weather::Weather;

/// What a run is like.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// What all random numbers are drawn from; a random one, unless it is given.
    #[arg(long)]
    pub seed: Option<u64>,
    /// How many calls are made.
    #[arg(long, default_value_t = 1_000_000)]
    pub calls: u64,
    /// For how many hours calls are made, however many that are.
    #[arg(long)]
    pub hours: Option<f64>,
    /// How many workers there are: one of each kind, unless it is given.
    #[arg(long, default_value_t = Kind::ALL.len())]
    pub workers: usize,
    /// How many tasks make calls.
    #[arg(long, default_value_t = 3)]
    pub tasks: usize,
    /// How many threads make calls.
    #[arg(long, default_value_t = 2)]
    pub threads: usize,
    /// How many seconds anything may take before it counts as a hang.
    #[arg(long, default_value_t = 120)]
    pub patience: u64,
}

/// By how many bytes a process may have grown.
const GROWTH_BYTES: u64 = 1 << 20;

/// What a thread's stack takes, but hardly touches. The C library keeps that of the last thread that ended,
/// until another one ends or begins.
const STACK_BYTES: u64 = (2 << 20) + (4 << 10);

/// Longer than threads for blocking work are kept idle (tokio's 10 s), and so the longest that processes
/// take to come to rest.
const REST: Duration = Duration::from_secs(15);

/// How often it is looked whether they are at rest.
const LOOK: Duration = Duration::from_millis(500);

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Runs it. `Ok(false)` if something was found.
///
/// # Errors
/// If it can't be run.
pub async fn run(options: &Options, seed: u64) -> Outcome<bool> {
    let folder = tempfile::tempdir()?;
    let mut slots = Vec::new();
    for index in 0..options.workers {
        let kind = Kind::ALL[index % Kind::ALL.len()];
        slots.push(Slot::start(index, kind, folder.path()).await?);
    }
    let run = Arc::new(Run {
        slots,
        tally: Tally::default(),
        weather: Weather::default(),
        board: Board::new(options.tasks + options.threads + 1),
        runtime: Run::start_runtime()?,
        rough: None,
    });
    run.board.watch(seed, Duration::from_secs(options.patience));

    let mut seeds = fastrand::Rng::with_seed(seed);
    let begun_at = Instant::now();
    let limit = options
        .hours
        .map(|hours| Duration::from_secs_f64(hours * 3600.0));
    let n_calls = if limit.is_some() {
        u64::MAX
    } else {
        options.calls
    };
    let tenth = |part: u32| {
        (
            limit.map(|limit| limit / 10 * part),
            n_calls / 10 * u64::from(part),
        )
    };
    calls(&run, options, tenth(1), &mut seeds).await?;
    let before = rest(&run, None).await?;
    let resumed_at = Instant::now();
    let n_before = run.tally.n_calls();
    calls(&run, options, tenth(9), &mut seeds).await?;
    let per_second = (run.tally.n_calls() - n_before) as f64 / resumed_at.elapsed().as_secs_f64();
    let after = rest(&run, Some(&before)).await?;

    println!("{}", run.tally);
    println!(
        "{per_second:.0} calls each second; {:.1?} in all",
        begun_at.elapsed()
    );
    let mut is_good = run.tally.n_findings() == 0;
    let names = std::iter::once("the host".to_owned()).chain(
        run.slots
            .iter()
            .map(|slot| format!("worker {}, {}", slot.index, slot.kind)),
    );
    for ((before, after), who) in before.iter().zip(&after).zip(names) {
        println!("{who}\n  after a tenth: {before}\n  at the end:    {after}");
        for what in growth(before, after) {
            println!("found: {what} of {who}");
            is_good = false;
        }
    }
    for slot in &run.slots {
        slot.worker.shutdown(Duration::from_secs(10)).await;
    }
    if let Some(Run { runtime, .. }) = Arc::into_inner(run) {
        runtime.shutdown_background();
    }
    Ok(is_good)
}

/// What has changed that should not have.
fn growth(before: &Census, after: &Census) -> Vec<String> {
    let mut grown = Vec::new();
    for ((what, before), (_, after)) in before.counts().into_iter().zip(after.counts()) {
        if after != before {
            grown.push(format!("{after} {what} where {before} were"));
        }
    }
    let bytes = after.bytes().saturating_sub(before.bytes());
    if bytes > GROWTH_BYTES {
        grown.push(format!("{bytes} bytes more"));
    }
    let bytes = after.anonymous_bytes.saturating_sub(before.anonymous_bytes);
    if bytes > GROWTH_BYTES + STACK_BYTES {
        grown.push(format!("addresses of {bytes} bytes more"));
    }
    grown
}

/// Makes so many calls, or calls for so long.
async fn calls(
    run: &Arc<Run>,
    options: &Options,
    (limit, n_calls): (Option<Duration>, u64),
    seeds: &mut fastrand::Rng,
) -> Outcome {
    if run.tally.n_findings() > 0 {
        return Ok(());
    }
    run.tally.begin_again();
    let n_callers = options.tasks + options.threads;
    let each = n_calls.div_ceil(n_callers as u64);
    let mut rng = || fastrand::Rng::with_seed(seeds.u64(..));
    let runtime = run.runtime.handle().clone();
    let mut callers = Vec::new();
    for place in 0..options.tasks {
        let caller = Caller::new(rng(), place, false);
        callers.push(runtime.spawn(caller.call(Arc::clone(run), each)));
    }
    for place in options.tasks..n_callers {
        let (caller, run, runtime) = (
            Caller::new(rng(), place, true),
            Arc::clone(run),
            runtime.clone(),
        );
        let (ended, end) = tokio::sync::oneshot::channel();
        let thread = thread::Builder::new().name(format!("caller {place}"));
        thread.spawn(move || {
            runtime.block_on(caller.call(run, each));
            let _ = ended.send(());
        })?;
        callers.push(tokio::spawn(async move {
            let _ = end.await;
        }));
    }
    if let Some(limit) = limit {
        tokio::time::sleep(limit).await;
        run.tally.end();
    }
    for caller in callers {
        caller.await?;
    }
    Ok(())
}

/// Brings all to rest, and counts what host and workers hold then: as `before`, if they get there in
/// time.
async fn rest(run: &Run, before: Option<&[Census]>) -> Outcome<Vec<Census>> {
    // What callers let go of last is given back a moment later.
    tokio::time::sleep(LOOK).await;
    reedbed::trim_pool();
    // Once: each time, a worker may need a thread for it, which is then not idle for as long as it takes
    // to be ended.
    for slot in &run.slots {
        slot.control.trim().await?;
    }
    let until = Instant::now() + REST;
    loop {
        tokio::time::sleep(LOOK).await;
        let mut now = vec![Census::of(std::process::id())?];
        for slot in &run.slots {
            now.push(Census::of(
                slot.worker.id().ok_or("a worker without a process")?,
            )?);
        }
        let is_as_before = before.is_some_and(|before| {
            before
                .iter()
                .zip(&now)
                .all(|(before, now)| growth(before, now).is_empty())
        });
        if is_as_before || until <= Instant::now() {
            return Ok(now);
        }
    }
}
