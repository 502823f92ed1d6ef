//! Makes so many calls that do nothing, for `tests/instructions` to count what one takes. Both sides
//! spin: an instrument slows them down so much that they would sleep otherwise.
//!
//! `null-calls WORKER N`

use std::error::Error;
use std::time::Duration;

use futures::executor::block_on;
use reedbed::{WaitPolicy, Worker};
use reedbed_tests::modules::values;

/// Under an instrument everything takes long.
const PATIENCE: Duration = Duration::from_secs(120);

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let worker = arguments.next().ok_or("which worker?")?;
    let n_calls: usize = arguments.next().ok_or("how many calls?")?.parse()?;

    let worker = block_on(
        Worker::builder(worker)
            .wait(WaitPolicy::Spin)
            .startup_timeout(PATIENCE)
            .spawn(),
    )?;
    let values = block_on(worker.import::<values::Client>())?;
    for _ in 0..n_calls {
        values.nothing().wait()?;
    }
    drop(values);
    // It ends of itself, so that the instrument says what it has counted.
    block_on(worker.shutdown(PATIENCE));
    Ok(())
}
