//! A worker that crashes while it segments, for `--crash`.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::{Signal, getpid, kill_process};

/// The segmentations that this process is in the middle of.
static N_RUNNING: AtomicUsize = AtomicUsize::new(0);
/// How often a crash looks for one.
const LOOK_EVERY: Duration = Duration::from_micros(100);

/// A segmentation that runs, as long as this lives.
pub(crate) struct Running;

impl Running {
    /// Begins one.
    pub(crate) fn begin() -> Self {
        N_RUNNING.fetch_add(1, Ordering::Relaxed);
        Self
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        N_RUNNING.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Waits until a segmentation runs, then ends the process as a wild pointer would. Returns only if
/// the call was cancelled.
pub(crate) fn crash_while_running() {
    while N_RUNNING.load(Ordering::Relaxed) == 0 {
        if reedbed::cancelled() {
            return;
        }
        thread::sleep(LOOK_EVERY);
    }
    eprintln!("raising SIGSEGV, as asked");
    loop {
        // The first is taken by Rust's own handler, which looks for overflown stacks and then
        // restores the default: to die.
        let _ = kill_process(getpid(), Signal::SEGV);
    }
}
