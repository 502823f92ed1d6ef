//! TIFF: the header by the `tiff` crate, the pixels row by row.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::ops::Range;

use ndarray::{ArrayViewMut1, ArrayViewMut2, Axis};
use tiff::TiffError;
use tiff::decoder::{ChunkType, Decoder};
use tiff::tags::{ByteOrder, Tag};

use super::chunk::Compression;
use super::{InputError, Opened};

/// TIFF's number for grey with 0 as white.
const WHITE_IS_ZERO: u16 = 0;
/// TIFF's number for grey with 0 as black.
const BLACK_IS_ZERO: u16 = 1;
/// TIFF's number for colours from a table.
const PALETTE: u16 = 3;

/// Where the pixels of the first page are and how to read them.
#[derive(Debug)]
pub(super) struct Layout {
    rows: u32,
    columns: u32,
    pixels: Pixels,
    chunk_rows: u32,
    chunk_columns: u32,
    /// Position in the file of each strip or tile, in raster order.
    chunks: Vec<Range<u64>>,
}

/// How a pixel is stored.
#[derive(Clone, Copy, Debug)]
struct Pixels {
    bytes: usize,
    byte_order: ByteOrder,
    /// Each pixel is stored as the difference to its left neighbour.
    differences: bool,
    white_is_zero: bool,
    compression: Compression,
}

impl Layout {
    /// Reads the header and checks it against the file's size.
    pub(super) fn read(opened: &mut Opened) -> Result<Self, InputError> {
        opened.seek(0)?;
        let tags = Tags::read(&mut opened.file).map_err(|error| refused(opened, error))?;
        let pixels = tags.pixels(opened)?;
        let positions = tags.chunk_offsets.iter().zip(&tags.chunk_lens);
        let layout = Self {
            rows: tags.rows,
            columns: tags.columns,
            pixels,
            chunk_rows: tags.chunk_rows.min(tags.rows),
            chunk_columns: tags.chunk_columns,
            chunks: positions
                .map(|(&at, &len)| at..at.saturating_add(len))
                .collect(),
        };
        layout.check(opened)?;
        Ok(layout)
    }

    /// Returns the numbers of rows and columns.
    pub(super) fn shape(&self) -> (usize, usize) {
        (self.rows as usize, self.columns as usize)
    }

    /// Checks that the chunks are in the file and can hold the pixels.
    fn check(&self, opened: &Opened) -> Result<(), InputError> {
        let zero = [self.rows, self.columns, self.chunk_rows, self.chunk_columns].contains(&0);
        let across = u64::from(self.columns.div_ceil(self.chunk_columns.max(1)));
        let down = u64::from(self.rows.div_ceil(self.chunk_rows.max(1)));
        if zero || across * down != self.chunks.len() as u64 {
            return Err(opened.damaged("the strips or tiles don't cover the image once"));
        }
        let ends_beyond = |chunk: &Range<u64>| chunk.end > opened.len_bytes;
        if self.chunks.iter().any(ends_beyond) {
            return Err(InputError::Truncated {
                path: opened.path.clone(),
                len_bytes: opened.len_bytes,
            });
        }
        // Chunks that share bytes could hold any number of pixels.
        let stored: u64 = self
            .chunks
            .iter()
            .map(|chunk| chunk.end - chunk.start)
            .sum();
        let pixels = u64::from(self.rows) * u64::from(self.columns);
        let most = stored.saturating_mul(self.pixels.compression.max_ratio());
        if stored > opened.len_bytes || pixels.saturating_mul(self.pixels.bytes as u64) > most {
            return Err(opened.implausible(self.rows, self.columns));
        }
        Ok(())
    }

    /// Decodes the pixels.
    pub(super) fn read_into(
        &self,
        opened: &mut Opened,
        mut image: ArrayViewMut2<'_, u16>,
    ) -> Result<(), InputError> {
        let mut stored_row = vec![0; self.chunk_columns as usize * self.pixels.bytes];
        let mut chunks = self.chunks.iter();
        for mut band in image.axis_chunks_iter_mut(Axis(0), self.chunk_rows as usize) {
            for part in band.axis_chunks_iter_mut(Axis(1), self.chunk_columns as usize) {
                let Some(chunk) = chunks.next() else {
                    return Ok(());
                };
                opened.seek(chunk.start)?;
                let stored = opened.file.by_ref().take(chunk.end - chunk.start);
                let read = self.pixels.read_chunk(stored, &mut stored_row, part);
                read.map_err(|source| opened.failed(source))?;
            }
        }
        Ok(())
    }
}

impl Pixels {
    /// Decodes one strip or tile into its part of the image. A tile at the border may be larger
    /// than that; the rest is ignored.
    fn read_chunk(
        self,
        stored: impl BufRead,
        stored_row: &mut [u8],
        mut part: ArrayViewMut2<'_, u16>,
    ) -> std::io::Result<()> {
        let mut stream = self.compression.stream(stored);
        for row in part.rows_mut() {
            stream.read_exact(stored_row)?;
            self.decode_row(stored_row, row);
        }
        Ok(())
    }

