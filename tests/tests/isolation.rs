//! A host that is compiled without its worker's dependencies (see `tests/isolated`).

use std::path::Path;
use std::process::Command;

/// Runs cargo on the packages of `tests/isolated`, in the folder that this test was built in, which
/// has most of the dependencies already. What isn't there is fetched, in the versions of their own
/// lock file.
fn cargo(arguments: &[&str]) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("..");
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .arg("--locked")
        .current_dir(root.join("isolated"))
        .env("CARGO_TARGET_DIR", target)
        .output()
        .expect("cargo runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo {arguments:?}: {stderr}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The packages that a package is compiled from, with their versions.
fn dependencies(package: &str) -> Vec<String> {
    let tree = cargo(&["tree", "--prefix", "none", "--package", package]);
    let packages = tree.lines().filter_map(|line| {
        let (name, rest) = line.split_once(' ')?;
        Some(format!("{name} {}", rest.split_whitespace().next()?))
    });
    packages.collect()
}

fn has(dependencies: &[String], package: &str) -> bool {
    dependencies
        .iter()
        .any(|dependency| dependency.starts_with(package))
}

#[test]
fn a_host_is_spared_its_workers_dependencies() {
    let (host, worker) = (
        dependencies("isolated-host"),
        dependencies("isolated-worker"),
    );
    for package in ["bzip2 v", "bzip2-sys v", "cc v", "ndarray v0.16."] {
        assert!(has(&worker, package), "{package}: {worker:?}");
        assert!(!has(&host, package), "{package}: {host:?}");
    }
    for package in ["isolated-interface v", "reedbed v", "ndarray v0.17."] {
        assert!(has(&worker, package), "{package}: {worker:?}");
        assert!(has(&host, package), "{package}: {host:?}");
    }
    assert!(!has(&host, "isolated-worker"), "{host:?}");
}

#[test]
fn the_host_calls_the_worker_all_the_same() {
    cargo(&["build"]);
    assert_eq!(
        cargo(&["run", "--package", "isolated-host"]),
        "bzip2\n\"BZh9\"\ntrue\nthere is no level 10, only 1 to 9\n"
    );
}
