//! A run of chaos.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use reedbed::failpoint;

use crate::calls::{Caller, Run};
use crate::census::{self, Census};
use crate::growth::{Baseline, Growth};
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
    /// How many workers there are: one of each kind, unless it is given.
    #[arg(long, default_value_t = Kind::ALL.len())]
    pub workers: usize,
    /// How many tasks make calls.
    #[arg(long, default_value_t = 12)]
    pub tasks: usize,
    /// How many threads make calls.
    #[arg(long, default_value_t = 4)]
    pub threads: usize,
    /// How many of a hundred calls are forgotten.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u8).range(..=78))]
    pub forgotten: u8,
    /// How many milliseconds a worker is left alone at most.
    #[arg(long, default_value_t = 20)]
    pub pace: u64,
    /// How many seconds anything may take before it counts as a hang.
    #[arg(long, default_value_t = 60)]
    pub patience: u64,
    /// Within how many milliseconds 99 of 100 callers must hear of a worker's death. On a busy machine,
    /// or in a debug build, it takes longer.
    #[arg(long, default_value_t = 50)]
    pub within: u64,
    /// How many kills there must be at each point; none are required unless it is given.
    #[arg(long, default_value_t = 0)]
    pub each: u64,
}

/// The longest that processes take to come to rest.
const REST: Duration = Duration::from_secs(20);

/// After so many kills, chance decides no more whether most of them hit a call, and whether each shape of
/// call has been undisturbed once.
const MANY_KILLS: u64 = 200;

/// As many, of each shape with each kind of worker.
const VERY_MANY_KILLS: u64 = 1000;

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
        rough: Some(options.forgotten),
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
    let baseline = Baseline {
        held: rest(&run, None).await?,
        n_forgotten: run.tally.n_forgotten(),
    };
    let kinds_before = census::kinds_of_descriptors();
    println!("before: {}", baseline.held);
    storm(&run, options, options.kills, &mut seeds).await?;
    let after = rest(&run, Some(&baseline)).await?;
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
        after.descriptors <= baseline.held.descriptors,
        format!("descriptors are left: {kinds_before:?}, then {kinds_after:?}"),
    );
    for growth in Growth::since(&baseline, &after, run.tally.n_forgotten()) {
        println!("{growth}");
        expect(growth.is_allowed(), format!("{growth}"));
    }
    for left_out in left_out(&run, options.kills) {
        expect(false, left_out);
    }
    for point in failpoint::Point::ALL {
        let n = run.tally.n_aimed(*point);
        expect(
            n >= options.each,
            format!("{n} kills at `{point}`, not {}", options.each),
        );
    }
    let share = run.tally.share_in_call();
    expect(
        share >= 0.8 || options.kills < MANY_KILLS,
        format!("{:.1}% of kills with a call in flight", share * 100.0),
    );

    let (_, [_, p99, _]) = run.tally.latencies();
    let within = Duration::from_millis(options.within);
    expect(
        p99 <= within,
        format!("of 100 callers, 99 heard of a death within {p99:.1?} only, not {within:?}"),
    );

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

/// Which shapes of calls were never left undisturbed, though there were so many kills that chance doesn't
/// explain it.
fn left_out(run: &Run, n_kills: u64) -> Vec<String> {
    let mut left_out = Vec::new();
    for shape in run.tally.shapes() {
        let kinds = run.slots.iter().map(|slot| slot.kind);
        let missing: Vec<_> = kinds
            .filter(|kind| !run.tally.has_ended_well(shape, *kind))
            .map(|kind| kind.name)
            .collect();
        let is_enough = match n_kills {
            ..MANY_KILLS => true,
            MANY_KILLS..VERY_MANY_KILLS => missing.len() < run.slots.len(),
            _ => missing.is_empty(),
        };
        if !is_enough {
            left_out.push(format!(
                "`{shape}` never ended undisturbed of workers {missing:?}"
            ));
        }
    }
    left_out
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

/// Brings host and workers to rest; counts what the host holds then: no more than it may beside the
/// baseline, if it gets there in time.
async fn rest(run: &Run, baseline: Option<&Baseline>) -> Outcome<Census> {
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
        // The C library keeps the stacks of threads that have ended until another one ends.
        thread::spawn(|| {})
            .join()
            .map_err(|_| "a thread panicked")?;
        let now = Census::of(std::process::id())?;
        let is_at_rest = match baseline {
            Some(baseline) => {
                let growth = Growth::since(baseline, &now, run.tally.n_forgotten());
                growth.iter().all(Growth::is_allowed)
            }
            None => last.counts() == now.counts(),
        };
        last = now;
        if is_at_rest || until <= Instant::now() {
            run.board.clear(place);
            return Ok(last);
        }
    }
}
