//! Starts workers with a sandbox and without one.

use std::time::{Duration, Instant};

use clap::Args;
use reedbed::blocking::Worker;
use reedbed::{Sandbox, Worker as AsyncWorker, WorkerBuilder};

use crate::Outcome;
use crate::ratio::{Ratios, median};
use crate::served::arrays;

#[derive(Args, Debug)]
pub(crate) struct Options {
    /// How often one of each is started
    #[arg(long, default_value_t = 61, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
}

/// Starts one of each in each round, and prints the ratio.
pub(crate) fn compare(options: &Options) -> Outcome {
    let free = AsyncWorker::builder_of_self;
    let confined = || AsyncWorker::builder_of_self().sandbox(Sandbox::new());
    let mut ratios = Ratios::default();
    let (mut of_confined, mut of_free) = (Vec::new(), Vec::new());
    // The first round finds nothing in place.
    for round in 0..=options.rounds {
        let [one, other] = if round % 2 == 0 {
            let one = start(confined())?;
            [one, start(free())?]
        } else {
            let other = start(free())?;
            [start(confined())?, other]
        };
        if round > 0 {
            ratios.add(one, other);
            of_confined.push(one);
            of_free.push(other);
        }
    }
    println!(
        "a worker in a sandbox against a free one, until it has answered a call; median of {} rounds, and middle half",
        options.rounds
    );
    println!(
        "{ratios} ({:.2} ms, {:.2} ms)",
        median(&mut of_confined) / 1e6,
        median(&mut of_free) / 1e6
    );
    Ok(())
}

/// Starts one and ends it; returns how long its start took, in nanoseconds.
fn start(builder: WorkerBuilder) -> Outcome<f64> {
    let since = Instant::now();
    let worker = Worker::start(builder)?;
    worker.import::<arrays::BlockingClient>()?.nothing()?;
    let took = since.elapsed().as_nanos() as f64;
    worker.shutdown(Duration::from_secs(10));
    Ok(took)
}
