//! Every system, started as in a run, gives the right answers: the caller checks each of them and
//! fails otherwise.
#![expect(clippy::unwrap_used, reason = "what fails ends the test")]

use std::path::Path;
use std::process::{Command, Output};

const PROGRAM: &str = env!("CARGO_BIN_EXE_reedbed-peers");
/// These need packages that a test doesn't install.
const IN_PYTHON: [&str; 2] = ["wetlands", "multiprocessing"];
const N_CALLS: usize = 4;

fn output(arguments: &[&str]) -> Output {
    Command::new(PROGRAM).args(arguments).output().unwrap()
}

/// Does a few calls; returns how many samples it wrote.
fn call(system: &str, work: &str, directory: &Path) -> usize {
    let samples = directory.join("samples");
    let n_calls = N_CALLS.to_string();
    let mut arguments = vec!["call", "--system", system, "--work", work];
    arguments.extend(["--warm-up-ms", "0", "--measure-ms", "0"]);
    arguments.extend(["--min-calls", &n_calls, "--max-calls", &n_calls]);
    arguments.extend(["--samples", samples.to_str().unwrap()]);
    let output = output(&arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{system}, {work}: {said}");
    std::fs::read(&samples).unwrap().len() / size_of::<u32>()
}

#[test]
fn every_system_answers_right_in_every_work() {
    let directory = tempfile::tempdir().unwrap();
    let list = String::from_utf8(output(&["--list"]).stdout).unwrap();
    let mut n_pairs = 0;
    for line in list.lines() {
        let (system, work) = line.split_once('\t').unwrap();
        if IN_PYTHON.contains(&system) {
            continue;
        }
        let n_samples = call(system, work, directory.path());
        // Where several are in flight, a sample is a batch of calls.
        let least = if work.ends_with(" in flight") {
            2
        } else {
            N_CALLS
        };
        assert!(n_samples >= least, "{system}, {work}: {n_samples} samples");
        n_pairs += 1;
    }
    assert!(n_pairs > 100, "{list}");
}

#[test]
fn a_run_writes_a_row_of_five_keys_for_each_system_and_work() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().to_str().unwrap();
    let run = output(&[
        "--rounds",
        "2",
        "--works",
        "null,4KiB heap sum",
        "--systems",
        "floor,tarpc",
        "--out",
        out,
    ]);
    assert!(
        run.status.success(),
        "{}",
        String::from_utf8_lossy(&run.stderr)
    );

    let text = std::fs::read_to_string(directory.path().join("peers.json")).unwrap();
    let rows: Vec<serde_json::Map<String, serde_json::Value>> =
        serde_json::from_str(&text).unwrap();
    let named: Vec<_> = rows
        .iter()
        .map(|row| {
            (
                row["work"].as_str().unwrap(),
                row["system"].as_str().unwrap(),
            )
        })
        .collect();
    let expected = [
        ("null", "floor"),
        ("null", "tarpc"),
        ("4KiB heap sum", "floor"),
        ("4KiB heap sum", "tarpc"),
    ];
    assert_eq!(named, expected);
    for row in &rows {
        let keys: Vec<_> = row.keys().map(String::as_str).collect();
        assert_eq!(keys, ["n", "p50_us", "p99_us", "system", "work"]);
        let (p50, p99) = (
            row["p50_us"].as_f64().unwrap(),
            row["p99_us"].as_f64().unwrap(),
        );
        assert!(0.0 < p50 && p50 <= p99, "{row:?}");
        assert!(row["n"].as_u64().unwrap() >= 20, "{row:?}");
    }

    let rounds = std::fs::read_to_string(directory.path().join("peers-rounds.json")).unwrap();
    let rounds: serde_json::Value = serde_json::from_str(&rounds).unwrap();
    assert_eq!(rounds[0]["median_us"].as_array().unwrap().len(), 2);
    let results = std::fs::read_to_string(directory.path().join("results.md")).unwrap();
    assert!(
        results.contains("![An array of the heap](heap.svg)"),
        "{results}"
    );
    assert!(directory.path().join("heap.svg").exists());
}

#[test]
fn the_works_of_a_first_look_have_a_plot_of_their_own() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().to_str().unwrap();
    let works = "null,64MiB resident one,64MiB heap sum";
    let systems = "floor,tarpc";
    let run = output(&[
        "--quick",
        "--rounds",
        "1",
        "--works",
        works,
        "--systems",
        systems,
        "--out",
        out,
    ]);
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{said}");
    let overview = std::fs::read_to_string(directory.path().join("overview.svg")).unwrap();
    for text in works.split(',').chain(systems.split(',')) {
        assert!(overview.contains(&format!(">{text}</text>")), "{overview}");
    }
    // tarpc has no resident array, and the floor does all three.
    assert_eq!(overview.matches("<circle").count(), 5, "{overview}");
    assert!(overview.contains(">it has no shared memory</text>"));
    let results = std::fs::read_to_string(directory.path().join("results.md")).unwrap();
    assert!(!results.contains("reached |"), "of one round: {results}");
}

#[test]
fn what_is_not_known_is_said_with_what_is() {
    let refused = output(&["--works", "nil"]);
    assert!(!refused.status.success());
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(
        said.contains("there is no work `nil`; there are: null, null 1ms"),
        "{said}"
    );
}
