//! Starts workers from a small host and from one with much resident memory.
//!
//! A process that is forked gets a copy of its parent's page tables, which takes the longer, the more
//! memory the parent has touched; one that is started by `posix_spawn` gets none. Whether this
//! instrument would show such a copy is shown by a program that the standard library forks for.

pub(crate) mod host;

use clap::Args;

use crate::Outcome;
use crate::ratio::{Ratios, median};
use host::{Host, Started};

const GIB: usize = 1 << 30;

#[derive(Args, Debug)]
pub(crate) struct Options {
    /// What the large host has touched
    #[arg(long, default_value_t = 8)]
    gib: usize,
    /// How often each host starts one of each
    #[arg(long, default_value_t = 41, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
}

/// Has both hosts start the same, one after the other, and prints the ratios.
pub(crate) fn compare(options: &Options) -> Outcome {
    let n_bytes = options.gib * GIB;
    fits(n_bytes)?;
    let mut small = Host::start(0)?;
    let mut large = Host::start(n_bytes)?;
    let mib = |host: &Host| host.resident_bytes() as f64 / (1 << 20) as f64;
    println!(
        "from a host with {:.1} MiB resident, against one with {:.1} MiB; median of {} rounds, and middle half",
        mib(&large),
        mib(&small),
        options.rounds
    );
    for what in Started::ALL {
        let mut ratios = Ratios::default();
        let (mut of_small, mut of_large) = (Vec::new(), Vec::new());
        // The first of each finds the program's file in no cache.
        small.start_one(what)?;
        large.start_one(what)?;
        for round in 0..options.rounds {
            let (one, other) = if round % 2 == 0 {
                let one = small.start_one(what)?;
                (one, large.start_one(what)?)
            } else {
                let other = large.start_one(what)?;
                (small.start_one(what)?, other)
            };
            ratios.add(other, one);
            of_small.push(one);
            of_large.push(other);
        }
        println!(
            "{:<24}  {} ({:.2} ms, {:.2} ms)",
            ratios.to_string(),
            what.title(),
            median(&mut of_large) / 1e6,
            median(&mut of_small) / 1e6
        );
    }
    Ok(())
}

/// Refuses to take more memory than there is: the kernel would end some process for it.
fn fits(n_bytes: usize) -> Outcome {
    let information = std::fs::read_to_string("/proc/meminfo")?;
    let available = information.lines().find_map(|line| {
        let kibibytes = line.strip_prefix("MemAvailable:")?.strip_suffix("kB")?;
        kibibytes.trim().parse::<usize>().ok()
    });
    let available = available.ok_or("/proc/meminfo doesn't tell what is available")? * 1024;
    let needed = n_bytes + GIB;
    if needed > available {
        return Err(format!(
            "{needed} bytes are needed, a GiB to spare included, and {available} are available: ask for less by --gib"
        )
        .into());
    }
    Ok(())
}
