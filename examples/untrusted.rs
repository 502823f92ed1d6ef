//! A worker that the host doesn't trust with its memory.
//!
//! Look at: the image is shared all the same, because it was made for that worker; what the function
//! writes and returns is copied, and the report says why; and when the worker dies over `labels`, they
//! are as they were.
//!
//! `cargo run --bin untrusted`

use reedbed::ndarray::{ArrayView2, ArrayViewMut2};
use reedbed::{Tensor, Tensor2, Trust, Worker, remote_module};

#[remote_module]
mod labelling {
    use super::{ArrayView2, ArrayViewMut2, Tensor, Tensor2};

    /// Sets `labels` to 1 where the image is brighter than `threshold`; returns how often.
    pub fn threshold(
        #[ndarray] image: ArrayView2<'_, f32>,
        threshold: f32,
        #[ndarray] mut labels: ArrayViewMut2<'_, u8>,
    ) -> usize {
        labels.zip_mut_with(&image, |label, &value| *label = u8::from(value > threshold));
        labels.iter().filter(|label| **label == 1).count()
    }

    /// Makes an image that is as bright as the given one is dark.
    pub fn inverted(#[ndarray] image: ArrayView2<'_, f32>) -> Tensor2<f32> {
        Tensor::from_shape_fn(image.dim(), |place| -image[place]).expect("memory")
    }

    /// Writes some of the labels, and ends the process.
    pub fn fail(#[ndarray] mut labels: ArrayViewMut2<'_, u8>) {
        labels.row_mut(0).fill(9);
        std::process::abort();
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    reedbed_worker::init![labelling];
    let worker = Worker::builder_of_self().trust(Trust::Untrusted);
    let worker = worker.spawn().await?;
    let labelling = worker.import::<labelling::Client>().await?;

    let mut image = worker.zeros::<f32, _>((1000, 1000))?;
    for ((row, column), value) in image.view_mut()?.indexed_iter_mut() {
        *value = (row ^ column) as f32;
    }
    let mut labels = Tensor2::<u8>::zeros((1000, 1000))?;
    let call = labelling.threshold(&image, 500.0, &mut labels);
    let (n_bright, report) = call.reported().await?;
    println!("{n_bright} of {} elements are bright", image.len());
    println!("{} bytes shared", report.shared_bytes);
    for copy in &report.copies {
        println!(
            "{} bytes of labels copied: {}",
            copy.size_bytes, copy.reason
        );
    }

    let (inverted, report) = labelling.inverted(&image).reported().await?;
    assert_eq!(inverted.view()?[[1, 0]], -1.0);
    let (n_bytes, reason) = (report.copied_bytes, &report.copies[0].reason);
    println!("{n_bytes} bytes came back: {reason}");

    let failed = labelling.fail(&mut labels).await;
    assert!(failed.is_err());
    let n_labels = labels.view()?.iter().filter(|label| **label == 1).count();
    assert_eq!(n_labels, n_bright);
    println!("the worker is dead, and all {n_labels} labels are there");
    Ok(())
}
