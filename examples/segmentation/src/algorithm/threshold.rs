//! The value that best divides a set of values in two.

/// The resolution of the histogram: fine enough that a few very bright pixels, which stretch the
/// range, don't blur the rest into one bin.
const N_BINS: usize = 4096;
/// The least range of values worth dividing. The values are roots of intensities, and rounding
/// leaves a few ten thousandths even where the image is constant.
const MIN_RANGE: f32 = 1e-3;

/// Returns the threshold that maximises the variance between the values below and above it, or
/// `None` if the values don't differ.
///
/// Otsu, "A threshold selection method from gray-level histograms", IEEE Trans. SMC 1979. Unlike
/// `imageproc::contrast::otsu_level` it takes values that aren't bytes and come from several places.
pub(super) fn otsu(values: &[f32]) -> Option<f32> {
    let (low, high) = values
        .iter()
        .fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), &v| {
            (low.min(v), high.max(v))
        });
    if values.is_empty() || high - low < MIN_RANGE {
        return None;
    }
    let bin_width = (high - low) / N_BINS as f32;
    let mut histogram = vec![0_u64; N_BINS];
    for &value in values {
        histogram[bin(value, low, bin_width)] += 1;
    }
    let best = best_split(&histogram);
    Some(low + bin_width * (best as f32 + 1.0))
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the quotient is at most the number of bins"
)]
#[expect(clippy::cast_sign_loss, reason = "no value is below the lowest")]
fn bin(value: f32, low: f32, bin_width: f32) -> usize {
    (((value - low) / bin_width) as usize).min(N_BINS - 1)
}

/// Returns the last bin of the lower class.
fn best_split(histogram: &[u64]) -> usize {
    let n_all: u64 = histogram.iter().sum();
    let moment_all: u64 = histogram
        .iter()
        .enumerate()
        .map(|(at, &n)| at as u64 * n)
        .sum();
    let (mut n_below, mut moment_below) = (0_u64, 0_u64);
    let mut best = (f64::NEG_INFINITY, 0);
    for (at, &n) in histogram.iter().enumerate() {
        n_below += n;
        moment_below += at as u64 * n;
        let n_above = n_all - n_below;
        if n_below == 0 || n_above == 0 {
            continue;
        }
        let mean_below = moment_below as f64 / n_below as f64;
        let mean_above = (moment_all - moment_below) as f64 / n_above as f64;
        let between = n_below as f64 * n_above as f64 * (mean_above - mean_below).powi(2);
        if between > best.0 {
            best = (between, at);
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_clusters_are_divided_between_them() {
        let values: Vec<f32> = [1.0, 1.1, 0.9, 5.0, 5.2, 4.9].repeat(10);
        let threshold = otsu(&values).expect("the values differ");
        assert!((1.1..4.9).contains(&threshold), "{threshold}");
    }

    #[test]
    fn equal_values_and_none_have_no_threshold() {
        assert_eq!(otsu(&[3.0; 8]), None);
        assert_eq!(otsu(&[]), None);
    }
}
