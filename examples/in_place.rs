//! The host provides the memory, the worker fills it.
//!
//! Look at: the labels are the same memory (one inode) before and after, the report says that nothing
//! was copied, and while the call runs the compiler keeps `labels` out of the host's hands.
//!
//! `cargo run --bin in_place`

use reedbed::ndarray::{ArrayView2, ArrayViewMut2};
use reedbed::{Tensor, Tensor2, Worker, remote_module};

#[remote_module]
mod labelling {
    use super::{ArrayView2, ArrayViewMut2};

    /// Sets `labels` to 1 where the image is brighter than `threshold`; returns how often.
    pub fn threshold(
        #[ndarray] image: ArrayView2<'_, f32>,
        threshold: f32,
        #[ndarray] mut labels: ArrayViewMut2<'_, u8>,
    ) -> usize {
        labels.zip_mut_with(&image, |label, &value| *label = u8::from(value > threshold));
        labels.iter().filter(|label| **label == 1).count()
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    reedbed_worker::init![labelling];
    let worker = Worker::spawn_self().await?;
    let labelling = worker.import::<labelling::Client>().await?;

    let image = Tensor::from_shape_fn((1000, 1000), |(row, column)| (row ^ column) as f32)?;
    let mut labels = Tensor2::<u8>::zeros(image.raw_dim())?;
    let before = labels.identity();

    let call = labelling.threshold(&image, 500.0, &mut labels);
    // `labels.view()` here doesn't compile: the call borrows it exclusively.
    let (n_bright, report) = call.reported().await?;

    assert_eq!(labels.identity(), before);
    assert_eq!(
        labels.view()?.iter().filter(|label| **label == 1).count(),
        n_bright
    );
    println!("{n_bright} of {} elements are bright", image.len());
    println!("labelled in place: inode {}", before.inode);
    println!(
        "{} bytes shared, {} copied",
        report.shared_bytes, report.copied_bytes
    );
    assert_eq!(report.copied_bytes, 0);
    Ok(())
}
