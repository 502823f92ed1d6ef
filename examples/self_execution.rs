//! A program that is its own worker: one file to install, any number of processes.
//!
//! Look at: the function `sum` runs the program again, and so do those workers, a tree of processes;
//! what stands before `init!` happens in each of them too, where running itself is an error, so that
//! a mistake is no avalanche; and each worker can have arguments and an environment of its own.
//!
//! `cargo run --bin self_execution`

use reedbed::{AnyError, Worker, remote_module};

#[remote_module]
mod numbers {
    use super::{AnyError, Worker};

    /// Adds the numbers from `from` up to `to` up, half of them in each of two more workers, down to
    /// `depth`; returns the sum and how many processes took part.
    pub async fn sum(from: u64, to: u64, depth: u32) -> Result<(u64, u32), AnyError> {
        if depth == 0 {
            return Ok(((from..to).sum(), 1));
        }
        let middle = from.midpoint(to);
        let halves = futures::try_join!(
            sum_elsewhere(from, middle, depth - 1),
            sum_elsewhere(middle, to, depth - 1)
        );
        let (left, right) = halves?;
        Ok((left.0 + right.0, left.1 + right.1 + 1))
    }

    async fn sum_elsewhere(from: u64, to: u64, depth: u32) -> Result<(u64, u32), AnyError> {
        let worker = Worker::spawn_self().await?;
        let numbers = worker.import::<Client>().await?;
        Ok(numbers.sum(from, to, depth).await?)
    }

    /// Returns the worker's own arguments, and a variable of its environment.
    pub fn settings() -> (Vec<String>, Option<String>) {
        // The first two are the program, and what tells it that it is a worker.
        let arguments = std::env::args().skip(2).collect();
        (arguments, std::env::var("SHIFT").ok())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    if std::env::args().any(|argument| argument == "--hasty") {
        // In the worker below, this comes before it serves.
        let error = Worker::spawn_self().await.expect_err("it is too early");
        println!("too early: {error}");
    }
    reedbed_worker::init![numbers];

    let hasty = Worker::builder_of_self().name("hasty").arg("--hasty");
    let numbers = hasty.spawn().await?.import::<numbers::Client>().await?;
    let (sum, n_processes) = numbers.sum(0, 1_000_000, 2).await?;
    println!("one file, {n_processes} processes: {sum}");
    assert_eq!((sum, n_processes), (499_999_500_000, 7));

    let night = Worker::builder_of_self()
        .args(["--scale", "10"])
        .env("SHIFT", "night");
    let numbers = night.spawn().await?.import::<numbers::Client>().await?;
    let (arguments, shift) = numbers.settings().await?;
    let shift = shift.ok_or("it was set")?;
    println!("in its arguments: {arguments:?}, and in its environment: {shift}");
    Ok(())
}
