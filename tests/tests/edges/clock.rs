//! The wall clock jumps. Nothing waits by it.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::{HOST, WORKER};

/// A library to be loaded before the C library, in which the wall clock goes a year ahead and back
/// again, each time that it is read. The machine's own clock stays as it is.
const JUMPS: &str = r"
#define _GNU_SOURCE
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static atomic_uint n_readings;

int clock_gettime(clockid_t clock, struct timespec *time) {
    int result = syscall(SYS_clock_gettime, clock, time);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        time->tv_sec += atomic_fetch_add(&n_readings, 1) % 2 ? 365 * 86400 : 0;
    return result;
}
";

#[test]
fn deadlines_come_in_time_while_the_wall_clock_jumps_by_years() {
    let folder = tempfile::tempdir().expect("a folder");
    let (source, library) = (
        folder.path().join("jumps.c"),
        folder.path().join("jumps.so"),
    );
    fs::write(&source, JUMPS).expect("a file");
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .args([&library, &source])
        .status();
    match compiled {
        Ok(status) => assert!(status.success(), "the library is compiled"),
        Err(error) => {
            let test = "deadlines_come_in_time_while_the_wall_clock_jumps_by_years";
            return needs::missing("cc", test, error);
        }
    }
    let output = Command::new(HOST)
        .args(["under-limits", WORKER, "jumping-clock"])
        .env("LD_PRELOAD", &library)
        .output()
        .expect("the host starts");
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stdout}\n{stderr}");
    assert_eq!(stdout, "Reedbed: in time\nTarpc: in time\n");
}

/// What the worker waits by can't be seen from outside, so its source is looked through.
#[test]
fn nothing_in_the_source_asks_for_the_wall_clock() {
    fn look_through(folder: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).expect("the source").flatten() {
            let path = entry.path();
            if path.is_dir() {
                look_through(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a source file");
                let lines = text
                    .lines()
                    .filter(|line| !line.trim_start().starts_with("//"));
                let asks = |line: &&str| {
                    ["SystemTime::now", "UNIX_EPOCH", "ClockId::Realtime"]
                        .iter()
                        .any(|clock| line.contains(clock))
                };
                found.extend(
                    lines
                        .filter(asks)
                        .map(|line| format!("{}: {line}", path.display())),
                );
            }
        }
    }
    let mut found = Vec::new();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for package in ["rpc-core/src", "worker/src"] {
        look_through(&source.join(package), &mut found);
    }
    assert_eq!(found, Vec::<String>::new());
}
