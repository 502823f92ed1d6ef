//! How long things took: a histogram that takes the same memory after an hour as after a second.

use std::time::Duration;

/// Buckets for each power of two; so a figure is too large by at most a sixteenth.
const FINE: u32 = 16;

/// Durations, counted.
#[derive(Clone, Debug)]
pub struct Latencies {
    buckets: Vec<u64>,
    n: u64,
    worst_ns: u64,
}

impl Default for Latencies {
    fn default() -> Self {
        Self {
            buckets: vec![0; u64::BITS as usize * FINE as usize],
            n: 0,
            worst_ns: 0,
        }
    }
}

impl Latencies {
    /// Counts one.
    pub fn add(&mut self, ns: u64) {
        self.buckets[bucket(ns)] += 1;
        self.n += 1;
        self.worst_ns = self.worst_ns.max(ns);
    }

    /// How many there are.
    #[must_use]
    pub fn n(&self) -> u64 {
        self.n
    }

    /// The longest.
    #[must_use]
    pub fn worst(&self) -> Duration {
        Duration::from_nanos(self.worst_ns)
    }

    /// What this share of all doesn't exceed.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Duration {
        let rank = (self.n as f64 * share).ceil();
        let mut n = 0;
        for (bucket, count) in self.buckets.iter().enumerate() {
            n += count;
            if n as f64 >= rank && n > 0 {
                return Duration::from_nanos(end_of(bucket).min(self.worst_ns));
            }
        }
        self.worst()
    }
}

fn bucket(ns: u64) -> usize {
    let ns = ns.max(FINE.into());
    let power = ns.ilog2();
    // The bits that follow the first one.
    let fine = (ns >> (power - FINE.ilog2())) - u64::from(FINE);
    (power * FINE) as usize + usize::try_from(fine).unwrap_or_default()
}

fn end_of(bucket: usize) -> u64 {
    let (power, fine) = (bucket / FINE as usize, bucket % FINE as usize);
    let step = 1u64 << power.saturating_sub(FINE.ilog2() as usize);
    step.saturating_mul((FINE as usize + fine + 1) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_at_most_a_sixteenth_too_large() {
        let mut latencies = Latencies::default();
        (1..=100_000u64).for_each(|us| latencies.add(us * 1000));
        for (share, us) in [(0.5, 50_000), (0.99, 99_000), (1.0, 100_000)] {
            let found = latencies.quantile(share).as_nanos();
            assert!(
                (us * 1000..=us * 1063).contains(&found),
                "{share}: {found} ns"
            );
        }
        assert_eq!(latencies.worst(), Duration::from_millis(100));
    }
}
