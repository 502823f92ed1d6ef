//! What is written in Python, in a virtual environment under `target`, made the first time.
//!
//! The scripts in `python/` are the caller and, run again, the worker; they do what the files beside
//! this one do and write their samples in the same form.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use super::System;
use crate::Outcome;
use crate::meter::Meter;
use crate::turn::{PACKAGE, Turn, repository};
use crate::work::{Read, Task, Work};

#[derive(Clone, Copy)]
pub(crate) enum Python {
    /// `multiprocessing.shared_memory`, with requests and replies over a `Pipe`.
    Multiprocessing,
    /// The `NDArray` protocol of Wetlands 0.4 and its module executor.
    Wetlands,
    /// Tensors of torch over its `multiprocessing`; measured only if asked for.
    Torch,
}

impl Python {
    fn script(self) -> &'static str {
        match self {
            Self::Multiprocessing => "shared_memory_peer.py",
            Self::Wetlands => "wetlands_peer.py",
            Self::Torch => "torch_peer.py",
        }
    }

    /// The packages that it needs.
    fn packages(self) -> &'static [&'static str] {
        match self {
            Self::Multiprocessing => &["numpy==2.*"],
            Self::Wetlands => &["numpy==2.*", "wetlands==0.4.*"],
            Self::Torch => &["numpy==2.*", "torch==2.*"],
        }
    }

    /// The interpreter of its environment, which is made once.
    fn interpreter(self) -> Outcome<PathBuf> {
        type Environment = OnceLock<Result<PathBuf, String>>;
        static ENVIRONMENTS: [Environment; 3] = [const { Environment::new() }; 3];
        let made = ENVIRONMENTS[self as usize]
            .get_or_init(|| self.environment().map_err(|error| error.to_string()));
        Ok(made.clone()?)
    }

    fn environment(self) -> Outcome<PathBuf> {
        let name = self.script().trim_end_matches("_peer.py");
        let directory = repository().join("target/peers-python").join(name);
        let interpreter = directory.join("bin/python");
        let done = directory.join("installed");
        if done.exists() {
            return Ok(interpreter);
        }
        eprintln!(
            "making a virtual environment with {}",
            self.packages().join(", ")
        );
        run(Command::new("python3").args(["-m", "venv"]).arg(&directory))?;
        run(Command::new(&interpreter)
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
            ])
            .args(self.packages()))?;
        std::fs::write(done, "")?;
        Ok(interpreter)
    }
}

fn run(command: &mut Command) -> Outcome {
    let status = command
        .stdin(Stdio::null())
        .status()
        .map_err(|error| format!("{command:?} can't be run: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{command:?} ended with {status}").into())
    }
}

impl System for Python {
    fn lacks(&self, work: &Work) -> Option<&'static str> {
        match (self, work.task) {
            _ if work.n_in_flight > 1 => Some("the caller waits for each reply"),
            (_, Task::Spawn) => Some("an interpreter's start would be measured"),
            (Self::Multiprocessing, _) => None,
            (_, Task::ResidentCold(_)) => Some("as `resident sum`: every call maps anew"),
            (_, Task::HeapCold(_)) => Some("as `heap sum`: every call shares anew"),
            _ => None,
        }
    }

    fn caller(&self, turn: &Turn<'_>) -> Outcome<Command> {
        let mut command = Command::new(self.interpreter()?);
        let work = turn.work;
        let (task, n_bytes) = match work.task {
            Task::Null | Task::Spawn => ("null", 0),
            Task::Resident(Read::One, n_bytes) => ("resident_one", n_bytes),
            Task::Resident(Read::All, n_bytes) => ("resident_sum", n_bytes),
            Task::ResidentCold(n_bytes) => ("resident_cold", n_bytes),
            Task::Heap(Read::One, n_bytes) => ("heap_one", n_bytes),
            Task::Heap(Read::All, n_bytes) => ("heap_sum", n_bytes),
            Task::HeapCold(n_bytes) => ("heap_cold", n_bytes),
            Task::Returned(n_bytes) => ("returned", n_bytes),
            Task::InPlace(n_bytes) => ("in_place", n_bytes),
        };
        let pace = match work.pace {
            crate::work::Pace::BackToBack => 0,
            crate::work::Pace::Every(interval) => interval.as_millis(),
        };
        let script = Path::new(PACKAGE).join("python").join(self.script());
        command
            .arg(script)
            .args(["--task", task])
            .arg("--bytes")
            .arg(n_bytes.to_string())
            .arg("--pace-ms")
            .arg(pace.to_string())
            .args(turn.budget_arguments())
            .arg("--samples")
            .arg(turn.samples);
        Ok(command)
    }

    fn call(&self, _: &str, _: &Work, _: &mut Meter) -> Outcome {
        Err("the caller is a script".into())
    }

    fn serve(&self, _: &Work, _: &[String]) -> Outcome {
        Err("the server is a script".into())
    }
}
