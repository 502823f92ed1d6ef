//! What a second core is good for: calls that compute, on one core and on two.
//!
//! As many threads of the host as calls are in flight call a function that computes for a fixed time and
//! says `#[reedbed(blocking)]`. The worker is bound to one core, or to two, or there are two workers with
//! a core each.

use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use reedbed::Worker as AsyncWorker;
use reedbed::blocking::{Crew, Worker};
use rustix::thread::{CpuSet, sched_getaffinity};

use crate::Outcome;
use crate::ratio::median;
use crate::served::computed::{self, BlockingClient};

/// The calls in flight.
const IN_FLIGHT: [usize; 5] = [1, 2, 4, 8, 16];

#[derive(Args, Debug)]
pub(crate) struct Options {
    /// How often each takes its turn
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// The calls of a turn
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u32).range(16..))]
    calls: u32,
    /// How long a call computes, in microseconds
    #[arg(long, default_value_t = 1000)]
    micros: u64,
}

/// A turn: so many calls in a second, and how much longer than the one in the middle the longest took.
#[derive(Clone, Copy, Debug)]
struct Turn {
    per_second: f64,
    tail: f64,
}

/// Has all three make calls, with more and more in flight, and prints the ratios.
pub(crate) fn compare(options: &Options) -> Outcome {
    let cpus = sched_getaffinity(None)?;
    let cpus: Vec<usize> = (0..CpuSet::MAX_CPU)
        .filter(|cpu| cpus.is_set(*cpu))
        .collect();
    let [first, second, ..] = cpus[..] else {
        return Err("two cores are needed, and one may be used".into());
    };
    let builder = || AsyncWorker::builder_of_self();
    let alone = Worker::start(builder())?;
    let free = Worker::start(builder())?;
    let crew = Crew::spawn(builder(), 2)?;
    for (worker, cpus) in [(&alone, vec![first]), (&free, vec![first, second])] {
        worker.import::<BlockingClient>()?.bind(&cpus)?;
    }
    for (worker, cpu) in crew.as_async().workers().iter().zip([first, second]) {
        let worker = Worker::from_async(worker.clone());
        worker.import::<BlockingClient>()?.bind(&[cpu])?;
    }
    let clients = [alone.import()?, free.import()?, crew.import()?];
    let n_steps = computed::steps_in(Duration::from_micros(options.micros));

    println!(
        "calls that compute for {} µs: how many a second, against one at a time on one core; and in brackets,\n\
         how much longer than the median the longest of {} took. Medians of {} rounds",
        options.micros, options.calls, options.rounds
    );
    println!("in flight    one core      two cores     two workers, a core each");
    let mut alone_at_once = None;
    for n in IN_FLIGHT {
        let mut turns = [(); 3].map(|()| (Vec::new(), Vec::new()));
        // The first round finds nothing in place.
        for round in 0..=options.rounds as usize {
            for turn in 0..clients.len() {
                let which = (turn + round) % clients.len();
                let Turn { per_second, tail } =
                    take_turn(&clients[which], n, options.calls, n_steps)?;
                if round > 0 {
                    turns[which].0.push(per_second);
                    turns[which].1.push(tail);
                }
            }
        }
        let [one, two, crew] = turns.map(|(mut per_second, mut tails)| {
            let per_second = median(&mut per_second);
            let ratio = per_second / *alone_at_once.get_or_insert(per_second);
            format!("{ratio:.2} ({:.1})", median(&mut tails))
        });
        println!("{n:9}    {one:<12}  {two:<12}  {crew}");
    }
    Ok(())
}

/// Makes so many calls, `n` at a time.
fn take_turn(client: &BlockingClient, n: usize, n_calls: u32, n_steps: u64) -> Outcome<Turn> {
    let each = n_calls as usize / n;
    let since = Instant::now();
    let times = thread::scope(|scope| {
        let caller = || {
            let call = |_| {
                let since = Instant::now();
                client
                    .compute(n_steps)
                    .map(|_| since.elapsed().as_secs_f64())
            };
            (0..each).map(call).collect::<Result<Vec<_>, _>>()
        };
        let callers: Vec<_> = (0..n).map(|_| scope.spawn(caller)).collect();
        let times = callers
            .into_iter()
            .map(|caller| caller.join().expect("no panic"));
        times.collect::<Result<Vec<_>, _>>()
    })?;
    let mut times = times.concat();
    let per_second = times.len() as f64 / since.elapsed().as_secs_f64();
    let longest = times.iter().copied().fold(0.0, f64::max);
    let tail = longest / median(&mut times);
    Ok(Turn { per_second, tail })
}
