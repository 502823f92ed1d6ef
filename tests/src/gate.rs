//! Points at which two processes wait for each other, without a clock: named pipes.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};

/// A named pipe that two sides pass together: opening one end waits for the other.
#[derive(Debug)]
pub struct Gate {
    path: PathBuf,
}

/// The gates of one test, removed with it.
#[derive(Debug)]
pub struct Gates {
    folder: tempfile::TempDir,
}

impl Gates {
    /// Makes a folder for gates.
    ///
    /// # Panics
    /// If there can be none.
    #[must_use]
    pub fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a folder for the gates"),
        }
    }

    /// Makes a gate; returns its path, for the worker.
    ///
    /// # Panics
    /// If there can be none, or there is one of that name.
    #[must_use]
    pub fn make(&self, name: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0)
            .expect("a named pipe");
        path
    }

    /// Makes two gates.
    #[must_use]
    pub fn pair(&self) -> (PathBuf, PathBuf) {
        (self.make("first"), self.make("second"))
    }
}

impl Default for Gates {
    fn default() -> Self {
        Self::new()
    }
}

impl Gate {
    /// Names a gate.
    #[must_use]
    pub fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// Waits until the test passes, too. A gate that is gone lets everyone pass.
    pub fn pass(self) {
        let _ = OpenOptions::new().read(true).open(self.path);
    }
}

/// Waits, in the test, until the worker passes, too.
///
/// # Panics
/// If the gate is gone.
pub async fn pass(path: &Path) {
    let path = path.to_owned();
    tokio::task::spawn_blocking(move || pass_blocking(&path))
        .await
        .expect("the gate is there");
}

/// As [`pass`], blocking the thread.
///
/// # Panics
/// If the gate is gone.
pub fn pass_blocking(path: &Path) {
    let opened = OpenOptions::new().write(true).open(path);
    opened.expect("the gate is there");
}
