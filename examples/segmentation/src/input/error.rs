//! Why an image was refused.

use std::path::PathBuf;

/// Why an image can't be read. Each variant names the file and what was found in it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InputError {
    /// The file can't be opened; it doesn't exist, for instance.
    #[error("cannot open {}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file can't be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file is in neither of the formats.
    #[error("{} is neither a TIFF nor a PNG, it starts with {start:02x?}", path.display())]
    NotAnImage {
        /// The file.
        path: PathBuf,
        /// Its first bytes, at most 8.
        start: Vec<u8>,
    },
    /// The file ends before its last pixel.
    #[error("{} is cut short, it ends after {len_bytes} bytes", path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Its length.
        len_bytes: u64,
    },
    /// The header claims more pixels than fit the file, however well compressed.
    #[error(
        "{} claims {rows} x {columns} pixels, more than its {len_bytes} bytes can hold",
        path.display()
    )]
    Implausible {
        /// The file.
        path: PathBuf,
        /// The rows claimed.
        rows: u32,
        /// The columns claimed.
        columns: u32,
        /// The file's length.
        len_bytes: u64,
    },
    /// A pixel has several values.
    #[error("{} has {channels} channels ({kind}), convert it to grey", path.display())]
    Channels {
        /// The file.
        path: PathBuf,
        /// How many values a pixel has.
        channels: u16,
        /// What they stand for.
        kind: &'static str,
    },
    /// A pixel is a number in a table of colours.
    #[error("{} has 1 channel of palette colours, convert it to grey", path.display())]
    Palette {
        /// The file.
        path: PathBuf,
    },
    /// A pixel has too few or too many bits.
    #[error("{} has {bits} bits a pixel, convert it to 8 or 16", path.display())]
    BitDepth {
        /// The file.
        path: PathBuf,
        /// The bits of a pixel.
        bits: u16,
    },
    /// A pixel isn't an unsigned integer.
    #[error("{} has {bits}-bit {kind} pixels, convert it to 8- or 16-bit integers", path.display())]
    Number {
        /// The file.
        path: PathBuf,
        /// The bits of a pixel.
        bits: u16,
        /// What kind of number it is.
        kind: &'static str,
    },
    /// The file uses a part of its format that isn't supported.
    #[error("{} has {feature}, which is not supported", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// What it uses.
        feature: String,
    },
    /// The contents contradict the format.
    #[error("cannot decode {}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The destination has another shape than the image.
    #[error(
        "{} has {} x {} pixels, the destination {} x {}",
        path.display(), image.0, image.1, destination.0, destination.1
    )]
    Destination {
        /// The file.
        path: PathBuf,
        /// Rows and columns of the image.
        image: (usize, usize),
        /// Rows and columns of the destination.
        destination: (usize, usize),
    },
}
