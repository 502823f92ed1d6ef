//! Loads a module library, and hands the host's channel over to it.
//!
//! This program and the library are compiled separately, perhaps by different compilers. What
//! crosses is what `reedbed_worker::entry` describes: two functions with C's calling convention.
//!
//! # Invariants
//! 1. The file was named on the command line by who may run any program here. Loading it runs its
//!    initialisers, as running a program does; it is trusted as one is.
//! 2. The names `reedbed_wire_version_*` and `reedbed_entry_*` are reserved for what
//!    `export_modules!` writes under them. The type of the former never changes; that of the latter
//!    is the one used here wherever the former returns this program's own version.
//! 3. A library is never unloaded (`RTLD_NODELETE`): its threads, and what it has left for the end
//!    of threads and of the process, keep their code.

use std::ffi::c_int;
use std::io;
use std::os::fd::{IntoRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use libloading::os::unix::{RTLD_LOCAL, RTLD_NOW};
use reedbed::WIRE_VERSION;

use crate::arguments::Library;

/// Keeps a library for as long as the process lives (`dlopen(3)`). The same on every Linux.
const RTLD_NODELETE: c_int = 0x1000;

type WireVersion = extern "C" fn() -> u32;
type Entry = unsafe extern "C" fn(c_int) -> c_int;

/// Why a library can't serve.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    #[error("module library `{}` can't be read; is it built?", library.display())]
    Missing { library: PathBuf, source: io::Error },
    #[error("`{}` can't be loaded as a module library, which is a crate of the type `cdylib`", library.display())]
    NotALibrary {
        library: PathBuf,
        source: libloading::Error,
    },
    #[error("module library `{}` has no symbol `{symbol}`; does its crate say `reedbed_worker::export_modules![..]`, and is the file named after the crate? (`--crate name` names it otherwise)", library.display())]
    NoEntry { library: PathBuf, symbol: String },
    #[error("module library `{}` speaks version {theirs} of the wire, this reedbed-worker speaks {WIRE_VERSION}; build both with the same reedbed", library.display())]
    OtherVersion { library: PathBuf, theirs: u32 },
    #[error("module library `{}` could not serve: its entry returned {status}", library.display())]
    Status { library: PathBuf, status: c_int },
}

/// A module library, ready to serve.
#[derive(Debug)]
pub(crate) struct Loaded {
    path: PathBuf,
    entry: Entry,
}

/// Loads a library and finds its entry.
pub(crate) fn open(library: &Library) -> Result<Loaded, LoadError> {
    // In full, because a bare name would be searched for in the system's folders.
    let path = library
        .path
        .canonicalize()
        .map_err(|source| LoadError::Missing {
            library: library.path.clone(),
            source,
        })?;
    let crate_name = library.crate_name.clone();
    let crate_name = crate_name.unwrap_or_else(|| crate_of(&library.path));
    let flags = RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE;
    // SAFETY: the file is trusted to be loaded (invariant 1).
    let opened = unsafe { libloading::os::unix::Library::open(Some(&path), flags) };
    let opened = opened.map_err(|source| LoadError::NotALibrary {
        library: path.clone(),
        source,
    })?;
    let no_entry = |symbol: &str| LoadError::NoEntry {
        library: path.clone(),
        symbol: symbol.to_owned(),
    };

    let symbol = format!("reedbed_wire_version_{crate_name}");
    // SAFETY: what has this name is a function of this type (invariant 2).
    let version = unsafe { opened.get::<WireVersion>(symbol.as_bytes()) };
    let theirs = version.map_err(|_| no_entry(&symbol))?();
    if theirs != WIRE_VERSION {
        return Err(LoadError::OtherVersion {
            library: path,
            theirs,
        });
    }

    let symbol = format!("reedbed_entry_{crate_name}");
    // SAFETY: the versions are equal, so what has this name is a function of this type (invariant 2).
    let entry = unsafe { opened.get::<Entry>(symbol.as_bytes()) };
    let entry = *entry.map_err(|_| no_entry(&symbol))?;
    // Its code outlives `opened` (invariant 3).
    Ok(Loaded { path, entry })
}

impl Loaded {
    /// Has the library serve on `channel` until the host has no more use for it.
    pub(crate) fn serve(self, channel: OwnedFd) -> Result<(), LoadError> {
        let channel = channel.into_raw_fd();
        // SAFETY: the descriptor is open and was let go of just now, for the callee to own, which is
        // all that an entry asks for (invariant 2). The code is there (invariant 3).
        match unsafe { (self.entry)(channel) } {
            0 => Ok(()),
            status => Err(LoadError::Status {
                library: self.path,
                status,
            }),
        }
    }
}

/// The crate that a library's file is named after: `cell_counts` for `libs/libcell_counts.so.1`.
fn crate_of(library: &Path) -> String {
    let file = library.file_name().unwrap_or(library.as_os_str());
    let file = file.to_string_lossy();
    let name = file.split(".so").next().unwrap_or_default();
    name.strip_prefix("lib").unwrap_or(name).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_is_named_after_its_crate() {
        for (path, name) in [
            ("/target/debug/libcell_counts.so", "cell_counts"),
            ("libcell_counts.so.1.2", "cell_counts"),
            ("cell_counts.so", "cell_counts"),
            ("libcell_counts", "cell_counts"),
        ] {
            assert_eq!(crate_of(Path::new(path)), name, "of `{path}`");
        }
    }
}
