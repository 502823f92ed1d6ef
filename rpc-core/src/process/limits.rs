//! What a worker's process may use of the machine.
//!
//! There is no code between fork and exec, so the host sets limits from outside, on the process that
//! it has just started and before it says `Hello`: none of the worker's functions can run before that.

use std::fmt;
use std::io;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{
    Pid, Resource, Rlimit, getpriority_process, getrlimit, prlimit, setpriority_process,
};

use super::group::Group;

/// What the kernel calls the niceness of a process that is as nice as can be, and of the opposite.
const NICENESS: std::ops::RangeInclusive<i32> = -20..=19;
/// How long a worker that ignores `SIGXCPU` may go on before it is killed.
const CPU_GRACE_S: u64 = 1;

/// What a worker's process may use: see [`WorkerBuilder::limits`](crate::WorkerBuilder::limits).
///
/// ```no_run
/// # async fn start() -> Result<(), reedbed::SpawnError> {
/// use std::time::Duration;
/// use reedbed::{Worker, WorkerLimits};
///
/// let limits = WorkerLimits::new()
///     .address_space(4 << 30)
///     .cpu_time(Duration::from_secs(3600))
///     .niceness(10);
/// let worker = Worker::builder("path/to/worker").limits(limits).spawn().await?;
/// # Ok(()) }
/// ```
///
/// | limit | what happens when it is hit |
/// |---|---|
/// | [`address_space`](Self::address_space) | a segment that can't be mapped is refused, which fails its call ([`SegmentRefused`](crate::Failure::SegmentRefused), [`NotReturned`](crate::Failure::NotReturned)); where the worker's own code finds no memory, Rust aborts the worker, whose end quotes what it printed: `memory allocation of .. bytes failed` |
/// | [`cpu_time`](Self::cpu_time) | the worker ends by `SIGXCPU`, or, if it ignores that, a second later by `SIGKILL` |
/// | [`open_files`](Self::open_files) | a segment whose descriptor finds no place is refused, which fails its call; the worker lives on |
/// | [`niceness`](Self::niceness) | nothing: others come first |
/// | [`memory`](Self::memory) | the kernel kills the worker, which ends by [`OutOfMemory`](crate::EndReason::OutOfMemory) |
///
/// A limit that can't be set is a [`SpawnError::Limit`](crate::SpawnError::Limit), and leaves no
/// process behind. A limit that is too small to start with ends the worker before it is ready, with
/// its own words. Each process that a [restart](crate::Worker::restart) starts has the same limits,
/// and begins to count anew.
///
/// What the worker does before its first message (its loader, its `main` up to the point where it
/// serves) it may do a moment before the limits are set. They hold for that as well from then on, but
/// don't take back what it has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "limits are given to `WorkerBuilder::limits`"]
pub struct WorkerLimits {
    address_space_bytes: Option<u64>,
    cpu_time: Option<Duration>,
    n_open_files: Option<u64>,
    niceness: Option<i32>,
    memory_bytes: Option<u64>,
}

/// One of the limits of [`WorkerLimits`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LimitName {
    /// [`WorkerLimits::address_space`], in bytes.
    AddressSpace,
    /// [`WorkerLimits::cpu_time`], in seconds.
    CpuTime,
    /// [`WorkerLimits::open_files`].
    OpenFiles,
    /// [`WorkerLimits::niceness`].
    Niceness,
    /// [`WorkerLimits::memory`], in bytes.
    Memory,
}

impl fmt::Display for LimitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AddressSpace => "address_space",
            Self::CpuTime => "cpu_time",
            Self::OpenFiles => "open_files",
            Self::Niceness => "niceness",
            Self::Memory => "memory",
        })
    }
}

