//! Which process a name belongs to, and whether that process lives.
//!
//! A name is `reedbed-NAMESPACE-PID-STARTED-NUMBER-RANDOM`. The process's number alone would not
//! do: it is used again when the process is dead, and means another one in another container that
//! shares `/dev/shm`. So the name has the moment at which the process was started as well, and the
//! namespace in which the number counts.

use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicU64, Ordering};

/// What all names begin with.
const PREFIX: &str = "reedbed-";

/// A process that makes names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    /// The inode of its PID namespace.
    namespace: u64,
    pid: u32,
    /// When it was started, in clock ticks since the machine was.
    started: u64,
}

impl Owner {
    /// The process that runs this.
    pub(super) fn this_process() -> io::Result<Self> {
        let missing = || io::Error::other("/proc/self/stat doesn't say when it was started");
        let stat = fs::read_to_string("/proc/self/stat")?;
        Ok(Self {
            namespace: namespace()?,
            pid: std::process::id(),
            started: Stat::read(&stat).ok_or_else(missing)?.started,
        })
    }

    /// Makes up a name that no other segment has, had, or will have.
    pub(super) fn new_name(self) -> String {
        static N_NAMES: AtomicU64 = AtomicU64::new(0);
        let Self {
            namespace,
            pid,
            started,
        } = self;
        let number = N_NAMES.fetch_add(1, Ordering::Relaxed);
        // std seeds it with random keys.
        let random = RandomState::new().build_hasher().finish();
        format!("{PREFIX}{namespace}-{pid}-{started}-{number}-{random:016x}")
    }

    /// The owner of a name; `None` if it isn't exactly one that [`new_name`](Self::new_name) makes.
    pub(super) fn of_name(name: &str) -> Option<Self> {
        let parts: Vec<_> = name.strip_prefix(PREFIX)?.split('-').collect();
        let [namespace, pid, started, number, random] = parts[..] else {
            return None;
        };
        let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if random.len() != 16 || !random.bytes().all(is_hex) {
            return None;
        }
        decimal(number)?;
        Some(Self {
            namespace: decimal(namespace)?,
            pid: decimal(pid)?.try_into().ok()?,
            started: decimal(started)?,
        })
    }

    /// Tells whether the process may still run. When in doubt it may.
    pub(super) fn is_alive(&self) -> bool {
        if namespace().ok() != Some(self.namespace) || !is_proc_ours() {
            // Its number means nothing here.
            return true;
        }
        match fs::read_to_string(format!("/proc/{}/stat", self.pid)) {
            Ok(stat) => {
                Stat::read(&stat).is_none_or(|stat| stat.started == self.started && !stat.is_dead)
            }
            Err(error) => error.kind() != io::ErrorKind::NotFound,
        }
    }
}

/// The inode of this process's PID namespace.
fn namespace() -> io::Result<u64> {
    Ok(fs::metadata("/proc/self/ns/pid")?.ino())
}

/// Tells whether `/proc` numbers processes as this process's namespace does. It may be an outer
/// one's (`unshare --pid` alone mounts no other).
fn is_proc_ours() -> bool {
    fs::read_link("/proc/self").is_ok_and(|own| own.as_os_str() == &*std::process::id().to_string())
}

/// Reads a number that is written in the only way.
fn decimal(text: &str) -> Option<u64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let is_shortest = text == "0" || !text.starts_with('0');
    (is_plain && is_shortest).then(|| text.parse().ok())?
}

/// What `/proc/PID/stat` says (`man 5 proc_pid_stat`).
struct Stat {
    started: u64,
    /// Whether only the last entry in the table of processes is left.
    is_dead: bool,
}

impl Stat {
    fn read(stat: &str) -> Option<Self> {
        // The name, in parentheses, may have spaces and parentheses itself.
        let (_, fields) = stat.rsplit_once(')')?;
        let fields: Vec<_> = fields.split_whitespace().collect();
        // Fields 3, 20 and 22. A zombie's other threads may go on running.
        let is_zombie = matches!(*fields.first()?, "Z" | "X");
        let n_threads: u64 = fields.get(17)?.parse().ok()?;
        Some(Self {
            started: fields.get(19)?.parse().ok()?,
            is_dead: is_zombie && n_threads <= 1,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_its_owner() {
        let own = Owner::this_process().unwrap();
        let (one, other) = (own.new_name(), own.new_name());
        assert_ne!(one, other);
        assert_eq!(Owner::of_name(&one), Some(own));
        assert!(one.len() < 255);
    }

    #[test]
    fn other_names_belong_to_nobody() {
        for name in [
            "reedbed",
            "reedbed-1-2-3-4",
            "reedbed-1-2-3-4-0123456789ABCDEF",
            "reedbed-1-2-3-4-0123456789abcde",
            "reedbed-1-2-3-4-0123456789abcdef-5",
            "reedbed-1-+2-3-4-0123456789abcdef",
            "reedbed-1-02-3-4-0123456789abcdef",
            "reedbed-1--3-4-0123456789abcdef",
            "reedbed-1-4294967296-3-4-0123456789abcdef",
            "reedbed-../../etc-2-3-4-0123456789abcdef",
            "psm_0123abcd",
        ] {
            assert_eq!(Owner::of_name(name), None, "{name}");
        }
        assert!(Owner::of_name("reedbed-1-2-3-0-0123456789abcdef").is_some());
    }

    #[test]
    fn the_dead_are_told_from_the_living() {
        let own = Owner::this_process().unwrap();
        assert!(own.is_alive());
        let reused = Owner {
            started: own.started + 1,
            ..own
        };
        assert!(!reused.is_alive(), "the number is another process's now");
        let elsewhere = Owner {
            namespace: own.namespace + 1,
            ..reused
        };
        assert!(elsewhere.is_alive(), "nobody here can tell");

        let mut child = std::process::Command::new("cat")
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let stat = fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
        let started = Stat::read(&stat).unwrap().started;
        let child_owner = Owner {
            pid: child.id(),
            started,
            ..own
        };
        assert!(child_owner.is_alive());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!child_owner.is_alive());
    }

    #[test]
    fn the_state_is_read_behind_any_name() {
        let stat = |state: &str, n_threads: u32| {
            format!(
                "7 (a ) Z 1 b) {state} 1 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 {n_threads} 0 4711 0 0"
            )
        };
        let running = Stat::read(&stat("S", 3)).unwrap();
        assert_eq!((running.started, running.is_dead), (4711, false));
        assert!(Stat::read(&stat("Z", 1)).unwrap().is_dead);
        assert!(
            !Stat::read(&stat("Z", 2)).unwrap().is_dead,
            "a thread goes on"
        );
        assert!(Stat::read("7 (short) S 1").is_none());
    }
}
