//! What happens where memory, descriptors or address space run out. The checks themselves are in
//! `src/limits`; each runs in a host of its own.

use std::process::Command;
use std::sync::{PoisonError, RwLock};

/// The crowded socket is crowded for all processes of a user that have no privileges.
static ALONE: RwLock<()> = RwLock::new(());

/// Runs a check beside others; returns what it printed.
fn check(name: &str) -> String {
    let _together = ALONE.read().unwrap_or_else(PoisonError::into_inner);
    run(name)
}

fn run(name: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_test-host"))
        .args(["under-limits", env!("CARGO_BIN_EXE_test-worker"), name])
        .output()
        .expect("the host starts");
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{}\n{stdout}\n{stderr}",
        output.status
    );
    stdout
}

#[test]
fn memory_over_the_budget_is_refused_with_the_numbers() {
    let message = check("budget");
    assert!(
        message.contains("41943040 bytes were asked for"),
        "{message}"
    );
    assert!(
        message.contains("of 67108864 bytes are in use"),
        "{message}"
    );
    assert!(
        message.contains("raise it with `reedbed::set_memory_budget`"),
        "{message}"
    );
}

#[test]
fn memory_beyond_the_address_space_is_refused() {
    let message = check("address-space");
    assert!(
        message.contains("raise `ulimit -v` (RLIMIT_AS)"),
        "{message}"
    );
}

#[test]
fn memory_beyond_the_file_size_is_refused_without_a_signal() {
    let message = check("file-size");
    assert!(
        message.contains("files of this process may have 8388608 bytes at most"),
        "{message}"
    );
}

#[test]
fn a_hundred_tensors_and_calls_need_few_descriptors() {
    assert_eq!(
        check("descriptors"),
        "200 tensors live, 4950 elements came back\n"
    );
}

#[test]
fn ten_thousand_small_tensors_live_under_a_thousand_descriptors() {
    assert_eq!(check("ten-thousand-tensors"), "20000 tensors live\n");
}

#[test]
fn a_hundred_large_tensors_need_few_descriptors() {
    assert_eq!(
        check("large-tensors-and-descriptors"),
        "200 large tensors live\n"
    );
}

#[test]
fn a_worker_without_descriptors_refuses_the_call_and_lives_on() {
    let message = check("worker-descriptors");
    assert!(
        message.contains("the worker could not map an argument"),
        "{message}"
    );
    assert!(message.contains("RLIMIT_NOFILE"), "{message}");
}

#[test]
fn a_host_gives_its_workers_no_more_than_it_may_have() {
    let message = check("limits-beyond-ones-own");
    let own = rustix::process::getpriority_process(None).expect("a niceness");
    let expected = [
        "`open_files` can't be 101: this process may give 100 at most".to_owned(),
        format!("`niceness` can't be {}: this process has {own}", own - 1),
    ];
    for expected in expected {
        assert!(message.contains(&expected), "{message}");
    }
}

#[test]
fn calls_wait_for_the_budget_and_not_for_what_never_comes() {
    let message = check("waiting-for-the-budget");
    let mut lines = message.lines();
    let too_large = lines.next().unwrap_or_default();
    let numbers = "11534336 bytes were asked for";
    assert!(too_large.contains(numbers), "{message}");
    let in_the_way = lines.next().unwrap_or_default();
    let numbers = "4194304 bytes were asked for, 8388608 of 10485760 bytes are in use";
    assert!(in_the_way.contains(numbers), "{message}");
}

#[test]
fn a_descriptor_waits_without_work_until_others_have_arrived() {
    let _alone = ALONE.write().unwrap_or_else(PoisonError::into_inner);
    let message = run("crowded-socket");
    if let Some(reason) = message.trim_end().strip_prefix("skipped: ") {
        let test = "a_descriptor_waits_without_work_until_others_have_arrived";
        return needs::missing("counted-descriptors", test, reason);
    }
    assert_eq!(
        message,
        "the driver sleeps: true\nthe call is answered: 100000\n"
    );
}
