//! The table of attacks in `docs/security.md`: each test that it names is there, and is one. And what is
//! said of unsafe code: each use of it cites invariants that are there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const DOCUMENT: &str = include_str!("../../docs/security.md");
const ARCHITECTURE: &str = include_str!("../../ARCHITECTURE.md");

/// The rows of the last table: an attack, what stops it, the level, and the tests.
fn rows() -> Vec<[&'static str; 4]> {
    let (_, table) = DOCUMENT
        .split_once("| attack | what stops it | level | test |\n|---|---|---|---|\n")
        .expect("the table");
    let rows = table.lines().take_while(|line| line.starts_with('|'));
    let cells = rows.map(|line| {
        let line = line.trim_matches('|');
        let cells: Vec<&str> = line.split(" | ").map(str::trim).collect();
        cells
            .try_into()
            .unwrap_or_else(|_| panic!("four cells: {line}"))
    });
    cells.collect()
}

/// What is named between backticks.
fn names(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// The sources of a target: a file, all files of a folder, or both; or those of the crate.
fn sources(target: &str) -> Vec<PathBuf> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = match target {
        "reedbed" => package.join("../rpc-core/src"),
        _ => package.join("tests").join(target),
    };
    let mut sources = match root.is_dir() {
        true => files(&root),
        false => Vec::new(),
    };
    let file = root.with_extension("rs");
    sources.extend(file.is_file().then_some(file));
    assert!(!sources.is_empty(), "`{target}` is no target of tests");
    sources
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").flatten();
    let files = entries.flat_map(|entry| match entry.path() {
        path if path.is_dir() => files(&path),
        path => vec![path],
    });
    files.collect()
}

/// Whether a source has a test of this name.
fn has_test(source: &str, name: &str) -> bool {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let is_named = |line: &str| {
        let line = line.strip_prefix("async ").unwrap_or(line);
        line.strip_prefix("fn ")
            .and_then(|line| line.strip_prefix(name))
            .is_some_and(|rest| rest.starts_with('('))
    };
    let is_test = |line: &&str| line.starts_with("#[test]") || line.starts_with("#[tokio::test");
    (1..lines.len()).any(|n| is_named(lines[n]) && is_test(&&*lines[n - 1]))
}

#[test]
fn every_attack_has_tests_that_are_there() {
    let rows = rows();
    // Some are named by two rows.
    let mut all_tests = BTreeSet::new();
    for [attack, stopped_by, level, tests] in &rows {
        assert!(!attack.is_empty() && !stopped_by.is_empty(), "{attack}");
        assert!(
            ["any", "untrusted", "sandbox"].contains(level),
            "{attack}: {level}"
        );
        assert!(names(tests).next().is_some(), "{attack}: no test");
        for test in names(tests) {
            let (target, name) = test.split_once("::").expect("a target and a test");
            let is_there = sources(target).iter().any(|file| {
                let source = fs::read_to_string(file).expect("a source");
                has_test(&source, name)
            });
            assert!(is_there, "{attack}: there is no test `{test}`");
            all_tests.insert(test);
        }
    }
    println!("{} attacks, {} tests", rows.len(), all_tests.len());
    assert!(rows.len() >= 50 && all_tests.len() >= rows.len());
}

/// The numbers of the invariants that a comment cites.
fn cited(comment: &str) -> impl Iterator<Item = &str> {
    let citations = comment.split("invariant").skip(1);
    let within = citations.map(|citation| citation.split(')').next().unwrap_or_default());
    within.flat_map(|citation| {
        citation
            .split(|c: char| !c.is_ascii_digit())
            .filter(|n| !n.is_empty())
    })
}

/// That there is a comment at each, clippy sees to (`undocumented_unsafe_blocks`).
#[test]
fn unsafe_code_cites_invariants_and_its_files_are_listed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut n_comments = 0;
    for file in ["rpc-core/src", "worker/src"]
        .iter()
        .flat_map(|folder| files(&root.join(folder)))
    {
        let source = fs::read_to_string(&file).expect("a source");
        let place = file
            .strip_prefix(&root)
            .expect("below")
            .display()
            .to_string();
        for (at, _) in source.match_indices("// SAFETY: ") {
            let lines = source[at..].lines().map(str::trim_start);
            let lines = lines.map_while(|line| line.strip_prefix("// "));
            let comment = lines.collect::<Vec<_>>().join(" ");
            assert!(
                cited(&comment).next().is_some(),
                "{place} cites nothing: {comment}"
            );
            let is_there =
                |n| source.contains(&format!("\n//! {n}. ")) || comment.contains(" of `");
            assert!(
                cited(&comment).all(is_there),
                "{place} has no such invariant: {comment}"
            );
            let listed = format!("`{}`", place.trim_start_matches("rpc-core/src/"));
            let is_listed = ARCHITECTURE.contains(&listed) || place.ends_with("/tests.rs");
            assert!(
                is_listed,
                "ARCHITECTURE.md doesn't list {listed}, which has unsafe code"
            );
            n_comments += 1;
        }
    }
    assert!(n_comments >= 40, "{n_comments} places are looked at");
}

#[test]
fn a_test_is_known_by_its_attribute_and_its_whole_name() {
    let source = "#[test]\nfn first() {}\n\n#[tokio::test]\nasync fn second() {}\nfn third() {}\n";
    assert!(has_test(source, "first") && has_test(source, "second"));
    assert!(!has_test(source, "third") && !has_test(source, "fir"));
}
