//! What a process holds, as `/proc` shows it.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;

use crate::heap;

/// What a process holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Census {
    /// Open descriptors.
    pub descriptors: u64,
    /// Mappings of all kinds, but for those of ordinary memory.
    pub mappings: u64,
    /// Bytes of addresses of ordinary memory: of large blocks and of stacks, touched or not.
    pub anonymous_bytes: u64,
    /// Mappings of segments.
    pub segment_mappings: u64,
    /// Threads.
    pub threads: u64,
    /// Bytes of the heap that are in use; 0 of another process, which alone knows that.
    pub heap_bytes: u64,
    /// Bytes of memory of its own that were touched.
    pub private_bytes: u64,
    /// Bytes of memory that it maps and others may share.
    pub shared_bytes: u64,
}

impl Census {
    /// Counts what a process holds.
    ///
    /// # Errors
    /// The kernel's, if there is no such process.
    pub fn of(process: u32) -> io::Result<Self> {
        let is_own = process == std::process::id();
        let folder = format!("/proc/{process}");
        let maps = fs::read_to_string(format!("{folder}/maps"))?;
        let status = fs::read_to_string(format!("{folder}/status"))?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
            number.unwrap_or(0u64)
        };
        let anonymous: Vec<_> = maps.lines().filter_map(len_if_anonymous).collect();
        let is_segment = |line: &&str| line.contains("memfd:reedbed");
        // The folder itself is open while it is read.
        let descriptors = fs::read_dir(format!("{folder}/fd"))?.count() as u64;
        Ok(Self {
            descriptors: descriptors - u64::from(is_own),
            mappings: (maps.lines().count() - anonymous.len()) as u64,
            anonymous_bytes: anonymous.iter().sum(),
            heap_bytes: if is_own { heap::bytes() } else { 0 },
            segment_mappings: maps.lines().filter(is_segment).count() as u64,
            threads: field("Threads:"),
            private_bytes: field("RssAnon:") * 1024,
            shared_bytes: field("RssShmem:") * 1024,
        })
    }

    /// Names what there may be no more of at rest than there was before, and how many of each there are.
    #[must_use]
    pub fn counts(&self) -> [(&'static str, u64); 4] {
        [
            ("descriptors", self.descriptors),
            ("threads", self.threads),
            ("mappings of segments", self.segment_mappings),
            ("mappings", self.mappings),
        ]
    }

    /// Bytes of all memory, but for that of files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.private_bytes + self.shared_bytes
    }
}

impl fmt::Display for Census {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (private, shared) = (self.private_bytes / 1024, self.shared_bytes / 1024);
        let anonymous = self.anonymous_bytes / 1024;
        write!(
            f,
            "{} descriptors, {} threads, {} mappings ({} of segments) and {anonymous} KiB of memory, \
             {private} KiB touched, {shared} KiB shared",
            self.descriptors, self.threads, self.mappings, self.segment_mappings
        )
    }
}

/// The size of a mapping of ordinary memory, from its line in `/proc/PID/maps`; `None` if it is of a file or
/// has a name. (A stack and the guard below it are two.)
///
/// Of those, the kernel lists neighbours as one if they came about in the right order, so that the same
/// memory has more lines at one time than at another.
fn len_if_anonymous(line: &str) -> Option<u64> {
    let mut fields = line.split_whitespace();
    let (start, end) = fields.next()?.split_once('-')?;
    // After the rights, the offset, the device and the inode.
    let has_name = fields.nth(4).is_some();
    let address = |digits| u64::from_str_radix(digits, 16).ok();
    let len_bytes = address(end)?.checked_sub(address(start)?)?;
    (!has_name).then_some(len_bytes)
}

/// What kinds of descriptors this process has open, and how many of each.
#[must_use]
pub fn kinds_of_descriptors() -> BTreeMap<String, usize> {
    let mut kinds = BTreeMap::new();
    let folder = fs::read_dir("/proc/self/fd")
        .into_iter()
        .flatten()
        .flatten();
    for link in folder.filter_map(|entry| fs::read_link(entry.path()).ok()) {
        let link = link.to_string_lossy();
        // Without the number of a socket, a pipe or an inode.
        let kind = link.split(":[").next().unwrap_or(&link);
        *kinds.entry(kind.to_owned()).or_default() += 1;
    }
    kinds
}

/// The children of this process: those that live, and those that nobody has waited for.
#[must_use]
pub fn children() -> (Vec<u32>, Vec<u32>) {
    let own = std::process::id().to_string();
    let (mut alive, mut zombies) = (Vec::new(), Vec::new());
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(process) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        // The name, in parentheses, may have spaces.
        let Some((_, fields)) = stat.rsplit_once(')') else {
            continue;
        };
        let mut fields = fields.split_whitespace();
        let is_zombie = fields.next() == Some("Z");
        if fields.next() == Some(&own) {
            if is_zombie {
                zombies.push(process)
            } else {
                alive.push(process)
            }
        }
    }
    (alive, zombies)
}

/// The names in `/dev/shm` that segments of this process have.
#[must_use]
pub fn named_segments() -> usize {
    let names = fs::read_dir("/dev/shm").into_iter().flatten().flatten();
    let own = std::process::id().to_string();
    let is_own =
        |name: &str| name.starts_with("reedbed") && name.split('-').any(|part| part == own);
    names
        .filter(|entry| is_own(&entry.file_name().to_string_lossy()))
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_memory_is_told_from_other_mappings() {
        let maps = "\
7f0000000000-7f0000001000 rw-p 00000000 00:00 0
7f0000001000-7f0000003000 rw-p 00000000 00:00 0
7f0000003000-7f0000004000 ---p 00000000 00:00 0
7f0000004000-7f0000005000 rw-p 00001000 00:01 7      /lib/libc.so.6
7f0000006000-7f0000007000 rw-s 00000000 00:01 42     /memfd:reedbed (deleted)
7f0000008000-7f0000009000 rw-p 00000000 00:00 0      [stack]
";
        let sizes: Vec<_> = maps.lines().map(len_if_anonymous).collect();
        assert_eq!(
            sizes,
            [Some(0x1000), Some(0x2000), Some(0x1000), None, None, None]
        );
    }

    #[test]
    fn an_open_file_counts() {
        let count = || Census::of(std::process::id()).unwrap().descriptors;
        let before = count();
        let files = [(); 50].map(|()| fs::File::open("/dev/null").unwrap());
        let after = count();
        drop(files);
        // Other tests open and close a few meanwhile.
        assert!(
            (before + 40..before + 60).contains(&after),
            "{before}, then {after}"
        );
    }
}
