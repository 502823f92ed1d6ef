//! A host in a process of its own, which starts what it is told to.

use std::fs;
use std::hint::black_box;
use std::process::Command;
use std::str::FromStr;
use std::time::Instant;

use std::os::unix::process::CommandExt;

use reedbed::blocking::Worker;
use rustix::process::getuid;

use crate::Outcome;
use crate::peer::Peer;
use crate::served::arrays;

/// What a host starts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Started {
    Worker,
    Program,
    Forked,
}

impl Started {
    pub(crate) const ALL: [Self; 3] = [Self::Worker, Self::Program, Self::Forked];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Worker => "a worker, until it has answered a call",
            Self::Program => "a program that does nothing, until it has ended",
            Self::Forked => "the same program, by fork",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Worker => "worker",
            Self::Program => "program",
            Self::Forked => "forked",
        }
    }

    /// Starts it; returns how long that took, in nanoseconds. What comes afterwards isn't counted.
    fn start(self) -> Outcome<u128> {
        let since = Instant::now();
        if self == Self::Worker {
            let worker = Worker::spawn_self()?;
            worker.import::<arrays::BlockingClient>()?.nothing()?;
            return Ok(since.elapsed().as_nanos());
        }
        let mut command = Command::new("/proc/self/exe");
        command.arg("nothing");
        if self == Self::Forked {
            // Becoming the user that one is changes nothing; but `posix_spawn` couldn't do it.
            command.uid(getuid().as_raw());
        }
        let status = command.status()?;
        let took = since.elapsed().as_nanos();
        if !status.success() {
            return Err(format!("a program that does nothing ended with {status}").into());
        }
        Ok(took)
    }
}

impl FromStr for Started {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|what| what.name() == name);
        found.ok_or_else(|| format!("{name}? worker, program or forked"))
    }
}

/// In the host: touches so much memory, then starts what each line of standard input says.
pub(crate) fn run(n_bytes: usize) -> Outcome {
    let memory = vec![1u8; n_bytes];
    black_box(&memory);
    println!("{}", resident_bytes()?);
    for line in std::io::stdin().lines() {
        println!("{}", line?.parse::<Started>()?.start()?);
    }
    black_box(&memory);
    Ok(())
}

/// This process's own memory, as far as it is resident (`man 5 proc_pid_status`).
fn resident_bytes() -> Outcome<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let kibibytes = status.lines().find_map(|line| {
        let number = line.strip_prefix("RssAnon:")?.strip_suffix("kB")?;
        number.trim().parse::<u64>().ok()
    });
    Ok(kibibytes.ok_or("/proc doesn't tell what is resident")? * 1024)
}

/// A host, seen from the process that compares.
#[derive(Debug)]
pub(crate) struct Host {
    process: Peer,
    resident_bytes: u64,
}

impl Host {
    /// Starts one that touches so much memory, and waits until it has.
    pub(crate) fn start(n_bytes: usize) -> Outcome<Self> {
        let mut process = Peer::start(&["host", &n_bytes.to_string()], &[])?;
        let resident_bytes = process.answer()?;
        Ok(Self {
            process,
            resident_bytes,
        })
    }

    pub(crate) fn resident_bytes(&self) -> u64 {
        self.resident_bytes
    }

    /// Has it start something; returns nanoseconds.
    pub(crate) fn start_one(&mut self, what: Started) -> Outcome<f64> {
        self.process.ask(what.name())
    }
}
