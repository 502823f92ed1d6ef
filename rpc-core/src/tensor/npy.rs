//! NumPy's file format, read straight into a segment and written straight out of one.
//!
//! The format is NEP 1 of the NumPy project ("A Simple File Format for NumPy Arrays"), versions 1
//! to 3: a magic string, a version, the length of a header, the header (a Python dictionary), and
//! the elements.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

use ndarray::{Dimension, IxDyn};

use super::element::{DType, Element};
use super::owned::Tensor;
use crate::segment::{AccessError, ShmExhausted};

const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// No header that describes an array of ours is longer.
const MAX_HEADER_BYTES: usize = 64 * 1024;
/// The elements begin at a multiple of this many bytes in files we write, as NumPy does it.
const ALIGNMENT: usize = 64;

/// Why an `.npy` file was not read or written.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum NpyError {
    /// Reading or writing failed, or the file ended early.
    #[error("reading or writing the .npy data failed")]
    Io(#[from] io::Error),
    /// It isn't an `.npy` file, or one of an unknown version.
    #[error("not an .npy file: {0}")]
    Header(String),
    /// The file has other elements than asked for.
    #[error("the .npy file has elements of type {found:?} where {wanted} is asked for")]
    DType {
        /// The file's `descr`.
        found: String,
        /// The element type that was asked for.
        wanted: DType,
    },
    /// The file has another number of dimensions than asked for.
    #[error("the .npy file has shape {shape:?} where {wanted} dimensions are asked for")]
    Rank {
        /// The file's shape.
        shape: Vec<usize>,
        /// The number of dimensions that was asked for.
        wanted: usize,
    },
    /// The file is too short for its shape.
    #[error(
        "the .npy file has {actual_bytes} bytes after its header where {needed_bytes} are needed"
    )]
    Truncated {
        /// The bytes of all elements.
        needed_bytes: u64,
        /// The bytes that the file has after its header.
        actual_bytes: u64,
    },
    /// The format has no name for this element type.
    #[error("NumPy has no element type for {0}")]
    Unsupported(DType),
    /// A `bool` in the file is neither 0 nor 1.
    #[error("an element of type bool is neither 0 nor 1")]
    Invalid,
    /// There is no memory for it.
    #[error(transparent)]
    Exhausted(#[from] ShmExhausted),
    /// The tensor can't be read now.
    #[error(transparent)]
    Access(#[from] AccessError),
}

crate::readable::debug_as_message!(NpyError);

impl<A: Element, D: Dimension> Tensor<A, D> {
    /// Reads an `.npy` file into a new tensor; a file in Fortran order becomes a column-major one.
    ///
    /// # Errors
    /// Every [`NpyError`] but `Access`.
    pub fn read_npy(path: impl AsRef<Path>) -> Result<Self, NpyError> {
        let mut file = File::open(path)?;
        let header = Header::read(&mut file)?;
        let actual_bytes = file
            .metadata()?
            .len()
            .saturating_sub(io::Seek::stream_position(&mut file)?);
        read_elements(&header, file, Some(actual_bytes))
    }

    /// As [`read_npy`](Self::read_npy), from any reader.
    ///
    /// # Errors
    /// As [`read_npy`](Self::read_npy). A header that claims a huge shape is held to the memory
    /// budget before anything is reserved.
    pub fn read_npy_from(mut reader: impl Read) -> Result<Self, NpyError> {
        let header = Header::read(&mut reader)?;
        read_elements(&header, reader, None)
    }

    /// Writes an `.npy` file (format version 1.0, row-major).
    ///
    /// # Errors
    /// `Io`, `Unsupported` and `Access` of [`NpyError`].
    pub fn write_npy(&self, path: impl AsRef<Path>) -> Result<(), NpyError> {
        let mut writer = BufWriter::new(File::create(path)?);
        self.write_npy_to(&mut writer)?;
        Ok(writer.flush()?)
    }

    /// As [`write_npy`](Self::write_npy), to any writer.
    ///
    /// # Errors
    /// As [`write_npy`](Self::write_npy).
    pub fn write_npy_to(&self, mut writer: impl Write) -> Result<(), NpyError> {
        let descr = descr(A::DTYPE).ok_or(NpyError::Unsupported(A::DTYPE))?;
        self.view()?;
        let shape: String = self.shape().iter().map(|n| format!("{n}, ")).collect();
        let mut header =
            format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({shape}), }}");
        let preamble = MAGIC.len() + 2 + 2;
        let padded = (preamble + header.len() + 1).next_multiple_of(ALIGNMENT) - preamble;
        header.extend(std::iter::repeat_n(' ', padded - 1 - header.len()));
        header.push('\n');
        let len = u16::try_from(header.len())
            .map_err(|_| NpyError::Header(format!("{} dimensions are too many", self.ndim())))?;
        writer.write_all(MAGIC)?;
        writer.write_all(&[1, 0])?;
        writer.write_all(&len.to_le_bytes())?;
        writer.write_all(header.as_bytes())?;
        Ok(self.write_raw(writer)?)
    }
}

