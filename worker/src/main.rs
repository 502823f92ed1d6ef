//! The stock worker: loads a module library and has it serve its modules.
//!
//! A host starts it (`Worker::spawn_library`). See `export_modules!` for how a library is made.
//!
//! It is the launcher of sandboxed workers, too: a host that isn't one itself has it confine itself
//! and become the worker (`Sandbox`).

#![deny(unsafe_code)]

mod arguments;
#[expect(unsafe_code, reason = "the code of a library is called")]
mod load;

use std::process::ExitCode;

use arguments::{ArgumentError, Request};
use load::LoadError;

const HELP: &str = "\
Loads a module library and serves its modules to the reedbed host that started this program.

usage: reedbed-worker --module <library> [--crate <name>] [-- <argument>...]

  --module <library>  the library, made with `reedbed_worker::export_modules!`
  --crate <name>      its crate, if the file isn't called `lib<name>.so` after it
  -- <argument>...    for the functions of the library to look at
  --help, --version   print this, or the version, and exit";

/// Why this program serves nothing.
#[derive(Debug, thiserror::Error)]
enum StockError {
    #[error(transparent)]
    Arguments(#[from] ArgumentError),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Channel(#[from] reedbed::ServeError),
}

fn main() -> ExitCode {
    reedbed::launch_if_asked();
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            reedbed_worker::tell(&error);
            ExitCode::from(reedbed::CANNOT_SERVE)
        }
    }
}

fn run() -> Result<(), StockError> {
    match arguments::parse(std::env::args_os().skip(1))? {
        Request::Help => println!("{HELP}"),
        Request::Version => println!(
            "reedbed-worker {} (version {} of the wire)",
            env!("CARGO_PKG_VERSION"),
            reedbed::WIRE_VERSION
        ),
        Request::Serve(library) => {
            // Moved away from standard input first: what a library runs while it is loaded must
            // find neither the channel there nor anything else to read.
            let channel = reedbed::inherited_channel()?;
            load::open(&library)?.serve(channel)?;
        }
    }
    Ok(())
}
