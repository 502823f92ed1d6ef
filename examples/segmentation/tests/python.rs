//! `--worker python`, run as people run it: scikit-image in an environment of its own.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;
use std::process::Command;

use ndarray::Ix2;
use reedbed::Tensor;
use segmentation::scikit::environment;

/// Makes the environment that the host uses, or tells that `test` is skipped.
fn has_python(test: &str) -> bool {
    let host = Path::new(env!("CARGO_BIN_EXE_host"));
    let directory = host.ancestors().nth(2).unwrap().join("scikit-image");
    let Err(error) = environment(&directory, |what| eprintln!("{what}")) else {
        return true;
    };
    needs::missing("python", test, error);
    false
}

#[test]
fn both_languages_are_scored_in_one_table_and_nothing_is_copied() {
    if !has_python("both_languages_are_scored_in_one_table_and_nothing_is_copied") {
        return;
    }
    let out = tempfile::tempdir().unwrap();
    let run = Command::new(env!("CARGO_BIN_EXE_host"))
        .args(["--worker", "python", "--out"])
        .arg(out.path())
        .output()
        .unwrap();
    let (stdout, stderr) = (
        String::from_utf8(run.stdout).unwrap(),
        String::from_utf8(run.stderr).unwrap(),
    );
    assert!(
        run.status.success() && stderr.is_empty(),
        "{stdout}{stderr}"
    );
    for (row, least) in [
        ("rust returned", 0.75),
        ("rust in-place", 0.75),
        ("python returned", 0.6),
        ("python in-place", 0.6),
    ] {
        let line = stdout.lines().find(|line| line.starts_with(row));
        let words: Vec<_> = line
            .unwrap_or_else(|| panic!("no line `{row}` in\n{stdout}"))
            .split_whitespace()
            .collect();
        let n = words.len();
        assert_eq!(
            words[n - 6..n - 2],
            ["1.50", "MiB", "0", "B"],
            "{row} copies nothing"
        );
        for precision in &words[n - 2..] {
            assert!(precision.parse::<f64>().unwrap() >= least, "{words:?}");
        }
    }
    // What is written is Python's, and its table agrees with its labels.
    let labels = Tensor::<u32, Ix2>::read_npy(out.path().join("labels.npy")).unwrap();
    let labels = labels.view().unwrap().to_owned();
    let table = std::fs::read_to_string(out.path().join("objects.csv")).unwrap();
    let n_objects = labels.iter().max().unwrap();
    assert_eq!(table.lines().count(), *n_objects as usize + 1);
    let first: Vec<f64> = table
        .lines()
        .nth(1)
        .unwrap()
        .split(',')
        .map(|number| number.parse().unwrap())
        .collect();
    let area = labels.iter().filter(|label| **label == 1).count();
    assert_eq!((first[0], first[1]), (1.0, area as f64));
    assert!(out.path().join("overlay.png").is_file());
}

#[test]
fn without_python_the_error_says_what_to_install() {
    // Beside the programs, so that they can be linked.
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    // A host that has no environment yet, on a machine that has no Python.
    let host = directory.path().join("target/debug/host");
    std::fs::create_dir_all(host.parent().unwrap()).unwrap();
    for program in ["host", "worker"] {
        let built = Path::new(env!("CARGO_BIN_EXE_host")).with_file_name(program);
        std::fs::hard_link(built, host.with_file_name(program)).unwrap();
    }
    let run = Command::new(host)
        .env("PATH", directory.path())
        .args(["--worker", "python", "--out"])
        .arg(directory.path())
        .output()
        .unwrap();
    let stderr = String::from_utf8(run.stderr).unwrap();
    assert_eq!(run.status.code(), Some(1), "{stderr}");
    assert!(
        stderr.contains("`python3` can't be run; install Python 3.11 or newer, with venv and pip"),
        "{stderr}"
    );
}

#[test]
fn what_python_does_not_serve_is_refused() {
    for arguments in [
        &["--crash"][..],
        &["--mode", "raw"],
        &["--mosaic", "1MiB"],
        &["--image", "a", "b"],
    ] {
        let run = Command::new(env!("CARGO_BIN_EXE_host"))
            .args(["--worker", "python"])
            .args(arguments)
            .output()
            .unwrap();
        assert_eq!(run.status.code(), Some(2));
        let stderr = String::from_utf8(run.stderr).unwrap();
        assert!(
            stderr.contains("--worker python segments one image"),
            "{stderr}"
        );
    }
}
