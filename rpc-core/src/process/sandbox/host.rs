//! The host's side: how the launcher is started, and what it is told.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use memfd::{FileSeal, MemfdOptions};

use super::error::SandboxError;
use super::launch::{CANNOT_CONFINE, MARKER};
use super::plan::{MAGIC, Plan};
use super::{Sandbox, files};
use crate::channel::socket::Socket;
use crate::process::end::EndReason;
use crate::process::error::SpawnError;
use crate::process::{serve, stock};
use crate::segment::kind::Segments;

/// What a worker keeps of its host's environment: nothing that is secret, and nothing that changes
/// which code it runs.
const KEPT_VARIABLES: [&str; 6] = ["PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "RUST_BACKTRACE"];

/// Checks that a program can be told these arguments: a command has another text in the place of those
/// that it can't.
pub(in crate::process) fn check_arguments(arguments: &[OsString]) -> Result<(), Refused> {
    let mut arguments = arguments.iter();
    let unfit = arguments.find(|argument| argument.as_bytes().contains(&0));
    unfit.map_or(Ok(()), |argument| {
        let what = format!("argument {argument:?}");
        Err(SandboxError::ZeroByte { what }.into())
    })
}

/// Makes of the command that would start a worker the one that starts its launcher, and the plan that
/// is to be sent to that.
pub(in crate::process) fn confine(
    sandbox: &Sandbox,
    command: &Command,
    library: Option<&Path>,
    keeps_environment: bool,
    memory: Segments,
) -> Result<(Command, Sealed), Refused> {
    if memory != Segments::Memfd {
        return Err(SandboxError::NamedSegments.into());
    }
    let found = find(command.get_program())?;
    for path in sandbox.paths() {
        path.metadata().map_err(|source| SandboxError::Path {
            path: path.clone(),
            source,
        })?;
    }
    if !sandbox.is_best_effort {
        files::check().map_err(SandboxError::Landlock)?;
    }
    let plan = Plan {
        sandbox: sandbox.clone(),
        libraries: library.map(Path::to_owned).into_iter().collect(),
        name: name(&found, command),
        program: as_launched(found, sandbox)?,
        arguments: command.get_args().map(OsStr::to_owned).collect(),
        environment: environment(command, keeps_environment),
    };
    let mut launcher = match &sandbox.launcher {
        Some(program) => Command::new(program),
        None if serve::can_run_itself() => itself(),
        None => Command::new(stock::find(&plan.program).map_err(Refused::Spawn)?),
    };
    launcher.arg(MARKER);
    if let Some(directory) = command.get_current_dir() {
        launcher.current_dir(directory);
    }
    Ok((launcher, Sealed::new(&plan)?))
}

/// A plan that is ready to be sent.
#[derive(Debug)]
pub(in crate::process) struct Sealed(OwnedFd);

impl Sealed {
    fn new(plan: &Plan) -> Result<Self, SandboxError> {
        let memfd = MemfdOptions::default()
            .allow_sealing(true)
            .close_on_exec(true);
        let memfd = memfd.create("reedbed plan").map_err(io::Error::other)?;
        let mut file: &File = memfd.as_file();
        file.write_all(&plan.write()?)?;
        let seals = [
            FileSeal::SealShrink,
            FileSeal::SealGrow,
            FileSeal::SealWrite,
            FileSeal::SealSeal,
        ];
        memfd.add_seals(&seals).map_err(io::Error::other)?;
        Ok(Self(memfd.into_file().into()))
    }

    /// Sends it, as the first message over `socket`.
    pub(in crate::process) fn send(self, socket: &Socket) -> io::Result<()> {
        socket.try_send(MAGIC, Some(self.0.as_fd()))
    }
}

/// Why no launcher was started.
pub(in crate::process) enum Refused {
    Sandbox(SandboxError),
    Spawn(SpawnError),
}

impl From<SandboxError> for Refused {
    fn from(error: SandboxError) -> Self {
        Self::Sandbox(error)
    }
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        Self::Sandbox(error.into())
    }
}

impl Refused {
    /// The error of a worker that isn't started.
    pub(in crate::process) fn of(self, worker: &str, program: &Path) -> SpawnError {
        match self {
            Self::Sandbox(source) => SpawnError::Sandbox {
                worker: worker.to_owned(),
                program: program.to_owned(),
                source,
            },
            Self::Spawn(error) => error,
        }
    }
}

/// Tells the end of a launcher that gave up from that of a worker.
pub(in crate::process) fn explain(error: SpawnError) -> SpawnError {
    match error {
        SpawnError::Ended {
            worker,
            program,
            end,
        } if *end.reason() == EndReason::Exited(CANNOT_CONFINE) => SpawnError::Sandbox {
            worker,
            program,
            source: SandboxError::Launcher(end.last_lines().join("; ")),
        },
        other => other,
    }
}

/// This program, to be run again.
fn itself() -> Command {
    let mut command = Command::new(ITSELF);
    if let Some(own) = env::args_os().next() {
        command.arg0(own);
    }
    command
}

/// This program, to whoever is it.
const ITSELF: &str = "/proc/self/exe";

/// Where the launcher finds the program: `ITSELF` is the launcher's own to another one.
fn as_launched(program: PathBuf, sandbox: &Sandbox) -> io::Result<PathBuf> {
    match sandbox.launcher.is_some() && program == Path::new(ITSELF) {
        true => env::current_exe(),
        false => Ok(program),
    }
}

/// The name by which the worker is run.
fn name(program: &Path, command: &Command) -> OsString {
    let own = env::args_os().next();
    match program == Path::new(ITSELF) {
        true => own.unwrap_or_default(),
        false => command.get_program().to_owned(),
    }
}

/// Finds a program as the system does: a bare name in the folders of `PATH`.
fn find(program: &OsStr) -> Result<PathBuf, SandboxError> {
    let path = PathBuf::from(program);
    let found = if path.components().count() > 1 {
        path.metadata().map(|_| path.clone())
    } else {
        let folders = env::var_os("PATH").unwrap_or_default();
        let mut places = env::split_paths(&folders).map(|folder| folder.join(program));
        let found = places.find(|place| place.is_file());
        found.ok_or_else(|| io::ErrorKind::NotFound.into())
    };
    found.map_err(|source| SandboxError::Program {
        program: path,
        source,
    })
}

/// What the worker finds in its environment.
fn environment(command: &Command, keeps_any: bool) -> Vec<(OsString, OsString)> {
    let kept = KEPT_VARIABLES.iter().filter(|_| keeps_any);
    let kept = kept.filter_map(|name| Some((OsString::from(name), env::var_os(name)?)));
    let mut variables: Vec<_> = kept.collect();
    for (name, value) in command.get_envs() {
        variables.retain(|(kept, _)| kept != name);
        variables.extend(value.map(|value| (name.to_owned(), value.to_owned())));
    }
    variables
}
