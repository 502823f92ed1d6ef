//! A worker's process: what it prints, how it is ended, and what the kernel says of its end.

use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, ChildStderr, ChildStdout};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};

use super::end::EndReason;
use super::group::Group;
use super::limits::{LimitError, WorkerLimits};
use super::log::{Log, LogStream, Stream};
use super::oom::OomWatch;
use super::stuck::StuckStep;
use crate::channel::handshake;

/// How long a worker that was sent SIGTERM may take to exit, before it is killed.
const TERM_GRACE: Duration = Duration::from_millis(500);

/// A worker's process, and what it prints.
pub(crate) struct WorkerProcess {
    child: Child,
    pidfd: OwnedFd,
    stdout: Option<Stream<ChildStdout>>,
    stderr: Option<Stream<ChildStderr>>,
    pub(crate) log: Log,
    oom: OomWatch,
    /// Whether SIGTERM was sent, and when SIGKILL follows.
    pub(crate) kill_at: Option<Instant>,
    is_killed: bool,
    is_reaped: bool,
    /// Its own control group, if it has one.
    group: Option<Group>,
    /// The process whose child it is, and not a forked one of that.
    owner: u32,
}

/// What kills a process, if it still runs.
pub(crate) struct Killer {
    pidfd: OwnedFd,
    /// The process whose child it is.
    owner: u32,
}

impl Killer {
    pub(crate) fn kill(self) {
        if std::process::id() == self.owner {
            let _ = rustix::process::pidfd_send_signal(&self.pidfd, Signal::KILL);
        }
    }
}

impl Drop for WorkerProcess {
    fn drop(&mut self) {
        if !self.is_reaped && std::process::id() == self.owner {
            self.reap();
        }
    }
}

impl WorkerProcess {
    /// Watches over a child that was just started. On an error it is killed and reaped.
    pub(crate) fn new(mut child: Child, log: Log) -> std::io::Result<Self> {
        let watched = Self::watch(&mut child);
        match watched {
            Ok((pidfd, stdout, stderr)) => {
                let owner = std::process::id();
                let (kill_at, is_killed, is_reaped) = (None, false, false);
                Ok(Self {
                    oom: OomWatch::of(child.id()),
                    child,
                    pidfd,
                    stdout,
                    stderr,
                    log,
                    kill_at,
                    is_killed,
                    is_reaped,
                    group: None,
                    owner,
                })
            }
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(error)
            }
        }
    }

    #[expect(clippy::type_complexity, reason = "the parts of `Self`, named there")]
    fn watch(
        child: &mut Child,
    ) -> std::io::Result<(
        OwnedFd,
        Option<Stream<ChildStdout>>,
        Option<Stream<ChildStderr>>,
    )> {
        let pid = rustix::process::Pid::from_child(child);
        // The child isn't reaped yet, so the number is still its own.
        let pidfd = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty())?;
        let stdout = child
            .stdout
            .take()
            .map(|pipe| Stream::new(pipe, LogStream::Stdout));
        let stderr = child
            .stderr
            .take()
            .map(|pipe| Stream::new(pipe, LogStream::Stderr));
        Ok((pidfd, stdout.transpose()?, stderr.transpose()?))
    }

    /// Limits what it may use, before it has been told to serve.
    pub(crate) fn limit(&mut self, limits: &WorkerLimits) -> Result<(), LimitError> {
        self.group = limits.apply(Pid::from_child(&self.child))?;
        self.oom.look_again();
        Ok(())
    }

    /// The process's number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What kills it, whoever watches over it.
    pub(crate) fn killer(&self) -> std::io::Result<Killer> {
        let pidfd = self.pidfd.try_clone()?;
        Ok(Killer {
            pidfd,
            owner: self.owner,
        })
    }

    /// Notes that it is ready, and so where it stays.
    pub(crate) fn is_ready(&mut self) {
        self.oom.look_again();
    }

    /// What to poll for its end and its output.
    pub(crate) fn fds(&self) -> impl Iterator<Item = std::os::fd::BorrowedFd<'_>> {
        let streams = self
            .stdout
            .iter()
            .map(Stream::fd)
            .chain(self.stderr.iter().map(Stream::fd));
        std::iter::once(self.pidfd.as_fd()).chain(streams)
    }

    /// Passes on what it has printed.
    pub(crate) fn read_output(&mut self) {
        if let Some(stream) = &mut self.stdout
            && !stream.read(&mut self.log)
        {
            self.stdout = None;
        }
        if let Some(stream) = &mut self.stderr
            && !stream.read(&mut self.log)
        {
            self.stderr = None;
        }
    }

    /// Tells whether it has exited. It is a zombie until [`Self::reap`].
    pub(crate) fn has_exited(&self) -> bool {
        let mut fds = [PollFd::new(&self.pidfd, PollFlags::IN)];
        let _ = handshake::poll(&mut fds, Some(Duration::ZERO));
        fds[0].revents().contains(PollFlags::IN)
    }

    /// Kills it, if it still runs, waits until the kernel has taken it apart, and ends what it has left
    /// in its process group.
    pub(crate) fn reap(&mut self) -> EndReason {
        let was_killed = self.is_killed || !self.has_exited();
        // By descriptor: the number may be another process's, if somebody else has waited for it.
        let _ = rustix::process::pidfd_send_signal(&self.pidfd, Signal::KILL);
        self.end_offspring();
        self.is_reaped = true;
        let reason = self
            .child
            .wait()
            .map_or(EndReason::Stopped, EndReason::from);
        let reason = match (reason, self.oom.has_killed()) {
            (EndReason::Signalled(9), Some(group)) if !was_killed => {
                EndReason::OutOfMemory { group }
            }
            (reason, _) => reason,
        };
        self.group = None;
        self.read_output();
        if let Some(stream) = &mut self.stdout {
            stream.finish(&mut self.log);
        }
        if let Some(stream) = &mut self.stderr {
            stream.finish(&mut self.log);
        }
        reason
    }

    /// Waits until it is dead, and sends SIGTERM to those it leaves behind in the process group that it
    /// was started in, as its first member.
    ///
    /// Not SIGKILL: who tidies up after the dead, as Python's tracker of shared memory does, ignores
    /// SIGTERM and ends of itself; killed, it would leave for good what it was there to remove.
    fn end_offspring(&self) {
        let dead = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        let zombie = rustix::io::retry_on_intr(|| {
            rustix::process::waitid(WaitId::PidFd(self.pidfd.as_fd()), dead)
        });
        // As long as nobody has reaped it, its number is nobody else's, nor is the group's. If somebody
        // has, they may be.
        if zombie.is_ok() {
            let _ = rustix::process::kill_process_group(Pid::from_child(&self.child), Signal::TERM);
        }
    }

    /// What was sent to end it, once [`terminate`](Self::terminate) has begun.
    pub(crate) fn step(&self) -> Option<StuckStep> {
        match (self.kill_at, self.is_killed) {
            (None, _) => None,
            (Some(_), false) => Some(StuckStep::Terminated),
            (Some(_), true) => Some(StuckStep::Killed),
        }
    }

    /// Sends SIGTERM, and SIGKILL once its grace is over.
    pub(crate) fn terminate(&mut self, now: Instant) {
        match self.kill_at {
            None => {
                let _ = rustix::process::pidfd_send_signal(&self.pidfd, Signal::TERM);
                self.kill_at = Some(now + TERM_GRACE);
            }
            Some(kill_at) if kill_at <= now => {
                self.is_killed = true;
                let _ = rustix::process::pidfd_send_signal(&self.pidfd, Signal::KILL);
            }
            Some(_) => {}
        }
    }
}
