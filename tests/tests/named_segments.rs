//! Named segments, between processes of this crate: who unlinks them, and what is refused.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails where something is not as it should be"
)]

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::Ordering::Relaxed;

use reedbed::ForeignSegment;
use reedbed_tests::named::exists;

const HOST: &str = env!("CARGO_BIN_EXE_test-host");

fn host(arguments: &[&str]) -> Command {
    let mut command = Command::new(HOST);
    command.arg("named").args(arguments);
    command
}

fn printed(output: Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{stderr}", output.status);
    String::from_utf8_lossy(&output.stdout)
        .trim_end()
        .to_owned()
}

/// Starts a process that holds a segment; returns its name too.
fn holder() -> (Child, String) {
    let mut child = host(&["hold"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut name = String::new();
    let stdout = child.stdout.as_mut().unwrap();
    BufReader::new(stdout).read_line(&mut name).unwrap();
    (child, name.trim_end().to_owned())
}

#[test]
fn two_processes_use_the_same_memory() {
    let segment = ForeignSegment::create(4096).unwrap();
    assert_eq!(
        printed(host(&["open", segment.name()]).output().unwrap()),
        "4096"
    );
    segment.atomic::<u32>(0).unwrap().store(1, Relaxed);
    assert!(exists(segment.name()), "who only opened it, leaves it");
}

#[test]
fn a_killed_owners_names_are_collected_and_a_living_ones_are_not() {
    let (mut living, kept) = holder();
    let (mut killed, stale) = holder();
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert!(exists(&stale), "nobody could unlink it");
    // Any process that makes a named segment for the first time looks around.
    printed(host(&["leak"]).output().unwrap());
    assert!(!exists(&stale));
    assert!(exists(&kept));

    drop(living.stdin.take());
    assert!(living.wait().unwrap().success());
    assert!(!exists(&kept), "its owner has unlinked it");
}

#[test]
fn a_living_owner_is_not_taken_for_dead_where_proc_is_another_namespaces() {
    // A namespace of processes whose `/proc` is still that of the outer one.
    let mut holder = Command::new("unshare");
    holder.args(["--pid", "--fork", HOST, "named", "hold"]);
    let piped = holder.stdin(Stdio::piped()).stdout(Stdio::piped());
    let test = "a_living_owner_is_not_taken_for_dead_where_proc_is_another_namespaces";
    let mut child = match piped.spawn() {
        Ok(child) => child,
        Err(error) => return needs::missing("namespaces", test, error),
    };
    let mut name = String::new();
    let stdout = child.stdout.as_mut().unwrap();
    BufReader::new(stdout).read_line(&mut name).unwrap();
    if name.is_empty() {
        child.wait().unwrap();
        return needs::missing("namespaces", test, "no namespace of processes can be made");
    }
    let children = format!("/proc/{0}/task/{0}/children", child.id());
    let inner = std::fs::read_to_string(children).unwrap();
    let target = format!("--target={}", inner.trim());
    let neighbour = ["--pid", &target, HOST, "named", "leak"];
    printed(Command::new("nsenter").args(neighbour).output().unwrap());
    assert!(exists(name.trim_end()), "its owner lives");
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_process_that_exits_unlinks_what_it_leaked() {
    let name = printed(host(&["leak"]).output().unwrap());
    assert!(name.starts_with("reedbed-"), "{name}");
    assert!(!exists(&name));
}

#[test]
fn a_full_dev_shm_is_an_error_with_numbers() {
    // A /dev/shm of its own, of one mebibyte, in a mount namespace of its own.
    let unshared = |size: &str, arguments: &[&str]| {
        let script = format!("mount -t tmpfs -o size={size} tmpfs /dev/shm && exec \"$0\" \"$@\"");
        Command::new("unshare")
            .args(["--mount", "sh", "-c", &script])
            .args(arguments)
            .output()
    };
    if !unshared("1m", &["true"]).is_ok_and(|output| output.status.success()) {
        let test = "a_full_dev_shm_is_an_error_with_numbers";
        return needs::missing("namespaces", test, "no namespace of mounts can be made");
    }
    let message = printed(unshared("1m", &[HOST, "named", "exhaust"]).unwrap());
    assert!(
        message.starts_with("shared memory is exhausted: 614400 bytes were asked for"),
        "{message}"
    );
    assert!(message.contains("of 1048576 bytes left"), "{message}");
    let message = printed(unshared("4m", &[HOST, "named", "exhaust-tensors"]).unwrap());
    assert!(message.starts_with("4 tensors, then"), "{message}");
    assert!(message.contains("has 0 of 4194304 bytes left"), "{message}");
}

#[test]
fn another_users_segment_is_refused_by_name() {
    const OTHER: u32 = 65_534;
    let test = "another_users_segment_is_refused_by_name";
    if !rustix::process::geteuid().is_root() {
        return needs::missing("root", test, "only root can be others");
    }
    let segment = ForeignSegment::create(4096).unwrap();
    let output = host(&["open", segment.name()]).uid(OTHER).output();
    let output = match output {
        Ok(output) => output,
        Err(error) => {
            let reason = format!("others can't run {HOST}: {error}");
            return needs::missing("open-target", test, reason);
        }
    };
    assert_eq!(
        printed(output),
        format!(
            "segment `{}` can't be opened for reading and writing by user {OTHER}; it belongs to \
             user 0: run both programs as one user",
            segment.name()
        )
    );
}

#[test]
fn a_segment_that_vanished_is_refused_by_name() {
    let segment = ForeignSegment::create(4096).unwrap();
    let name = segment.name().to_owned();
    drop(segment);
    let message = printed(host(&["open", &name]).output().unwrap());
    let said = format!("there is no segment called `{name}` (any more)");
    assert!(message.starts_with(&said), "{message}");
    let mut nothing = Vec::new();
    let segment = ForeignSegment::create(1).unwrap();
    std::fs::File::open(format!("/dev/shm/{}", segment.name()))
        .unwrap()
        .read_to_end(&mut nothing)
        .unwrap();
    assert_eq!(nothing, [0], "zeroed, and of the length that was asked for");
}
