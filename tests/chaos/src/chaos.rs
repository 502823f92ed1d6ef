//! A run of chaos.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use reedbed::failpoint;

use crate::calls::{Caller, Run};
use crate::census::{self, Census};
use crate::killer::Killer;
use crate::mode;
use crate::slot::{Kind, Slot};
use crate::tally::Tally;
use crate::watchdog::Board;
use crate::weather::{self, Weather};

/// What a run is like.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// What all random numbers are drawn from; a random one, unless it is given.
    #[arg(long)]
    pub seed: Option<u64>,
    /// How many times a worker is killed.
    #[arg(long, default_value_t = 1000)]
    pub kills: u64,
    /// How long it takes at most.
    #[arg(long, default_value_t = 24 * 60 * 60)]
    pub seconds: u64,
    /// How many workers there are.
    #[arg(long, default_value_t = 4)]
    pub workers: usize,
    /// How many tasks make calls.
    #[arg(long, default_value_t = 8)]
    pub tasks: usize,
    /// How many threads make calls.
    #[arg(long, default_value_t = 4)]
    pub threads: usize,
    /// How many milliseconds a worker is left alone at most.
    #[arg(long, default_value_t = 20)]
    pub pace: u64,
    /// How many seconds anything may take before it counts as a hang.
    #[arg(long, default_value_t = 60)]
    pub patience: u64,
    /// Within how many milliseconds 99 of 100 callers must hear of a worker's death; it is only told,
    /// unless it is given, because it depends on how busy the machine is.
    #[arg(long)]
    pub within: Option<u64>,
    /// How many kills there must be at each point; none are required unless it is given.
    #[arg(long, default_value_t = 0)]
    pub each: u64,
}

/// By how many bytes the host's private memory may have grown at the end, besides what forgotten calls
/// leave.
const GROWTH_BYTES: u64 = 4 << 20;

/// What a forgotten call leaves: the record of its answer, among that how its worker ended.
const FORGOTTEN_BYTES: u64 = 4096;

/// The longest that processes take to come to rest.
const REST: Duration = Duration::from_secs(20);

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Runs it. `Ok(false)` if something was found.
///
/// # Errors
/// If it can't be run.
pub async fn run(options: &Options, seed: u64) -> Outcome<bool> {
    weather::limit_descriptors()?;
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
        board: Board::new(options.tasks + options.threads + options.workers + 1),
        runtime: Run::start_runtime()?,
        is_rough: true,
    });
    run.board.watch(seed, Duration::from_secs(options.patience));
    failpoint::hook({
        let run = Arc::clone(&run);
        move |point| mode::reached(&run.slots, point)
    });

    let mut seeds = fastrand::Rng::with_seed(seed);
    // Whatever grows once has grown before the baseline is taken.
    let n_warm = (options.kills / 10).clamp(20, 500);
    storm(&run, options, n_warm, &mut seeds).await?;
    let before = rest(&run, None).await?;
    let kinds_before = census::kinds_of_descriptors();
    println!("before: {before}");
    storm(&run, options, options.kills, &mut seeds).await?;
    let after = rest(&run, Some(&before)).await?;
    println!("after:  {after}");
    let kinds_after = census::kinds_of_descriptors();
    failpoint::disarm();
    println!("{}", run.tally);

    let mut is_good = run.tally.n_findings() == 0;
    let mut expect = |is_right: bool, what: String| {
        if !is_right {
            println!("found: {what}");
            is_good = false;
        }
    };
    let n_workers = options.workers;
    let (alive, zombies) = census::children();
    expect(
        alive.len() == n_workers,
        format!("{} children for {n_workers} workers", alive.len()),
    );
    expect(zombies.is_empty(), format!("{} zombies", zombies.len()));
    expect(
        census::named_segments() == 0,
        "names in /dev/shm".to_owned(),
    );
    expect(
        after.descriptors <= before.descriptors,
        format!("descriptors are left: {kinds_before:?}, then {kinds_after:?}"),
    );
    expect(
        after.segment_mappings <= before.segment_mappings,
        "mappings of segments are left".to_owned(),
    );
    let growth = after.private_bytes.saturating_sub(before.private_bytes);
    expect(
        growth <= GROWTH_BYTES + run.tally.n_forgotten() * FORGOTTEN_BYTES,
        format!("{growth} bytes of private memory are left"),
    );
    for point in failpoint::Point::ALL {
        let n = run.tally.n_aimed(*point);
        expect(
            n >= options.each,
            format!("{n} kills at `{point}`, not {}", options.each),
        );
    }
    let share = run.tally.share_in_call();
    // Of few, chance decides.
    expect(
        share >= 0.8 || options.kills < 1000,
        format!("{:.1}% of kills with a call in flight", share * 100.0),
    );

    let (_, [_, p99, _]) = run.tally.latencies();
    if let Some(within) = options.within.map(Duration::from_millis) {
        expect(p99 <= within, format!("p99 is {p99:.1?}, not {within:?}"));
    }

    let Some(run) = Arc::into_inner(run) else {
        return Err("somebody still holds the run".into());
    };
    let Run { slots, runtime, .. } = run;
    runtime.shutdown_background();
    for slot in &slots {
        slot.worker.shutdown(Duration::from_secs(10)).await;
    }
    drop(slots);
    let left = census::children();
    if left != (Vec::new(), Vec::new()) {
        println!("found: children {left:?} are left after the shutdown");
        is_good = false;
    }
    Ok(is_good)
}

