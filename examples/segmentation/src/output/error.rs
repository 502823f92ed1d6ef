//! Why a result can't be written.

use std::path::{Path, PathBuf};

/// Why a result can't be written. Each variant names the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutputError {
    /// The file can't be created or written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system or the encoder says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A label doesn't fit the file's pixels.
    #[error(
        "cannot write {}, label {label} is more than its 16-bit pixels can hold (65535)",
        path.display()
    )]
    TooManyObjects {
        /// The file.
        path: PathBuf,
        /// The largest label.
        label: u32,
    },
    /// The image has more rows or columns than the format allows.
    #[error("cannot write {}, {rows} x {columns} pixels are too many", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The rows of the image.
        rows: usize,
        /// The columns of the image.
        columns: usize,
    },
    /// The labels and the image don't cover the same pixels.
    #[error("cannot draw {}", path.display())]
    Shape {
        /// The file.
        path: PathBuf,
        /// The two shapes.
        source: crate::objects::ShapeError,
    },
}

impl OutputError {
    /// Returns a function that says which file an error is about.
    pub(super) fn at<E>(path: &Path) -> impl Fn(E) -> Self + Copy
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        move |source| Self::Write {
            path: path.to_owned(),
            source: source.into(),
        }
    }
}

/// Returns width and height as the formats want them.
pub(super) fn sides(path: &Path, shape: (usize, usize)) -> Result<(u32, u32), OutputError> {
    let (rows, columns) = shape;
    match (u32::try_from(columns), u32::try_from(rows)) {
        (Ok(width), Ok(height)) => Ok((width, height)),
        _ => Err(OutputError::TooLarge {
            path: path.to_owned(),
            rows,
            columns,
        }),
    }
}
