//! What `cargo demo` runs: builds the host and its workers, then becomes the host.

#![forbid(unsafe_code)]

use std::env;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    let error = match launch() {
        Ok(status) => return status,
        Err(error) => error,
    };
    eprintln!("error: {error}");
    ExitCode::FAILURE
}

/// Returns only if the programs can't be built.
fn launch() -> Result<ExitCode, String> {
    let own = env::current_exe().map_err(|error| format!("cannot find this program: {error}"))?;
    let host = own.with_file_name("host");
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = build(&cargo, host.exists())
        .status()
        .map_err(|error| format!("cannot run {}: {error}", Path::new(&cargo).display()))?;
    if !built.success() {
        return Err("the host and its workers can't be built; cargo says why above".to_owned());
    }
    let arguments = without_cargos(env::args_os().skip(1));
    let error = Command::new(&host).args(arguments).exec();
    Err(format!("cannot run {}: {error}", host.display()))
}

/// The command that builds all programs of this package as this one was built: in release mode,
/// for `cargo demo`.
fn build(cargo: &OsString, is_rebuild: bool) -> Command {
    let mut command = Command::new(cargo);
    command
        .args(["build", "--package", "segmentation", "--bins"])
        .arg("--manifest-path")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"));
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    if is_rebuild {
        command.arg("--quiet");
    }
    command
}

/// Drops the word that the alias in `.cargo/config.toml` ends cargo's own options with, and the
/// `--` that some put before the program's.
fn without_cargos(arguments: impl Iterator<Item = OsString>) -> impl Iterator<Item = OsString> {
    let mut arguments = arguments.peekable();
    arguments.next_if(|word| word == "demo");
    arguments.next_if(|word| word == "--");
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hosts_arguments_are_left() {
        for (given, left) in [
            (&["demo"][..], &[][..]),
            (&["demo", "--crash"], &["--crash"]),
            (&["demo", "--", "--crash"], &["--crash"]),
            (&["--image", "demo", "--"], &["--image", "demo", "--"]),
        ] {
            let given = given.iter().map(OsString::from);
            assert_eq!(without_cargos(given).collect::<Vec<_>>(), left);
        }
    }
}
