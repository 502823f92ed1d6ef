//! Measures reedbed beside its peers: two processes each, in one run.
//!
//! `cargo bench-peers` from the root of the repository; see README.md.

mod cli;
mod meter;
mod payload;
mod report;
mod run;
mod server;
mod stats;
mod systems;
mod turn;
mod work;

use std::process::ExitCode;

use clap::Parser;

/// What may fail, in the end for a person to read.
pub(crate) type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(turn::NOTHING) {
        return ExitCode::SUCCESS;
    }
    if reedbed::is_started_as_worker()
        && let Err(error) = turn::take_place(true)
    {
        eprintln!("error: {error}");
        return ExitCode::FAILURE;
    }
    systems::serve_if_worker();
    match cli::Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
