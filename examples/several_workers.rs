//! One host, several workers: each works on its own part of the same arrays.
//!
//! Look at: the image is frozen, so that all workers read it at once; each call writes its own rows of
//! the result, in place; a crew sends it to the worker with the least to do; and the calls run side
//! by side because futures do.
//!
//! `cargo run --bin several_workers`

use futures::future::try_join_all;
use reedbed::ndarray::{ArrayView2, ArrayViewMut2, Axis, s};
use reedbed::{Crew, Tensor, Tensor2, Worker, remote_module};

const N_WORKERS: usize = 3;
const N_ROWS: usize = 300;

#[remote_module]
mod filters {
    use super::{ArrayView2, ArrayViewMut2};

    /// Writes each pixel's mean over its row's neighbours; returns the number of this process.
    pub fn smooth(
        #[ndarray] image: ArrayView2<'_, f32>,
        #[ndarray] mut smoothed: ArrayViewMut2<'_, f32>,
    ) -> u32 {
        for (source, mut target) in image.rows().into_iter().zip(smoothed.rows_mut()) {
            for column in 0..source.len() {
                let from = column.saturating_sub(1);
                let window = source.slice(super::s![from..(column + 2).min(source.len())]);
                target[column] = window.mean().unwrap_or_default();
            }
        }
        std::process::id()
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    reedbed_worker::init![filters];
    let crew = Crew::spawn(Worker::builder_of_self(), N_WORKERS).await?;
    let filters = crew.import::<filters::Client>().await?;

    let image = Tensor::from_shape_fn((N_ROWS, 400), |(row, column)| (row * column % 17) as f32)?;
    let image = image.freeze().map_err(|(error, _)| error)?;
    let mut smoothed = Tensor2::<f32>::zeros((N_ROWS, 400))?;

    let mut rest = smoothed.tensor_view_mut();
    let mut calls = Vec::new();
    for index in 0..N_WORKERS {
        let n_rows = N_ROWS / N_WORKERS;
        let (part, after) = rest.split_at(Axis(0), n_rows);
        rest = after;
        let rows = image.slice(s![index * n_rows..(index + 1) * n_rows, ..]);
        calls.push(filters.smooth(rows, part));
    }
    let mut processes = try_join_all(calls).await?;
    processes.sort_unstable();
    processes.dedup();
    println!("{} rows smoothed by {} processes", N_ROWS, processes.len());
    assert_eq!(processes.len(), N_WORKERS);
    assert_eq!(smoothed.view()?[[1, 1]], 1.0, "the mean of 0, 1 and 2");
    Ok(())
}