/// Why a limit of a worker can't be set.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LimitError {
    /// This process may not give what is more than it may have itself.
    #[error(
        "`{limit}` can't be {wanted}: this process may give {most} at most; ask for less, or raise {raised_by}"
    )]
    NotPermitted {
        /// The limit.
        limit: LimitName,
        /// What was asked for.
        wanted: u64,
        /// The most that this process may give: its own hard limit.
        most: u64,
        /// What raises that.
        raised_by: &'static str,
    },
    /// Only the privileged may have others come second.
    #[error(
        "`niceness` can't be {wanted}: this process has {own}, and less takes privileges; ask for {own} or more, or raise RLIMIT_NICE (`ulimit -e`)"
    )]
    LessNice {
        /// What was asked for.
        wanted: i32,
        /// That of this process.
        own: i32,
    },
    /// There is no such niceness.
    #[error("`niceness` can't be {wanted}: it is a number from -20 to 19")]
    NoSuchNiceness {
        /// What was asked for.
        wanted: i32,
    },
    /// The worker's threads were too many, or changed all the time.
    #[error(
        "`niceness` can't be {wanted}: {n_looks} looks at the worker's threads were not enough, because it starts others, or changes their niceness, all the time; is it the right program?"
    )]
    Restless {
        /// What was asked for.
        wanted: i32,
        /// How many threads were looked at, each counted as often as it was.
        n_looks: usize,
    },
    /// There is no control group in which this process may make one for the worker.
    #[error(
        "`memory` can't be {wanted} bytes: {reason}; have the memory controller of cgroup v2 delegated to this process (`systemd-run --user --scope`, `Delegate=yes`), or use `address_space`"
    )]
    NoControlGroup {
        /// What was asked for, in bytes.
        wanted: u64,
        /// What is missing.
        reason: String,
    },
    /// The system refused it.
    #[error("`{limit}` can't be set to {wanted}")]
    System {
        /// The limit.
        limit: LimitName,
        /// What was asked for.
        wanted: u64,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
}

impl WorkerLimits {
    /// No limits but those of this process, which a worker inherits.
    pub fn new() -> Self {
        Self::default()
    }

    /// Limits the address space (`RLIMIT_AS`), in bytes: everything that is mapped, whether it is used
    /// or not. The segments of arguments and results count, and so do libraries, and the stack of each
    /// thread.
    pub fn address_space(self, bytes: u64) -> Self {
        Self {
            address_space_bytes: Some(bytes),
            ..self
        }
    }

    /// Limits the processor's time (`RLIMIT_CPU`) of all threads together, in whole seconds: a part of
    /// one counts as one.
    pub fn cpu_time(self, limit: Duration) -> Self {
        Self {
            cpu_time: Some(limit),
            ..self
        }
    }

    /// Limits the open descriptors (`RLIMIT_NOFILE`). A worker needs some 20 for itself.
    pub fn open_files(self, n: u64) -> Self {
        Self {
            n_open_files: Some(n),
            ..self
        }
    }

    /// Sets the niceness, from -20 to 19: how far the worker lets others come first (`man 2 nice`).
    /// That of a worker is its host's otherwise.
    ///
    /// On Linux each thread has its own, inherited from the one that started it. All threads that the
    /// worker has when it starts are given it. Where the kernel groups processes by their session
    /// (`man 7 sched`, autogroup), it counts among those of one session, to which host and worker
    /// belong.
    pub fn niceness(self, niceness: i32) -> Self {
        Self {
            niceness: Some(niceness),
            ..self
        }
    }

    /// Limits the memory, in bytes, that the worker and the processes which it starts use together:
    /// what they have allocated and touched, and the segments that they were first to touch, wherever
    /// these have gone since. It takes cgroup v2, with its memory controller delegated to this process
    /// or its user.
    ///
    /// The worker gets a control group of its own, beside this process's or in it, which is removed
    /// when the worker is reaped; processes that the worker has left behind are killed then. A group
    /// whose host was killed is removed by the next host that makes one in the same place. What the
    /// worker has allocated before it is moved there (a moment after its start) isn't counted.
    pub fn memory(self, bytes: u64) -> Self {
        Self {
            memory_bytes: Some(bytes),
            ..self
        }
    }

