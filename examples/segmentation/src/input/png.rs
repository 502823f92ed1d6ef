//! PNG: chunks and decompression by the `png` crate, the rows here.
//!
//! The crate's own reader of rows keeps more than 128 KiB of them, a quarter of a small image.

use std::fs::File;
use std::io::{BufRead, BufReader};

use ndarray::ArrayViewMut2;
use png::{BitDepth, ColorType, Decoded, DecodingError, StreamingDecoder, UnfilterRegion};

use super::{DEFLATE_MAX_RATIO, InputError, Opened};

/// The decompressed bytes kept: twice the 32 KiB that deflate may refer back to.
const WINDOW_BYTES: usize = 64 * 1024;
/// The passes of an interlaced image (Adam7): first row, first column, steps down and across.
const INTERLACED: [(usize, usize, usize, usize); 7] = [
    (0, 0, 8, 8),
    (0, 4, 8, 8),
    (4, 0, 8, 4),
    (0, 2, 4, 4),
    (2, 0, 4, 2),
    (0, 1, 2, 2),
    (1, 0, 2, 1),
];
/// The one pass of an image that isn't interlaced.
const PLAIN: [(usize, usize, usize, usize); 1] = [(0, 0, 1, 1)];

/// How the pixels are stored.
#[derive(Debug)]
pub(super) struct Layout {
    rows: u32,
    columns: u32,
    pixel_bytes: usize,
    interlaced: bool,
}

impl Layout {
    /// Reads the header and checks it against the file's size.
    pub(super) fn read(opened: &mut Opened) -> Result<Self, InputError> {
        opened.seek(0)?;
        let mut stream = Stream::new();
        let info = loop {
            if let Some(info) = stream.decoder.info() {
                break info;
            }
            let step = stream.step(&mut opened.file);
            step.map_err(|error| refused(opened, error))?;
        };
        let path = || opened.path.clone();
        let several = |channels, kind| InputError::Channels {
            path: opened.path.clone(),
            channels,
            kind,
        };
        match info.color_type {
            ColorType::Grayscale => {}
            ColorType::Indexed => return Err(InputError::Palette { path: path() }),
            ColorType::Rgb => return Err(several(3, "RGB")),
            ColorType::Rgba => return Err(several(4, "RGB and alpha")),
            ColorType::GrayscaleAlpha => return Err(several(2, "grey and alpha")),
        }
        let pixel_bytes = match info.bit_depth {
            BitDepth::Eight => 1,
            BitDepth::Sixteen => 2,
            other => {
                return Err(InputError::BitDepth {
                    path: path(),
                    bits: other as u16,
                });
            }
        };
        let n_bytes = u64::from(info.height)
            .saturating_mul(u64::from(info.width))
            .saturating_mul(pixel_bytes as u64);
        if n_bytes > opened.len_bytes.saturating_mul(DEFLATE_MAX_RATIO) {
            return Err(opened.implausible(info.height, info.width));
        }
        Ok(Self {
            rows: info.height,
            columns: info.width,
            pixel_bytes,
            interlaced: info.interlaced,
        })
    }

    /// Returns the numbers of rows and columns.
    pub(super) fn shape(&self) -> (usize, usize) {
        (self.rows as usize, self.columns as usize)
    }

    /// Decodes the pixels.
    pub(super) fn read_into(
        &self,
        opened: &mut Opened,
        mut image: ArrayViewMut2<'_, u16>,
    ) -> Result<(), InputError> {
        opened.seek(0)?;
        let mut stream = Stream::new();
        let (n_rows, n_columns) = self.shape();
        let passes = if self.interlaced {
            INTERLACED.as_slice()
        } else {
            PLAIN.as_slice()
        };
        for &(first_row, first_column, down, across) in passes {
            let n_pixels = n_columns.saturating_sub(first_column).div_ceil(across);
            if n_pixels == 0 {
                continue;
            }
            // The first byte of a row names its filter.
            let mut row = vec![0; 1 + n_pixels * self.pixel_bytes];
            let mut above = row.clone();
            for at in (first_row..n_rows).step_by(down) {
                let read = stream.read_row(&mut opened.file, &mut row);
                read.map_err(|error| refused(opened, error))?;
                let (filter, stored) = (row[0], &mut row[1..]);
                if !unfilter(filter, stored, &above[1..], self.pixel_bytes) {
                    return Err(opened.damaged(format!("row {at} has the unknown filter {filter}")));
                }
                let pixels = image.row_mut(at);
                let pixels = pixels.into_iter().skip(first_column).step_by(across);
                for (pixel, stored) in pixels.zip(stored.chunks_exact(self.pixel_bytes)) {
                    *pixel = stored
                        .iter()
                        .fold(0, |high, &low| high << 8 | u16::from(low));
                }
                std::mem::swap(&mut row, &mut above);
            }
        }
        stream
            .finish(&mut opened.file)
            .map_err(|error| refused(opened, error))
    }
}

