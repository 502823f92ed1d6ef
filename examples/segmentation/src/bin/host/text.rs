//! How numbers and paths are printed.

use std::path::Path;
use std::time::Duration;

/// Prints a number of bytes with the unit that leaves one to three digits before the point.
pub(crate) fn bytes(n: u64) -> String {
    let units = [("KiB", 1_u64 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];
    match units.iter().rev().find(|(_, unit)| n >= *unit) {
        None => format!("{n} B"),
        Some((name, unit)) => format!("{} {name}", three_digits(n as f64 / *unit as f64)),
    }
}

/// Prints a time with three digits.
pub(crate) fn time(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds >= 1.0 {
        format!("{} s", three_digits(seconds))
    } else if seconds >= 1e-3 {
        format!("{} ms", three_digits(seconds * 1e3))
    } else {
        format!("{} µs", three_digits(seconds * 1e6))
    }
}

/// Prints a number with three digits, if it is less than a thousand.
pub(crate) fn three_digits(value: f64) -> String {
    let n_decimals = match value {
        ..9.995 => 2,
        ..99.95 => 1,
        _ => 0,
    };
    format!("{value:.n_decimals$}")
}

/// Prints rows and columns, or whatever the shape is.
pub(crate) fn shape(shape: &[usize]) -> String {
    let sides: Vec<_> = shape.iter().map(ToString::to_string).collect();
    sides.join(" x ")
}

/// Prints a path as short as it can be from here.
pub(crate) fn path(path: &Path) -> String {
    let here = std::env::current_dir().ok();
    here.and_then(|here| path.strip_prefix(here).ok())
        .filter(|short| !short.as_os_str().is_empty())
        .unwrap_or(path)
        .display()
        .to_string()
}

/// Prints a number and what it counts.
pub(crate) fn count(n: usize, what: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{n} {what}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits_and_a_unit() {
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(1536 << 10), "1.50 MiB");
        assert_eq!(bytes(512 << 10), "512 KiB");
        assert_eq!(bytes(2 << 30), "2.00 GiB");
        assert_eq!(time(Duration::from_micros(40_120)), "40.1 ms");
        assert_eq!(time(Duration::from_secs(4)), "4.00 s");
        assert_eq!(time(Duration::from_nanos(9_999)), "10.0 µs");
    }
}
