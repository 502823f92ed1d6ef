//! A Python with NumPy, made once below the target folder, for tests that talk to one.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What is installed.
const PACKAGE: &str = "numpy>=1.24";

/// Finds, or makes, a Python with NumPy in `folder` (a test passes
/// `env!("CARGO_TARGET_TMPDIR")`); returns the interpreter's path.
///
/// Where there is none to be had it returns `None`, and tells that `test` is skipped.
///
/// # Panics
/// Instead, if `REEDBED_REQUIRE` lists `python`.
#[must_use]
pub fn with_numpy(folder: impl AsRef<Path>, test: &str) -> Option<PathBuf> {
    match find_or_make(folder.as_ref()) {
        Ok(interpreter) => Some(interpreter),
        Err(reason) => {
            needs::missing("python", test, reason);
            None
        }
    }
}

fn find_or_make(folder: &Path) -> Result<PathBuf, String> {
    let unwritable = |error| format!("`{}` can't be written: {error}", folder.display());
    fs::create_dir_all(folder).map_err(unwritable)?;
    // Test binaries run at the same time; one of them makes it, the others wait. The lock ends with
    // the file.
    let lock = File::create(folder.join("python.lock")).map_err(unwritable)?;
    lock.lock().map_err(unwritable)?;
    let venv = folder.join("python");
    let interpreter = venv.join("bin/python");
    if has_numpy(&interpreter) {
        return Ok(interpreter);
    }
    let _ = fs::remove_dir_all(&venv);
    run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
    let pip = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ];
    run(Command::new(&interpreter).args(pip).arg(PACKAGE))?;
    Ok(interpreter)
}

fn has_numpy(interpreter: &Path) -> bool {
    let import = Command::new(interpreter)
        .args(["-c", "import numpy"])
        .output();
    import.is_ok_and(|output| output.status.success())
}

/// Runs a command to its end; an error says which one, and its last words.
fn run(command: &mut Command) -> Result<(), String> {
    let output = command
        .output()
        .map_err(|error| format!("`{command:?}` can't be run: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    let last = stderr.trim_end().lines().next_back().unwrap_or_default();
    Err(format!("`{command:?}` failed ({}): {last}", output.status))
}
