//! Functions of a Python program, called on arrays that NumPy sees where this process has them.
//!
//! Look at: `inode` is the file behind the image, and both processes name the same one; `total` of a
//! slice goes by offset and strides; `invert` writes into the host's tensor; `smooth` returns memory
//! that Python made; `brightest` raises, and the exception arrives as a Rust error. What Python
//! prints is logged with the worker's name. `filters.py` is the other side.
//!
//! `cargo run --package python_worker`, or with the path of a Python (3.11 or newer) that has NumPy
//! behind it: `cargo run --package python_worker -- venv/bin/python`

use reedbed::ndarray::{ArrayView2, ArrayViewMut2, array, s};
use reedbed::{Schema, Tensor2, blocking::Worker, remote_module};
use serde::{Deserialize, Serialize};

/// What a Python function raised.
#[derive(Debug, Serialize, Deserialize, Schema, thiserror::Error)]
#[error("{type}: {message}\n{traceback}")]
pub struct PythonError {
    r#type: String,
    message: String,
    traceback: String,
}

/// What `filters.py` serves: the interface alone, since nothing of it is in this program. Its schema
/// is compared with Python's annotations before the first call.
#[remote_module]
pub trait Filters {
    /// The file that the image is mapped from, as Python sees it.
    fn inode(#[ndarray] image: ArrayView2<'_, u16>) -> u64;
    /// The sum of all pixels.
    fn total(#[ndarray] image: ArrayView2<'_, u16>) -> u64;
    /// Inverts an image in place.
    fn invert(#[ndarray] image: ArrayViewMut2<'_, u16>);
    /// The mean over a square around each pixel.
    fn smooth(#[ndarray] image: ArrayView2<'_, u16>, radius: u64) -> Tensor2<f32>;
    /// Row and column of the brightest pixel.
    fn brightest(#[ndarray] image: ArrayView2<'_, u16>) -> Result<(u64, u64), PythonError>;
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let python = std::env::args().nth(1).unwrap_or("python3".to_owned());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/filters.py");
    let worker = Worker::start(
        reedbed::Worker::builder(python)
            .arg("-u")
            .arg(script)
            .name("python"),
    )?;
    let filters: BlockingFiltersClient = worker.import()?;

    let mut image = Tensor2::from(array![[1_u16, 2, 3], [4, 5, 60]]);
    println!(
        "inode      {} here, {} in Python",
        image.identity().inode,
        filters.inode(&image)?
    );
    println!("total      {}", filters.total(&image)?);
    println!(
        "columns    {} in the last two, a slice",
        filters.total(image.slice(s![.., 1..]))?
    );

    filters.invert(&mut image)?;
    println!("inverted   {}", image.view()?);

    let smooth = filters.smooth(&image, 1)?;
    println!("smoothed   {}", smooth.view()?);

    println!("brightest  {:?}", filters.brightest(&image)?);
    if let Err(error) = filters.brightest(&Tensor2::zeros((2, 2))?) {
        println!("an error   {error}");
    }
    Ok(())
}
