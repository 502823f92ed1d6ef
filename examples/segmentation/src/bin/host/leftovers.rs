//! What a program that shares memory and starts processes could leave behind, as `/proc` and
//! `/dev/shm` show it.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs;

/// How the kernel calls the memory of segments in `/proc`.
const MEMFD: &str = "memfd:";

/// The names in `/dev/shm`.
pub(crate) fn shm_names() -> BTreeSet<OsString> {
    fs::read_dir("/dev/shm")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name())
        .collect()
}

/// Tells whether a living process other than this one made this segment, whose name says so:
/// `reedbed-NAMESPACE-PID-..`.
fn is_of_another(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    let mut parts = name.split('-');
    let is_segment = parts.next() == Some("reedbed");
    let pid = parts.nth(1).and_then(|pid| pid.parse::<u32>().ok());
    let is_alive = |pid: u32| fs::exists(format!("/proc/{pid}")).unwrap_or(true);
    is_segment && pid.is_some_and(|pid| pid != std::process::id() && is_alive(pid))
}

/// What is left.
#[derive(Debug)]
pub(crate) struct Leftovers {
    n_children: usize,
    new_shm_names: Vec<OsString>,
    n_descriptors: usize,
    n_mappings: usize,
}

impl Leftovers {
    /// Looks for what wasn't there `before`, when the names in `/dev/shm` were these.
    pub(crate) fn since(before: &BTreeSet<OsString>) -> Self {
        Self {
            n_children: n_children(),
            new_shm_names: shm_names()
                .difference(before)
                .filter(|name| !is_of_another(name))
                .cloned()
                .collect(),
            n_descriptors: n_descriptors(),
            n_mappings: n_mappings(),
        }
    }

    /// Tells whether there is nothing.
    pub(crate) fn is_nothing(&self) -> bool {
        let is_clean = self.n_children + self.n_descriptors + self.n_mappings == 0;
        is_clean && self.new_shm_names.is_empty()
    }
}

impl fmt::Display for Leftovers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} child processes, {} new names in /dev/shm, {} open and {} mapped segments",
            self.n_children,
            self.new_shm_names.len(),
            self.n_descriptors,
            self.n_mappings
        )
    }
}

/// Counts the processes whose parent is this one, dead ones that nobody has waited for too.
fn n_children() -> usize {
    let own = std::process::id().to_string();
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let stats = processes.filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok());
    // `pid (name) state parent ..`, where the name may contain anything.
    let parent = |stat: &str| {
        let (_, after_name) = stat.rsplit_once(')')?;
        after_name.split_whitespace().nth(1).map(str::to_owned)
    };
    stats
        .filter(|stat| parent(stat).as_deref() == Some(&own))
        .count()
}

fn n_descriptors() -> usize {
    let descriptors = fs::read_dir("/proc/self/fd")
        .into_iter()
        .flatten()
        .flatten();
    let targets = descriptors.filter_map(|entry| fs::read_link(entry.path()).ok());
    targets
        .filter(|target| target.to_string_lossy().contains(MEMFD))
        .count()
}

fn n_mappings() -> usize {
    let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
    maps.lines().filter(|line| line.contains(MEMFD)).count()
}
