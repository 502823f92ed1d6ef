//! Why a worker did not start, or doesn't serve a module.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::end::{EndReason, WorkerEnd};
use super::limits::LimitError;
use super::serve::CANNOT_SERVE;
use crate::readable::list;

/// Why a worker did not start. No process is left behind.
///
/// Its `Debug` form is for people as well, because that is what a `main` that returns it prints.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum SpawnError {
    /// The program can't be run.
    #[error("worker program `{}` can't be started; is it built, and executable? (`reedbed::program_beside` finds one next to this program)", program.display())]
    Program {
        /// The program.
        program: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// The program ended before it was ready.
    #[error("worker `{worker}` (`{}`) ended before it was ready{}: {end}", program.display(), hint(end))]
    Ended {
        /// The worker's name.
        worker: String,
        /// The program.
        program: PathBuf,
        /// How it ended.
        end: WorkerEnd,
    },
    /// The program was not ready in time, and was killed.
    #[error("worker `{worker}` (`{}`) was not ready within {limit:?} and was killed; does it serve modules, by `reedbed_worker::worker_main!` in Rust or `serve(..)` in Python? A slow start can be given more time with `startup_timeout`", program.display())]
    TimedOut {
        /// The worker's name.
        worker: String,
        /// The program.
        program: PathBuf,
        /// How long it was given.
        limit: Duration,
    },
    /// The program can't be understood, and was killed.
    #[error("worker `{worker}` (`{}`) can't be used: {reason}", program.display())]
    Incompatible {
        /// The worker's name.
        worker: String,
        /// The program.
        program: PathBuf,
        /// What it said.
        reason: String,
    },
    /// The program can't be given a limit, and was killed.
    #[error("worker `{worker}` (`{}`) can't be limited", program.display())]
    Limit {
        /// The worker's name.
        worker: String,
        /// The program.
        program: PathBuf,
        /// Which limit, and why.
        #[source]
        source: LimitError,
    },
    /// A program is to run itself as a worker and has not said how.
    #[error(
        "a program that runs itself as a worker begins its `main` with `reedbed_worker::init![..]`, which names the modules to serve; this one did not"
    )]
    NotInitialised,
    /// A worker is about to run itself as a worker before it serves.
    #[error(
        "this process was started as a worker; it can't run itself as a worker before it serves (is there code before `reedbed_worker::init![..]` in its `main`, or did its first argument, `--reedbed-worker`, get lost?)"
    )]
    Recursion,
    /// The program that loads module libraries isn't there.
    #[error("`{}` needs the stock worker, `reedbed-worker`, which is neither at {} nor in a folder of `PATH`; build it there (`cargo build --package reedbed-worker`), install it (`cargo install --path worker`, in reedbed's source), or name it in the environment variable `REEDBED_WORKER`", library.display(), paths(beside))]
    NoStockWorker {
        /// The library that was to be loaded.
        library: PathBuf,
        /// Where it could be, beside this program.
        beside: Vec<PathBuf>,
    },
    /// The worker was to be confined, and could not be.
    #[cfg(feature = "sandbox")]
    #[error("worker `{worker}` (`{}`) was not started: its sandbox can't be had", program.display())]
    Sandbox {
        /// The worker's name.
        worker: String,
        /// The program.
        program: PathBuf,
        /// What refuses.
        #[source]
        source: super::sandbox::SandboxError,
    },
    /// tarpc's dispatcher runs on tokio, and there is no runtime here.
    #[error("tarpc's dispatcher needs a tokio runtime; call this inside one")]
    NoRuntime,
    /// Two modules or functions can't be told apart.
    #[error("the modules can't be served together: {0}")]
    Modules(String),
    /// Named segments can't be sealed, so what is shared with an untrusted worker lies in memfds.
    #[error(
        "worker `{worker}` isn't trusted, and named segments can't be kept from it: start it with `WorkerBuilder::segments(Segments::Memfd)`"
    )]
    UntrustedSegments {
        /// The worker's name.
        worker: String,
    },
    /// The system refused a socket, a thread or a descriptor.
    #[error("the system has no room for another worker")]
    System(#[from] io::Error),
}

/// Why a worker's module can't be called.
///
/// Its `Debug` form is for people as well, because that is what a `main` that returns it prints.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The worker serves no module of that name.
    #[error(
        "worker `{worker}` serves no module `{module}`; it serves {}",
        list(served)
    )]
    UnknownModule {
        /// The worker's name.
        worker: String,
        /// The module.
        module: String,
        /// The modules that it serves.
        served: Vec<String>,
    },
    /// The worker's functions have other signatures.
    #[error(
        "module `{module}` of worker `{worker}` differs from the one this program was built with:{}\nmake both sides' signatures agree; in Rust, build both from the same source",
        lines(differences)
    )]
    SchemaMismatch {
        /// The worker's name.
        worker: String,
        /// The module.
        module: String,
        /// One line for each function that differs.
        differences: Vec<String>,
    },
    /// The worker ended.
    #[error("module `{module}` of worker `{worker}` can't be imported: the worker is gone: {end}")]
    WorkerGone {
        /// The worker's name.
        worker: String,
        /// The module.
        module: String,
        /// How it ended.
        end: WorkerEnd,
    },
    /// The worker could not say what the module consists of.
    #[error(
        "module `{module}` of worker `{worker}` can't be imported: it was not described: {reason}; try again"
    )]
    NotDescribed {
        /// The worker's name.
        worker: String,
        /// The module.
        module: String,
        /// Why.
        reason: String,
    },
    /// The worker did not say in time what the module consists of.
    #[error(
        "module `{module}` of worker `{worker}` can't be imported: it was not described within {limit:?}; the \
         worker is stuck, or runs a long function; give it more time with `call_deadline`, or, without \
         one, with `startup_timeout`, or restart it"
    )]
    TimedOut {
        /// The worker's name.
        worker: String,
        /// The module.
        module: String,
        /// How long it had.
        limit: Duration,
    },
}

/// Why a worker was not restarted. It has ended, and can be restarted again.
///
/// Its `Debug` form is for people as well, because that is what a `main` that returns it prints.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum RestartError {
    /// The new process did not start.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// The new process serves something else than what clients were imported for. It is stopped.
    #[error(transparent)]
    Import(#[from] ImportError),
}

crate::readable::debug_as_message!(SpawnError, ImportError, RestartError);

/// What a program may have forgotten, unless it has said itself why it can't serve.
fn hint(end: &WorkerEnd) -> &'static str {
    if *end.reason() == EndReason::Exited(CANNOT_SERVE.into()) {
        return "";
    }
    " (does it serve modules, by `reedbed_worker::worker_main!` in Rust or `serve(..)` in Python?)"
}

fn paths(paths: &[PathBuf]) -> String {
    let quoted = paths.iter().map(|path| format!("`{}`", path.display()));
    quoted.collect::<Vec<_>>().join(" or ")
}

fn lines(differences: &[String]) -> String {
    differences
        .iter()
        .map(|line| format!("\n    {line}"))
        .collect()
}
