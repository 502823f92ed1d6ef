//! Short runs, of seconds. `cargo chaos --help` and `cargo soak --help` say how to have long ones.

use std::process::Command;

/// Runs a program, whose output is only for those who want to know why it failed.
fn succeeds(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output();
    let output = output.expect("the program is there");
    let said = String::from_utf8_lossy(&output.stdout);
    let warned = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{}:\n{said}\n{warned}",
        output.status
    );
}

#[test]
fn hundreds_of_killed_workers_do_no_harm() {
    // Beside other tests and unoptimised, it takes longer until a death is told.
    let arguments = "--seed 20261123 --kills 300 --each 1 --within 2000";
    let arguments: Vec<_> = arguments.split(' ').collect();
    succeeds(env!("CARGO_BIN_EXE_chaos"), &arguments);
}

#[test]
fn thousands_of_calls_leave_nothing() {
    let arguments = ["--seed", "20261123", "--calls", "20000"];
    succeeds(env!("CARGO_BIN_EXE_soak"), &arguments);
}
