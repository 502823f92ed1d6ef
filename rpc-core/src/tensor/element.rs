//! What an element of a tensor may be.

use half::{bf16, f16};
use num_complex::{Complex32, Complex64};

/// The type of a tensor's elements, as it is named on the wire.
///
/// The numbers are part of the wire's version 1 (see `docs/wire.md`); all are little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum DType {
    /// `bool`, one byte that is 0 or 1.
    Bool = 0,
    /// `u8`
    U8 = 1,
    /// `u16`
    U16 = 2,
    /// `u32`
    U32 = 3,
    /// `u64`
    U64 = 4,
    /// `u128`
    U128 = 5,
    /// `i8`
    I8 = 6,
    /// `i16`
    I16 = 7,
    /// `i32`
    I32 = 8,
    /// `i64`
    I64 = 9,
    /// `i128`
    I128 = 10,
    /// `half::f16`, IEEE 754 binary16
    F16 = 11,
    /// `half::bf16`, the upper half of a binary32
    BF16 = 12,
    /// `f32`
    F32 = 13,
    /// `f64`
    F64 = 14,
    /// `Complex<f32>`: real part, imaginary part
    C32 = 15,
    /// `Complex<f64>`: real part, imaginary part
    C64 = 16,
}

impl DType {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 17] = [
        Self::Bool,
        Self::U8,
        Self::U16,
        Self::U32,
        Self::U64,
        Self::U128,
        Self::I8,
        Self::I16,
        Self::I32,
        Self::I64,
        Self::I128,
        Self::F16,
        Self::BF16,
        Self::F32,
        Self::F64,
        Self::C32,
        Self::C64,
    ];

    /// Returns the type with this number on the wire.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// Returns the bytes of one element.
    #[must_use]
    pub const fn size_bytes(self) -> usize {
        match self {
            Self::Bool | Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 | Self::F16 | Self::BF16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 | Self::C32 => 8,
            Self::U128 | Self::I128 | Self::C64 => 16,
        }
    }

    /// Returns the boundary, in bytes, at which an element begins.
    #[must_use]
    pub const fn alignment_bytes(self) -> usize {
        match self {
            Self::C32 => 4,
            Self::C64 => 8,
            other => other.size_bytes(),
        }
    }

    /// Returns the name, as Rust programs write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::U8 => "u8",
            Self::U16 => "u16",
            Self::U32 => "u32",
            Self::U64 => "u64",
            Self::U128 => "u128",
            Self::I8 => "i8",
            Self::I16 => "i16",
            Self::I32 => "i32",
            Self::I64 => "i64",
            Self::I128 => "i128",
            Self::F16 => "f16",
            Self::BF16 => "bf16",
            Self::F32 => "f32",
            Self::F64 => "f64",
            Self::C32 => "complex<f32>",
            Self::C64 => "complex<f64>",
        }
    }
}

impl std::fmt::Display for DType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Plain data that may lie in a segment: every integer, `f16`, `bf16`, `f32`, `f64`, their complex
/// pairs, and `bool`.
///
/// The trait is sealed: each implementor has no padding and is valid for all bytes (`bool`, for
/// the bytes 0 and 1, which a receiver scans for).
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be an element of a tensor",
    label = "not plain data",
    note = "elements are the integers, `f32`, `f64`, `half::f16`, `half::bf16`, `Complex<f32>`, \
            `Complex<f64>` and `bool`; send anything else as a serde argument, without `#[ndarray]`"
)]
pub trait Element:
    sealed::Plain + Copy + std::fmt::Debug + PartialEq + Send + Sync + 'static
{
    /// How the type is named on the wire.
    const DTYPE: DType;
    /// The element whose bytes are all zero.
    const ZERO: Self;
}

mod sealed {
    /// Keeps foreign types from claiming to be plain data.
    pub trait Plain {}
}

macro_rules! elements {
    ($($element:ty => $dtype:ident, $zero:expr;)*) => {$(
        impl sealed::Plain for $element {}
        impl Element for $element {
            const DTYPE: DType = DType::$dtype;
            const ZERO: Self = $zero;
        }
        const _: () = assert!(size_of::<$element>() == DType::$dtype.size_bytes());
        const _: () = assert!(align_of::<$element>() == DType::$dtype.alignment_bytes());
    )*};
}

elements! {
    bool => Bool, false;
    u8 => U8, 0;
    u16 => U16, 0;
    u32 => U32, 0;
    u64 => U64, 0;
    u128 => U128, 0;
    i8 => I8, 0;
    i16 => I16, 0;
    i32 => I32, 0;
    i64 => I64, 0;
    i128 => I128, 0;
    f16 => F16, f16::ZERO;
    bf16 => BF16, bf16::ZERO;
    f32 => F32, 0.0;
    f64 => F64, 0.0;
    Complex32 => C32, Complex32::new(0.0, 0.0);
    Complex64 => C64, Complex64::new(0.0, 0.0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_types_match_one_to_one() {
        for (number, dtype) in (0u8..).zip(DType::ALL) {
            assert_eq!(dtype as u8, number);
            assert_eq!(DType::from_number(number), Some(dtype));
        }
        assert_eq!(DType::from_number(17), None);
    }
}
