//! Objects as a table.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use super::OutputError;
use crate::objects::Object;

/// Writes objects as comma-separated values: `id,area_px,centroid_row,centroid_col,mean_intensity`.
///
/// Centroids and intensities have three decimals.
///
/// # Errors
///
/// [`OutputError::Write`] if the file can't be written.
pub fn write_objects(path: &Path, objects: &[Object]) -> Result<(), OutputError> {
    let write = || {
        let mut file = BufWriter::new(File::create(path)?);
        writeln!(file, "id,area_px,centroid_row,centroid_col,mean_intensity")?;
        for Object {
            id,
            area_px,
            centroid_row,
            centroid_col,
            mean_intensity,
        } in objects
        {
            writeln!(
                file,
                "{id},{area_px},{centroid_row:.3},{centroid_col:.3},{mean_intensity:.3}"
            )?;
        }
        file.flush()
    };
    write().map_err(OutputError::at(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_a_header_and_a_line_an_object() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("objects.csv");
        let object = Object {
            id: 7,
            area_px: 440,
            centroid_row: 1.25,
            centroid_col: 30.0,
            mean_intensity: 2.0 / 3.0,
        };
        write_objects(&path, &[object]).unwrap();
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            "id,area_px,centroid_row,centroid_col,mean_intensity\n7,440,1.250,30.000,0.667\n"
        );
    }
}
