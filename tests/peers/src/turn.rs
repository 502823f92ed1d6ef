//! A turn: one system does one work for a moment, in processes of its own.
//!
//! The processes are new in each turn, so that what a system leaves behind (threads, mappings, a
//! grown heap) is not in another one's way, and nothing but the measured pair runs.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::Outcome;
use crate::meter::{Budget, Meter};
use crate::systems::System;
use crate::work::{Placement, Work};

/// Where this package lies.
pub(crate) const PACKAGE: &str = env!("CARGO_MANIFEST_DIR");
/// Where the repository lies.
pub(crate) fn repository() -> PathBuf {
    Path::new(PACKAGE)
        .ancestors()
        .nth(2)
        .unwrap_or(Path::new("."))
        .to_owned()
}

/// The argument with which this program does nothing at all.
pub(crate) const NOTHING: &str = "nothing";
/// The core of the caller, and that of its server, in the environment of both.
const HOST_CPU: &str = "PEERS_HOST_CPU";
const WORKER_CPU: &str = "PEERS_WORKER_CPU";
/// A turn that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(120);

/// What one turn is to do.
pub(crate) struct Turn<'a> {
    pub(crate) name: &'a str,
    pub(crate) system: &'a dyn System,
    pub(crate) work: Work,
    pub(crate) budget: Budget,
    /// The file that the caller writes its samples into.
    pub(crate) samples: &'a Path,
}

impl Turn<'_> {
    /// This program, to make the calls.
    pub(crate) fn own_program(&self) -> Command {
        let mut command = Command::new("/proc/self/exe");
        command
            .arg("call")
            .args(["--system", self.name, "--work", self.work.name])
            .args(self.budget_arguments())
            .arg("--samples")
            .arg(self.samples);
        command
    }

    pub(crate) fn budget_arguments(&self) -> [String; 8] {
        let budget = self.budget;
        [
            "--warm-up-ms".to_owned(),
            budget.warm_up.as_millis().to_string(),
            "--measure-ms".to_owned(),
            budget.measure.as_millis().to_string(),
            "--min-calls".to_owned(),
            budget.min_calls.to_string(),
            "--max-calls".to_owned(),
            budget.max_calls.to_string(),
        ]
    }

    /// Takes the turn; returns nanoseconds.
    ///
    /// # Errors
    /// What the caller said, if it failed.
    pub(crate) fn take(&self) -> Outcome<Vec<u32>> {
        let mut command = self.system.caller(self)?;
        command.envs(self.system.environment().iter().copied());
        if let Some((host, worker)) = cores(self.work.placement)? {
            command.env(HOST_CPU, host.to_string());
            command.env(WORKER_CPU, worker.to_string());
        }
        let _competitors = match self.work.placement {
            Placement::Competing => vec![Competitor::start()?, Competitor::start()?],
            _ => Vec::new(),
        };
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
        let status = wait(child)?;
        if !status.success() {
            return Err(format!("the caller ended with {status}").into());
        }
        let bytes = std::fs::read(self.samples)?;
        let (samples, _) = bytes.as_chunks();
        Ok(samples
            .iter()
            .map(|&sample| u32::from_le_bytes(sample))
            .collect())
    }
}

/// In the caller: does the calls and writes the samples.
pub(crate) fn call(
    name: &str,
    system: &dyn System,
    work: &Work,
    budget: Budget,
    samples: &Path,
) -> Outcome {
    let mut meter = Meter::new(budget, work);
    system.call(name, work, &mut meter)?;
    Ok(std::fs::write(
        samples,
        bytemuck::cast_slice(meter.samples()),
    )?)
}

/// Binds this process to the core that was chosen for its side, if one was.
pub(crate) fn take_place(is_worker: bool) -> Outcome {
    let variable = if is_worker { WORKER_CPU } else { HOST_CPU };
    if let Ok(core) = std::env::var(variable) {
        let mut set = CpuSet::new();
        set.set(core.parse()?);
        sched_setaffinity(None, &set)?;
    }
    Ok(())
}

/// The cores of host and worker.
fn cores(placement: Placement) -> Outcome<Option<(usize, usize)>> {
    let allowed = sched_getaffinity(None)?;
    let mut cores = (0..CpuSet::MAX_CPU).filter(|&core| allowed.is_set(core));
    let first = cores.next().ok_or("no core may be used")?;
    match placement {
        Placement::Free | Placement::Competing => Ok(None),
        Placement::OneCore => Ok(Some((first, first))),
        Placement::TwoCores => {
            let second = cores.next().ok_or("one core only may be used")?;
            Ok(Some((first, second)))
        }
    }
}

/// A process that computes until this is dropped.
struct Competitor(Child);

impl Competitor {
    fn start() -> Outcome<Self> {
        let mut command = Command::new("/proc/self/exe");
        Ok(Self(command.arg("compete").stdin(Stdio::null()).spawn()?))
    }
}

impl Drop for Competitor {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits for the caller, or ends it if it hangs. Nothing runs here meanwhile.
fn wait(mut child: Child) -> Outcome<ExitStatus> {
    let pid = Pid::from_child(&child);
    let process = pidfd_open(pid, PidfdFlags::empty())?;
    let mut ended = [PollFd::new(&process, PollFlags::IN)];
    if poll(&mut ended, Some(&LIMIT.try_into()?))? == 0 {
        child.kill()?;
        child.wait()?;
        return Err(format!("it took more than {} s", LIMIT.as_secs()).into());
    }
    Ok(child.wait()?)
}
