//! A service: state that stays in the worker from one call to the next.
//!
//! Look at: the constructor is a remote call and the background crosses once; two instances stand
//! side by side in one worker; methods take `&self`, so what they change is atomic or in a `Mutex`;
//! and an instance is dropped in the worker when its last handle is dropped here.
//!
//! `cargo run --bin service`

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use reedbed::ndarray::ArrayView2;
use reedbed::{AnyError, Tensor, Tensor2, Worker, remote_module};

/// Removes what is in every picture. Lives in the worker.
struct Subtractor {
    background: Tensor2<f32>,
    n_pictures: AtomicU64,
}

#[remote_module]
impl Subtractor {
    /// Keeps the background: the tensor is moved, not copied.
    pub fn new(#[ndarray] background: Tensor2<f32>) -> Self {
        let n_pictures = AtomicU64::new(0);
        Self {
            background,
            n_pictures,
        }
    }

    /// Subtracts the background; returns what is left of the brightest pixel.
    pub fn brightest(&self, #[ndarray] picture: ArrayView2<'_, f32>) -> Result<f32, AnyError> {
        let background = self.background.view()?;
        if background.dim() != picture.dim() {
            let expected = format!("a picture of {:?} expected", background.dim());
            return Err(AnyError::new(expected));
        }
        self.n_pictures.fetch_add(1, Relaxed);
        let left = picture.iter().zip(background).map(|(p, b)| p - b);
        Ok(left.fold(0.0, f32::max))
    }

    /// Returns how many pictures this instance has seen.
    pub fn n_pictures(&self) -> u64 {
        self.n_pictures.load(Relaxed)
    }
}

impl Drop for Subtractor {
    fn drop(&mut self) {
        println!("dropped after {} pictures", self.n_pictures());
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    reedbed_worker::init![Subtractor];
    let worker = Worker::spawn_self().await?;
    let subtractor = worker.import::<SubtractorClient>().await?;

    let dark = Tensor::<f32, _>::zeros((100, 100))?;
    let grey = Tensor::from_elem((100, 100), 0.5f32)?;
    let (dark, grey) = (subtractor.new(dark).await?, subtractor.new(grey).await?);
    let picture = Tensor::from_shape_fn((100, 100), |(row, _)| row as f32)?;
    println!("against the dark: {}", dark.brightest(&picture).await?);
    println!("against grey: {}", grey.brightest(&picture).await?);
    let (one, other) = tokio::join!(dark.brightest(&picture), dark.brightest(&picture));
    assert_eq!(one?, other?);
    let seen = (dark.n_pictures().await?, grey.n_pictures().await?);
    println!("pictures seen: {seen:?}");

    let small = Tensor::<f32, _>::zeros((2, 2))?;
    println!("{}", grey.brightest(&small).await.expect_err("too small"));
    drop(grey);
    println!("the other: {}", dark.brightest(&picture).await?);
    Ok(())
}
