//! What a host and a worker have in common.

use reedbed::ndarray::{Array1, ArrayView1};
use reedbed::{Schema, remote_module};
use serde::{Deserialize, Serialize};

/// Compresses arrays.
#[remote_module]
pub trait Compressor {
    /// Sets a compressor up.
    fn new(settings: Settings) -> Result<Self, CompressError>;

    /// Compresses what is left of the bytes after smoothing.
    fn compress(&self, #[ndarray] bytes: ArrayView1<'_, u8>) -> Result<Array1<u8>, CompressError>;

    /// Says which library compresses.
    fn library() -> String;
}

/// How a compressor works.
#[derive(Clone, Debug, Serialize, Deserialize, Schema)]
pub struct Settings {
    /// From 1, fast, to 9, small.
    pub level: u8,
    /// How many neighbours are made equal.
    pub n_smoothed: usize,
}

/// Why nothing was compressed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub enum CompressError {
    /// There is no such level.
    Level(u8),
    /// What the library said.
    Library(String),
}

impl std::fmt::Display for CompressError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Level(level) => write!(f, "there is no level {level}, only 1 to 9"),
            Self::Library(what) => write!(f, "the library failed: {what}"),
        }
    }
}

impl std::error::Error for CompressError {}
