//! The image that comes with the example, and its ground truth. `data/README.md` says where from.

use std::path::{Path, PathBuf};

/// Returns the path of the image of nuclei.
#[must_use]
pub fn image() -> PathBuf {
    data().join("nuclei/image.tif")
}

/// Returns the path of the image's true labels.
#[must_use]
pub fn truth() -> PathBuf {
    data().join("nuclei/labels.tif")
}

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data")
}
