//! What a process holds, as `/proc` shows it.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;

/// What a process holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Census {
    /// Open descriptors.
    pub descriptors: u64,
    /// Mappings of all kinds.
    pub mappings: u64,
    /// Mappings of segments.
    pub segment_mappings: u64,
    /// Threads.
    pub threads: u64,
    /// Bytes of memory of its own.
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
        let folder = format!("/proc/{process}");
        let maps = fs::read_to_string(format!("{folder}/maps"))?;
        let status = fs::read_to_string(format!("{folder}/status"))?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
            number.unwrap_or(0u64)
        };
        let is_segment = |line: &&str| line.contains("memfd:reedbed");
        // The folder itself is open while it is read.
        let descriptors = fs::read_dir(format!("{folder}/fd"))?.count() as u64;
        Ok(Self {
            descriptors: descriptors - u64::from(process == std::process::id()),
            mappings: maps.lines().count() as u64,
            segment_mappings: maps.lines().filter(is_segment).count() as u64,
            threads: field("Threads:"),
            private_bytes: field("RssAnon:") * 1024,
            shared_bytes: field("RssShmem:") * 1024,
        })
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
        write!(
            f,
            "{} descriptors, {} mappings ({} of segments), {} threads, {private} KiB private, \
             {shared} KiB shared",
            self.descriptors, self.mappings, self.segment_mappings, self.threads
        )
    }
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

/// The names in `/dev/shm` that reedbed's segments have.
#[must_use]
pub fn named_segments() -> usize {
    let names = fs::read_dir("/dev/shm").into_iter().flatten().flatten();
    let names = names.map(|entry| entry.file_name());
    names
        .filter(|name| name.to_string_lossy().contains("reedbed"))
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

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