/// Makes calls and kills until there were `n_kills` more.
async fn storm(
    run: &Arc<Run>,
    options: &Options,
    n_kills: u64,
    seeds: &mut fastrand::Rng,
) -> Outcome {
    if run.tally.n_findings() > 0 {
        return Ok(());
    }
    run.tally.begin_again();
    let n_kills = run.tally.n_kills() + n_kills;
    let mut rng = || fastrand::Rng::with_seed(seeds.u64(..));
    let runtime = run.runtime.handle().clone();
    let mut callers = Vec::new();
    for place in 0..options.tasks {
        let caller = Caller::new(rng(), place, false);
        callers.push(runtime.spawn(caller.call(Arc::clone(run), u64::MAX)));
    }
    let mut threads = Vec::new();
    for place in options.tasks..options.tasks + options.threads {
        let (caller, run, runtime) = (
            Caller::new(rng(), place, true),
            Arc::clone(run),
            runtime.clone(),
        );
        let thread = thread::Builder::new().name(format!("caller {place}"));
        threads.push(thread.spawn(move || runtime.block_on(caller.call(run, u64::MAX)))?);
    }
    let weather = {
        let (run, mut rng) = (Arc::clone(run), rng());
        thread::spawn(move || run.weather.change(&run.tally, &mut rng))
    };
    let mut killers = Vec::new();
    for index in 0..options.workers {
        let place = options.tasks + options.threads + index;
        let killer = Killer::new(rng(), place, Duration::from_millis(options.pace));
        let run = Arc::clone(run);
        killers.push(tokio::spawn(async move {
            killer.kill(&run, &run.slots[index], n_kills).await;
        }));
    }
    let all_killed = async {
        for killer in killers {
            killer.await?;
        }
        Ok::<_, tokio::task::JoinError>(())
    };
    let limit = Duration::from_secs(options.seconds);
    let mut all_killed = std::pin::pin!(all_killed);
    let Ok(killed) = tokio::time::timeout(limit, &mut all_killed).await else {
        run.tally.end();
        all_killed.await?;
        return end(run, callers, threads, weather).await;
    };
    killed?;
    end(run, callers, threads, weather).await
}

/// Waits until everybody has stopped.
async fn end(
    run: &Run,
    callers: Vec<tokio::task::JoinHandle<()>>,
    threads: Vec<thread::JoinHandle<()>>,
    weather: thread::JoinHandle<()>,
) -> Outcome {
    run.tally.end();
    for caller in callers {
        caller.await?;
    }
    let panicked = |_| "a thread panicked";
    for thread in threads {
        // They block no task of the runtime's: the callers have come to their ends, as they will.
        thread.join().map_err(panicked)?;
    }
    weather.join().map_err(panicked)?;
    Ok(())
}

/// Brings host and workers to rest; counts what the host holds then: no more than `before`, if it gets
/// there in time.
async fn rest(run: &Run, before: Option<&Census>) -> Outcome<Census> {
    let place = run.board_place_of_rest();
    run.board.note(place, "brings all to rest".to_owned());
    for slot in &run.slots {
        slot.disturb();
        slot.worker.restart(Duration::ZERO).await?;
        slot.diary.clear()?;
        slot.calm();
    }
    let until = Instant::now() + REST;
    let mut last = Census::of(std::process::id())?;
    loop {
        // A thread that has told of a worker's end lets go of its descriptors a moment later.
        tokio::time::sleep(Duration::from_millis(300)).await;
        reedbed::trim_pool();
        let now = Census::of(std::process::id())?;
        let is_at_rest = match before {
            Some(before) => holds_no_more(&now, before),
            None => holds_no_more(&last, &now) && holds_no_more(&now, &last),
        };
        last = now;
        if is_at_rest || until <= Instant::now() {
            run.board.clear(place);
            return Ok(last);
        }
    }
}

/// Compares what must be the same whenever all is at rest.
fn holds_no_more(now: &Census, before: &Census) -> bool {
    now.descriptors <= before.descriptors && now.segment_mappings <= before.segment_mappings
}
