//! How often a call asks for memory of the heap, on either side.
//!
//! That doesn't depend on how fast the machine is. It depends a little on how busy it is: a caller who
//! sleeps takes one allocation more, and a function that is kept from running counts as a long one, for
//! which another thread is found. Nothing makes a call take fewer, so the least of several runs is the
//! one that tells.

use std::error::Error;
use std::process::Command;

type TestResult = Result<(), Box<dyn Error>>;

/// How many calls each run makes.
const N_CALLS: &str = "2000";
/// How often it is run at most.
const N_RUNS: usize = 10;
/// What a caller takes who sleeps, on the host's side.
const SLEEPER: f64 = 1.0;
/// What rare events add, spread over the calls of a run.
const RARE: f64 = 0.5;

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
        let number = number.ok_or_else(|| format!("nothing about the {side}: {said}"))?;
        Ok(number.parse()?)
    };
    Ok([of_side("host")?, of_side("worker")?])
}

/// Checks that a call takes no more allocations than were counted on host and worker, with callers that
/// spin (`counted-calls CALL 11000 spin`, release and debug alike).
fn assert_no_more(call: &str, counted: [f64; 2]) -> TestResult {
    let most = [counted[0] + SLEEPER + RARE, counted[1] + RARE];
    let mut least = [f64::INFINITY; 2];
    for _ in 0..N_RUNS {
        let found = allocations(call)?;
        assert!(
            found.iter().all(|&n| n > 0.0),
            "{call}: nothing was counted"
        );
        for (least, found) in least.iter_mut().zip(found) {
            *least = least.min(found);
        }
        if least.iter().zip(most).all(|(&least, most)| least <= most) {
            return Ok(());
        }
    }
    Err(
        format!("{call}: {least:?} allocations on host and worker, and no longer {counted:?}")
            .into(),
    )
}

#[test]
fn a_call_that_does_nothing_takes_two() -> TestResult {
    assert_no_more("null", [1.0, 1.0])
}

#[test]
fn a_call_that_lends_an_array_takes_fourteen() -> TestResult {
    assert_no_more("lent", [7.0, 7.0])
}

#[test]
fn a_call_that_returns_an_array_takes_nineteen() -> TestResult {
    assert_no_more("returned", [12.0, 7.0])
}
