//! How a worker ended.

use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::Arc;

/// How a worker ended, and the last lines that it printed.
#[derive(Clone, Debug)]
pub struct WorkerEnd {
    reason: EndReason,
    last_lines: Arc<[String]>,
}

/// Why a worker is no more.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EndReason {
    /// The process exited with this status, of itself or because it was asked to.
    Exited(i32),
    /// The process was ended by this signal.
    Signalled(i32),
    /// The worker broke the protocol and was killed.
    ProtocolViolation(String),
    /// A worker in this process was shut down.
    Stopped,
}

impl WorkerEnd {
    pub(crate) fn new(reason: EndReason, last_lines: Vec<String>) -> Self {
        Self {
            reason,
            last_lines: last_lines.into(),
        }
    }

    /// Returns why it ended.
    #[must_use]
    pub fn reason(&self) -> &EndReason {
        &self.reason
    }

    /// Returns the last lines that it printed, oldest first.
    #[must_use]
    pub fn last_lines(&self) -> &[String] {
        &self.last_lines
    }
}

impl From<ExitStatus> for EndReason {
    fn from(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Exited(code),
            (None, Some(signal)) => Self::Signalled(signal),
            (None, None) => Self::Stopped,
        }
    }
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(code) => write!(f, "it exited with status {code}"),
            Self::Signalled(XCPU) => write!(
                f,
                "it was killed by signal {XCPU} (SIGXCPU): it has used up its processor time \
                 (`WorkerLimits::cpu_time`, RLIMIT_CPU)"
            ),
            Self::Signalled(signal) => match signal_name(*signal) {
                Some(name) => write!(f, "it was killed by signal {signal} ({name})"),
                None => write!(f, "it was killed by signal {signal}"),
            },
            Self::ProtocolViolation(what) => {
                write!(f, "it broke the protocol and was stopped: it {what}")
            }
            Self::Stopped => f.write_str("it was shut down"),
        }
    }
}

impl fmt::Display for WorkerEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)?;
        if self.last_lines.is_empty() {
            return Ok(());
        }
        f.write_str("; the last it printed:")?;
        self.last_lines
            .iter()
            .try_for_each(|line| write!(f, "\n    {line}"))
    }
}

impl std::error::Error for WorkerEnd {}

/// The signal that comes where a process has used up its processor time.
const XCPU: i32 = 24;

/// The names of the signals that end processes (`man 7 signal`, the numbers of x86 and ARM).
fn signal_name(signal: i32) -> Option<&'static str> {
    Some(match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        5 => "SIGTRAP",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        XCPU => "SIGXCPU",
        25 => "SIGXFSZ",
        31 => "SIGSYS",
        _ => return None,
    })
}
