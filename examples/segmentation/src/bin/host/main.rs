//! The host: decodes images into shared memory, has workers segment them, writes what they found.
//!
//! In reading order: [`cli`] is what can be asked for; [`single`] segments one image in every way
//! and compares; [`batch`] shares several images among workers; [`crash`] loses a worker on the
//! way; [`mosaic`] compares a large image's call with one that copies.

#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a program's output")]

mod batch;
mod cli;
mod crash;
mod lane;
mod leftovers;
mod mosaic;
mod programs;
mod results;
mod scikit;
mod single;
mod size;
mod text;

use std::error::Error;
use std::process::ExitCode;

use clap::Parser;
use segmentation::in_full;

use cli::{Cli, Task};

/// Whatever ends the program early; the types are those of the parts.
type Failure = Box<dyn Error>;

/// Whether all images were segmented.
type IsComplete = bool;

fn main() -> ExitCode {
    match run(Cli::parse().into_task()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {}", in_full(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<IsComplete, Failure> {
    match task {
        Task::Single(plan) => single::run(&plan),
        Task::Batch(plan) => batch::run(&plan),
        Task::Crash(plan) => crash::run(&plan),
        Task::Mosaic(plan) => mosaic::run(&plan),
    }
}
