//! The budget that every reservation of shared memory is checked against.
//!
//! A page that can't be had must show itself when memory is *allocated*, as an error with numbers,
//! and never later as a signal in the middle of an access. So each reservation is counted here
//! before the kernel is asked.

use std::cell::Cell;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::process::{Resource, getrlimit};

/// Bytes of shared memory that this process has reserved and not yet given back.
static RESERVED: AtomicU64 = AtomicU64::new(0);
/// The most that may be reserved; zero until it is first asked for.
static LIMIT: AtomicU64 = AtomicU64::new(0);

/// Where the kernel says how much memory is free without swapping.
const MEMINFO: &str = "/proc/meminfo";
/// The budget where the kernel doesn't say.
const FALLBACK_LIMIT_BYTES: u64 = 1 << 30;

/// Shared memory could not be had: how much was asked for, how much is in use, and what refused it.
#[derive(thiserror::Error)]
#[error(
    "shared memory is exhausted: {requested_bytes} bytes were asked for, {reserved_bytes} of \
     {budget_bytes} bytes are in use; {shortage}"
)]
pub struct ShmExhausted {
    /// Bytes that were asked for.
    pub requested_bytes: u64,
    /// Bytes this process held in segments at that moment.
    pub reserved_bytes: u64,
    /// The budget of this process, in bytes (see [`set_memory_budget`]).
    pub budget_bytes: u64,
    /// What refused them.
    pub shortage: Shortage,
}

crate::readable::debug_as_message!(ShmExhausted);

/// What refused a reservation of shared memory.
#[derive(Debug)]
#[non_exhaustive]
pub enum Shortage {
    /// The process's own budget: drop tensors, or raise it with [`set_memory_budget`].
    Budget,
    /// The budget of the worker of this name, for what it makes and what is copied for its calls: see
    /// [`WorkerBuilder::shared_memory`](crate::WorkerBuilder::shared_memory).
    WorkerBudget(String),
    /// The resource limit on the size of a file (`ulimit -f`), in bytes, which also bounds memfds.
    FileSizeLimit(u64),
    /// The kernel had no descriptor left for a new segment (`ulimit -n`, or the system's table).
    Descriptors(io::Error),
    /// The kernel could not reserve the pages.
    Reservation(io::Error),
    /// `/dev/shm`, where named segments lie, is full.
    #[cfg(feature = "posix-shm")]
    NamedSegments {
        /// The size of `/dev/shm`.
        size_bytes: u64,
        /// What is free of it.
        free_bytes: u64,
    },
    /// The pages could not be mapped (`ulimit -v`, or too many mappings).
    Mapping(io::Error),
}

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Budget => f.write_str(
                "the budget refuses it: drop tensors that are no longer needed, or raise it with \
                 `reedbed::set_memory_budget`",
            ),
            Self::WorkerBudget(worker) => write!(
                f,
                "the budget of worker `{worker}` refuses it: drop its results, make fewer calls at a \
                 time or have them wait (`WorkerBuilder::on_exhausted`), or raise it \
                 (`WorkerBuilder::shared_memory`)"
            ),
            Self::FileSizeLimit(limit) => write!(
                f,
                "files of this process may have {limit} bytes at most (RLIMIT_FSIZE): raise `ulimit -f`"
            ),
            Self::Descriptors(error) => write!(
                f,
                "there is no file descriptor left for a new segment ({error}): drop tensors, or \
                 raise `ulimit -n` (RLIMIT_NOFILE)"
            ),
            Self::Reservation(error) => {
                write!(f, "the kernel could not reserve the pages ({error})")
            }
            #[cfg(feature = "posix-shm")]
            Self::NamedSegments {
                size_bytes,
                free_bytes,
            } => write!(
                f,
                "/dev/shm, where named segments lie, has {free_bytes} of {size_bytes} bytes left: \
                 remove what is no longer needed there, or mount it larger \
                 (`mount -o remount,size=..`, `docker run --shm-size`)"
            ),
            Self::Mapping(error) => write!(
                f,
                "the pages could not be mapped ({error}): raise `ulimit -v` (RLIMIT_AS), or drop tensors"
            ),
        }
    }
}

