//! The stock worker, and libraries that it can't serve.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use reedbed::{EndReason, SpawnError, WIRE_VERSION, Worker, WorkerBuilder, library_beside};
use reedbed_tests::modules::control;

type TestResult = Result<(), Box<dyn std::error::Error>>;

const STOCK: &str = env!("CARGO_BIN_EXE_stock-worker");
const HOST: &str = env!("CARGO_BIN_EXE_test-host");

/// A worker of the stock program that loads `library`.
fn stock(library: impl AsRef<Path>) -> WorkerBuilder {
    Worker::builder(STOCK).arg("--module").arg(library.as_ref())
}

/// Starts a worker that can't serve; returns what the host says of it.
async fn refused(builder: WorkerBuilder) -> String {
    let error = builder.spawn().await.expect_err("it can't serve");
    let SpawnError::Ended { end, .. } = &error else {
        panic!("an end is expected, not {error}");
    };
    assert_eq!(end.reason(), &EndReason::Exited(70), "{error}");
    assert!(
        !error.to_string().contains("worker_main"),
        "no wrong hint: {error}"
    );
    error.to_string()
}

/// Compiles a library of a few lines, for which no package is needed.
fn compile(folder: &Path, name: &str, source: &str) -> PathBuf {
    let file = folder.join(name).with_extension("rs");
    fs::write(&file, source).expect("a file");
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc)
        .args([
            "--edition=2024",
            "--crate-type=cdylib",
            "--crate-name",
            name,
        ])
        .arg("--out-dir")
        .arg(folder)
        .arg(file)
        .output()
        .expect("rustc runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    folder.join(format!("lib{name}.so"))
}

/// The source of a function for others to find.
fn exported(name: &str, signature: &str, body: &str) -> String {
    format!("#[unsafe(no_mangle)] extern \"C\" fn {name}{signature} {{ {body} }}\n")
}

/// The source of a function that runs while the library is loaded.
fn initialiser(body: &str) -> String {
    format!(
        "#[used] #[unsafe(link_section = \".init_array\")] static INITIALISER: extern \"C\" fn() = {{
             extern \"C\" fn initialise() {{ {body} }}
             initialise
         }};\n"
    )
}

#[tokio::test]
async fn a_renamed_library_is_served_and_sees_its_arguments() -> TestResult {
    let folder = tempfile::tempdir()?;
    let library = folder.path().join("plugin.so");
    symlink(library_beside("test_library")?, &library)?;
    let worker = stock("plugin.so")
        .current_dir(folder.path())
        .args(["--crate", "test_library", "--", "--model", "large"])
        .spawn()
        .await?;
    let control = worker.import::<control::Client>().await?;
    let arguments = control.arguments().await?;
    assert!(
        arguments.ends_with(&["--".into(), "--model".into(), "large".into()]),
        "{arguments:?}"
    );
    assert_eq!(control.read_standard_input().await?, []);
    Ok(())
}

#[tokio::test]
async fn a_library_that_is_not_there_is_named() {
    let message = refused(stock("/nowhere/libcells.so")).await;
    assert!(
        message.contains(
            "module library `/nowhere/libcells.so` can't be read; is it built?: No such file"
        ),
        "{message}"
    );
}

#[tokio::test]
async fn a_file_that_is_no_library_is_named() -> TestResult {
    let folder = tempfile::tempdir()?;
    let library = folder.path().join("libcells.so");
    fs::write(&library, "fn main() {}")?;
    let message = refused(stock(&library)).await;
    assert!(
        message.contains("libcells.so` can't be loaded as a module library, which is a crate of the type `cdylib`: "),
        "{message}"
    );
    assert!(
        message.contains("libcells.so: file too short"),
        "the linker's words: {message}"
    );
    Ok(())
}

#[tokio::test]
async fn a_library_without_an_entry_is_told_what_is_missing() -> TestResult {
    let folder = tempfile::tempdir()?;
    let library = compile(folder.path(), "cells", "");
    let message = refused(stock(&library)).await;
    assert!(
        message.contains("libcells.so` has no symbol `reedbed_wire_version_cells`"),
        "{message}"
    );
    assert!(
        message.contains("`reedbed_worker::export_modules![..]`"),
        "{message}"
    );

    let version = exported(
        "reedbed_wire_version_cells",
        "() -> u32",
        &WIRE_VERSION.to_string(),
    );
    let library = compile(folder.path(), "cells", &version);
    let message = refused(stock(&library)).await;
    assert!(
        message.contains("libcells.so` has no symbol `reedbed_entry_cells`"),
        "{message}"
    );
    Ok(())
}

