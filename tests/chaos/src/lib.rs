//! Chaos: calls of all shapes, while workers are killed. Soak: a great many calls, while none is.
//!
//! A run has *callers* (tasks and threads of the host), each of which makes one call after another of a
//! random shape ([`calls`]), in a random way ([`mode`]), of a random worker. Each worker fills a
//! [`slot`], and has a [`killer`] that ends it at a random moment or at a failpoint, and starts it again.
//! Meanwhile [`weather`] makes descriptors scarce and has the pool trimmed.
//!
//! - What a call answered is compared with what the same function gives for ordinary arrays of this
//!   process; what it left in its arguments, with what it may have left there.
//! - How it failed is compared with what was done to its worker meanwhile ([`attempt`]).
//! - Who hangs is noticed by a [`watchdog`], who tells what everyone was doing.
//! - What the host holds afterwards ([`census`]) is compared with what it held before ([`growth`]).
//!
//! All random numbers are drawn from one seed, each caller's and each killer's from a stream of its
//! own. What threads do to each other isn't drawn, so a seed repeats a run only as far as they allow.

#![deny(unsafe_code)]

use std::error::Error;
use std::process::ExitCode;

pub mod allocator;
pub mod attempt;
pub mod calls;
pub mod census;
pub mod chaos;
pub mod contents;
pub mod diary;
pub mod growth;
pub mod heap;
pub mod killer;
pub mod latencies;
pub mod mode;
pub mod served;
pub mod slot;
pub mod soak;
pub mod tally;
pub mod watchdog;
pub mod weather;

/// Something that should not have happened.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct Finding(pub String);

/// What a caller found out.
pub type Found<T = ()> = Result<T, Finding>;

/// Returns a [`Finding`], written as for `format!`.
macro_rules! found {
    ($($text:tt)*) => {
        return Err($crate::Finding(format!($($text)*)))
    };
}

pub(crate) use found;

/// Serves and exits, if this process was started as a worker. A program's `main` begins with it.
pub fn serve_if_worker() {
    if reedbed::is_started_as_worker() {
        diary::keep();
        // The last line of a dead worker tells which one it was.
        println!("{}{}", diary::I_AM, std::process::id());
        reedbed_worker::init(&served::all());
    }
}

/// Runs something on a runtime of its own.
///
/// # Errors
/// As what is run, and if there can be no runtime.
pub fn block_on<T>(
    run: impl Future<Output = Result<T, Box<dyn Error + Send + Sync>>>,
) -> Result<T, Box<dyn Error + Send + Sync>> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder
        .worker_threads(2)
        .enable_time()
        .build()?
        .block_on(run)
}

/// Says how a run went.
pub fn exit_code(went: Result<bool, Box<dyn Error + Send + Sync>>, seed: u64) -> ExitCode {
    match went {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("something was found (seed {seed})");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("it can't be run (seed {seed}): {error}");
            ExitCode::FAILURE
        }
    }
}
