//! Decoding grey images straight into memory that the caller owns.
//!
//! In two steps, so that the caller can allocate in between (shared memory, say):
//!
//! ```no_run
//! use ndarray::Array2;
//! use segmentation::input::ImageSource;
//!
//! let mut source = ImageSource::open("cells.tif")?;
//! let mut image = Array2::zeros(source.shape());
//! source.read_into(image.view_mut())?;
//! # Ok::<(), segmentation::input::InputError>(())
//! ```
//!
//! Pixels are decoded row by row and never gathered elsewhere: besides the destination, decoding
//! needs memory for a row or two and for the window of the decompressor, less than 128 KiB in all
//! for images up to some thousand pixels wide.
//!
//! A file is believed only as far as its size allows: what claims more pixels than its bytes could
//! hold is refused before anything of the claimed size is allocated.

mod chunk;
mod error;
mod png;
mod tiff;

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use ndarray::ArrayViewMut2;

pub use error::InputError;

/// What deflate can at most make of one byte (RFC 1951: 258 bytes from two bits).
const DEFLATE_MAX_RATIO: u64 = 1032;
/// How a PNG starts.
const PNG_START: [u8; 8] = *b"\x89PNG\r\n\x1a\n";
/// How a TIFF starts: little- and big-endian, classic and big.
const TIFF_STARTS: [[u8; 4]; 4] = [*b"II*\0", *b"MM\0*", *b"II+\0", *b"MM\0+"];

/// A grey image in a file, its header read and checked, its pixels not yet.
///
/// Reads TIFF (the first page; strips or tiles, little- or big-endian, uncompressed, deflate, LZW or
/// PackBits) and PNG (interlaced or not), with 8 or 16 bits a pixel. The format is recognised by the
/// content, not by the name.
#[derive(Debug)]
pub struct ImageSource {
    opened: Opened,
    shape: (usize, usize),
    format: Format,
}

/// A file and its name, for errors.
#[derive(Debug)]
struct Opened {
    path: PathBuf,
    file: BufReader<File>,
    len_bytes: u64,
}

#[derive(Debug)]
enum Format {
    Tiff(tiff::Layout),
    Png(png::Layout),
}

impl ImageSource {
    /// Opens an image and reads its header.
    ///
    /// # Errors
    ///
    /// Every variant of [`InputError`] but [`InputError::Destination`]; none of them depends on the
    /// pixels, which are not read yet.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, InputError> {
        let mut opened = Opened::open(path.as_ref())?;
        let start = opened.start()?;
        if start == PNG_START {
            let layout = png::Layout::read(&mut opened)?;
            Ok(Self {
                shape: layout.shape(),
                format: Format::Png(layout),
                opened,
            })
        } else if TIFF_STARTS.iter().any(|tiff| start.starts_with(tiff)) {
            let layout = tiff::Layout::read(&mut opened)?;
            Ok(Self {
                shape: layout.shape(),
                format: Format::Tiff(layout),
                opened,
            })
        } else {
            Err(InputError::NotAnImage {
                path: opened.path,
                start,
            })
        }
    }

    /// Returns the numbers of rows and columns.
    #[must_use]
    pub fn shape(&self) -> (usize, usize) {
        self.shape
    }

    /// Returns the path that the image was opened by.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.opened.path
    }

    /// Decodes the pixels into `image`, of any layout; 8-bit pixels keep their value.
    ///
    /// May be called again. After an error, what `image` holds is unspecified.
    ///
    /// # Errors
    ///
    /// - [`InputError::Destination`] if the shape of `image` isn't [`ImageSource::shape`].
    /// - [`InputError::Truncated`], [`InputError::Damaged`] or [`InputError::Read`] if the pixels
    ///   can't be had.
    pub fn read_into(&mut self, image: ArrayViewMut2<'_, u16>) -> Result<(), InputError> {
        if image.dim() != self.shape {
            return Err(InputError::Destination {
                path: self.opened.path.clone(),
                image: self.shape,
                destination: image.dim(),
            });
        }
        match &self.format {
            Format::Tiff(layout) => layout.read_into(&mut self.opened, image),
            Format::Png(layout) => layout.read_into(&mut self.opened, image),
        }
    }
}

impl Opened {
    fn open(path: &Path) -> Result<Self, InputError> {
        let failed = |source| InputError::Open {
            path: path.to_owned(),
            source,
        };
        let file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if metadata.is_dir() {
            return Err(failed(std::io::ErrorKind::IsADirectory.into()));
        }
        let len_bytes = metadata.len();
        Ok(Self {
            path: path.to_owned(),
            file: BufReader::new(file),
            len_bytes,
        })
    }

    /// Returns the first 8 bytes, or fewer if there are no more.
    fn start(&mut self) -> Result<Vec<u8>, InputError> {
        let mut start = Vec::with_capacity(8);
        self.seek(0)?;
        let read = self.file.by_ref().take(8).read_to_end(&mut start);
        read.map_err(|source| self.failed(source))?;
        self.seek(0)?;
        Ok(start)
    }

    fn seek(&mut self, offset_bytes: u64) -> Result<(), InputError> {
        let sought = self.file.seek(SeekFrom::Start(offset_bytes));
        sought.map(drop).map_err(|source| self.failed(source))
    }

    /// Says what an error while reading means.
    fn failed(&self, source: std::io::Error) -> InputError {
        let path = self.path.clone();
        match source.kind() {
            std::io::ErrorKind::UnexpectedEof => InputError::Truncated {
                path,
                len_bytes: self.len_bytes,
            },
            std::io::ErrorKind::InvalidData | std::io::ErrorKind::InvalidInput => {
                InputError::Damaged {
                    path,
                    source: source.into(),
                }
            }
            _ => InputError::Read { path, source },
        }
    }

    /// Returns the error for contents that don't make sense.
    fn damaged(&self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> InputError {
        InputError::Damaged {
            path: self.path.clone(),
            source: source.into(),
        }
    }

    /// Returns the error for more pixels than the file can hold.
    fn implausible(&self, rows: u32, columns: u32) -> InputError {
        InputError::Implausible {
            path: self.path.clone(),
            rows,
            columns,
            len_bytes: self.len_bytes,
        }
    }
}