#[tokio::test]
async fn a_library_for_another_wire_is_told_both_versions() -> TestResult {
    let folder = tempfile::tempdir()?;
    let theirs = WIRE_VERSION + 6;
    let version = exported(
        "reedbed_wire_version_cells",
        "() -> u32",
        &theirs.to_string(),
    );
    let entry = exported("reedbed_entry_cells", "(_channel: i32) -> i32", "panic!()");
    let library = compile(folder.path(), "cells", &(version + &entry));
    let message = refused(stock(&library)).await;
    let expected = format!(
        "libcells.so` speaks version {theirs} of the wire, this reedbed-worker speaks {WIRE_VERSION}; build both with the same reedbed"
    );
    assert!(message.contains(&expected), "{message}");
    Ok(())
}

#[tokio::test]
async fn an_entry_that_returns_an_error_is_told() -> TestResult {
    let folder = tempfile::tempdir()?;
    let version = exported(
        "reedbed_wire_version_cells",
        "() -> u32",
        &WIRE_VERSION.to_string(),
    );
    let entry = exported("reedbed_entry_cells", "(_channel: i32) -> i32", "5");
    let library = compile(folder.path(), "cells", &(version + &entry));
    let message = refused(stock(&library)).await;
    assert!(
        message.contains("libcells.so` could not serve: its entry returned 5"),
        "{message}"
    );
    Ok(())
}

#[tokio::test]
async fn modules_that_can_not_be_served_together_are_named() -> TestResult {
    let twice = stock(library_beside("test_library")?).env("TEST_LIBRARY", "twice");
    let message = refused(twice).await;
    assert!(
        message.contains("two modules are called `arrays`"),
        "{message}"
    );
    Ok(())
}

#[tokio::test]
async fn a_panic_before_a_library_serves_is_told() -> TestResult {
    let panics = stock(library_beside("test_library")?)
        .env("TEST_LIBRARY", "panics")
        .env("RUST_BACKTRACE", "0");
    let message = refused(panics).await;
    assert!(
        message.contains("tests/library/src/lib.rs:"),
        "its place: {message}"
    );
    assert!(
        message.contains("the module library panicked: told to panic before it serves"),
        "{message}"
    );
    Ok(())
}

#[tokio::test]
async fn a_panic_while_a_library_is_loaded_is_told() -> TestResult {
    let folder = tempfile::tempdir()?;
    let source = initialiser("panic!(\"no weights for the model\")");
    let library = compile(folder.path(), "cells", &source);
    let lines = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&lines);
    let worker =
        stock(&library).log(move |line| sink.lock().expect("no panic").push(line.text.to_owned()));
    // C's convention has no way for a panic to go on, so the process aborts, after a long backtrace.
    let error = worker.spawn().await.unwrap_err().to_string();
    assert!(error.contains("SIGABRT"), "{error}");
    let lines = lines.lock().unwrap();
    assert!(
        lines.iter().any(|line| line == "no weights for the model"),
        "{lines:?}"
    );
    Ok(())
}

