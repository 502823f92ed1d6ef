//! Where the worker programs are: beside this one.

use std::io;
use std::path::PathBuf;

/// Why a worker program isn't found.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProgramError {
    /// The system doesn't say where this program is.
    #[error("cannot find out where this program is")]
    Own(#[source] io::Error),
    /// There is none.
    #[error(
        "the program {} isn't there; `cargo demo` builds it, and so does `cargo build --package \
         segmentation --bins` with the profile that the host was built with",
        path.display()
    )]
    NotBuilt {
        /// Where it was looked for.
        path: PathBuf,
    },
}

/// Returns the path of the worker.
pub(crate) fn worker() -> Result<PathBuf, ProgramError> {
    beside("worker")
}

/// Returns the path of the worker that copies.
pub(crate) fn copying_worker() -> Result<PathBuf, ProgramError> {
    beside("copying_worker")
}

fn beside(name: &str) -> Result<PathBuf, ProgramError> {
    let path = std::env::current_exe()
        .map_err(ProgramError::Own)?
        .with_file_name(name);
    if path.is_file() {
        Ok(path)
    } else {
        Err(ProgramError::NotBuilt { path })
    }
}
