//! Whether copies into shared memory had better go around the caches.
//!
//! `memcpy` of the GNU C library writes around the caches (*non-temporal* stores) from a length on that
//! it derives from their size, and may be told another one (`GLIBC_TUNABLES`). So the same call, whose
//! array of the heap is copied in and summed by the worker, is made by a host that leaves the choice to
//! the library, by one that always goes around the caches, and by one that never does.

use std::time::Instant;

use clap::Args;
use reedbed::blocking::Worker;
use reedbed::ndarray::Array1;

use crate::Outcome;
use crate::peer::Peer;
use crate::ratio::{Ratios, median};
use crate::served::arrays;

const MIB: usize = 1 << 20;

/// From which length on `memcpy` goes around the caches: the least and the most that may be said.
const ALWAYS: &str = "glibc.cpu.x86_non_temporal_threshold=0x4040";
const NEVER: &str = "glibc.cpu.x86_non_temporal_threshold=0xfffffffffffffff";

#[derive(Args, Debug)]
pub(crate) struct Options {
    /// How often each host takes its turn
    #[arg(long, default_value_t = 31, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// The sizes of the arrays
    #[arg(long, default_values_t = [1, 8, 64])]
    mib: Vec<usize>,
}

/// Has all three make the same calls, and prints the ratios.
pub(crate) fn compare(options: &Options) -> Outcome {
    let host = |tunables: &[_]| Peer::start(&["copier"], tunables);
    let mut hosts = [
        host(&[])?,
        host(&[("GLIBC_TUNABLES", ALWAYS)])?,
        host(&[("GLIBC_TUNABLES", NEVER)])?,
    ];
    println!(
        "copied in and summed, against what the C library chooses; median of {} rounds, and middle half",
        options.rounds
    );
    println!("  MiB    {:<24}  through them", "around the caches");
    for mib in &options.mib {
        let mut ratios = [Ratios::default(), Ratios::default()];
        // The first round finds nothing in place.
        for round in 0..=options.rounds {
            let mut took = [0.0; 3];
            for turn in 0..3 {
                let host = (turn + round as usize) % 3;
                took[host] = hosts[host].ask(&mib.to_string())?;
            }
            let [chosen, around, through] = took;
            if round > 0 {
                ratios[0].add(around, chosen);
                ratios[1].add(through, chosen);
            }
        }
        let [around, through] = ratios.map(|ratios| ratios.to_string());
        println!("{mib:5}    {around:<24}  {through}");
    }
    Ok(())
}

/// In a host: makes some calls with arrays of as many MiB as each line of standard input says, and tells
/// what one takes, in nanoseconds.
pub(crate) fn run() -> Outcome {
    const CALLS: usize = 5;

    let worker = Worker::spawn_self()?;
    let client: arrays::BlockingClient = worker.import()?;
    let mut array = Array1::<u64>::default(0);
    for line in std::io::stdin().lines() {
        let n_elements = line?.parse::<usize>()? * (MIB / size_of::<u64>());
        if array.len() != n_elements {
            array = Array1::from_elem(n_elements, 1);
        }
        let mut times = Vec::with_capacity(CALLS);
        for _ in 0..CALLS {
            let since = Instant::now();
            let sum = client.sum(&array)?;
            times.push(since.elapsed().as_nanos() as f64);
            if sum != n_elements as u64 {
                return Err(format!("{sum} is not the sum of {n_elements} ones").into());
            }
        }
        println!("{}", median(&mut times));
    }
    Ok(())
}
