//! A host forks without exec: see `src/bin/forking_host.rs`.

use std::process::{Command, Stdio};

use reedbed_tests::watched::in_time;

use crate::WORKER;

fn forks(channel: &'static str) {
    let output = in_time(move || {
        Command::new(env!("CARGO_BIN_EXE_forking-host"))
            .args([WORKER, channel])
            .stdin(Stdio::null())
            .output()
            .expect("the host starts")
    });
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{stderr}", output.status);
    assert!(stdout.starts_with("10 children left worker"), "{stdout}");
}

#[test]
fn a_forked_child_neither_uses_nor_harms_what_is_its_parents_over_rings() {
    forks("ring");
}

#[test]
fn a_forked_child_neither_uses_nor_harms_what_is_its_parents_over_a_socket() {
    forks("socket");
}
