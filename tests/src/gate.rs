//! Points at which two processes wait for each other, without a clock: named pipes.
//!
//! A test waits on a thread of its own, which nobody joins: so one whose gate never opens fails with its
//! message, where a thread of its runtime's would have the runtime wait for ever to be dropped.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;

use tokio::sync::oneshot;

use crate::watched::LIMIT;

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
    drop(open(path).await);
}

/// As [`pass`], and leaves it open for the worker to read from, until the file is dropped.
///
/// # Panics
/// If the gate is gone.
pub async fn open(path: &Path) -> File {
    let path = path.to_owned();
    let opened = apart(move || OpenOptions::new().write(true).open(path));
    opened.await.expect("the gate is there")
}

/// Reads what the worker writes to a gate, until it closes that.
///
/// # Panics
/// If the gate is gone.
pub async fn read(path: &Path) -> Vec<u8> {
    let path = path.to_owned();
    apart(move || fs::read(path))
        .await
        .expect("the gate is there")
}

/// Runs what blocks on a thread of its own.
async fn apart<T: Send + 'static>(block: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, done) = oneshot::channel();
    thread::spawn(move || sender.send(block()));
    done.await.expect("the thread runs to its end")
}

/// As [`pass`], blocking the thread.
///
/// # Panics
/// If the gate is gone, or the worker doesn't come in time.
#[track_caller]
pub fn pass_blocking(path: &Path) {
    let (path, (sender, opened)) = (path.to_owned(), mpsc::channel());
    thread::spawn(move || sender.send(OpenOptions::new().write(true).open(path)));
    let opened = opened.recv_timeout(LIMIT);
    let opened = opened.unwrap_or_else(|_| panic!("nobody came to the gate within {LIMIT:?}"));
    opened.expect("the gate is there");
}
