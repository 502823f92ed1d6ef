//! Label maps as files.

use std::fs::File;
use std::io::{BufWriter, Seek, Write};
use std::path::{Path, PathBuf};

use ndarray::{ArrayView2, Axis};
use tiff::TiffError;
use tiff::encoder::{TiffEncoder, TiffKind, TiffKindBig, TiffKindStandard, colortype::Gray16};

use super::OutputError;
use super::error::sides;

/// The rows of a TIFF that are written at a time.
const STRIP_ROWS: u32 = 64;
/// Above this many bytes of pixels a TIFF is written as BigTIFF.
const MAX_CLASSIC_TIFF_BYTES: usize = 4_000_000_000;

/// Returns the name for the raw labels of an image: `{stem}_segmentation.bin` in a directory.
#[must_use]
pub fn bin_path(directory: &Path, image: &Path) -> PathBuf {
    let mut name = image.file_stem().unwrap_or_default().to_owned();
    name.push("_segmentation.bin");
    directory.join(name)
}

/// Writes labels as 32-bit little-endian numbers, row after row, without a header.
///
/// # Errors
///
/// [`OutputError::Write`] if the file can't be written.
pub fn write_label_bin(path: &Path, labels: ArrayView2<'_, u32>) -> Result<(), OutputError> {
    let failed = OutputError::at::<std::io::Error>(path);
    let mut file = BufWriter::new(File::create(path).map_err(failed)?);
    for label in labels {
        file.write_all(&label.to_le_bytes()).map_err(failed)?;
    }
    file.flush().map_err(failed)
}

/// Writes labels as a grey TIFF with 16 bits a pixel.
///
/// # Errors
///
/// - [`OutputError::TooManyObjects`] if a label exceeds 65535; nothing is written then.
/// - [`OutputError::TooLarge`] if a side exceeds 32 bits.
/// - [`OutputError::Write`] if the file can't be written; an image without pixels can't.
pub fn write_label_tiff(path: &Path, labels: ArrayView2<'_, u32>) -> Result<(), OutputError> {
    let size = sides(path, labels.dim())?;
    let label = labels.iter().copied().max().unwrap_or(0);
    if label > u32::from(u16::MAX) {
        return Err(OutputError::TooManyObjects {
            path: path.to_owned(),
            label,
        });
    }
    let file = File::create(path).map_err(OutputError::at(path))?;
    let mut file = BufWriter::new(file);
    let written = if labels.len() * 2 > MAX_CLASSIC_TIFF_BYTES {
        TiffEncoder::<_, TiffKindBig>::new_generic(&mut file)
            .and_then(|tiff| write_strips(tiff, size, labels))
    } else {
        TiffEncoder::<_, TiffKindStandard>::new_generic(&mut file)
            .and_then(|tiff| write_strips(tiff, size, labels))
    };
    written.map_err(OutputError::at(path))?;
    file.flush().map_err(OutputError::at(path))
}

fn write_strips<K: TiffKind>(
    mut tiff: TiffEncoder<impl Write + Seek, K>,
    (width, height): (u32, u32),
    labels: ArrayView2<'_, u32>,
) -> Result<(), TiffError> {
    let mut image = tiff.new_image::<Gray16>(width, height)?;
    image.rows_per_strip(STRIP_ROWS)?;
    let mut strip = Vec::new();
    for rows in labels.axis_chunks_iter(Axis(0), STRIP_ROWS as usize) {
        strip.clear();
        strip.extend(
            rows.iter()
                .map(|&label| u16::try_from(label).unwrap_or(u16::MAX)),
        );
        image.write_strip(&strip)?;
    }
    image.finish()
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::input::ImageSource;

    #[test]
    fn a_tiff_of_labels_reads_back() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("labels.tif");
        let labels = Array2::from_shape_fn((150, 33), |(row, column)| {
            u32::try_from(row * 400 + column).unwrap()
        });
        write_label_tiff(&path, labels.view()).unwrap();
        let mut source = ImageSource::open(&path).unwrap();
        let mut back = Array2::zeros(source.shape());
        source.read_into(back.view_mut()).unwrap();
        assert_eq!(back.mapv(u32::from), labels);
    }

    #[test]
    fn more_objects_than_a_tiff_holds_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("labels.tif");
        let labels = ndarray::arr2(&[[65_535_u32, 65_536]]);
        let error = write_label_tiff(&path, labels.view()).unwrap_err();
        assert!(
            error.to_string().ends_with(
                "labels.tif, label 65536 is more than its 16-bit pixels can hold (65535)"
            )
        );
        assert!(!path.exists());
        assert!(write_label_tiff(&path, ndarray::arr2(&[[65_535]]).view()).is_ok());
    }

    #[test]
    fn raw_labels_are_little_endian_rows() {
        let directory = tempfile::tempdir().unwrap();
        let path = bin_path(directory.path(), Path::new("some/where/cells.ome.tif"));
        assert!(path.ends_with("cells.ome_segmentation.bin"));
        let labels = ndarray::arr2(&[[1_u32, 2], [3, 0x0102_0304]]);
        write_label_bin(&path, labels.t()).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(bytes, [1, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 4, 3, 2, 1]);
    }

    #[test]
    fn a_file_that_cannot_be_created_is_named() {
        let path = Path::new("no/such/directory/labels.tif");
        let labels = ndarray::arr2(&[[1_u32]]);
        let error = write_label_tiff(path, labels.view()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot write no/such/directory/labels.tif"
        );
    }
}
