//! How often a call asks for memory of the heap, on either side.
//!
//! What is counted doesn't depend on how fast the machine is. It depends a little on how busy it is: a
//! caller who sleeps takes one allocation more, and a function that is kept from running counts as a
//! long one, for which another thread is found. Nothing makes a call take fewer, so the least of
//! several runs is the one that tells.

use std::error::Error;
use std::process::Command;

type TestResult = Result<(), Box<dyn Error>>;

/// How many calls each run makes.
const N_CALLS: &str = "2000";
/// How often it is run at most.
const N_RUNS: usize = 10;
/// What rare events add, spread over the calls of a run.
const SLACK: f64 = 0.5;

/// Runs the program that counts; returns allocations a call, of the host and of the worker.
fn allocations(call: &str) -> Result<[f64; 2], Box<dyn Error>> {
    let output = Command::new(env!("CARGO_BIN_EXE_counted-calls"))
        .args([call, N_CALLS])
        .output()?;
    let said = String::from_utf8(output.stdout)?;
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr);
        return Err(format!("counted-calls {call}: {}, {error}", output.status).into());
    }
    let of_side = |side: &str| -> Result<f64, Box<dyn Error>> {
        let mut lines = said.lines();
        let number = lines.find_map(|line| {
            line.strip_prefix(side)?
                .strip_prefix(": ")?
                .strip_suffix(" allocations a call")
        });
        Ok(number
            .ok_or_else(|| format!("nothing about the {side}: {said}"))?
            .parse()?)
    };
    Ok([of_side("host")?, of_side("worker")?])
}

/// Checks that a call takes as many allocations as were counted on an idle machine, the one of a caller
/// who sleeps included, and no more.
fn assert_no_more(call: &str, counted: [f64; 2]) -> TestResult {
    let mut least = [f64::INFINITY; 2];
    for _ in 0..N_RUNS {
        let found = allocations(call)?;
        for (least, found) in least.iter_mut().zip(found) {
            assert!(found > 0.0, "{call}: nothing was counted");
            *least = least.min(found);
        }
        if least
            .iter()
            .zip(counted)
            .all(|(least, counted)| *least <= counted + SLACK)
        {
            return Ok(());
        }
    }
    Err(format!("{call}: {least:?} allocations on host and worker, and not {counted:?}").into())
}

#[test]
fn a_call_that_does_nothing_takes_three() -> TestResult {
    assert_no_more("null", [2.0, 1.0])
}

#[test]
fn a_call_that_lends_an_array_takes_seventeen() -> TestResult {
    assert_no_more("lent", [9.0, 8.0])
}

#[test]
fn a_call_that_returns_an_array_takes_twenty_two() -> TestResult {
    assert_no_more("returned", [15.0, 7.0])
}