    /// Sets the limits of a process that was just started, a child of this one that isn't reaped.
    /// Returns the group that was made for it.
    ///
    /// # Errors
    /// [`LimitError`]; the caller kills the process, which has some of them then.
    pub(super) fn apply(&self, child: Pid) -> Result<Option<Group>, LimitError> {
        if let Some(bytes) = self.address_space_bytes {
            limit(child, LimitName::AddressSpace, Resource::As, bytes, 0)?;
        }
        if let Some(time) = self.cpu_time {
            // At its hard limit a process is killed without a word, so it is a little further.
            let part = u64::from(time.subsec_nanos() > 0);
            let seconds = time.as_secs().saturating_add(part);
            let (name, seconds) = (LimitName::CpuTime, seconds.max(1));
            limit(child, name, Resource::Cpu, seconds, CPU_GRACE_S)?;
        }
        if let Some(n) = self.n_open_files {
            limit(child, LimitName::OpenFiles, Resource::Nofile, n, 0)?;
        }
        if let Some(niceness) = self.niceness {
            set_niceness(child, niceness, MOST_LOOKS)?;
        }
        let in_group = |bytes| Group::of_worker(child, bytes);
        self.memory_bytes.map(in_group).transpose()
    }
}

/// Sets a limit of the kernel's, with the hard one `grace` further.
fn limit(
    child: Pid,
    name: LimitName,
    resource: Resource,
    wanted: u64,
    grace: u64,
) -> Result<(), LimitError> {
    let limits = Rlimit {
        current: Some(wanted),
        maximum: Some(wanted.saturating_add(grace)),
    };
    match prlimit(Some(child), resource, limits) {
        Ok(_) => Ok(()),
        // It has ended already, and its end is told with its own words.
        Err(Errno::SRCH) => Ok(()),
        Err(Errno::PERM) => Err(LimitError::NotPermitted {
            limit: name,
            wanted,
            most: most(resource).saturating_sub(grace),
            raised_by: raised_by(resource),
        }),
        Err(error) => Err(LimitError::System {
            limit: name,
            wanted,
            source: error.into(),
        }),
    }
}

/// The most that this process may give.
fn most(resource: Resource) -> u64 {
    let hard = getrlimit(resource).maximum.unwrap_or(u64::MAX);
    if resource != Resource::Nofile {
        return hard;
    }
    // Nobody gets more descriptors than this, whatever the privileges.
    let system = std::fs::read_to_string("/proc/sys/fs/nr_open");
    let system = system.ok().and_then(|text| text.trim().parse().ok());
    system.map_or(hard, |n_open: u64| n_open.min(hard))
}

fn raised_by(resource: Resource) -> &'static str {
    match resource {
        Resource::As => "`ulimit -Hv` (RLIMIT_AS)",
        Resource::Cpu => "`ulimit -Ht` (RLIMIT_CPU)",
        _ => "`ulimit -Hn` (RLIMIT_NOFILE) and /proc/sys/fs/nr_open",
    }
}

/// How often a thread is looked at, all threads of a process together, until all have their niceness. A
/// process that has just begun has few.
const MOST_LOOKS: usize = 1 << 16;

/// Gives a niceness to all threads of a process, with so many looks at them.
fn set_niceness(child: Pid, wanted: i32, most_looks: usize) -> Result<(), LimitError> {
    if !NICENESS.contains(&wanted) {
        return Err(LimitError::NoSuchNiceness { wanted });
    }
    let folder = format!("/proc/{}/task", child.as_raw_nonzero());
    // A thread that isn't set yet may start another one behind this one's back, so it is looked again
    // until all were set before. Whatever such a thread starts has it from birth, but a privileged one
    // may give itself another.
    let mut n_looks = 0;
    let mut is_complete = false;
    while !is_complete {
        is_complete = true;
        let Ok(threads) = std::fs::read_dir(&folder) else {
            // It has ended already, as above.
            return Ok(());
        };
        for thread in threads.flatten() {
            if n_looks == most_looks {
                return Err(LimitError::Restless { wanted, n_looks });
            }
            n_looks += 1;
            let name = thread.file_name();
            let number = name.to_str().and_then(|name| name.parse().ok());
            let thread = number.and_then(Pid::from_raw);
            is_complete &= set_niceness_of_thread(thread, wanted)?;
        }
    }
    Ok(())
}

