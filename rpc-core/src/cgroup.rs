//! Control groups: where the kernel keeps what it knows of the memory of a process and its
//! neighbours (`man 7 cgroups`).
//!
//! Of version 2 there is one tree, of version 1 one for each controller; here it is that of memory.
//! Where both are mounted, the memory controller is in one of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Which of the two forms a tree of control groups has. Their files have different names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    /// A tree of the memory controller's own: `memory.limit_in_bytes`, `memory.oom_control`.
    V1,
    /// The tree of all controllers: `memory.max`, `memory.events`.
    V2,
}

/// A mounted tree of control groups.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Tree {
    version: Version,
    /// The group that is at the mount point.
    root: PathBuf,
    mount_point: PathBuf,
}

/// The control group by which a process's memory is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MemoryGroup {
    version: Version,
    /// Its path in the tree, as `/proc/PID/cgroup` has it.
    path: PathBuf,
    folder: PathBuf,
}

impl MemoryGroup {
    /// Finds the group of a process; `None` where memory isn't counted, or the group's files can't be
    /// seen from here.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        static TREES: OnceLock<Vec<Tree>> = OnceLock::new();
        let trees = TREES.get_or_init(|| {
            fs::read_to_string("/proc/self/mountinfo")
                .map_or_else(|_| Vec::new(), |text| trees(&text))
        });
        let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
        Self::find(&groups, trees)
    }

    /// Finds the group among those of a process (`/proc/PID/cgroup`).
    fn find(groups: &str, trees: &[Tree]) -> Option<Self> {
        let entries = || groups.lines().filter_map(entry);
        // A controller that is in a tree of version 1 isn't in that of version 2.
        let (version, path) = entries()
            .find(|(version, _)| *version == Version::V1)
            .or_else(|| entries().next())?;
        let tree = trees.iter().find(|tree| tree.version == version)?;
        let below = path.strip_prefix(&tree.root).ok()?;
        Some(Self {
            version,
            path: path.to_owned(),
            folder: tree.mount_point.join(below),
        })
    }

    /// Its path in the tree.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// How many processes of this very group the kernel has killed for lack of memory; `None` where
    /// it doesn't tell.
    pub(crate) fn n_oom_kills(&self) -> Option<u64> {
        let files: &[&str] = match self.version {
            Version::V1 => &["memory.oom_control"],
            // The second one, of older kernels, counts groups inside this one, too.
            Version::V2 => &["memory.events.local", "memory.events"],
        };
        let texts = files
            .iter()
            .filter_map(|file| fs::read_to_string(self.folder.join(file)).ok());
        texts.filter_map(|text| counter(&text, "oom_kill")).next()
    }
}

/// Reads a line of `/proc/PID/cgroup` that is about memory: number, controllers, path.
fn entry(line: &str) -> Option<(Version, &Path)> {
    let mut fields = line.splitn(3, ':');
    let (number, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
    // A group that was removed under the process is still named, with this behind it.
    let path = Path::new(path.strip_suffix(" (deleted)").unwrap_or(path));
    if number == "0" && controllers.is_empty() {
        return Some((Version::V2, path));
    }
    let is_memory = controllers.split(',').any(|name| name == "memory");
    is_memory.then_some((Version::V1, path))
}

/// Finds the trees with memory in the text of `/proc/PID/mountinfo` (`man 5 proc_pid_mountinfo`).
fn trees(mountinfo: &str) -> Vec<Tree> {
    mountinfo.lines().filter_map(tree).collect()
}

fn tree(line: &str) -> Option<Tree> {
    let (mount, filesystem) = line.split_once(" - ")?;
    let mut filesystem = filesystem.split(' ');
    let (kind, _, options) = (filesystem.next()?, filesystem.next()?, filesystem.next()?);
    let version = match kind {
        "cgroup2" => Version::V2,
        "cgroup" if options.split(',').any(|name| name == "memory") => Version::V1,
        _ => return None,
    };
    let mut mount = mount.split(' ').skip(3);
    Some(Tree {
        version,
        root: mount.next()?.into(),
        mount_point: mount.next()?.into(),
    })
}

/// Reads a number out of a file of names and numbers, one pair a line.
fn counter(text: &str, name: &str) -> Option<u64> {
    let mut pairs = text.lines().filter_map(|line| line.split_once(' '));
    let (_, number) = pairs.find(|(found, _)| *found == name)?;
    number.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both versions mounted, memory in the first one.
    const HYBRID: &str = "\
24 1 0:22 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
25 24 0:23 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu
29 24 0:27 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
34 24 0:32 / /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 cgroup2 rw
";
    /// A container's own view of version 2.
    const UNIFIED: &str =
        "30 23 0:26 /pods/a /sys/fs/cgroup ro,nosuid shared:4 - cgroup2 cgroup rw,nsdelegate\n";

    fn found(groups: &str, mountinfo: &str) -> Option<(Version, String)> {
        let group = MemoryGroup::find(groups, &trees(mountinfo))?;
        Some((group.version, group.folder.display().to_string()))
    }

    #[test]
    fn the_group_is_found_in_the_tree_that_has_memory() {
        let groups = "9:name=systemd:/\n4:memory:/jobs/one\n1:cpu,cpuacct:/\n0::/other\n";
        let in_first = (Version::V1, "/sys/fs/cgroup/memory/jobs/one".to_owned());
        assert_eq!(found(groups, HYBRID), Some(in_first));
        let in_second = (Version::V2, "/sys/fs/cgroup/one".to_owned());
        assert_eq!(found("0::/pods/a/one\n", UNIFIED), Some(in_second.clone()));
        assert_eq!(
            found("0::/pods/a/one (deleted)\n", UNIFIED),
            Some(in_second)
        );
    }

    #[test]
    fn what_is_not_mounted_or_out_of_sight_is_not_found() {
        assert_eq!(found("0::/pods/b\n", UNIFIED), None, "another container's");
        assert_eq!(found("0::/\n", ""), None);
        assert_eq!(found("4:memory:/jobs\n", UNIFIED), None, "not mounted");
        assert_eq!(found("3:cpuset:/\n", HYBRID), None);
        assert_eq!(found("garbage", HYBRID), None);
    }

    #[test]
    fn kills_are_counted_in_both_forms() {
        let folder = tempfile::tempdir().unwrap();
        let write = |file: &str, text: &str| fs::write(folder.path().join(file), text).unwrap();
        let mut group = MemoryGroup {
            version: Version::V1,
            path: "/".into(),
            folder: folder.path().to_owned(),
        };
        assert_eq!(group.n_oom_kills(), None);
        write(
            "memory.oom_control",
            "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n",
        );
        assert_eq!(group.n_oom_kills(), Some(3));
        group.version = Version::V2;
        assert_eq!(group.n_oom_kills(), None);
        write(
            "memory.events",
            "low 0\noom 9\noom_kill 7\noom_group_kill 0\n",
        );
        assert_eq!(group.n_oom_kills(), Some(7));
        write("memory.events.local", "oom 2\noom_kill 1\n");
        assert_eq!(
            group.n_oom_kills(),
            Some(1),
            "its own, where the kernel tells them apart"
        );
    }
}
