//! What tests need of a machine beyond Linux, and are skipped without: Python, a control group, a kernel
//! that runs programs of 32 bits, .. A test that is skipped counts as passed, and what it prints is seen
//! by nobody; so two variables of the environment tell of it.
//!
//! - `REEDBED_REQUIRE` lists, between commas, what must be there: a test that misses it fails.
//! - `REEDBED_SKIPPED` names a file, to which each test that is skipped adds a line.

#![forbid(unsafe_code)]

use std::env;
use std::ffi::OsStr;
use std::fmt::Display;
use std::fs::OpenOptions;
use std::io::{self, Write};

/// Lists what must be there.
const REQUIRE: &str = "REEDBED_REQUIRE";
/// Names the file that tells what was skipped.
const SKIPPED: &str = "REEDBED_SKIPPED";

/// Tells that `test` is skipped, since there is no `need` (`python`, `cgroup`, ..), for this reason. The
/// caller then returns.
///
/// # Panics
/// Instead, if `REEDBED_REQUIRE` lists it; and if the file of `REEDBED_SKIPPED` can't be written.
pub fn missing(need: &str, test: &str, reason: impl Display) {
    let required = env::var(REQUIRE).unwrap_or_default();
    assert!(
        !lists(&required, need),
        "{test} needs {need}, and {REQUIRE} says that it must be there: {reason}"
    );
    eprintln!("{test} is skipped: {reason} ({REQUIRE}={need} makes this an error)");
    if let Some(file) = env::var_os(SKIPPED) {
        let added = add(&file, &format!("{need}: {test}: {reason}\n"));
        added.unwrap_or_else(|error| panic!("`{}` can't be written: {error}", file.display()));
    }
}

fn lists(required: &str, need: &str) -> bool {
    required.split(',').any(|listed| listed.trim() == need)
}

/// Adds a line at once, since others do the same.
fn add(file: &OsStr, line: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).open(file)?;
    file.write_all(line.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_required_is_listed_by_its_whole_name() {
        assert!(lists("python, cgroup", "cgroup") && lists("cc", "cc"));
        assert!(!lists("cgroup2", "cgroup") && !lists("", "cc"));
    }

    #[test]
    fn each_skipped_test_adds_its_line() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        for line in ["cc: first: none\n", "cc: second: none\n"] {
            add(file.path().as_os_str(), line).expect("it is our own");
        }
        let text = std::fs::read_to_string(file.path()).expect("a file");
        assert_eq!(text, "cc: first: none\ncc: second: none\n");
    }
}
