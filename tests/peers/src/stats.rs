//! Percentiles, and intervals that assume nothing of the distribution.

/// The value under which `share` of the sorted values lie (nearest rank).
///
/// `None` if there are no values.
pub(crate) fn percentile<T: Copy>(sorted: &[T], share: f64) -> Option<T> {
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied()
}

/// The middle value, or the mean of the two.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        Some(sorted[middle])
    } else {
        Some((sorted.get(middle)? + sorted.get(middle.checked_sub(1)?)?) / 2.0)
    }
}

/// An interval that holds the median with a probability of at least 95%.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Interval {
    pub(crate) lower: f64,
    pub(crate) upper: f64,
    /// The probability itself; less than 95% where there are fewer than six values.
    pub(crate) confidence: f64,
}

/// With fewer values, an interval of 95% reaches from the least to the greatest of them, so that one
/// lucky value decides its end.
pub(crate) const MIN_VALUES: usize = 9;

/// The interval between two order statistics: the k-th smallest and the k-th largest value, with the
/// largest k for which the binomial distribution says 95%.
pub(crate) fn median_interval(values: &[f64]) -> Option<Interval> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let n = sorted.len();
    // P(fewer than k of n values lie under the median), for k = 1, 2, ..
    let mut term = 0.5_f64.powi(n as i32);
    let (mut tail, mut k) = (term, 1);
    while k < n.div_ceil(2) {
        term *= (n - k + 1) as f64 / k as f64;
        if 2.0 * (tail + term) > 0.05 {
            break;
        }
        tail += term;
        k += 1;
    }
    Some(Interval {
        lower: *sorted.get(k - 1)?,
        upper: *sorted.get(n.checked_sub(k)?)?,
        confidence: 1.0 - 2.0 * tail,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let sorted: Vec<u32> = (1..=100).collect();
        assert_eq!(percentile(&sorted, 0.5), Some(50));
        assert_eq!(percentile(&sorted, 0.99), Some(99));
        assert_eq!(percentile(&sorted, 1.0), Some(100));
        assert_eq!(percentile(&[7], 0.99), Some(7));
        assert_eq!(percentile::<u32>(&[], 0.5), None);
    }

    #[test]
    fn median_of_an_even_number_is_between_the_two() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(&[]), None);
    }

    /// The ranks of published tables for the sign test's interval.
    #[test]
    fn interval_has_the_ranks_of_the_binomial_distribution() {
        for (n, k) in [(6, 1), (9, 2), (15, 4), (20, 6), (30, 10)] {
            let values: Vec<f64> = (1..=n).map(f64::from).collect();
            let interval = median_interval(&values).unwrap();
            assert_eq!(interval.lower, f64::from(k), "of {n}");
            assert_eq!(interval.upper, f64::from(n + 1 - k), "of {n}");
            assert!(interval.confidence >= 0.95, "of {n}: {interval:?}");
        }
    }

    #[test]
    fn fewer_values_than_the_least_number_leave_none_out() {
        let ends = |n: usize| {
            let values: Vec<f64> = (1..=n).map(|value| value as f64).collect();
            let interval = median_interval(&values).unwrap();
            (interval.lower, interval.upper)
        };
        assert_eq!(ends(MIN_VALUES - 1), (1.0, MIN_VALUES as f64 - 1.0));
        assert_eq!(ends(MIN_VALUES), (2.0, MIN_VALUES as f64 - 1.0));
    }

    #[test]
    fn few_values_say_how_little_they_say() {
        let interval = median_interval(&[2.0, 1.0, 3.0]).unwrap();
        assert_eq!((interval.lower, interval.upper), (1.0, 3.0));
        assert_eq!(interval.confidence, 0.75);
        assert_eq!(median_interval(&[]), None);
    }
}
