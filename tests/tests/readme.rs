//! The README's programs are the ones that are built and run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The code block that follows a comment in the README.
fn block<'a>(readme: &'a str, marker: &str) -> &'a str {
    let (_, after) = readme
        .split_once(&format!("<!-- {marker} -->"))
        .expect("the marker");
    let (_, code) = after
        .split_once('\n')
        .and_then(|(_, rest)| rest.split_once('\n'))
        .expect("a block");
    code.split_once("\n```").expect("the block's end").0
}

#[test]
fn the_smallest_program_is_the_example() {
    let readme = fs::read_to_string(root().join("README.md")).expect("the README");
    let example =
        fs::read_to_string(root().join("examples/minimal/src/main.rs")).expect("the example");
    assert_eq!(
        block(&readme, "examples/minimal/src/main.rs"),
        example.trim_end()
    );
    assert!(
        example.lines().count() <= 30,
        "{} lines",
        example.lines().count()
    );
}

/// Makes the crate that the README describes, from its own words, and runs it.
#[test]
fn a_crate_of_ones_own_works_as_described() {
    let readme = fs::read_to_string(root().join("README.md")).expect("the README");
    let folder = tempfile::tempdir().expect("a folder");
    let at = |path: &str| folder.path().join(path);
    fs::create_dir_all(at("src/bin")).expect("folders");
    let root = root().canonicalize().expect("the root");
    let (_, manifest) = readme.split_once("```toml\n").expect("the manifest");
    let (manifest, _) = manifest.split_once("```").expect("the manifest's end");
    let manifest = manifest.replace("../reedbed", &root.display().to_string());
    let package = "[package]\nname = \"my_crate\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[workspace]\n\n";
    fs::write(at("Cargo.toml"), format!("{package}{manifest}")).expect("a manifest");
    // The versions that are tested here, which also need no look at a registry.
    fs::copy(root.join("Cargo.lock"), at("Cargo.lock")).expect("a lock file");
    fs::write(at("src/lib.rs"), block(&readme, "your_own::lib")).expect("the functions");
    let worker = "reedbed_worker::worker_main![my_crate::masks];";
    assert!(readme.contains(worker));
    fs::write(at("src/bin/mask_worker.rs"), worker).expect("the worker");
    fs::write(at("src/main.rs"), block(&readme, "your_own::main")).expect("the host");

    // The folder that this test was built in has most of the dependencies already, and no programs
    // of these names.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("..");
    let cargo = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO"))
            .args(arguments)
            .arg("--offline")
            .current_dir(folder.path())
            .env("CARGO_TARGET_DIR", &target)
            .output()
            .expect("cargo runs");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "cargo {arguments:?}: {stderr}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    cargo(&["build"]);
    assert_eq!(
        cargo(&["run", "--bin", "my_crate"]),
        "262144 bright pixels; true\n"
    );
}
