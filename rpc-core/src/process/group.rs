//! A control group (cgroup v2) of a worker's own, for its limit on memory.
//!
//! Control groups are directories of a file system of the kernel's: a group is made and removed like
//! a directory, limited by writing a file in it, and joined by writing a process's number.

use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::fs::FlockOperation;
use rustix::process::Pid;

use super::limits::LimitError;
use crate::channel::handshake;
use crate::guarded::guarded;

/// What the groups of workers are called, before the numbers of their host and their own.
const NAME: &str = "reedbed-";
/// How long processes that a worker has left behind may take to be dead, once they are killed.
const EMPTY_WITHIN: Duration = Duration::from_secs(1);
/// The source of the groups' own numbers.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// A control group, removed on drop with all that is left in it.
#[derive(Debug)]
pub(crate) struct Group {
    path: PathBuf,
    /// Locked as long as this process lives, so that others know a group that nobody needs any more.
    _lock: File,
    /// The process that made it, and not a forked child of that.
    owner: u32,
}

impl Group {
    /// Makes a group for a worker, limits its memory, and moves the worker there.
    ///
    /// # Errors
    /// [`LimitError`], if there is no place for one.
    pub(super) fn of_worker(worker: Pid, memory_bytes: u64) -> Result<Self, LimitError> {
        let no_group = |reason| LimitError::NoControlGroup {
            wanted: memory_bytes,
            reason,
        };
        let own = own_group().map_err(no_group)?;
        let place = place_for_memory(&own).map_err(no_group)?;
        let made = Self::make(&place).and_then(|group| {
            group.write("memory.max", &memory_bytes.to_string())?;
            // A worker that is killed for want of memory takes what it has started along.
            group.write("memory.oom.group", "1")?;
            group.admit(worker)?;
            Ok(group)
        });
        made.map_err(|error| {
            let place = place.display();
            no_group(format!("no group for it can be made in {place} ({error})"))
        })
    }

    /// Makes an empty group in `place`, after removing those that dead hosts have left there.
    fn make(place: &Path) -> io::Result<Self> {
        remove_stale(place);
        // Another host may take a group that isn't locked yet for a dead one's.
        Self::make_once(place).or_else(|_| Self::make_once(place))
    }

    fn make_once(place: &Path) -> io::Result<Self> {
        let (host, number) = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = place.join(format!("{NAME}{host}-{number}"));
        fs::create_dir(&path)?;
        let locked = File::open(&path).and_then(|lock| {
            rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
            Ok(lock)
        });
        match locked {
            Ok(lock) => Ok(Self {
                path,
                _lock: lock,
                owner: host,
            }),
            Err(error) => {
                let _ = fs::remove_dir(&path);
                Err(error)
            }
        }
    }

    /// Moves a process here. One that has ended already stays where it was.
    fn admit(&self, process: Pid) -> io::Result<()> {
        match self.write("cgroup.procs", &process.as_raw_nonzero().to_string()) {
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
            moved => moved,
        }
    }

    fn write(&self, file: &str, text: &str) -> io::Result<()> {
        fs::write(self.path.join(file), text)
    }

