//! How a worker ended.

use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::Arc;

use super::stuck::{StuckSign, StuckStep};
use crate::readable::printable;

/// How a worker ended, and the last lines that it printed.
#[derive(Clone, Debug)]
pub struct WorkerEnd {
    reason: EndReason,
    last_lines: Arc<[String]>,
    panicked_at: Option<Arc<str>>,
}

/// Why a worker is no more.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EndReason {
    /// The process exited with this status, of itself or because it was asked to.
    Exited(i32),
    /// The process was ended by this signal.
    Signalled(i32),
    /// The kernel killed the process for lack of memory: SIGKILL ended it, this process had not sent
    /// that, and the kernel counted such a kill in the worker's control group.
    ///
    /// Where the kernel doesn't tell (no control group counts memory, or its files can't be read), it
    /// is [`Signalled(9)`](Self::Signalled).
    OutOfMemory {
        /// The control group, as `/proc/PID/cgroup` names it.
        group: PathBuf,
    },
    /// It did not answer, and was ended.
    Stuck {
        /// By what that was found.
        sign: StuckSign,
        /// By what it was ended.
        step: StuckStep,
    },
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
            panicked_at: None,
        }
    }

    /// Notes where the last panic was that it printed, if it ended as a program does that panics.
    pub(crate) fn after_panic(mut self, location: Option<&str>) -> Self {
        if self.reason.may_be_a_panic() {
            self.panicked_at = location.map(Arc::from);
        }
        self
    }

    /// Gives a reason that explains the one that the kernel told.
    pub(crate) fn because(self, reason: EndReason) -> Self {
        Self { reason, ..self }
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

    /// Returns the file, line and column of the panic that ended it, if it aborted, or exited with
    /// Rust's status for that, and had printed of a panic that none of its callers was told of.
    #[must_use]
    pub fn panicked_at(&self) -> Option<&str> {
        self.panicked_at.as_deref()
    }
}

impl EndReason {
    /// Tells whether a panic can end a process so: by `abort`, or by the end of its `main`.
    fn may_be_a_panic(&self) -> bool {
        matches!(self, Self::Signalled(SIGABRT) | Self::Exited(RUST_PANIC))
    }
}

const SIGABRT: i32 = 6;
/// The exit status of a Rust program whose `main` panics.
const RUST_PANIC: i32 = 101;

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
            Self::Signalled(signal) => match signal_name(*signal) {
                Some((name, "")) => write!(f, "it was killed by signal {signal} ({name})"),
                Some((name, why)) => write!(f, "it was killed by signal {signal} ({name}: {why})"),
                None => write!(f, "it was killed by signal {signal}"),
            },
            Self::OutOfMemory { group } => write!(
                f,
                "the kernel killed it for lack of memory (control group `{}`)",
                group.display()
            ),
            Self::Stuck { sign, step } => {
                write!(f, "it was stuck and was ended by {step}: {sign}")
            }
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
        if let Some(location) = &self.panicked_at {
            write!(f, ", after a panic at {location}")?;
        }
        if self.last_lines.is_empty() {
            return Ok(());
        }
        f.write_str("; the last it printed:")?;
        self.last_lines
            .iter()
            .try_for_each(|line| write!(f, "\n    {}", printable(line)))
    }
}

impl std::error::Error for WorkerEnd {}

/// The names of the signals that end processes (`man 7 signal`, the numbers of x86 and ARM), and what
/// those mean that tell more than that somebody sent them.
fn signal_name(signal: i32) -> Option<(&'static str, &'static str)> {
    Some(match signal {
        1 => ("SIGHUP", ""),
        2 => ("SIGINT", ""),
        3 => ("SIGQUIT", ""),
        4 => ("SIGILL", "an illegal instruction"),
        5 => ("SIGTRAP", ""),
        SIGABRT => ("SIGABRT", ""),
        7 => (
            "SIGBUS",
            "an access beyond the end of a file, or misaligned",
        ),
        8 => ("SIGFPE", "a division by zero, or one that overflows"),
        9 => ("SIGKILL", ""),
        11 => ("SIGSEGV", "an access to memory that isn't there"),
        13 => ("SIGPIPE", ""),
        14 => ("SIGALRM", ""),
        15 => ("SIGTERM", ""),
        24 => ("SIGXCPU", "it has used up its processor time, RLIMIT_CPU"),
        25 => ("SIGXFSZ", "a file beyond its limit on file sizes"),
        31 => ("SIGSYS", "a system call that it may not make"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_told_where_one_can_have_ended_it() {
        let place = Some("src/main.rs:3:5");
        let end = |reason| WorkerEnd::new(reason, Vec::new()).after_panic(place);
        let aborted = end(EndReason::Signalled(6)).to_string();
        assert_eq!(
            aborted,
            "it was killed by signal 6 (SIGABRT), after a panic at src/main.rs:3:5"
        );
        assert_eq!(end(EndReason::Exited(101)).panicked_at(), place);
        assert_eq!(end(EndReason::Exited(1)).panicked_at(), None);
        assert_eq!(end(EndReason::Signalled(11)).panicked_at(), None);
    }

    #[test]
    fn what_it_printed_does_nothing_to_a_terminal() {
        let end = WorkerEnd::new(EndReason::Exited(1), vec!["\x1b[2Jgone".to_owned()]);
        assert_eq!(end.last_lines(), ["\x1b[2Jgone"]);
        let told = "it exited with status 1; the last it printed:\n    \\u{1b}[2Jgone";
        assert_eq!(end.to_string(), told);
    }

    #[test]
    fn signals_are_told_in_words() {
        let told = |signal| EndReason::Signalled(signal).to_string();
        assert_eq!(
            told(25),
            "it was killed by signal 25 (SIGXFSZ: a file beyond its limit on file sizes)"
        );
        assert_eq!(told(9), "it was killed by signal 9 (SIGKILL)");
        assert_eq!(told(40), "it was killed by signal 40");
    }
}
