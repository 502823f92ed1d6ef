//! The worker makes the array, the caller owns it from then on.
//!
//! Look at: an image is made by one worker, changed by a second one and read by the host, and is the
//! same memory all the way (one inode). It outlives the worker that made it.
//!
//! `cargo run --bin returned`

use std::time::Duration;

use reedbed::{AnyError, Tensor, Tensor2, Worker, remote_module};

#[remote_module]
mod camera {
    use super::{AnyError, Tensor, Tensor2};

    /// Takes a picture: it is written once, where its caller will read it.
    pub fn picture(rows: usize, columns: usize) -> Result<Tensor2<f32>, AnyError> {
        let pixels = |(row, column)| (row * columns + column) as f32;
        Ok(Tensor::from_shape_fn((rows, columns), pixels)?)
    }

    /// Subtracts the mean. The tensor comes by value and goes back by value.
    pub fn centre(#[ndarray] mut image: Tensor2<f32>) -> Result<Tensor2<f32>, AnyError> {
        let mut pixels = image.view_mut()?;
        let mean = pixels.mean().unwrap_or_default();
        pixels -= mean;
        Ok(image)
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    reedbed_worker::init![camera];
    let first = Worker::builder_of_self().name("maker").spawn().await?;
    let second = Worker::builder_of_self().name("changer").spawn().await?;
    let (maker, changer) = (
        first.import::<camera::Client>().await?,
        second.import::<camera::Client>().await?,
    );

    let image = maker.picture(480, 640).await?;
    let made = image.identity();
    let image = changer.centre(image).await?;
    assert_eq!(
        image.identity(),
        made,
        "the same memory, in a third process"
    );
    println!("made, changed and read in place: inode {}", made.inode);

    drop((maker, changer));
    for worker in [first, second] {
        println!(
            "{} has ended: {}",
            worker.name(),
            worker.shutdown(Duration::from_secs(1)).await
        );
    }
    let mean = image.view()?.mean().unwrap_or_default();
    println!("the image is still here; its mean is {mean:.3}");
    assert!(mean.abs() < 0.1);
    Ok(())
}
