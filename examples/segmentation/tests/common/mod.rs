//! What several tests share: the bundled images, noise, and discs to be found.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::path::{Path, PathBuf};

use ndarray::{Array2, ArrayView2};
use segmentation::algorithm::{Options, segment};
use segmentation::input::ImageSource;

pub(crate) mod tiff_file;

/// Returns the path of a bundled file.
pub(crate) fn bundled(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("data")
        .join(name)
}

/// Decodes an image.
pub(crate) fn load(path: &Path) -> Array2<u16> {
    let mut source = ImageSource::open(path).unwrap();
    let mut image = Array2::zeros(source.shape());
    source.read_into(image.view_mut()).unwrap();
    image
}

/// Returns the nuclei and their true labels.
pub(crate) fn nuclei() -> (Array2<u16>, Array2<u32>) {
    let labels = load(&bundled("nuclei/labels.tif"));
    (load(&bundled("nuclei/image.tif")), labels.mapv(u32::from))
}

/// Labels an image with the default options.
pub(crate) fn found(image: ArrayView2<'_, u16>) -> (Array2<u32>, usize) {
    let mut labels = Array2::from_elem(image.dim(), u32::MAX);
    let n = segment(image, &Options::default(), labels.view_mut());
    (labels, n)
}

/// Pseudorandom numbers from 0 to 1 (xorshift64*).
pub(crate) struct Random(u64);

impl Random {
    /// Starts a sequence; equal seeds give equal sequences.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// Returns the next number.
    pub(crate) fn next(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Returns the next number of a normal distribution, nearly: the sum of twelve.
    pub(crate) fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.next()).sum::<f64>() - 6.0
    }
}

/// Adds Gaussian noise with a standard deviation that is a fraction of the image's range.
#[expect(
    clippy::cast_possible_truncation,
    reason = "clamped to the range first"
)]
pub(crate) fn with_noise(image: &Array2<u16>, fraction: f64, seed: u64) -> Array2<u16> {
    let (low, high) = image
        .iter()
        .fold((u16::MAX, 0), |(l, h), &v| (l.min(v), h.max(v)));
    let sigma = f64::from(high - low) * fraction;
    let mut random = Random::new(seed);
    image.mapv(|value| {
        let noisy = f64::from(value) + sigma * random.normal();
        noisy.round().clamp(0.0, f64::from(u16::MAX)) as u16
    })
}
