//! How much memory processes occupy together, as the kernel accounts for it.
//!
//! The proportional set size (Pss) counts a page that two processes map half for each, so the sum
//! over all of them counts every page once, shared or not (`man 5 proc_pid_smaps`).

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// The pause between two samples. Taking one can take longer, by milliseconds a gigabyte.
const PAUSE: Duration = Duration::from_millis(2);

/// The largest sum among the samples.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Peak {
    pub(super) bytes: u64,
    pub(super) n_samples: usize,
}

/// Samples the sum of the processes' Pss while `work` is done.
pub(super) fn watch<T>(pids: [u32; 2], work: impl FnOnce() -> T) -> (T, Peak) {
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut peak = Peak::default();
            loop {
                // Whatever was finished before a sample isn't missing from the last one.
                let is_last = is_done.load(Ordering::Acquire);
                let bytes = pids.iter().filter_map(|pid| pss_bytes(*pid)).sum();
                peak.bytes = peak.bytes.max(bytes);
                peak.n_samples += 1;
                if is_last {
                    return peak;
                }
                thread::sleep(PAUSE);
            }
        });
        let value = work();
        is_done.store(true, Ordering::Release);
        (value, watcher.join().unwrap_or_default())
    })
}

/// Returns the Pss of a process; `None` if it is gone.
fn pss_bytes(pid: u32) -> Option<u64> {
    field(&format!("/proc/{pid}/smaps_rollup"), "Pss:")
}

/// Returns the memory that can be had without swapping; `None` if the kernel doesn't say.
pub(super) fn available_bytes() -> Option<u64> {
    field("/proc/meminfo", "MemAvailable:")
}

/// Reads `name   1234 kB` out of a file.
fn field(file: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = value.trim().strip_suffix(" kB")?.parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_in_use_is_seen() {
        let own = std::process::id();
        let before = pss_bytes(own).unwrap();
        // What is returned is there when the last sample is taken, however late that is.
        let (bytes, peak) = watch([own, own], || vec![1_u8; 64 << 20]);
        assert_eq!(bytes.last(), Some(&1));
        assert!(peak.bytes >= 2 * (before + (60 << 20)), "{peak:?}");
        assert!(peak.n_samples > 0, "{peak:?}");
        assert!(available_bytes().unwrap() > 0);
    }
}
