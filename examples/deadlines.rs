//! Deadlines and cancellation: a call that is given up keeps its memory until the worker let go.
//!
//! Look at: there is no deadline unless you set one; a synchronous function asks `cancelled()`; and
//! what it had half written is poisoned, so that nobody takes it for a result.
//!
//! `cargo run --bin deadlines`

use std::time::Duration;

use reedbed::ndarray::ArrayViewMut1;
use reedbed::{FailureCause, Tensor1, Worker, remote_module};

#[remote_module]
mod search {
    use super::ArrayViewMut1;

    /// Counts up for as long as somebody waits for it; at most to `limit`.
    pub fn count(#[ndarray] mut progress: ArrayViewMut1<'_, u64>, limit: u64) -> u64 {
        while progress[0] < limit && !reedbed::cancelled() {
            progress[0] += 1;
        }
        progress[0]
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    reedbed_worker::init![search];
    let worker = Worker::spawn_self().await?;
    let search = worker.import::<search::Client>().await?;
    let mut progress = Tensor1::<u64>::zeros(1)?;

    println!("in time: {}", search.count(&mut progress, 1000).await?);

    let limit = Duration::from_millis(500);
    let error = search
        .count(&mut progress, u64::MAX)
        .deadline(limit)
        .await
        .expect_err("endless");
    println!("late: {error}");
    let cause = error.failure().map(|failure| failure.cause());
    assert!(matches!(cause, Some(FailureCause::DeadlineExceeded { .. })));

    // The worker may still be writing. Wait until it has said that it stopped.
    progress.released().await;
    println!("then: {}", progress.view().expect_err("half done"));
    progress.recover()?;
    println!("it came to more than 1000: {}", progress.view()?[0] > 1000);

    // Dropping a call cancels it, too: here the timer wins.
    tokio::select! {
        _ = search.count(&mut progress, u64::MAX) => unreachable!("nobody counts that far"),
        () = tokio::time::sleep(limit) => println!("dropped"),
    }
    progress.released().await;
    assert!(progress.is_poisoned());
    progress.reset()?;
    assert_eq!(search.count(&mut progress, 10).await?, 10);
    Ok(())
}
