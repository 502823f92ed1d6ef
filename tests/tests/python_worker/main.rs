//! A worker in Python, `examples/python/reedbed_worker.py`, called by a host in Rust.
//!
//! In reading order: [`memory`] is where arrays are and who may write them; [`results`] what a
//! function may return; [`calls`] what isn't an array, and what may go wrong; [`long_frames`] what finds
//! no room; [`ends`] whose end is whose; [`untrusted`] the same for a host that doesn't trust it,
//! [`sandbox`] in one.

mod calls;
mod ends;
mod long_frames;
mod memory;
mod results;
mod sandbox;
mod served;
mod untrusted;

use std::path::Path;

use reedbed::{Worker, WorkerBuilder};
use reedbed_tests::python;

type TestResult = Result<(), Box<dyn std::error::Error>>;
type Client = served::ServedClient;

/// Where `reedbed_worker` is.
const LIBRARY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/python");
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python_worker/served.py");

/// How to start the worker; `None` where there is no Python, and the test is skipped.
fn program(test: &str) -> Option<WorkerBuilder> {
    let python = python::with_numpy(env!("CARGO_TARGET_TMPDIR"), test)?;
    Some(builder(&python))
}

fn builder(python: &Path) -> WorkerBuilder {
    let builder = Worker::builder(python).arg("-u").arg("-B").arg(SCRIPT);
    let builder = builder.name("python").env("PYTHONPATH", LIBRARY);
    builder.log(|_| {})
}

async fn begin(test: &str) -> Result<Option<(Worker, Client)>, Box<dyn std::error::Error>> {
    let Some(builder) = program(test) else {
        return Ok(None);
    };
    let worker = builder.spawn().await?;
    let client = worker.import().await?;
    Ok(Some((worker, client)))
}

/// Starts the worker, or ends the test, skipped by name.
macro_rules! start {
    ($test:literal) => {
        match crate::begin($test).await? {
            Some(started) => started,
            None => return Ok(()),
        }
    };
}
use start;
