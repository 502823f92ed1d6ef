//! The system as `/proc` shows it: what is mapped, open, alive.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use reedbed::Schema;
use serde::{Deserialize, Serialize};

/// What a part of a process's memory is mapped from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct MappedAt {
    /// The inode of the file.
    pub inode: u64,
    /// The device, major and minor.
    pub device: (u32, u32),
    /// Whether it may be written there.
    pub is_writable: bool,
}

/// Finds what `address` of this process is mapped from (`man 5 proc_pid_maps`).
#[must_use]
pub fn mapped_at(address: usize) -> Option<MappedAt> {
    let maps = fs::read_to_string("/proc/self/maps").ok()?;
    maps.lines().find_map(|line| {
        let mut fields = line.split_whitespace();
        let (first, end) = fields.next()?.split_once('-')?;
        let hex = |text: &str| usize::from_str_radix(text, 16).ok();
        if !(hex(first)?..hex(end)?).contains(&address) {
            return None;
        }
        let permissions = fields.next()?;
        let (major, minor) = fields.nth(1)?.split_once(':')?;
        let part = |text: &str| u32::from_str_radix(text, 16).ok();
        Some(MappedAt {
            inode: fields.next()?.parse().ok()?,
            device: (part(major)?, part(minor)?),
            is_writable: permissions.contains('w'),
        })
    })
}

/// The proportional set size of a process, in bytes: its share of every page that it maps.
///
/// # Panics
/// If the process is gone.
#[must_use]
pub fn pss_bytes(pid: u32) -> u64 {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).expect("a live process");
    let line = rollup
        .lines()
        .find_map(|line| line.strip_prefix("Pss:"))
        .expect("a line for Pss");
    let kibibytes: u64 = line
        .trim()
        .trim_end_matches("kB")
        .trim()
        .parse()
        .expect("a number");
    kibibytes * 1024
}

/// The open descriptors of a process that refer to memfds of segments.
#[must_use]
pub fn segment_descriptors(pid: u32) -> usize {
    let Ok(folder) = fs::read_dir(format!("/proc/{pid}/fd")) else {
        return 0;
    };
    let is_segment = |path: &Path| {
        fs::read_link(path).is_ok_and(|to| to.to_string_lossy().contains("memfd:reedbed"))
    };
    folder
        .flatten()
        .filter(|entry| is_segment(&entry.path()))
        .count()
}

/// All open descriptors of a process.
#[must_use]
pub fn descriptors(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}

/// The mappings of segments in a process.
#[must_use]
pub fn segment_mappings(pid: u32) -> usize {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
    maps.lines()
        .filter(|line| line.contains("memfd:reedbed"))
        .count()
}

/// The page faults that a process took without reading from a disk (field 10 of `man 5
/// proc_pid_stat`).
///
/// # Panics
/// If the process is gone.
#[must_use]
pub fn page_faults(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("a live process");
    let (_, fields) = stat.rsplit_once(')').expect("the name in parentheses");
    let faults = fields.split_whitespace().nth(7).expect("ten fields");
    faults.parse().expect("a number")
}

/// The memory of a process's page tables, in bytes.
///
/// # Panics
/// If the process is gone.
#[must_use]
pub fn page_table_bytes(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a live process");
    let mut lines = status.lines();
    let line = lines.find_map(|line| line.strip_prefix("VmPTE:"));
    let count = line.expect("a line for page tables").trim();
    let kibibytes: u64 = count
        .trim_end_matches("kB")
        .trim()
        .parse()
        .expect("a number");
    kibibytes * 1024
}

/// The niceness of each thread of a process (field 19 of `man 5 proc_pid_stat`), without repetition.
///
/// # Panics
/// If the process is gone.
#[must_use]
pub fn niceness(pid: u32) -> BTreeSet<i32> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).expect("a live process");
    let niceness = threads.flatten().filter_map(|thread| {
        let stat = fs::read_to_string(thread.path().join("stat")).ok()?;
        let (_, fields) = stat.rsplit_once(')')?;
        fields.split_whitespace().nth(16)?.parse().ok()
    });
    niceness.collect()
}

/// The soft and the hard limit of a process, as `/proc/PID/limits` has them: `Max open files`.
///
/// # Panics
/// If the process is gone.
#[must_use]
pub fn limit(pid: u32, resource: &str) -> (String, String) {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).expect("a live process");
    let mut lines = limits.lines();
    let line = lines.find_map(|line| line.strip_prefix(resource));
    let mut fields = line.unwrap_or_default().split_whitespace();
    let mut next = || fields.next().expect("two numbers").to_owned();
    (next(), next())
}

/// What a process has mapped, in bytes.
///
/// # Panics
/// If the process is gone.
#[must_use]
pub fn address_space_bytes(pid: u32) -> u64 {
    let statm = fs::read_to_string(format!("/proc/{pid}/statm")).expect("a live process");
    let pages = statm.split_whitespace().next().expect("a number");
    pages.parse::<u64>().expect("a number") * rustix::param::page_size() as u64
}

/// Waits until all threads of a process are stopped.
///
/// # Panics
/// If the process is gone.
pub fn wait_until_stopped(pid: u32) {
    let is_stopped = |task: fs::DirEntry| {
        let stat = fs::read_to_string(task.path().join("stat")).unwrap_or_default();
        stat.rsplit_once(')')
            .is_none_or(|(_, fields)| fields.starts_with(" T"))
    };
    loop {
        let mut threads = fs::read_dir(format!("/proc/{pid}/task")).expect("a live process");
        if threads.all(|thread| thread.map_or(true, is_stopped)) {
            return;
        }
        std::thread::yield_now();
    }
}

/// What a thread has done so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activity {
    /// Its name.
    pub name: String,
    /// How often it gave the processor away, and had it taken away.
    pub n_switches: [u64; 2],
    /// For how many ticks it ran, in its own code and in the kernel's.
    pub n_ticks: [u64; 2],
}

/// What all threads of a process have done, except this one (`man 5 proc_pid_status`,
/// `proc_pid_stat`).
///
/// # Panics
/// If the process is gone.
#[must_use]
pub fn activity(process: u32) -> BTreeMap<u32, Activity> {
    let own = rustix::thread::gettid()
        .as_raw_nonzero()
        .get()
        .cast_unsigned();
    let threads = fs::read_dir(format!("/proc/{process}/task")).expect("a live process");
    let threads = threads.flatten().filter_map(|entry| {
        let id: u32 = entry.file_name().to_str()?.parse().ok()?;
        let status = fs::read_to_string(entry.path().join("status")).ok()?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        let line = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.map(str::trim)
        };
        let count = |name: &str| line(name)?.parse().ok();
        // The name, in parentheses, may have spaces.
        let (_, fields) = stat.rsplit_once(')')?;
        let ticks = |index| fields.split_whitespace().nth(index)?.parse().ok();
        let activity = Activity {
            name: line("Name:")?.to_owned(),
            n_switches: [
                count("voluntary_ctxt_switches:")?,
                count("nonvoluntary_ctxt_switches:")?,
            ],
            n_ticks: [ticks(11)?, ticks(12)?],
        };
        (id != own).then_some((id, activity))
    });
    threads.collect()
}

/// Tells whether a process runs, or is a zombie that nobody has reaped.
#[must_use]
pub fn exists(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

/// Ends this process as a wild pointer would.
pub fn crash() {
    let own = rustix::process::getpid();
    // The first one only takes away the handler that looks for stack overflows.
    loop {
        let _ = rustix::process::kill_process(own, rustix::process::Signal::SEGV);
    }
}