/// Gives a niceness to a thread; tells whether it had it already, or is no more.
fn set_niceness_of_thread(thread: Option<Pid>, wanted: i32) -> Result<bool, LimitError> {
    let Ok(found) = getpriority_process(thread) else {
        return Ok(true);
    };
    if found == wanted {
        return Ok(true);
    }
    match setpriority_process(thread, wanted) {
        Ok(()) => Ok(false),
        Err(Errno::SRCH) => Ok(true),
        Err(Errno::ACCESS | Errno::PERM) => {
            let own = getpriority_process(None).unwrap_or_default();
            Err(LimitError::LessNice { wanted, own })
        }
        Err(error) => Err(LimitError::System {
            limit: LimitName::Niceness,
            wanted: wanted.unsigned_abs().into(),
            source: error.into(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command, Stdio};

    use rustix::process::{WaitId, WaitIdOptions, waitid};

    use super::*;

    /// A process that waits until its input is closed.
    fn child() -> (Child, Pid) {
        let mut command = Command::new("cat");
        let child = command.stdin(Stdio::piped()).spawn().unwrap();
        let pid = Pid::from_child(&child);
        (child, pid)
    }

    fn limits_of(pid: Pid, resource: &str) -> (String, String) {
        let path = format!("/proc/{}/limits", pid.as_raw_nonzero());
        let limits = std::fs::read_to_string(path).unwrap();
        let mut lines = limits.lines();
        let line = lines.find_map(|line| line.strip_prefix(resource)).unwrap();
        let mut fields = line.split_whitespace().map(str::to_owned);
        (fields.next().unwrap(), fields.next().unwrap())
    }

    #[test]
    fn limits_are_those_of_the_kernel() {
        let (mut child, pid) = child();
        let limits = WorkerLimits::new()
            .address_space(1 << 30)
            .cpu_time(Duration::from_millis(1500))
            .open_files(50)
            .niceness(7);
        assert!(limits.apply(pid).unwrap().is_none(), "it needs no group");
        let pair = |soft: &str, hard: &str| (soft.to_owned(), hard.to_owned());
        let bytes = "1073741824";
        assert_eq!(limits_of(pid, "Max address space"), pair(bytes, bytes));
        assert_eq!(limits_of(pid, "Max cpu time"), pair("2", "3"));
        assert_eq!(limits_of(pid, "Max open files"), pair("50", "50"));
        assert_eq!(getpriority_process(Some(pid)), Ok(7));
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn a_time_beyond_all_numbers_is_no_limit() {
        let (mut child, pid) = child();
        let limits = WorkerLimits::new().cpu_time(Duration::MAX);
        let applied = limits.apply(pid).map(|group| group.is_none());
        match getrlimit(Resource::Cpu).maximum {
            None => {
                assert!(applied.unwrap());
                assert_eq!(limits_of(pid, "Max cpu time").0, "unlimited");
            }
            Some(own) => assert!(applied.unwrap_err().to_string().contains(&own.to_string())),
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn a_process_that_has_ended_has_any_limits() {
        let (mut child, pid) = child();
        child.kill().unwrap();
        let how = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        waitid(WaitId::Pid(pid), how).unwrap();
        let limits = WorkerLimits::new().open_files(50).niceness(7);
        assert!(limits.apply(pid).is_ok(), "its own end is the reason");
        child.wait().unwrap();
    }

    #[test]
    fn threads_are_not_looked_at_for_ever() {
        let (mut child, pid) = child();
        let other = match getpriority_process(Some(pid)) {
            Ok(19) => 18,
            _ => 19,
        };
        // One look that sets its only thread, and one that finds it set.
        let error = set_niceness(pid, other, 1).unwrap_err();
        assert!(
            matches!(error, LimitError::Restless { wanted, n_looks: 1 } if wanted == other),
            "{error:?}"
        );
        assert!(set_niceness(pid, other, 1).is_ok(), "it is set by now");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn what_no_kernel_gives_is_an_error_with_the_numbers() {
        let (mut child, pid) = child();
        let error = |limits: WorkerLimits| limits.apply(pid).unwrap_err().to_string();
        let many = error(WorkerLimits::new().open_files(1 << 40));
        assert!(
            many.contains("`open_files` can't be 1099511627776"),
            "{many}"
        );
        assert!(many.contains("at most; ask for less"), "{many}");
        let nice = error(WorkerLimits::new().niceness(20));
        assert_eq!(
            nice,
            "`niceness` can't be 20: it is a number from -20 to 19"
        );
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
