//! The sum of `[1, 2, 3]`, computed in another process. The array isn't copied there.

use reedbed::ndarray::{ArrayView1, array};
use reedbed::{Tensor, blocking::Worker, remote_module};

/// What the worker serves: an ordinary module of ordinary functions.
#[remote_module]
mod arithmetic {
    use super::ArrayView1;

    /// Adds the elements up.
    pub fn sum(#[ndarray] values: ArrayView1<'_, i64>) -> i64 {
        println!("summing in process {}", std::process::id());
        values.sum()
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    reedbed_worker::init![arithmetic]; // the worker is this very program, run again

    let worker = Worker::spawn_self()?;
    let arithmetic: arithmetic::BlockingClient = worker.import()?;

    let values = Tensor::from(array![1, 2, 3]); // in memory that both processes see
    let sum = arithmetic.sum(&values)?;
    println!("the sum, seen from process {}: {sum}", std::process::id());
    Ok(())
}
