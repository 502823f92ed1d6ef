//! What a host does where the system gives little. Each check runs in a process of its own, because
//! limits are a process's.

mod clock;
mod few_descriptors;
mod full_table;
mod memory;
mod privileges;

use std::error::Error;

pub(crate) use full_table::FullTable;
use reedbed::CallError;
use rustix::process::{Resource, Rlimit, setrlimit};

use crate::{crowd, long_frames};

/// Sets a limit of this process, and of the workers that it starts.
pub(crate) fn limit(resource: Resource, value: u64) -> Result<(), Box<dyn Error>> {
    Ok(setrlimit(
        resource,
        Rlimit {
            current: Some(value),
            maximum: Some(value),
        },
    )?)
}

/// Runs the check of this name; prints what happened.
///
/// # Errors
/// Whatever should not have happened.
pub async fn run(worker: &str, name: &str) -> Result<(), Box<dyn Error>> {
    match name {
        "budget" => memory::budget(),
        "address-space" => memory::address_space(),
        "file-size" => memory::file_size(),
        "descriptors" => few_descriptors::hundred(worker).await,
        "ten-thousand-tensors" => few_descriptors::ten_thousand(worker).await,
        "large-tensors-and-descriptors" => few_descriptors::large_tensors(worker).await,
        "worker-descriptors" => full_table::at_one_call(worker).await,
        "full-table-of-the-host" => full_table::of_the_host(worker).await,
        "full-table-of-the-worker" => full_table::of_the_worker(worker).await,
        "long-frames-and-a-full-host" => long_frames::full_host(worker).await,
        "long-frames-and-a-full-worker" => long_frames::full_worker(worker).await,
        "long-frames-and-address-space" => long_frames::address_space(worker).await,
        "jumping-clock" => clock::jumping(worker).await,
        "waiting-for-the-budget" => memory::waiting_for_the_budget(worker).await,
        "crowded-socket" => crowd::crowded_socket(worker).await,
        "limits-beyond-ones-own" => privileges::limits_beyond_ones_own(worker).await,
        _ => Err(format!("no check is called {name}").into()),
    }
}

/// Prints what a test is to read.
pub(crate) fn tell(what: &dyn std::fmt::Display) {
    println!("{what}");
}

/// The failure of a call, told.
pub(crate) fn failed<T, E: std::fmt::Display>(
    what: &str,
    called: Result<T, CallError<E>>,
) -> Result<CallError<E>, Box<dyn Error>> {
    let error = called.err().ok_or_else(|| format!("{what} was done"))?;
    tell(&format!("{what}: {error}"));
    Ok(error)
}
