//! The stock worker: where the program is that loads module libraries.

use std::env;
use std::path::{Path, PathBuf};

use super::beside;
use super::error::SpawnError;

/// The program's name.
pub(crate) const PROGRAM: &str = "reedbed-worker";

/// The variable of the environment that names the program instead.
const VARIABLE: &str = "REEDBED_WORKER";

/// Finds the program that is to load `library`: by the variable, beside this program, in `PATH`.
pub(crate) fn find(library: &Path) -> Result<PathBuf, SpawnError> {
    if let Some(program) = env::var_os(VARIABLE).filter(|program| !program.is_empty()) {
        // Named on purpose, so no other will do: starting it fails if it isn't there.
        return Ok(program.into());
    }
    let beside = beside::places(Path::new(PROGRAM), &env::current_exe()?);
    let path = env::var_os("PATH").unwrap_or_default();
    let in_path = env::split_paths(&path).map(|folder| folder.join(PROGRAM));
    let mut places = beside.iter().cloned().chain(in_path);
    places
        .find(|place| place.is_file())
        .ok_or_else(|| SpawnError::NoStockWorker {
            library: library.to_owned(),
            beside: beside.clone(),
        })
}
