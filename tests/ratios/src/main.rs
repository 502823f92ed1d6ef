//! What one thing takes of another's time: `cargo ratios spawn`, `sandbox`, `inline`, `copy` or `cores`.
//!
//! Two things that are compared are done in turns, in one run, and each round gives one ratio. So a
//! machine that is slow for a while is slow for both. No time is right or wrong in itself; the ratios
//! are for people to read.

mod copy;
mod cores;
mod inline;
mod peer;
mod ratio;
mod sandbox;
mod served;
mod spawn;

use std::error::Error;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

#[derive(Parser)]
#[command(
    name = "cargo ratios",
    about = "What one thing takes of another's time"
)]
struct Cli {
    #[command(subcommand)]
    question: Question,
}

#[derive(Subcommand)]
enum Question {
    /// A worker's start: does it take longer from a host that has much memory?
    Spawn(spawn::Options),
    /// A worker's start: how much longer does it take in a sandbox?
    Sandbox(sandbox::Options),
    /// Small arrays: do they travel faster in the frame, or by handle?
    Inline(inline::Options),
    /// Large arrays: had their copies better go around the caches?
    Copy(copy::Options),
    /// Functions that compute: what is a second core good for?
    Cores(cores::Options),
    /// A host that copies, for `copy`
    #[command(hide = true)]
    Copier,
    /// A host with so much memory, for `spawn`
    #[command(hide = true)]
    Host { n_bytes: usize },
    /// A program that does nothing, for `spawn`
    #[command(hide = true)]
    Nothing,
}

fn main() -> ExitCode {
    reedbed_worker::init![served::arrays, served::computed];
    let outcome = match Cli::parse().question {
        Question::Spawn(options) => spawn::compare(&options),
        Question::Sandbox(options) => sandbox::compare(&options),
        Question::Inline(options) => inline::compare(&options),
        Question::Copy(options) => copy::compare(&options),
        Question::Cores(options) => cores::compare(&options),
        Question::Copier => copy::run(),
        Question::Host { n_bytes } => spawn::host::run(n_bytes),
        Question::Nothing => Ok(()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
