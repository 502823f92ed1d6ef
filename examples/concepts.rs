//! Runs every example and looks at what it prints.

use std::process::{Command, Stdio};

/// Runs an example, which checks its own claims, and checks that it prints `expected`, in order.
fn run(program: &str, source: &str, expected: &[&str]) {
    let header: Vec<_> = source
        .lines()
        .take_while(|line| line.starts_with("//!"))
        .collect();
    assert!(
        header.iter().any(|line| line.contains("Look at:")),
        "the header says what to see"
    );
    let n_lines = source.lines().count();
    assert!(n_lines < 80, "{n_lines} lines are too many for one concept");

    let output = Command::new(program)
        .stdin(Stdio::null())
        .output()
        .expect("it starts");
    let printed = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{}\n{printed}{stderr}",
        output.status
    );
    let mut rest = &*printed;
    for expected in expected {
        let (_, after) = rest
            .split_once(expected)
            .unwrap_or_else(|| panic!("{expected:?} is missing in\n{printed}{stderr}"));
        rest = after;
    }
}

/// Makes a test of each example: its name, and what it prints.
macro_rules! examples {
    ($($name:ident: $($expected:literal),+;)+) => {$(
        #[test]
        fn $name() {
            let program = env!(concat!("CARGO_BIN_EXE_", stringify!($name)));
            let source = include_str!(concat!(stringify!($name), ".rs"));
            run(program, source, &[$($expected),+]);
        }
    )+};
}

examples! {
    in_place: "510448 of 1000000 elements are bright\n", "in place: inode ",
        "5000000 bytes shared, 0 copied\n";
    returned: "made, changed and read in place: inode ", "the image is still here";
    raw_segment: "the worker adds up 499500\n", "2000 samples don't fit, there is room for 1000\n",
        "4008 bytes aren't a whole number of aligned elements of type u128\n";
    slices: "strides [6, 2]\n", "strides [-6, 1]\n", "strides [1, 6]\n", "strides [0, 1]\n",
        "two halves    [1, 1, 2, 2]\n",
        "interleaved   calling `stripes::fill`", "are leased";
    bundles: "242 bright pixels, 0 bytes copied\n", "bad rows: [12]\n";
    service: "against the dark: 99\n", "against grey: 98.5\n", "pictures seen: (3, 1)\n",
        "a picture of (100, 100) expected", "the other: 99\n";
    progress: "more than 10 terms", "more than 100000 terms", "pi is about 3.14";
    several_workers: "300 rows smoothed by 3 processes\n";
    untrusted: "510448 of 1000000 elements are bright\n", "4000000 bytes shared\n",
        "1000000 bytes of labels copied: the worker isn't trusted, so what it may write is a copy\n",
        "4000000 bytes came back: the worker isn't trusted",
        "the worker is dead, and all 510448 labels are there\n";
    self_execution: "one file, 7 processes: 499999500000\n",
        "in its arguments: [\"--scale\", \"10\"], and in its environment: night\n";
    deadlines: "in time: 1000\n", "no answer came within 500ms", "poisoned", "1000: true\n", "dropped\n";
    crash: "SIGABRT", "assertion failed: sample >= 0\n", "lent for reading: 500\n", "poisoned",
        "recovered: 500 elements were written\n", "it was not sent", "another worker did it\n";
    supervision: "in flight: calling `unsteady::process`", "SIGABRT", "unsent, so it waited: true\n",
        "may run twice: true\n", "none of 2 heartbeats", "started again 3 times", "by hand: true\n";
    tarpc_stubs: "in turn: 1 2 3 1 2 3\n", "one is gone: 1 3 1 3\n",
        "a crash: the channel was disconnected", "repeated: no\n", "the last one counts 3\n";
}
