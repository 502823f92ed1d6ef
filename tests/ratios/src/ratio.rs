//! Ratios, one a round.

use std::fmt::{self, Display, Formatter};

/// The value in the middle.
///
/// # Panics
/// If there is none.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    quarter(values, 2)
}

/// The value under which so many quarters of the others lie.
fn quarter(values: &mut [f64], n: usize) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let last = values.len().checked_sub(1).expect("a value was measured");
    values[(n * last + 2) / 4]
}

/// What each round has found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ratios(Vec<f64>);

impl Ratios {
    pub(crate) fn add(&mut self, dividend: f64, divisor: f64) {
        self.0.push(dividend / divisor);
    }
}

/// The median, and where the middle half of the rounds lies.
impl Display for Ratios {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let mut ratios = self.0.clone();
        let [lower, middle, upper] = [1, 2, 3].map(|n| quarter(&mut ratios, n));
        write!(out, "{middle:.2} ({lower:.2} to {upper:.2})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_round_in_two_lies_between_the_quarters() {
        let mut ratios = Ratios::default();
        for dividend in [9.0, 1.0, 8.0, 2.0, 7.0, 3.0, 6.0, 4.0, 5.0] {
            ratios.add(dividend, 2.0);
        }
        assert_eq!(ratios.to_string(), "2.50 (1.50 to 3.50)");
    }

    #[test]
    fn one_round_is_its_own_median() {
        assert_eq!(median(&mut [0.5]), 0.5);
    }
}
