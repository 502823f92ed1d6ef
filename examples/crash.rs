//! A worker crashes: its callers are told why, and what it could write is poisoned.
//!
//! Look at: the host goes on; the error has the signal and the last lines that the worker printed;
//! what was lent for reading is untouched; and a new worker takes the next call.
//!
//! `cargo run --bin crash`

use reedbed::ndarray::{ArrayView1, ArrayViewMut1};
use reedbed::{Tensor, Tensor1, Worker, remote_module};

#[remote_module]
mod filters {
    use super::{ArrayView1, ArrayViewMut1};

    /// Doubles the samples; aborts at a negative one, as a C library might.
    pub fn double(
        #[ndarray] samples: ArrayView1<'_, i64>,
        #[ndarray] mut doubled: ArrayViewMut1<'_, i64>,
    ) {
        for (source, target) in samples.iter().zip(&mut doubled) {
            if *source < 0 {
                eprintln!("assertion failed: sample >= 0");
                std::process::abort();
            }
            *target = 2 * source;
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    reedbed_worker::init![filters];
    let worker = Worker::spawn_self().await?;
    let filters = worker.import::<filters::Client>().await?;

    let samples = Tensor::from_shape_fn(1000, |index| 500 - index as i64)?;
    let mut doubled = Tensor1::<i64>::zeros(1000)?;
    let error = filters
        .double(&samples, &mut doubled)
        .await
        .expect_err("it crashes");
    println!("the caller sees: {error}");
    println!("the worker: {}", worker.ended().await);
    assert!(!error.is_retryable(), "nobody knows how far it came");

    println!("lent for reading: {}", samples.view()?[0]);
    println!(
        "lent for writing: {}",
        doubled.view().expect_err("poisoned")
    );
    doubled.recover()?;
    let n_written = doubled.view()?.iter().filter(|value| **value != 0).count();
    println!("recovered: {n_written} elements were written");
    assert_eq!(n_written, 500);

    let later = filters
        .double(&samples, &mut doubled)
        .await
        .expect_err("there is no worker");
    println!("the next call: {later}");
    assert!(later.is_retryable(), "it was never sent");

    let another = Worker::spawn_self()
        .await?
        .import::<filters::Client>()
        .await?;
    let samples = Tensor::from_shape_fn(1000, |index| index as i64)?;
    another.double(&samples, &mut doubled).await?;
    assert_eq!(doubled.view()?[999], 1998);
    println!("another worker did it");
    Ok(())
}