    fn decode_row(self, stored: &[u8], mut row: ArrayViewMut1<'_, u16>) {
        match (self.bytes, self.byte_order) {
            (1, _) => fill(&mut row, stored.iter().map(|&byte| u16::from(byte))),
            (_, ByteOrder::LittleEndian) => {
                fill(
                    &mut row,
                    stored
                        .as_chunks()
                        .0
                        .iter()
                        .map(|&pair| u16::from_le_bytes(pair)),
                );
            }
            (_, ByteOrder::BigEndian) => {
                fill(
                    &mut row,
                    stored
                        .as_chunks()
                        .0
                        .iter()
                        .map(|&pair| u16::from_be_bytes(pair)),
                );
            }
        }
        let max = if self.bytes == 1 {
            u16::from(u8::MAX)
        } else {
            u16::MAX
        };
        if self.differences {
            let mut sum = 0_u16;
            for pixel in &mut row {
                sum = sum.wrapping_add(*pixel) & max;
                *pixel = sum;
            }
        }
        if self.white_is_zero {
            row.mapv_inplace(|pixel| max - pixel);
        }
    }
}

fn fill(row: &mut ArrayViewMut1<'_, u16>, values: impl Iterator<Item = u16>) {
    for (pixel, value) in row.iter_mut().zip(values) {
        *pixel = value;
    }
}

/// The tags of the first page, as they stand there.
struct Tags {
    rows: u32,
    columns: u32,
    photometric: u16,
    channels: u16,
    bits: u16,
    sample_format: u16,
    compression: u16,
    predictor: u16,
    fill_order: u16,
    chunk_rows: u32,
    chunk_columns: u32,
    chunk_offsets: Vec<u64>,
    chunk_lens: Vec<u64>,
    byte_order: ByteOrder,
}

impl Tags {
    fn read(file: &mut BufReader<File>) -> Result<Self, TiffError> {
        let mut tiff = Decoder::new(file)?;
        let (columns, rows) = tiff.dimensions()?;
        let strips = tiff.get_chunk_type() == ChunkType::Strip;
        let (offsets, lens) = if strips {
            (Tag::StripOffsets, Tag::StripByteCounts)
        } else {
            (Tag::TileOffsets, Tag::TileByteCounts)
        };
        let (chunk_rows, chunk_columns) = if strips {
            (
                tiff.find_tag_unsigned(Tag::RowsPerStrip)?.unwrap_or(rows),
                columns,
            )
        } else {
            (
                tiff.get_tag_unsigned(Tag::TileLength)?,
                tiff.get_tag_unsigned(Tag::TileWidth)?,
            )
        };
        let mut number = |tag, default| -> Result<u16, TiffError> {
            let numbers = tiff.find_tag_unsigned_vec(tag)?.unwrap_or_default();
            Ok(numbers.first().copied().unwrap_or(default))
        };
        Ok(Self {
            rows,
            columns,
            photometric: number(Tag::PhotometricInterpretation, BLACK_IS_ZERO)?,
            channels: number(Tag::SamplesPerPixel, 1)?,
            bits: number(Tag::BitsPerSample, 1)?,
            sample_format: number(Tag::SampleFormat, 1)?,
            compression: number(Tag::Compression, 1)?,
            predictor: number(Tag::Predictor, 1)?,
            fill_order: number(Tag::FillOrder, 1)?,
            chunk_rows,
            chunk_columns,
            chunk_offsets: tiff.find_tag_unsigned_vec(offsets)?.unwrap_or_default(),
            chunk_lens: tiff.find_tag_unsigned_vec(lens)?.unwrap_or_default(),
            byte_order: tiff.byte_order(),
        })
    }

    /// Refuses everything but grey pixels of 8 or 16 bits, compressed in a way known here.
    fn pixels(&self, opened: &Opened) -> Result<Pixels, InputError> {
        let path = || opened.path.clone();
        let unsupported = |feature| {
            Err(InputError::Unsupported {
                path: opened.path.clone(),
                feature,
            })
        };
        if self.photometric == PALETTE {
            return Err(InputError::Palette { path: path() });
        }
        let grey = [WHITE_IS_ZERO, BLACK_IS_ZERO].contains(&self.photometric);
        if self.channels != 1 || !grey {
            let kind = channels_of(self.photometric);
            return Err(InputError::Channels {
                path: path(),
                channels: self.channels,
                kind,
            });
        }
        let bits = self.bits;
        match self.sample_format {
            1 => {}
            2 => {
                return Err(InputError::Number {
                    path: path(),
                    bits,
                    kind: "signed integer",
                });
            }
            3 => {
                return Err(InputError::Number {
                    path: path(),
                    bits,
                    kind: "floating point",
                });
            }
            other => return unsupported(format!("sample format {other}")),
        }
        if bits != 8 && bits != 16 {
            return Err(InputError::BitDepth { path: path(), bits });
        }
        let Some(compression) = Compression::from_tag(self.compression) else {
            return unsupported(format!("compression {}", self.compression));
        };
        if ![1, 2].contains(&self.predictor) {
            return unsupported(format!("predictor {}", self.predictor));
        }
        if self.fill_order != 1 {
            return unsupported(format!("fill order {}", self.fill_order));
        }
        Ok(Pixels {
            bytes: usize::from(bits / 8),
            byte_order: self.byte_order,
            differences: self.predictor == 2,
            white_is_zero: self.photometric == WHITE_IS_ZERO,
            compression,
        })
    }
}

/// Says what the channels of a page are that isn't grey.
fn channels_of(photometric: u16) -> &'static str {
    match photometric {
        WHITE_IS_ZERO | BLACK_IS_ZERO => "grey and others, such as alpha",
        2 => "RGB",
        5 => "CMYK",
        6 => "YCbCr",
        8..=10 => "Lab",
        _ => "of unknown meaning",
    }
}

/// Says what an error of the `tiff` crate means.
fn refused(opened: &Opened, error: TiffError) -> InputError {
    match error {
        TiffError::IoError(source) => opened.failed(source),
        other => opened.damaged(other),
    }
}
