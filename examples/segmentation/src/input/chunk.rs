//! The compressions of a TIFF's strips and tiles, as streams that need little memory.
//!
//! The `tiff` crate decodes a strip in one piece, and a strip may be the whole image. These streams
//! hand out as many bytes as a row has.

use std::io::{self, BufRead, Read};

use flate2::bufread::ZlibDecoder;
use weezl::{BitOrder, LzwError, LzwStatus};

use super::DEFLATE_MAX_RATIO;

/// A way to compress a strip or tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    /// Not at all.
    None,
    /// Lempel, Ziv and Welch.
    Lzw,
    /// Deflate in zlib's framing.
    Deflate,
    /// Runs of bytes.
    PackBits,
}

impl Compression {
    /// Returns the compression with a number of TIFF's tag 259, or `None` for one not supported.
    pub(super) fn from_tag(number: u16) -> Option<Self> {
        match number {
            1 => Some(Self::None),
            5 => Some(Self::Lzw),
            8 | 32946 => Some(Self::Deflate),
            32773 => Some(Self::PackBits),
            _ => None,
        }
    }

    /// Returns how many bytes one compressed byte can at most become.
    pub(super) fn max_ratio(self) -> u64 {
        match self {
            Self::None => 1,
            // A code has at least 9 bits and stands for at most 4096 bytes.
            Self::Lzw => 4096,
            Self::Deflate => DEFLATE_MAX_RATIO,
            // A run of 128 takes 2 bytes.
            Self::PackBits => 64,
        }
    }

    /// Returns the stream of uncompressed bytes.
    pub(super) fn stream<'a>(self, compressed: impl BufRead + 'a) -> Box<dyn Read + 'a> {
        match self {
            Self::None => Box::new(compressed),
            Self::Lzw => Box::new(Lzw::new(compressed)),
            Self::Deflate => Box::new(ZlibDecoder::new(compressed)),
            Self::PackBits => Box::new(PackBits {
                compressed,
                run: Run::Done,
            }),
        }
    }
}

/// Undoes LZW.
struct Lzw<R> {
    compressed: R,
    decoder: weezl::decode::Decoder,
}

impl<R> Lzw<R> {
    fn new(compressed: R) -> Self {
        let decoder = weezl::decode::Decoder::with_tiff_size_switch(BitOrder::Msb, 8);
        Self {
            compressed,
            decoder,
        }
    }
}

impl<R: BufRead> Read for Lzw<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        loop {
            let bytes = self.compressed.fill_buf()?;
            let at_end = bytes.is_empty();
            let step = self.decoder.decode_bytes(bytes, out);
            self.compressed.consume(step.consumed_in);
            match step.status {
                _ if step.consumed_out > 0 => return Ok(step.consumed_out),
                Ok(LzwStatus::Done) => return Ok(0),
                Ok(LzwStatus::NoProgress) if at_end => return Ok(0),
                Ok(_) => {}
                Err(LzwError::InvalidCode) => {
                    return Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        "invalid LZW code",
                    ));
                }
            }
        }
    }
}

/// Undoes PackBits.
struct PackBits<R> {
    compressed: R,
    run: Run,
}

/// What is left of the run at hand.
#[derive(Clone, Copy)]
enum Run {
    Done,
    /// So many bytes to be copied.
    Copy(u8),
    /// So many times this byte.
    Repeat(u8, u8),
}

impl<R: BufRead> PackBits<R> {
    /// Returns the next byte of the stream, or `None` at its end.
    fn byte(&mut self) -> io::Result<Option<u8>> {
        let byte = self.compressed.fill_buf()?.first().copied();
        self.compressed.consume(usize::from(byte.is_some()));
        Ok(byte)
    }
}

impl<R: BufRead> Read for PackBits<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        for (n_read, out) in out.iter_mut().enumerate() {
            while let Run::Done = self.run {
                self.run = match self.byte()? {
                    None => return Ok(n_read),
                    Some(128) => Run::Done,
                    Some(n @ 0..=127) => Run::Copy(n + 1),
                    Some(n @ 129..) => match self.byte()? {
                        None => return Ok(n_read),
                        // 257 - n, which is 2 to 128
                        Some(value) => Run::Repeat(u8::MAX - n + 2, value),
                    },
                };
            }
            let (value, left) = match self.run {
                Run::Repeat(n, value) => (Some(value), Run::Repeat(n - 1, value)),
                Run::Copy(n) => (self.byte()?, Run::Copy(n - 1)),
                Run::Done => (None, Run::Done),
            };
            let Some(value) = value else {
                return Ok(n_read);
            };
            *out = value;
            self.run = if let Run::Copy(0) | Run::Repeat(0, _) = left {
                Run::Done
            } else {
                left
            };
        }
        Ok(out.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpack(compression: Compression, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        // A buffer of 3 bytes, so that every state is met at its end.
        let reader = io::BufReader::with_capacity(3, bytes);
        compression.stream(reader).read_to_end(&mut out).unwrap();
        out
    }

    #[test]
    fn packbits_is_that_of_the_specification() {
        // The example of Apple's Technical Note TN1023.
        let packed = [
            0xFE, 0xAA, 0x02, 0x80, 0x00, 0x2A, 0xFD, 0xAA, 0x03, 0x80, 0x00, 0x2A, 0x22, 0xF7,
            0xAA,
        ];
        let mut plain = vec![0xAA, 0xAA, 0xAA, 0x80, 0x00, 0x2A, 0xAA, 0xAA, 0xAA, 0xAA];
        plain.extend([0x80, 0x00, 0x2A, 0x22]);
        plain.extend([0xAA; 10]);
        assert_eq!(unpack(Compression::PackBits, &packed), plain);
    }

    #[test]
    fn lzw_comes_back_and_ends_where_it_was_cut() {
        let plain: Vec<u8> = (0..5000_u32)
            .map(|at| (at * at / 300 % 251) as u8)
            .collect();
        let mut encoder = weezl::encode::Encoder::with_tiff_size_switch(BitOrder::Msb, 8);
        let packed = encoder.encode(&plain).unwrap();
        assert_eq!(unpack(Compression::Lzw, &packed), plain);
        let cut = unpack(Compression::Lzw, &packed[..packed.len() / 2]);
        assert!(plain.starts_with(&cut) && cut.len() < plain.len());
    }
}
