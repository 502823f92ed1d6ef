//! Workers that can reach little of the system: what a [`Sandbox`] allows, and how it comes about.
//!
//! A program can't be relied on to confine itself, and nothing of ours runs between fork and exec.
//! So the host starts a *launcher* instead, a trusted program that confines itself and then becomes
//! the worker: what landlock and seccomp refuse stays refused, whatever is run after that.
//!
//! - [`host`] starts the launcher and hands it the [`plan`], as the first message of the channel;
//! - [`launch`] is the launcher, [`files`] what it does with landlock, [`calls`] with seccomp,
//!   [`descriptors`] with what it inherited;
//! - [`inside`] is what a worker of this crate adds when it begins to serve.

mod calls;
#[expect(unsafe_code, reason = "one system call that no crate offers safely")]
mod descriptors;
mod error;
mod files;
mod host;
mod inside;
mod launch;
mod plan;

use std::io;
use std::path::PathBuf;

pub use error::SandboxError;
pub(super) use host::{Sealed, check_arguments, confine, explain};
pub(super) use inside::close_behind;
pub use launch::launch_if_asked;

/// What a worker may reach: nothing but its channel, unless it is said here.
///
/// ```no_run
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use reedbed::{Sandbox, Worker};
///
/// let sandbox = Sandbox::new().read("/data/plates").write("/data/labels");
/// let worker = Worker::builder("bin/segmentation").sandbox(sandbox).spawn().await?;
/// # drop(worker);
/// # Ok(()) }
/// ```
///
/// # What the worker can't do
///
/// - open files, or list folders, beyond those named here and what any program needs to start: its
///   own file, the loader, the system's folders of libraries (`/lib`, `/usr/lib`, `/usr/local/lib`
///   and their like), a module library, `/dev/null`, `/dev/urandom`, `/proc/meminfo`;
/// - change the mode, the owner, the times or the attributes of any file (only where something may
///   be written, the mode of an open file);
/// - make a link of any kind, or ask of what it has open (`ioctl`) anything but what programs compute
///   with;
/// - open a socket of any kind, or reach one;
/// - start processes, and, once it serves, become another program, unless [`execute`](Self::execute)
///   allows some; what it starts is in the same sandbox;
/// - signal, trace, read or write another process, its host among them, nor see what it has open;
/// - gain privileges: it has no capabilities, even if the host is root's, and programs that are
///   `setuid` don't give it any;
/// - use what else the kernel has that isn't for computing: namespaces, mounts, keys, BPF,
///   `io_uring`, `userfaultfd`, performance counters, System V's and POSIX's named objects.
///
/// It inherits no descriptor but its channel and its output, and of the host's environment only
/// `PATH`, `LANG`, `LC_ALL`, `LC_CTYPE`, `TZ` and `RUST_BACKTRACE`; all else is set by
/// [`env`](crate::WorkerBuilder::env). It writes no core dump, and no other process of its user's
/// reads its memory.
///
/// It can still see that a file exists, how large it is and when it was changed (`stat`); use the
/// processor and memory, for which there are limits; and write an array that it was lent for
/// reading, unless it is untrusted as well. See `docs/security.md`.
///
/// # How it comes about
///
/// A launcher is started, which confines itself and then becomes the worker's program: this program
/// itself, if its `main` begins with `reedbed_worker::init![..]`, or else the stock worker,
/// `reedbed-worker`, which is found as for
/// [`spawn_library`](crate::Worker::spawn_library), or [`launcher`](Self::launcher). So it holds from
/// the program's first instruction, and doesn't need its help. Two things need it, because the
/// kernel offers no other way: that it becomes no other program and that its own memory is closed to
/// others are added when it begins to serve.
///
/// It takes Linux 6.12 (landlock's version 6). Where the kernel has less, starting the worker fails,
/// unless [`best_effort`](Self::best_effort) is chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sandbox {
    read: Vec<PathBuf>,
    write: Vec<PathBuf>,
    execute: Vec<PathBuf>,
    launcher: Option<PathBuf>,
    is_best_effort: bool,
}

impl Sandbox {
    /// Makes one that allows nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets the worker read a file, or all that lies in a folder, now and later.
    #[must_use]
    pub fn read(mut self, path: impl Into<PathBuf>) -> Self {
        self.read.push(path.into());
        self
    }

    /// Lets the worker read and write a file; or read, write, make, rename and remove the files and
    /// folders in a folder. Links, devices and sockets can't be made there.
    #[must_use]
    pub fn write(mut self, path: impl Into<PathBuf>) -> Self {
        self.write.push(path.into());
        self
    }

    /// Lets the worker run a program, or those in a folder, within the sandbox; that includes reading
    /// it.
    ///
    /// A worker that is a script needs it for what its first line names, and one with a loader
    /// elsewhere than in the system's folders for that. With this, the worker may also start
    /// processes, and signal them.
    #[must_use]
    pub fn execute(mut self, path: impl Into<PathBuf>) -> Self {
        self.execute.push(path.into());
        self
    }

    /// Has this program start the worker: `reedbed-worker`, or one whose `main` begins with
    /// `reedbed_worker::init![..]`.
    #[must_use]
    pub fn launcher(mut self, program: impl Into<PathBuf>) -> Self {
        self.launcher = Some(program.into());
        self
    }

    /// Starts the worker even where the kernel can't enforce all of it. What is missing is then said
    /// in the worker's log.
    #[must_use]
    pub fn best_effort(mut self) -> Self {
        self.is_best_effort = true;
        self
    }

    /// Every path that is named, which has to be there.
    fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        self.read.iter().chain(&self.write).chain(&self.execute)
    }

    /// Names all paths in full, once and for all: a relative one is one of this process's directory.
    pub(super) fn located(mut self) -> io::Result<Self> {
        let named = [&mut self.read, &mut self.write, &mut self.execute];
        let named = named.into_iter().flatten().chain(&mut self.launcher);
        for path in named {
            *path = std::path::absolute(&path)?;
        }
        Ok(self)
    }
}
