//! Arrays in structs and in errors. (Lists, maps, options and tuples of arrays need no derive.)
//!
//! Look at: a `Bundle` mixes arrays with ordinary fields. One with views lends them for the call; one
//! that owns its arrays changes hands, here as an error that brings the rows that it is about.
//!
//! `cargo run --bin bundles`

use reedbed::ndarray::{Array1, ArrayView1, ArrayView2, ArrayViewMut2};
use reedbed::{Bundle, CallError, Tensor1, Tensor2, Worker, remote_module};

/// Lent for a call: an image, where its mask goes, and how to make it.
#[derive(Bundle)]
struct Masking<'a> {
    #[ndarray]
    image: ArrayView2<'a, f32>,
    #[ndarray]
    mask: ArrayViewMut2<'a, bool>,
    threshold: f32,
}

/// Why there is no mask: these rows have pixels that are no numbers.
#[derive(Debug, Bundle)]
struct NotNumbers {
    #[ndarray]
    rows: Tensor1<u64>,
}

#[remote_module]
mod images {
    use super::{Array1, ArrayView1, Masking, NotNumbers};

    /// Sets the mask where the image is bright; returns how often.
    pub fn mask(#[ndarray] masking: Masking<'_>) -> Result<usize, NotNumbers> {
        let (image, mut mask) = (masking.image, masking.mask);
        let is_bad = |row: &ArrayView1<'_, f32>| row.iter().any(|pixel| pixel.is_nan());
        let rows = (0u64..).zip(image.rows()).filter(|(_, row)| is_bad(row));
        let rows = Array1::from_iter(rows.map(|(index, _)| index));
        if !rows.is_empty() {
            return Err(NotNumbers { rows: rows.into() });
        }
        mask.zip_mut_with(&image, |bright, pixel| *bright = *pixel > masking.threshold);
        Ok(mask.iter().filter(|bright| **bright).count())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    reedbed_worker::init![images];
    let worker = Worker::spawn_self().await?;
    let images = worker.import::<images::Client>().await?;

    let mut image = Tensor2::from_shape_fn((30, 40), |(row, column)| (row * column) as f32)?;
    let mut mask = Tensor2::<bool>::zeros(image.dim())?;
    let masking = MaskingArg {
        image: (&image).into(),
        mask: (&mut mask).into(),
        threshold: 500.0,
    };
    let (n_bright, report) = images.mask(masking).reported().await.expect("numbers");
    println!(
        "{n_bright} bright pixels, {} bytes copied",
        report.copied_bytes
    );

    image.view_mut()?[[12, 0]] = f32::NAN;
    let masking = MaskingArg {
        image: (&image).into(),
        mask: (&mut mask).into(),
        threshold: 0.0,
    };
    match images.mask(masking).await {
        Err(CallError::Returned(error)) => println!("bad rows: {}", error.rows.view()?),
        other => panic!("{other:?}"),
    }
    Ok(())
}