/// What the header of a file says.
#[derive(Debug, PartialEq, Eq)]
struct Header {
    descr: String,
    is_fortran: bool,
    shape: Vec<usize>,
}

fn read_elements<A: Element, D: Dimension>(
    header: &Header,
    mut reader: impl Read,
    actual_bytes: Option<u64>,
) -> Result<Tensor<A, D>, NpyError> {
    let found = || header.descr.clone();
    if descr(A::DTYPE) != Some(header.descr.as_str()) {
        return Err(NpyError::DType {
            found: found(),
            wanted: A::DTYPE,
        });
    }
    let shape = D::from_dimension(&IxDyn(&header.shape)).ok_or_else(|| NpyError::Rank {
        shape: header.shape.clone(),
        wanted: D::NDIM.unwrap_or_default(),
    })?;
    let needed_bytes = shape
        .size_checked()
        .and_then(|n| u64::try_from(n).ok()?.checked_mul(size_of::<A>() as u64))
        .ok_or_else(|| NpyError::Header(format!("shape {:?} overflows", header.shape)))?;
    if let Some(actual_bytes) = actual_bytes
        && actual_bytes < needed_bytes
    {
        return Err(NpyError::Truncated {
            needed_bytes,
            actual_bytes,
        });
    }
    // A column-major array is a row-major one of the reversed shape, seen transposed.
    let mut order = shape;
    if header.is_fortran {
        order.slice_mut().reverse();
    }
    let mut tensor = Tensor::<A, D>::uninit(order)?;
    reader.read_exact(tensor.located_mut().bytes_of_run_mut()?)?;
    if !tensor.located().are_elements_valid()? {
        return Err(NpyError::Invalid);
    }
    Ok(if header.is_fortran {
        tensor.reversed_axes()
    } else {
        tensor
    })
}

/// NumPy's name of an element type, on a little-endian machine.
fn descr(dtype: DType) -> Option<&'static str> {
    Some(match dtype {
        DType::Bool => "|b1",
        DType::U8 => "|u1",
        DType::U16 => "<u2",
        DType::U32 => "<u4",
        DType::U64 => "<u8",
        DType::I8 => "|i1",
        DType::I16 => "<i2",
        DType::I32 => "<i4",
        DType::I64 => "<i8",
        DType::F16 => "<f2",
        DType::F32 => "<f4",
        DType::F64 => "<f8",
        DType::C32 => "<c8",
        DType::C64 => "<c16",
        DType::U128 | DType::I128 | DType::BF16 => return None,
    })
}

impl Header {
    fn read(mut reader: impl Read) -> Result<Self, NpyError> {
        let refuse = |what: &str| NpyError::Header(what.to_owned());
        let mut preamble = [0u8; 8];
        reader.read_exact(&mut preamble)?;
        if &preamble[..6] != MAGIC {
            return Err(refuse("it doesn't begin with \\x93NUMPY"));
        }
        let len = match preamble[6] {
            1 => {
                let mut len = [0u8; 2];
                reader.read_exact(&mut len)?;
                usize::from(u16::from_le_bytes(len))
            }
            2 | 3 => {
                let mut len = [0u8; 4];
                reader.read_exact(&mut len)?;
                usize::try_from(u32::from_le_bytes(len)).unwrap_or(usize::MAX)
            }
            version => return Err(refuse(&format!("format version {version} is unknown"))),
        };
        if len > MAX_HEADER_BYTES {
            return Err(refuse(&format!("a header of {len} bytes")));
        }
        let mut text = vec![0u8; len];
        reader.read_exact(&mut text)?;
        let text = std::str::from_utf8(&text).map_err(|_| refuse("the header isn't UTF-8"))?;
        Self::parse(text).ok_or_else(|| refuse(&format!("the header {:?}", text.trim())))
    }

