//! Tables by number, for numbers that are spread well enough already.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A table by the numbers of calls, of functions (which are hashes themselves), or of this process's
/// own segments.
pub(crate) type Numbered<T> = HashMap<u64, T, BuildHasherDefault<Spread>>;

/// Spreads a number over all bits, in one multiplication.
///
/// Whoever chooses the numbers can have them collide: at worst, a table of as many calls as may be in
/// flight is searched from end to end.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spread(u64);

/// 2^64 divided by the golden ratio, for its well spread multiples (Knuth, "The Art of Computer
/// Programming", volume 3, section 6.4).
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(self.0 ^ u64::from(*byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        let product = number.wrapping_mul(GOLDEN);
        self.0 = product ^ product >> 32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_calls_are_told_apart() {
        let mut table = Numbered::default();
        for generation in 1..4u64 {
            for index in 0..100u64 {
                assert_eq!(table.insert(generation << 32 | index, index), None);
            }
        }
        assert_eq!((table.len(), table.get(&(2 << 32 | 7))), (300, Some(&7)));
    }
}