    /// Waits until no live process is here, for a while.
    fn wait_until_empty(&self) -> io::Result<()> {
        let until = Instant::now() + EMPTY_WITHIN;
        let mut events = File::open(self.path.join("cgroup.events"))?;
        loop {
            let mut text = String::new();
            events.rewind()?;
            events.read_to_string(&mut text)?;
            if !text.contains("populated 1") {
                return Ok(());
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            // The kernel says so when the file has changed since it was read.
            let mut fds = [PollFd::new(&events, PollFlags::PRI)];
            handshake::poll(&mut fds, Some(left))?;
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if std::process::id() != self.owner {
            return;
        }
        let removed = fs::remove_dir(&self.path).or_else(|_| {
            // Somebody is left: processes that the worker has started.
            self.write("cgroup.kill", "1")?;
            self.wait_until_empty()?;
            fs::remove_dir(&self.path)
        });
        if let Err(error) = removed {
            let path = self.path.display();
            // The worker's driver, which drops this, has calls to end.
            guarded(
                || tracing::warn!(%path, %error, "the control group of a worker is left behind"),
            );
        }
    }
}

/// Removes the groups in `place` whose hosts are dead, as far as nobody is left in them.
fn remove_stale(place: &Path) {
    for entry in fs::read_dir(place).into_iter().flatten().flatten() {
        if !entry.file_name().to_string_lossy().starts_with(NAME) {
            continue;
        }
        let Ok(folder) = File::open(entry.path()) else {
            continue;
        };
        let lock = FlockOperation::NonBlockingLockExclusive;
        if rustix::fs::flock(&folder, lock).is_ok() {
            let _ = fs::remove_dir(entry.path());
        }
    }
}

/// Finds the directory of the group that this process is in, and the root of what it can see.
fn own_group() -> Result<Own, String> {
    let unreadable = |error: io::Error| format!("/proc/self can't be read ({error})");
    let mounts = fs::read_to_string("/proc/self/mountinfo").map_err(unreadable)?;
    let groups = fs::read_to_string("/proc/self/cgroup").map_err(unreadable)?;
    let (root, mount) = mount_of(&mounts).ok_or("cgroup v2 is not mounted")?;
    let group = groups.lines().find_map(|line| line.strip_prefix("0::"));
    let group = group.and_then(|group| Path::new(group).strip_prefix(root).ok());
    let group = group.ok_or("this process is in no group of cgroup v2 that it can see")?;
    Ok(Own {
        path: mount.join(group),
        mount,
    })
}

/// The group that this process is in.
#[derive(Debug)]
struct Own {
    path: PathBuf,
    /// Where the file system of groups is mounted.
    mount: PathBuf,
}

/// Finds which group of cgroup v2 is mounted, and where (`man 5 proc_pid_mountinfo`).
fn mount_of(mounts: &str) -> Option<(&Path, PathBuf)> {
    mounts.lines().find_map(|line| {
        let (fields, kind) = line.split_once(" - ")?;
        let is_wanted = kind.split_whitespace().next() == Some("cgroup2");
        let mut fields = fields.split_whitespace().skip(3);
        let (root, point) = (fields.next()?, fields.next()?);
        is_wanted.then(|| (Path::new(root), PathBuf::from(point)))
    })
}

/// Finds a group whose own groups have their memory counted: this process's, or, since a group with
/// processes can't hand controllers down, the one that this lies in.
fn place_for_memory(own: &Own) -> Result<PathBuf, String> {
    let hands_down = |folder: &&Path| {
        let controllers = fs::read_to_string(folder.join("cgroup.subtree_control"));
        controllers.is_ok_and(|names| names.split_whitespace().any(|name| name == "memory"))
    };
    let within = |folder: &&Path| folder.starts_with(&own.mount);
    let mut places = own.path.ancestors().take(2).filter(within);
    places.find(hands_down).map(Path::to_owned).ok_or_else(|| {
        format!(
            "neither {} nor the group above it hands the memory controller of cgroup v2 down",
            own.path.display()
        )
    })
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn the_mount_is_found_among_others() {
        let mounts = "\
            24 30 0:22 / /sys/fs/cgroup rw,nosuid shared:8 - tmpfs tmpfs rw\n\
            25 24 0:23 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
            26 24 0:24 / /sys/fs/cgroup/unified rw shared:9 - cgroup2 cgroup2 rw\n";
        let unified = PathBuf::from("/sys/fs/cgroup/unified");
        assert_eq!(mount_of(mounts), Some((Path::new("/"), unified)));
        assert_eq!(mount_of("24 30 0:22 / / rw - ext4 /dev/vda rw"), None);
    }

    #[test]
    fn memory_is_counted_where_the_controller_is_handed_down() {
        let mount = tempfile::tempdir().unwrap();
        let path = mount.path().join("slice/scope");
        fs::create_dir_all(&path).unwrap();
        let own = Own {
            path: path.clone(),
            mount: mount.path().to_owned(),
        };
        let write = |folder: &Path, names: &str| {
            fs::write(folder.join("cgroup.subtree_control"), names).unwrap();
        };
        write(mount.path(), "cpu memory\n");
        let reason = place_for_memory(&own).unwrap_err();
        assert!(
            reason.contains("slice/scope nor the group above"),
            "{reason}"
        );
        let slice = mount.path().join("slice");
        write(&slice, "memory pids\n");
        assert_eq!(place_for_memory(&own), Ok(slice));
        write(&path, "memory\n");
        assert_eq!(place_for_memory(&own), Ok(path));
    }

    /// In the kernel's own file system, with whatever controllers it has there.
    #[test]
    fn a_group_ends_with_its_owner_and_takes_along_what_is_left_in_it() {
        let test = "a_group_ends_with_its_owner_and_takes_along_what_is_left_in_it";
        let place = match own_group() {
            Ok(own) => own.path,
            Err(reason) => return needs::missing("cgroup2", test, reason),
        };
        let group = match Group::make(&place) {
            Ok(group) => group,
            Err(error) => return needs::missing("cgroup2", test, error),
        };
        let mut left = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        group.admit(Pid::from_child(&left)).unwrap();
        let path = group.path.clone();
        let members = fs::read_to_string(path.join("cgroup.procs")).unwrap();
        assert_eq!(members.trim(), left.id().to_string());

        let second = Group::make(&place).unwrap();
        assert!(path.exists(), "a group in use is nobody else's to remove");
        drop(group);
        assert!(!path.exists());
        assert_eq!(left.wait().unwrap().code(), None, "it was killed");

        // A host that was killed doesn't remove its groups; the kernel unlocks them.
        let stale = second.path.clone();
        let Group { _lock: lock, .. } = &second;
        rustix::fs::flock(lock, FlockOperation::Unlock).unwrap();
        std::mem::forget(second);
        let third = Group::make(&place).unwrap();
        assert!(!stale.exists() && third.path.exists());
    }
}
