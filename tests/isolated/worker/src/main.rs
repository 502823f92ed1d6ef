//! Compresses with bzip2, after smoothing with an older ndarray.

use std::io::{self, Write};

use bzip2::Compression;
use bzip2::write::BzEncoder;
use isolated_interface::{CompressError, Compressor, Settings};
use reedbed::ndarray::{Array1, ArrayView1};

/// Compresses with bzip2.
struct Bzip2 {
    settings: Settings,
}

impl Compressor for Bzip2 {
    fn new(settings: Settings) -> Result<Self, CompressError> {
        if (1..=9).contains(&settings.level) {
            Ok(Self { settings })
        } else {
            Err(CompressError::Level(settings.level))
        }
    }

    fn compress(&self, bytes: ArrayView1<'_, u8>) -> Result<Array1<u8>, CompressError> {
        let smooth = smooth(bytes.to_vec(), self.settings.n_smoothed.max(1));
        let compressed = compress(&smooth, self.settings.level);
        compressed
            .map(Array1::from_vec)
            .map_err(|error| CompressError::Library(error.to_string()))
    }

    fn library() -> String {
        "bzip2".to_owned()
    }
}

/// Makes every run of so many bytes equal to its first, with another ndarray than reedbed's.
fn smooth(bytes: Vec<u8>, n: usize) -> Vec<u8> {
    let mut bytes = old_ndarray::Array1::from_vec(bytes);
    for mut run in bytes.axis_chunks_iter_mut(old_ndarray::Axis(0), n) {
        let first = run[0];
        run.fill(first);
    }
    bytes.to_vec()
}

/// Compresses at a level from 1 to 9.
fn compress(bytes: &[u8], level: u8) -> io::Result<Vec<u8>> {
    let mut encoder = BzEncoder::new(Vec::new(), Compression::new(level.into()));
    encoder.write_all(bytes)?;
    encoder.finish()
}

reedbed_worker::worker_main![Bzip2];