impl ShmExhausted {
    /// Describes a refusal with the numbers of this moment.
    pub(crate) fn new(requested_bytes: usize, shortage: Shortage) -> Self {
        Self {
            requested_bytes: requested_bytes as u64,
            reserved_bytes: RESERVED.load(Ordering::Relaxed),
            budget_bytes: memory_budget(),
            shortage,
        }
    }
}

/// Returns the most shared memory, in bytes, that this process lets itself reserve.
///
/// By default it is half of what was available when it was first asked for: the smaller of
/// `MemAvailable` and the headroom of the process's control groups.
#[must_use]
pub fn memory_budget() -> u64 {
    match LIMIT.load(Ordering::Relaxed) {
        0 => {
            let limit = default_limit().max(1);
            // Whoever comes first decides; all others read the same figure.
            match LIMIT.compare_exchange(0, limit, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => limit,
                Err(decided) => decided,
            }
        }
        limit => limit,
    }
}

/// Sets the most shared memory, in bytes, that this process lets itself reserve.
///
/// What is already reserved stays; a budget below that only refuses further reservations.
pub fn set_memory_budget(bytes: u64) {
    LIMIT.store(bytes.max(1), Ordering::Relaxed);
}

/// Bytes counted against the budget, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Reservation {
    bytes: u64,
}

impl Reservation {
    /// Counts `bytes` against the budget and the limit on file sizes.
    ///
    /// # Errors
    /// [`ShmExhausted`] names which of the two refuses.
    pub(crate) fn new(bytes: usize) -> Result<Self, ShmExhausted> {
        let wanted = bytes as u64;
        if let Some(limit) = getrlimit(Resource::Fsize).current
            && wanted > limit
        {
            // Beyond it, the kernel would not only refuse but send SIGXFSZ, which kills.
            return Err(ShmExhausted::new(bytes, Shortage::FileSizeLimit(limit)));
        }
        let earmarked = EARMARKED.get().min(wanted);
        if !reserve(wanted - earmarked) {
            return Err(ShmExhausted::new(bytes, Shortage::Budget));
        }
        EARMARKED.set(EARMARKED.get() - earmarked);
        Ok(Self { bytes: wanted })
    }
}

/// Counts bytes against the budget, if it has room for them.
fn reserve(bytes: u64) -> bool {
    let budget = memory_budget();
    RESERVED
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |reserved| {
            reserved.checked_add(bytes).filter(|sum| *sum <= budget)
        })
        .is_ok()
}

thread_local! {
    /// What reservations of this thread take before they ask the budget.
    static EARMARKED: Cell<u64> = const { Cell::new(0) };
}

/// Bytes that were set aside: nobody but their owner finds the budget exhausted for them.
#[derive(Debug)]
pub(super) struct Earmark {
    bytes: u64,
}

/// Sets bytes aside for reservations that are made soon.
///
/// # Errors
/// [`ShmExhausted`], if the budget hasn't got them.
pub(super) fn earmark(bytes: u64) -> Result<Earmark, ShmExhausted> {
    if reserve(bytes) {
        return Ok(Earmark { bytes });
    }
    let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
    Err(ShmExhausted::new(bytes, Shortage::Budget))
}

impl Earmark {
    /// Makes reservations, by `make`, on this thread. What they leave over is given back.
    pub(super) fn spend<T>(mut self, make: impl FnOnce() -> T) -> T {
        EARMARKED.set(std::mem::take(&mut self.bytes));
        // Dropped when `make` has returned, or panicked.
        let rest = RestOfEarmark;
        let made = make();
        drop(rest);
        made
    }
}

