//! A writer of TIFFs of every kind, right and wrong.

use std::io::Write;

use flate2::{Compression, write::ZlibEncoder};

/// What a TIFF shall be like. The default is a good one: little-endian, 16 bits, one strip.
#[derive(Clone, Debug)]
pub(crate) struct TiffFile {
    /// Numbers are written with their high byte first.
    pub(crate) big_endian: bool,
    /// Tag 256 and 257: columns and rows.
    pub(crate) size: (u32, u32),
    /// Tag 258.
    pub(crate) bits: u16,
    /// Tag 259; 1, 5, 8 and 32773 really compress.
    pub(crate) compression: u16,
    /// Tag 262.
    pub(crate) photometric: u16,
    /// Tag 277.
    pub(crate) channels: u16,
    /// Tag 317; 2 really takes differences.
    pub(crate) predictor: u16,
    /// Tag 339.
    pub(crate) sample_format: u16,
    /// Columns and rows of a tile, or `None` for strips.
    pub(crate) tile: Option<(u32, u32)>,
    /// Tag 278, the rows of a strip.
    pub(crate) strip_rows: u32,
    /// Tags and the four bytes of their values that are written instead of the right ones.
    pub(crate) lies: Vec<(u16, u32)>,
}

impl TiffFile {
    /// Describes a good file.
    pub(crate) fn new(rows: u32, columns: u32) -> Self {
        Self {
            big_endian: false,
            size: (columns, rows),
            bits: 16,
            compression: 1,
            photometric: 1,
            channels: 1,
            predictor: 1,
            sample_format: 1,
            tile: None,
            strip_rows: rows,
            lies: Vec::new(),
        }
    }

    /// Returns the file with a pixel's value given by its row and column.
    pub(crate) fn bytes(&self, pixel: impl Fn(u32, u32) -> u16) -> Vec<u8> {
        let (columns, rows) = self.size;
        let (chunk_columns, chunk_rows) = self.tile.unwrap_or((columns, self.strip_rows));
        let mut file = self.header();
        let (mut offsets, mut lens) = (Vec::new(), Vec::new());
        for first_row in (0..rows).step_by(chunk_rows as usize) {
            for first_column in (0..columns).step_by(chunk_columns as usize) {
                // Strips end with the image, tiles are filled up.
                let last_row = match self.tile {
                    Some(_) => first_row + chunk_rows,
                    None => (first_row + chunk_rows).min(rows),
                };
                let mut plain = Vec::new();
                for row in first_row..last_row {
                    let columns = first_column..first_column + chunk_columns;
                    self.push_row(&mut plain, columns.map(|column| pixel(row, column)));
                }
                let packed = self.pack(&plain);
                offsets.push(u32::try_from(file.len()).unwrap());
                lens.push(u32::try_from(packed.len()).unwrap());
                file.extend(packed);
            }
        }
        self.push_directory(&mut file, &offsets, &lens);
        file
    }

    fn header(&self) -> Vec<u8> {
        let mut header = if self.big_endian {
            b"MM".to_vec()
        } else {
            b"II".to_vec()
        };
        self.push16(&mut header, 42);
        self.push32(&mut header, 0);
        header
    }

    fn push_row(&self, plain: &mut Vec<u8>, pixels: impl Iterator<Item = u16>) {
        let mut left = 0_u16;
        for pixel in pixels {
            let stored = if self.predictor == 2 {
                pixel.wrapping_sub(left)
            } else {
                pixel
            };
            left = pixel;
            match self.bits {
                8 => plain.push(stored.to_le_bytes()[0]),
                _ => self.push16(plain, stored),
            }
        }
    }

    fn pack(&self, plain: &[u8]) -> Vec<u8> {
        match self.compression {
            5 => weezl::encode::Encoder::with_tiff_size_switch(weezl::BitOrder::Msb, 8)
                .encode(plain)
                .unwrap(),
            8 => {
                let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
                encoder.write_all(plain).unwrap();
                encoder.finish().unwrap()
            }
            32773 => plain
                .chunks(128)
                .flat_map(|run| {
                    let length = u8::try_from(run.len() - 1).unwrap();
                    std::iter::once(length).chain(run.iter().copied())
                })
                .collect(),
            _ => plain.to_vec(),
        }
    }

    fn push_directory(&self, file: &mut Vec<u8>, offsets: &[u32], lens: &[u32]) {
        let offsets_at = self.push_numbers(file, offsets);
        let lens_at = self.push_numbers(file, lens);
        let n_chunks = u32::try_from(offsets.len()).unwrap();
        let one = |tag, value| (tag, 1, value);
        let mut tags = vec![
            one(256, self.size.0),
            one(257, self.size.1),
            one(258, u32::from(self.bits)),
            one(259, u32::from(self.compression)),
            one(262, u32::from(self.photometric)),
            one(277, u32::from(self.channels)),
            one(317, u32::from(self.predictor)),
            one(339, u32::from(self.sample_format)),
        ];
        match self.tile {
            Some((columns, rows)) => {
                tags.extend([one(322, columns), one(323, rows)]);
                tags.extend([(324, n_chunks, offsets_at), (325, n_chunks, lens_at)]);
            }
            None => {
                tags.extend([(273, n_chunks, offsets_at), (279, n_chunks, lens_at)]);
                tags.push(one(278, self.strip_rows));
            }
        }
        tags.sort_unstable();
        let directory_at = u32::try_from(file.len()).unwrap();
        self.push16(file, u16::try_from(tags.len()).unwrap());
        for (tag, count, value) in tags {
            let lie = self.lies.iter().find(|lie| lie.0 == tag);
            self.push16(file, tag);
            self.push16(file, 4);
            self.push32(file, count);
            self.push32(file, lie.map_or(value, |lie| lie.1));
        }
        self.push32(file, 0);
        let mut pointer = Vec::new();
        self.push32(&mut pointer, directory_at);
        file[4..8].copy_from_slice(&pointer);
    }

    /// Writes a list of numbers and returns where it is, or the number itself if there is but one.
    fn push_numbers(&self, file: &mut Vec<u8>, numbers: &[u32]) -> u32 {
        if let [number] = numbers {
            return *number;
        }
        let at = u32::try_from(file.len()).unwrap();
        for &number in numbers {
            self.push32(file, number);
        }
        at
    }

    fn push16(&self, file: &mut Vec<u8>, value: u16) {
        file.extend(if self.big_endian {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        });
    }

    fn push32(&self, file: &mut Vec<u8>, value: u32) {
        file.extend(if self.big_endian {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        });
    }
}