/// The decompressed bytes of the image, through a window.
struct Stream {
    decoder: StreamingDecoder,
    window: Vec<u8>,
    region: UnfilterRegion,
    /// How many bytes of the window were handed out.
    n_taken: usize,
    /// All bytes of the image have been decompressed, and their checksums were right.
    ended: bool,
}

impl Stream {
    fn new() -> Self {
        let mut decoder = StreamingDecoder::new();
        decoder.set_ignore_text_chunk(true);
        decoder.set_ignore_iccp_chunk(true);
        Self {
            decoder,
            window: vec![0; WINDOW_BYTES],
            region: UnfilterRegion::default(),
            n_taken: 0,
            ended: false,
        }
    }

    /// Fills `row` with the next bytes.
    fn read_row(
        &mut self,
        file: &mut BufReader<File>,
        mut row: &mut [u8],
    ) -> Result<(), DecodingError> {
        loop {
            let ready = &self.window[self.n_taken..self.region.filled];
            let (now, later) = row.split_at_mut(ready.len().min(row.len()));
            now.copy_from_slice(&ready[..now.len()]);
            self.n_taken += now.len();
            row = later;
            if row.is_empty() {
                return Ok(());
            }
            if self.ended {
                return Err(DecodingError::IoError(
                    std::io::ErrorKind::UnexpectedEof.into(),
                ));
            }
            self.step(file)?;
        }
    }

    /// Reads to the end of the pixels' chunks, which checks the last of their checksums.
    fn finish(mut self, file: &mut BufReader<File>) -> Result<(), DecodingError> {
        while !self.ended {
            self.n_taken = self.region.filled;
            self.step(file)?;
        }
        Ok(())
    }

    /// Drops the bytes of the window that neither the caller nor the decompressor needs any more.
    fn slide(&mut self) {
        let n_dropped = self.n_taken.min(self.region.available);
        self.window.copy_within(n_dropped..self.region.filled, 0);
        self.n_taken -= n_dropped;
        self.region.available -= n_dropped;
        self.region.filled -= n_dropped;
    }

    /// Feeds the decoder with a few kilobytes of the file.
    fn step(&mut self, file: &mut BufReader<File>) -> Result<(), DecodingError> {
        if self.region.filled == self.window.len() {
            self.slide();
        }
        let bytes = file.fill_buf()?;
        if bytes.is_empty() {
            return Err(DecodingError::IoError(
                std::io::ErrorKind::UnexpectedEof.into(),
            ));
        }
        let mut window = self.region.as_buf(&mut self.window);
        let (n_bytes, decoded) = self.decoder.update(bytes, Some(&mut window))?;
        file.consume(n_bytes);
        self.ended = matches!(decoded, Decoded::ImageDataFlushed);
        Ok(())
    }
}

/// Undoes a row's filter (PNG specification, section 9) and returns whether it is a known one.
fn unfilter(filter: u8, row: &mut [u8], above: &[u8], pixel_bytes: usize) -> bool {
    for at in 0..row.len() {
        let before = at.checked_sub(pixel_bytes);
        let left = before.map_or(0, |before| row[before]);
        let above_left = before.map_or(0, |before| above[before]);
        let guess = match filter {
            0 => 0,
            1 => left,
            2 => above[at],
            3 => left.midpoint(above[at]),
            4 => paeth(left, above[at], above_left),
            _ => return false,
        };
        row[at] = row[at].wrapping_add(guess);
    }
    true
}

/// Returns whichever of the three neighbours is nearest to `left + above - above_left`.
fn paeth(left: u8, above: u8, above_left: u8) -> u8 {
    let guess = i16::from(left) + i16::from(above) - i16::from(above_left);
    let distance = |to: u8| guess.abs_diff(i16::from(to));
    if distance(left) <= distance(above) && distance(left) <= distance(above_left) {
        left
    } else if distance(above) <= distance(above_left) {
        above
    } else {
        above_left
    }
}

/// Says what an error of the `png` crate means.
fn refused(opened: &Opened, error: DecodingError) -> InputError {
    match error {
        DecodingError::IoError(source) => opened.failed(source),
        other => opened.damaged(other),
    }
}