#[tokio::test]
async fn a_library_finds_no_channel_on_standard_input_while_it_is_loaded() -> TestResult {
    let folder = tempfile::tempdir()?;
    let source = initialiser(
        "let n = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
         eprintln!(\"read {n:?}\");",
    );
    let library = compile(folder.path(), "cells", &source);
    let message = refused(stock(&library)).await;
    assert!(message.contains("\n    read Ok(0)\n"), "{message}");
    Ok(())
}

#[tokio::test]
async fn a_process_loads_one_library() {
    let two = stock("liba.so").arg("--module").arg("libb.so");
    let message = refused(two).await;
    assert!(
        message.contains(
            "`liba.so` and `libb.so`: a process loads one module library; start a worker for each"
        ),
        "{message}"
    );
}

#[test]
fn started_by_hand_it_says_what_it_is() -> TestResult {
    let by_hand = |arguments: &[&str]| {
        Command::new(STOCK)
            .args(arguments)
            .stdin(Stdio::null())
            .output()
    };
    let output = by_hand(&["--module", "libcells.so"])?;
    assert_eq!(output.status.code(), Some(70));
    let stderr = String::from_utf8(output.stderr)?;
    assert!(
        stderr.starts_with("this program is a reedbed worker: a host starts it"),
        "{stderr}"
    );

    let output = by_hand(&[])?;
    assert_eq!(output.status.code(), Some(70));
    let stderr = String::from_utf8(output.stderr)?;
    assert!(
        stderr.starts_with("which library? say `--module "),
        "{stderr}"
    );

    let output = by_hand(&["--help"])?;
    assert!(output.status.success());
    assert!(String::from_utf8(output.stdout)?.contains("usage: reedbed-worker --module <library>"));
    Ok(())
}

/// A host in a folder of its own, which runs the library of the tests in a stock worker.
struct Installed {
    folder: tempfile::TempDir,
    library: PathBuf,
}

impl Installed {
    fn new() -> Result<Self, Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        reedbed_tests::program::copy(HOST, &folder.path().join("host"))?;
        let library = library_beside("test_library")?;
        Ok(Self { folder, library })
    }

    fn host(&self) -> Command {
        let mut host = Command::new(self.folder.path().join("host"));
        host.arg("library").arg(&self.library);
        host.env("PATH", "/nowhere").env_remove("REEDBED_WORKER");
        host
    }

    /// Puts a stock worker into a folder.
    fn install(&self, folder: &str) -> Result<PathBuf, std::io::Error> {
        let folder = self.folder.path().join(folder);
        fs::create_dir_all(&folder)?;
        symlink(STOCK, folder.join("reedbed-worker"))?;
        Ok(folder)
    }
}

fn answers(host: &mut Command) -> TestResult {
    let output = host.output()?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "libtest_library.so answers\n",
        "{stderr}"
    );
    Ok(())
}

#[test]
fn the_stock_worker_is_found_beside_the_host_in_the_path_and_by_its_variable() -> TestResult {
    let installed = Installed::new()?;
    let folder = installed.install("in-path")?;
    answers(installed.host().env("PATH", &folder))?;
    answers(
        installed
            .host()
            .env("REEDBED_WORKER", folder.join("reedbed-worker")),
    )?;
    installed.install("")?;
    answers(&mut installed.host())
}

#[test]
fn a_host_without_the_stock_worker_says_where_it_looked_and_what_to_do() -> TestResult {
    let installed = Installed::new()?;
    let stderr = String::from_utf8(installed.host().output()?.stderr)?;
    let beside = installed.folder.path().join("reedbed-worker");
    for part in [
        &format!(
            "libtest_library.so` needs the stock worker, `reedbed-worker`, which is neither at `{}` nor in a folder of `PATH`",
            beside.display()
        ),
        "`cargo build --package reedbed-worker`",
        "`cargo install --path worker`",
        "`REEDBED_WORKER`",
    ] {
        assert!(stderr.contains(part), "{part:?} is missing in {stderr}");
    }

    // Named on purpose, so nothing else will do.
    installed.install("")?;
    let mut host = installed.host();
    let stderr = host
        .env("REEDBED_WORKER", "/nowhere/at-all")
        .output()?
        .stderr;
    let stderr = String::from_utf8(stderr)?;
    assert!(
        stderr.contains("`/nowhere/at-all` can't be started"),
        "{stderr}"
    );
    Ok(())
}

/// The example needs the stock worker beside it, which Cargo builds only when it is told to.
#[test]
fn the_example_of_a_module_library_runs() -> TestResult {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("..");
    let cargo = |arguments: &[&str]| {
        Command::new(env!("CARGO"))
            .args(arguments)
            .args(["--locked", "--offline"])
            .env("CARGO_TARGET_DIR", &target)
            .env_remove("REEDBED_WORKER")
            .output()
    };
    let built = cargo(&[
        "build",
        "--package",
        "reedbed-worker",
        "--package",
        "module_library",
    ])?;
    assert!(
        built.status.success(),
        "{}",
        String::from_utf8_lossy(&built.stderr)
    );
    let ran = cargo(&["run", "--package", "module_library"])?;
    let printed = String::from_utf8(ran.stdout)?;
    let stderr = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(
        printed
            .matches("2 spots, counted by reedbed-worker in process ")
            .count(),
        2,
        "{printed}{stderr}"
    );
    Ok(())
}
