//! Where a worker program or a module library is: beside the program that starts it.

use std::io;
use std::path::{Path, PathBuf};

/// Folders below the one with the programs, where Cargo puts tests and examples.
const CARGO_FOLDERS: [&str; 2] = ["deps", "examples"];

/// Finds a program in the folder of this one, where Cargo (and most installers) put programs that
/// belong together. From a test or an example it also looks in the folder above.
///
/// # Errors
/// [`io::ErrorKind::NotFound`], naming the places, if it isn't there; the system's, if it doesn't
/// say where this program is.
pub fn program_beside(name: impl AsRef<Path>) -> io::Result<PathBuf> {
    let name = name.as_ref();
    let built_by = format!("cargo build --bin {}", name.display());
    find(
        "worker program",
        places(name, &std::env::current_exe()?),
        &built_by,
    )
}

/// Finds the library of a crate, `libcell_counts.so` for `cell_counts`, where
/// [`program_beside`] looks for programs.
///
/// # Errors
/// As [`program_beside`].
pub fn library_beside(name: impl AsRef<str>) -> io::Result<PathBuf> {
    let name = name.as_ref();
    let file = format!("lib{name}.so");
    let built_by = format!("cargo build --package {name}");
    let places = places(Path::new(&file), &std::env::current_exe()?);
    find("module library", places, &built_by)
}

/// Where a file may be that belongs to the program `own`.
pub(crate) fn places(name: &Path, own: &Path) -> Vec<PathBuf> {
    let folder = own.parent().unwrap_or(Path::new("/"));
    let is_cargo_folder = folder
        .file_name()
        .is_some_and(|own| CARGO_FOLDERS.iter().any(|cargo| own == *cargo));
    let above = folder.parent().filter(|_| is_cargo_folder);
    let folders = std::iter::once(folder).chain(above);
    folders.map(|folder| folder.join(name)).collect()
}

fn find(what: &str, places: Vec<PathBuf>, built_by: &str) -> io::Result<PathBuf> {
    let tried: Vec<_> = places
        .iter()
        .map(|place| format!("`{}`", place.display()))
        .collect();
    places.into_iter().find(|place| place.is_file()).ok_or_else(|| {
        let tried = tried.join(" or ");
        let what = format!(
            "there is no {what} at {tried}; build it (`{built_by}`), in the same profile as this program"
        );
        io::Error::new(io::ErrorKind::NotFound, what)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_from_programs_tests_and_examples() {
        let target = tempfile::tempdir().unwrap();
        let at = |path: &str| target.path().join(path);
        std::fs::write(at("worker"), "").unwrap();
        let find = |own: &str| {
            let places = places(Path::new("worker"), &at(own));
            find("worker program", places, "cargo build --bin worker")
        };
        for own in ["host", "deps/test-0123", "examples/host"] {
            assert_eq!(find(own).unwrap(), at("worker"));
        }
        let error = find("elsewhere/host").unwrap_err().to_string();
        assert!(
            error.starts_with("there is no worker program at `"),
            "{error}"
        );
        assert!(error.contains("(`cargo build --bin worker`)"), "{error}");
    }

    #[test]
    fn a_library_that_is_not_there_is_named() {
        let error = library_beside("cell_counts").unwrap_err().to_string();
        assert!(
            error.starts_with("there is no module library at `"),
            "{error}"
        );
        assert!(error.contains("/libcell_counts.so`"), "{error}");
        assert!(
            error.contains("(`cargo build --package cell_counts`)"),
            "{error}"
        );
    }
}
