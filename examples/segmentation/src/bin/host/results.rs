//! What is written for an image.

use std::fs;
use std::path::Path;

use segmentation::nuclei::Object;
use segmentation::output::{
    OutputError, bin_path, write_label_bin, write_label_tiff, write_objects, write_overlay,
};
use segmentation::ways::Segmented;

use crate::Failure;

/// Writes labels, table and picture into a directory, and returns the files' names.
///
/// The arrays are read where they are, in the memory that the worker wrote.
pub(crate) fn write(
    directory: &Path,
    image: &Path,
    segmented: &Segmented,
    objects: &[Object],
) -> Result<Vec<String>, Failure> {
    fs::create_dir_all(directory).map_err(|source| OutputError::Write {
        path: directory.to_owned(),
        source: source.into(),
    })?;
    let (pixels, labels) = (segmented.image.view()?, segmented.labels.view()?);
    let tiff = directory.join("labels.tif");
    let npy = directory.join("labels.npy");
    let bin = bin_path(directory, image);
    let picture = directory.join("overlay.png");
    let table = directory.join("objects.csv");
    write_label_tiff(&tiff, labels)?;
    segmented
        .labels
        .write_npy(&npy)
        .map_err(|source| OutputError::Write {
            path: npy.clone(),
            source: source.into(),
        })?;
    write_label_bin(&bin, labels)?;
    write_overlay(&picture, pixels, labels)?;
    write_objects(&table, objects)?;
    let names = [&tiff, &npy, &bin, &picture, &table].map(|path| path.file_name());
    let names = names.into_iter().flatten();
    Ok(names.map(|name| name.to_string_lossy().into()).collect())
}
