//! Where a worker program is: beside the program that starts it.

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
    find(name.as_ref(), &std::env::current_exe()?)
}

fn find(name: &Path, own: &Path) -> io::Result<PathBuf> {
    let folder = own.parent().unwrap_or(Path::new("/"));
    let is_cargo_folder = folder
        .file_name()
        .is_some_and(|own| CARGO_FOLDERS.iter().any(|cargo| own == *cargo));
    let above = folder.parent().filter(|_| is_cargo_folder);
    let places = [Some(folder), above].map(|folder| folder.map(|folder| folder.join(name)));
    let mut places = places.into_iter().flatten();
    let tried = places.clone();
    places.find(|place| place.is_file()).ok_or_else(|| {
        let tried: Vec<_> = tried
            .map(|place| format!("`{}`", place.display()))
            .collect();
        let what = format!(
            "there is no worker program at {}; build it (`cargo build --bin {}`), in the same \
             profile as this program",
            tried.join(" or "),
            name.display()
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
        for own in ["host", "deps/test-0123", "examples/host"] {
            assert_eq!(find(Path::new("worker"), &at(own)).unwrap(), at("worker"));
        }
        let error = find(Path::new("worker"), &at("elsewhere/host"))
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("there is no worker program at `"),
            "{error}"
        );
        assert!(error.contains("(`cargo build --bin worker`)"), "{error}");
    }
}
