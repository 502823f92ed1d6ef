//! Why a worker was not confined.

use std::io;
use std::path::PathBuf;

use landlock::{PathFdError, RulesetError};

/// Why a worker was not confined, and so not started.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// The kernel's landlock is missing, or older than what is asked for.
    #[error(
        "this kernel can't enforce all of it: landlock of version 6 is needed (Linux 6.12, and `landlock` among its security modules); `Sandbox::best_effort` makes do with less"
    )]
    Landlock(#[source] RulesetError),
    /// The kernel has no seccomp filters, or there are none for this processor.
    #[error("this kernel can't enforce all of it: filters of system calls are refused ({0})")]
    Seccomp(String),
    /// What is named can't be opened.
    #[error("`{}`, which the sandbox names, can't be opened", path.display())]
    Path {
        /// The path.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// The worker's program isn't there.
    #[error("the program `{}` can't be opened; is it built?", program.display())]
    Program {
        /// The program.
        program: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// What the worker is to be told can't be told: the system ends it at the zero byte.
    #[error("{what} has a zero byte, which no system passes on to a program")]
    ZeroByte {
        /// What has one.
        what: String,
    },
    /// Named segments lie in a folder that all processes of a user share.
    #[error("segments with names can't be kept from a sandboxed worker; use memfds for it")]
    NamedSegments,
    /// The launcher, which was started, could not confine itself.
    #[error("the launcher gave up: {0}")]
    Launcher(String),
    /// What the launcher was told makes no sense to it.
    #[error("the launcher can't read its plan; is it built with another version of reedbed?")]
    Plan,
    /// The process was started by hand.
    #[error(
        "a host starts this launcher of sandboxed workers, and its standard input is the host's channel, which it isn't here"
    )]
    NoHost,
    /// The system refused something.
    #[error("the system refuses a step of the sandbox")]
    System(#[from] io::Error),
}

crate::readable::debug_as_message!(SandboxError);

impl From<PathFdError> for SandboxError {
    fn from(error: PathFdError) -> Self {
        match error {
            PathFdError::OpenCall { source, path, .. } => Self::Path { path, source },
            other => Self::System(io::Error::other(other)),
        }
    }
}

impl From<rustix::io::Errno> for SandboxError {
    fn from(error: rustix::io::Errno) -> Self {
        Self::System(error.into())
    }
}