impl Drop for Earmark {
    fn drop(&mut self) {
        RESERVED.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

struct RestOfEarmark;

impl Drop for RestOfEarmark {
    fn drop(&mut self) {
        RESERVED.fetch_sub(EARMARKED.take(), Ordering::Relaxed);
    }
}

/// The variable of a worker's environment by which its host says how many bytes of shared memory it
/// shall make at most.
pub(crate) const WORKER_VARIABLE: &str = "REEDBED_SHARED_MEMORY";

/// Keeps to what the host has said, if it has, unless this process's budget is smaller already.
pub(crate) fn obey_host() {
    let told = std::env::var(WORKER_VARIABLE).ok();
    if let Some(bytes) = told.and_then(|text| text.parse().ok()) {
        set_memory_budget(memory_budget().min(bytes));
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        RESERVED.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Half of what is available to this process now.
fn default_limit() -> u64 {
    let available = std::fs::read_to_string(MEMINFO)
        .ok()
        .and_then(|text| available_bytes(&text))
        .unwrap_or(2 * FALLBACK_LIMIT_BYTES);
    let headroom = std::fs::read_to_string("/proc/self/cgroup")
        .ok()
        .and_then(|text| cgroup_headroom(&text, Path::new("/sys/fs/cgroup")))
        .unwrap_or(u64::MAX);
    available.min(headroom) / 2
}

/// Reads `MemAvailable` out of the text of `/proc/meminfo`, in bytes (see `man 5 proc_meminfo`).
fn available_bytes(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// The smallest `memory.max - memory.current` of the process's cgroup (version 2) and its parents.
fn cgroup_headroom(self_cgroup: &str, root: &Path) -> Option<u64> {
    let path = self_cgroup
        .lines()
        .find_map(|line| line.strip_prefix("0::/"))?;
    let number = |file: std::path::PathBuf| -> Option<u64> {
        std::fs::read_to_string(file).ok()?.trim().parse().ok()
    };
    Path::new(path)
        .ancestors()
        .filter_map(|ancestor| {
            let folder = root.join(ancestor);
            let most = number(folder.join("memory.max"))?;
            Some(most.saturating_sub(number(folder.join("memory.current"))?))
        })
        .min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meminfo_is_read_in_bytes() {
        let text = "MemTotal:       24000000 kB\nMemFree: 1 kB\nMemAvailable:   12000000 kB\n";
        assert_eq!(available_bytes(text), Some(12_000_000 * 1024));
        assert_eq!(available_bytes("MemTotal: 1 kB"), None);
        assert_eq!(available_bytes("MemAvailable: many kB"), None);
    }

    #[test]
    fn an_earmark_is_spent_by_its_thread_and_what_is_left_is_given_back() {
        let earmark = earmark(1 << 20).unwrap();
        let reservation = earmark.spend(|| {
            let reservation = Reservation::new(1 << 19).unwrap();
            assert_eq!(EARMARKED.get(), 1 << 19);
            // Beyond the earmark, the rest is asked of the budget.
            drop(Reservation::new(3 << 19).unwrap());
            assert_eq!(EARMARKED.get(), 0);
            reservation
        });
        assert_eq!((reservation.bytes, EARMARKED.get()), (1 << 19, 0));
        let panicked = std::panic::catch_unwind(|| {
            super::earmark(1 << 20)
                .unwrap()
                .spend(|| panic!("half way"));
        });
        assert!(panicked.is_err() && EARMARKED.get() == 0);
    }

    #[test]
    fn the_tightest_control_group_counts() {
        let root = tempfile::tempdir().unwrap();
        let inner = root.path().join("outer/inner");
        std::fs::create_dir_all(&inner).unwrap();
        let write = |file: &str, text: &str| std::fs::write(root.path().join(file), text).unwrap();
        write("outer/memory.max", "1000\n");
        write("outer/memory.current", "400\n");
        write("outer/inner/memory.max", "max\n");
        write("outer/inner/memory.current", "100\n");
        assert_eq!(cgroup_headroom("0::/outer/inner\n", root.path()), Some(600));
        write("outer/inner/memory.max", "150\n");
        assert_eq!(cgroup_headroom("0::/outer/inner\n", root.path()), Some(50));
        assert_eq!(cgroup_headroom("1:memory:/outer\n", root.path()), None);
    }
}
