//! Sharing on purpose: a progress value and a stop flag that host and worker use at once.
//!
//! Look at: the host reads the progress while the call runs, and stops it without cancelling it, so
//! that the partial result still arrives. Cells aren't leased; nothing but atomic access is possible.
//!
//! `cargo run --bin progress`

use std::time::Duration;

use reedbed::{SharedCell, Worker, remote_module};

#[remote_module]
mod estimate {
    use super::SharedCell;

    /// Estimates pi by Leibniz's series until it is told to stop.
    pub fn pi(#[segment] n_terms: SharedCell<u64>, #[segment] stop: SharedCell<bool>) -> f64 {
        let mut sum = 0.0;
        while !stop.load() {
            let term = n_terms.fetch_add(1);
            let sign = if term.is_multiple_of(2) { 4.0 } else { -4.0 };
            sum += sign / (2 * term + 1) as f64;
        }
        sum
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    reedbed_worker::init![estimate];
    let worker = Worker::spawn_self().await?;
    let estimate = worker.import::<estimate::Client>().await?;

    let (n_terms, stop) = (SharedCell::new(0u64)?, SharedCell::new(false)?);
    let call = tokio::spawn(estimate.pi(&n_terms, &stop));

    let mut next = 10;
    while next <= 100_000 {
        let n = n_terms.load();
        if n >= next {
            println!("more than {next} terms so far");
            next *= 10;
        }
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
    stop.store(true);
    let pi = call.await??;
    println!("pi is about {pi:.3}, after all");
    assert!((pi - std::f64::consts::PI).abs() < 1e-3);

    // The cell is still there when the worker isn't.
    let n = n_terms.load();
    worker.shutdown(Duration::from_secs(1)).await;
    assert!(n_terms.load() == n && n >= 100_000);
    Ok(())
}
