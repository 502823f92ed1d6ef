//! What it was measured on, and when.

use std::fs;
use std::process::Command;

use crate::Outcome;
use crate::turn::repository;

/// The machine in one line: processor, cores, memory, kernel.
pub(super) fn machine() -> Outcome<String> {
    let processors = fs::read_to_string("/proc/cpuinfo")?;
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name))?;
        line.split_once(':')
            .map(|(_, value)| value.trim().to_owned())
    };
    let name = field(&processors, "model name").unwrap_or_else(|| "unknown processor".to_owned());
    let model = field(&processors, "model\t").unwrap_or_default();
    let family = field(&processors, "cpu family").unwrap_or_default();
    let n_cores = std::thread::available_parallelism()?;
    let is_virtual = processors.contains(" hypervisor");
    let memory = fs::read_to_string("/proc/meminfo")?;
    let memory = field(&memory, "MemTotal").unwrap_or_default();
    let kib: u64 = memory.trim_end_matches(" kB").parse()?;
    let kernel = rustix::system::uname();
    Ok(format!(
        "{name} (family {family}, model {model}), {n_cores} cores{}, {} GiB, Linux {}",
        if is_virtual {
            " of a virtual machine"
        } else {
            ""
        },
        (kib + (1 << 19)) >> 20,
        kernel.release().to_string_lossy(),
    ))
}

/// The repository's commit, if it has one that `git` knows.
pub(crate) fn commit() -> Option<String> {
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        let output = git.arg("-C").arg(repository()).args(arguments).output();
        let output = output.ok().filter(|output| output.status.success())?;
        Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
    };
    let commit = git(&["rev-parse", "--short", "HEAD"])?;
    let is_changed = !git(&["status", "--porcelain"])?.is_empty();
    Some(commit + if is_changed { " + changes" } else { "" })
}

/// Today's date, in UTC, as `date` says it.
pub(super) fn date() -> Outcome<String> {
    let output = Command::new("date").args(["-u", "+%Y-%m-%d"]).output()?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
