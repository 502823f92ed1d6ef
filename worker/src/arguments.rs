//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Request {
    Help,
    Version,
    Serve(Library),
}

/// The library to serve.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Library {
    pub(crate) path: PathBuf,
    /// Its crate, where the path doesn't tell.
    pub(crate) crate_name: Option<String>,
}

/// What is wrong with the command line.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ArgumentError {
    #[error(
        "which library? say `--module path/to/libsegmentation.so` (or `--help`); a host does that by `Worker::spawn_library`"
    )]
    NoModule,
    #[error(
        "`{}` and `{}`: a process loads one module library; start a worker for each", first.display(), second.display()
    )]
    TwoModules { first: PathBuf, second: PathBuf },
    #[error("`{0}` needs a value")]
    NoValue(&'static str),
    #[error("`{}` is no name of a crate", .0.display())]
    NotACrate(OsString),
    #[error(
        "a module library can't be run by `Worker::spawn_self`, which would run the stock worker; use `Worker::spawn_library`"
    )]
    Itself,
    #[error("unknown argument `{}`; what is meant for the library comes after `--`", .0.display())]
    Unknown(OsString),
}

/// Reads the command line, without the program's name.
pub(crate) fn parse(
    mut arguments: impl Iterator<Item = OsString>,
) -> Result<Request, ArgumentError> {
    let (mut path, mut crate_name) = (None, None);
    while let Some(argument) = arguments.next() {
        match argument.to_str() {
            Some("--help" | "-h") => return Ok(Request::Help),
            Some("--version" | "-V") => return Ok(Request::Version),
            Some("--module") => {
                let second = arguments.next().ok_or(ArgumentError::NoValue("--module"))?;
                let second = PathBuf::from(second);
                if let Some(first) = path {
                    return Err(ArgumentError::TwoModules { first, second });
                }
                path = Some(second);
            }
            Some("--crate") => {
                let name = arguments.next().ok_or(ArgumentError::NoValue("--crate"))?;
                let name = name.into_string().map_err(ArgumentError::NotACrate)?;
                crate_name = Some(name);
            }
            Some("--reedbed-worker") => return Err(ArgumentError::Itself),
            Some("--") => break,
            _ => return Err(ArgumentError::Unknown(argument)),
        }
    }
    let path = path.ok_or(ArgumentError::NoModule)?;
    Ok(Request::Serve(Library { path, crate_name }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Request, ArgumentError> {
        parse(line.split_whitespace().map(OsString::from))
    }

    fn library(path: &str, crate_name: Option<&str>) -> Result<Request, ArgumentError> {
        let (path, crate_name) = (path.into(), crate_name.map(str::to_owned));
        Ok(Request::Serve(Library { path, crate_name }))
    }

    #[test]
    fn what_follows_two_dashes_is_the_librarys() {
        assert_eq!(parsed("--module a.so"), library("a.so", None));
        assert_eq!(
            parsed("--crate a --module b.so -- --module c.so --help"),
            library("b.so", Some("a"))
        );
        assert_eq!(parsed("--help"), Ok(Request::Help));
        assert_eq!(parsed("--version"), Ok(Request::Version));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (line, message) in [
            (
                "",
                "which library? say `--module path/to/libsegmentation.so`",
            ),
            ("--module", "`--module` needs a value"),
            ("--module a.so --crate", "`--crate` needs a value"),
            ("a.so", "unknown argument `a.so`"),
            (
                "--module a.so b",
                "what is meant for the library comes after `--`",
            ),
            ("--reedbed-worker", "can't be run by `Worker::spawn_self`"),
            (
                "--module a.so --module b.so",
                "`a.so` and `b.so`: a process loads one module library; start a worker for each",
            ),
        ] {
            let error = parsed(line).expect_err(line).to_string();
            assert!(error.contains(message), "{error}");
        }
    }
}
