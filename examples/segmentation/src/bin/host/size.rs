//! Sizes, as people write them.

use std::str::FromStr;

/// The units, largest first.
const UNITS: [(&str, u64); 4] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
];

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Size(pub(crate) u64);

/// A text that isn't a size.
#[derive(Debug, thiserror::Error)]
#[error("write a whole number and a unit: 512KiB, 64MiB, 2GiB")]
pub(crate) struct NotASize;

impl FromStr for Size {
    type Err = NotASize;

    fn from_str(text: &str) -> Result<Self, NotASize> {
        let (number, unit) = UNITS
            .iter()
            .find_map(|(name, unit)| Some((text.strip_suffix(name)?, *unit)))
            .unwrap_or((text, 1));
        let number: u64 = number.trim_end().parse().map_err(|_| NotASize)?;
        number.checked_mul(unit).map(Self).ok_or(NotASize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_in_binary_units() {
        for (text, bytes) in [
            ("7", 7),
            ("7B", 7),
            ("512KiB", 512 << 10),
            ("64 MiB", 64 << 20),
            ("2GiB", 2 << 30),
        ] {
            assert_eq!(text.parse::<Size>().ok(), Some(Size(bytes)), "{text}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "MiB", "2GB", "-1MiB", "1.5GiB", "99999999999GiB"] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
    }
}