    /// Parses the dictionary: three keys, in any order.
    fn parse(text: &str) -> Option<Self> {
        let mut rest = text.trim().strip_prefix('{')?.strip_suffix('}')?.trim();
        let (mut descr, mut is_fortran, mut shape) = (None, None, None);
        while !rest.is_empty() {
            let (key, after) = quoted(rest)?;
            rest = after.trim_start().strip_prefix(':')?.trim_start();
            match key {
                "descr" => {
                    let (name, after) = quoted(rest)?;
                    // `=` is the machine's own order, which is little-endian here.
                    descr = Some(name.replace('=', "<"));
                    rest = after;
                }
                "fortran_order" => {
                    let (value, after) = match rest.strip_prefix("True") {
                        Some(after) => (true, after),
                        None => (false, rest.strip_prefix("False")?),
                    };
                    is_fortran = Some(value);
                    rest = after;
                }
                "shape" => {
                    let (tuple, after) = rest.strip_prefix('(')?.split_once(')')?;
                    let numbers = tuple.split(',').map(str::trim).filter(|n| !n.is_empty());
                    shape = Some(
                        numbers
                            .map(|n| n.parse().ok())
                            .collect::<Option<Vec<_>>>()?,
                    );
                    rest = after;
                }
                _ => return None,
            }
            rest = rest.trim_start();
            rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
        }
        Some(Self {
            descr: descr?,
            is_fortran: is_fortran?,
            shape: shape?,
        })
    }
}

/// Splits a quoted Python string without escapes off the front.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    text[1..].split_once(quote)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Ix0, Ix1, Ix2, Ix3, array, s};

    fn round_trip<A: Element, D: Dimension>(tensor: &Tensor<A, D>) -> Tensor<A, D> {
        let mut file = Vec::new();
        tensor.write_npy_to(&mut file).unwrap();
        Tensor::read_npy_from(&file[..]).unwrap()
    }

    #[test]
    fn arrays_survive_a_round_trip() {
        let matrix = Tensor::from(array![[1u16, 2, 3], [4, 5, 6]]);
        assert_eq!(round_trip(&matrix).view().unwrap(), matrix.view().unwrap());
        let slice = matrix.slice_move(s![.., ..;-2]);
        assert_eq!(round_trip(&slice).view().unwrap(), array![[3, 1], [6, 4]]);
        let flags = Tensor::from(array![true, false]);
        assert_eq!(round_trip(&flags).view().unwrap(), array![true, false]);
        let scalar = Tensor::<f64, Ix0>::from_elem((), 2.5).unwrap();
        assert_eq!(round_trip(&scalar).view().unwrap()[()], 2.5);
        let empty = Tensor::<i8, Ix3>::zeros((2, 0, 3)).unwrap();
        assert_eq!(round_trip(&empty).shape(), [2, 0, 3]);
    }

    #[test]
    fn the_header_is_the_one_that_numpy_writes() {
        let mut file = Vec::new();
        Tensor::from(array![1u8, 2])
            .write_npy_to(&mut file)
            .unwrap();
        assert!(file.starts_with(
            b"\x93NUMPY\x01\x00\x76\x00{'descr': '|u1', 'fortran_order': False, 'shape': (2, ), }"
        ));
        assert_eq!(file.len(), 128 + 2);
    }

    fn file(header: &str, elements: &[u8]) -> Vec<u8> {
        let mut file = b"\x93NUMPY\x01\x00".to_vec();
        file.extend(u16::try_from(header.len()).unwrap().to_le_bytes());
        file.extend(header.as_bytes());
        file.extend(elements);
        file
    }

    #[test]
    fn fortran_order_is_kept_and_indexed_right() {
        let file = file(
            "{'shape': (2, 3), 'fortran_order': True, 'descr': '|u1'}",
            &[1, 4, 2, 5, 3, 6],
        );
        let tensor = Tensor::<u8, Ix2>::read_npy_from(&file[..]).unwrap();
        assert_eq!(tensor.view().unwrap(), array![[1, 2, 3], [4, 5, 6]]);
        assert_eq!(tensor.strides(), [1, 2]);
    }

    #[test]
    fn what_does_not_fit_says_what_it_is() {
        let message = |file: &[u8]| {
            Tensor::<u16, Ix1>::read_npy_from(file)
                .unwrap_err()
                .to_string()
        };
        let header = |descr: &str, shape: &str| {
            file(
                &format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}"),
                b"",
            )
        };
        assert_eq!(
            message(&header(">u2", "(1,)")),
            "the .npy file has elements of type \">u2\" where u16 is asked for"
        );
        assert_eq!(
            message(&header("<u2", "(1, 2)")),
            "the .npy file has shape [1, 2] where 1 dimensions are asked for"
        );
        assert!(message(&header("<u2", "(18446744073709551615,)")).contains("overflows"));
        assert!(message(&header("<u2", "(4611686018427387903,)")).contains("budget"));
        assert!(message(b"GIF89a..").contains("not an .npy file"));
        assert!(message(&file("{'descr': [('a', '<u2')]}", b"")).contains("not an .npy file"));
        let invalid = file(
            "{'descr': '|b1', 'fortran_order': False, 'shape': (1,), }",
            &[2],
        );
        assert!(matches!(
            Tensor::<bool, Ix1>::read_npy_from(&invalid[..]),
            Err(NpyError::Invalid)
        ));
    }
}
