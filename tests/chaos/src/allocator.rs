//! Has the C library's allocator keep nothing, so that what it would keep isn't taken for a leak.
//!
//! By default, glibc keeps freed blocks for each thread, has several arenas whose peaks come at
//! different times, raises the size from which blocks have pages of their own, and keeps the stacks of
//! threads that have ended. All of that grows for long, more and more slowly, and has a bound; a leak has
//! none, but would have to be a large one to be seen beside it.

use std::error::Error;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// What is read when a process starts; workers inherit it.
const SETTINGS: [(&str, &str); 6] = [
    (
        "GLIBC_TUNABLES",
        "glibc.malloc.tcache_count=0:glibc.pthread.stack_cache_size=0",
    ),
    ("MALLOC_ARENA_MAX", "1"),
    ("MALLOC_MMAP_THRESHOLD_", "32768"),
    ("MALLOC_TRIM_THRESHOLD_", "65536"),
    ("MALLOC_TOP_PAD_", "0"),
    // A panic's backtrace takes tens of megabytes, once.
    ("RUST_BACKTRACE", "0"),
];

/// Runs this program again in this process, with those settings, unless it has them already.
///
/// # Errors
/// The kernel's.
pub fn settle() -> Result<(), Box<dyn Error + Send + Sync>> {
    let is_set = |(name, value): (&str, &str)| std::env::var_os(name).is_some_and(|is| is == value);
    if SETTINGS.into_iter().all(is_set) {
        return Ok(());
    }
    let mut again = Command::new("/proc/self/exe");
    let mut arguments = std::env::args_os();
    again.arg0(arguments.next().unwrap_or_default());
    Err(again.args(arguments).envs(SETTINGS).exec().into())
}
