//! Makes so many calls of one kind, and prints how many allocations each took on either side.
//! `tests/instructions` runs it under instruments, `tests/allocations.rs` as it is.
//!
//! `counted-calls CALL N` makes the calls, `counted-calls serve` is its worker: one program, so that
//! both sides count. `counted-calls CALL N spin` is for instruments, which slow a side down so much that
//! the other would sleep; what stands behind it is an instrument for the worker.

#![deny(unsafe_code)]

#[expect(unsafe_code, reason = "only an allocator sees what is allocated")]
mod allocations;
mod served;

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use futures::executor::block_on;
use ndarray::Ix1;
use reedbed::{Tensor, WaitPolicy, Worker, WorkerBuilder};

use served::counted;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// Under an instrument everything takes long.
const PATIENCE: Duration = Duration::from_secs(120);
/// Calls before those that are counted: both sides map and keep what the calls need.
const N_BEFORE: u64 = 100;
/// The element of the array that is lent.
const FIRST: u64 = 7;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments[..] {
        ["serve"] => return reedbed_worker::serve(&[counted::MODULE]),
        [call, n_calls] => host(call, n_calls, WaitPolicy::default(), &[]),
        [call, n_calls, "spin", ref instrument @ ..] => {
            host(call, n_calls, WaitPolicy::Spin, instrument)
        }
        _ => Err("counted-calls null|lent|returned N [spin [INSTRUMENT ..]]".into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn host(call: &str, n_calls: &str, wait: WaitPolicy, instrument: &[&str]) -> Outcome {
    let n_calls: u64 = n_calls.parse()?;
    let starting = worker(instrument)?.wait(wait).startup_timeout(PATIENCE);
    let worker = block_on(starting.spawn())?;
    let client: counted::Client = block_on(worker.import())?;
    match call {
        "null" => count(&client, n_calls, |_| Ok(client.nothing().wait()?))?,
        "lent" => {
            let numbers = Tensor::from_elem(counted::LEN, FIRST)?;
            count(&client, n_calls, |_| lend(&client, &numbers))?;
        }
        "returned" => count(&client, n_calls, |nth| receive(&client, nth))?,
        other => return Err(format!("{other}? null, lent or returned").into()),
    }
    drop(client);
    // It ends of itself, so that the instrument says what it has counted.
    block_on(worker.shutdown(PATIENCE));
    Ok(())
}

/// This program as the worker, run by the instrument, if there is one.
fn worker(instrument: &[&str]) -> Outcome<WorkerBuilder> {
    let own = std::env::current_exe()?;
    let builder = match instrument {
        [] => Worker::builder(own),
        [program, arguments @ ..] => Worker::builder(program).args(arguments).arg(own),
    };
    Ok(builder.arg("serve"))
}

/// Lends an array, of which the worker reads an element.
fn lend(client: &counted::Client, numbers: &Tensor<u64, Ix1>) -> Outcome {
    check(client.first(numbers).wait()?, FIRST)
}

/// Gets an array, and reads an element.
fn receive(client: &counted::Client, first: u64) -> Outcome {
    let numbers = client.begun_with(first).wait()?;
    check(numbers.view()?[0], first)
}

fn check(found: u64, expected: u64) -> Outcome {
    if found == expected {
        return Ok(());
    }
    Err(format!("an element is {found}, and should be {expected}").into())
}

/// Makes the calls and prints the allocations. Asking the worker is a call, too; it is shared among
/// `n_calls`.
fn count(client: &counted::Client, n_calls: u64, mut call: impl FnMut(u64) -> Outcome) -> Outcome {
    for nth in 0..N_BEFORE {
        call(nth)?;
    }
    let of_worker = client.allocations().wait()?;
    let of_host = allocations::so_far();
    for nth in 0..n_calls {
        call(nth)?;
    }
    let of_host = allocations::so_far() - of_host;
    let of_worker = client.allocations().wait()? - of_worker;
    for (side, n_allocations) in [("host", of_host), ("worker", of_worker)] {
        let each = n_allocations as f64 / n_calls as f64;
        println!("{side}: {each:.2} allocations a call");
    }
    Ok(())
}
