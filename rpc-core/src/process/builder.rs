//! How a worker is set up: what can be chosen. [`start`] starts what was chosen, by the [`command`].

mod command;
mod start;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::heartbeat::Heartbeat;
use super::limits::WorkerLimits;
use super::log::{self, LogLine, LogSink};
use super::restart::RestartPolicy;
#[cfg(feature = "sandbox")]
use super::sandbox::Sandbox;
use super::starting::STARTUP_TIMEOUT;
use super::stock;
use super::stuck::Vigilance;
use super::worker::GRACE_ON_DROP;
use crate::channel::wait::WaitPolicy;
use crate::segment::account::OnExhausted;
use crate::segment::kind::{self, Segments};
use crate::segment::stranger::Stranger;
use crate::wire::handshake::{ChannelKind, Dispatcher, Trust};

/// Sets up a worker: see [`Worker::builder`](crate::Worker::builder).
///
/// # Processes that a worker starts
/// A worker is started in a process group of its own, so a Ctrl-C in the terminal reaches neither it
/// nor what it starts. When the worker is dead, however it ended, its host sends SIGTERM to whatever is
/// left in that group, and waits for none of it. So what is to outlive the worker leaves the group
/// (`setsid`), and what ignores SIGTERM, to tidy up after the worker, goes on until it is done. A
/// worker with a [limit on memory](WorkerLimits::memory) has a control group, too: all that is left in
/// that is killed.
///
/// A host that is killed itself signals nobody. Its workers end, and what they have started has to
/// notice that, by the end of its input, say.
#[derive(Clone, Debug)]
pub struct WorkerBuilder {
    program: PathBuf,
    is_self: bool,
    /// The module library for the stock worker to load.
    library: Option<PathBuf>,
    name: Option<String>,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, Option<OsString>)>,
    is_environment_cleared: bool,
    directory: Option<PathBuf>,
    startup_timeout: Duration,
    dispatcher: Dispatcher,
    segments: Segments,
    trust: Trust,
    /// Who it is, if it isn't trusted.
    stranger: Option<Stranger>,
    kind: ChannelKind,
    wait: WaitPolicy,
    limits: WorkerLimits,
    restart_policy: RestartPolicy,
    call_deadline: Option<Duration>,
    shutdown_grace: Duration,
    vigilance: Vigilance,
    shared_memory_bytes: Option<u64>,
    on_exhausted: OnExhausted,
    sink: LogSink,
    log_rate: u64,
    #[cfg(feature = "sandbox")]
    sandbox: Option<Sandbox>,
}

impl WorkerBuilder {
    pub(crate) fn new(program: PathBuf) -> Self {
        Self {
            program,
            is_self: false,
            library: None,
            name: None,
            arguments: Vec::new(),
            environment: Vec::new(),
            is_environment_cleared: false,
            directory: None,
            startup_timeout: STARTUP_TIMEOUT,
            dispatcher: Dispatcher::default(),
            segments: kind::segments(),
            trust: Trust::default(),
            stranger: None,
            kind: ChannelKind::default(),
            wait: WaitPolicy::default(),
            limits: WorkerLimits::default(),
            restart_policy: RestartPolicy::default(),
            call_deadline: None,
            shutdown_grace: GRACE_ON_DROP,
            vigilance: Vigilance::default(),
            shared_memory_bytes: None,
            on_exhausted: OnExhausted::default(),
            sink: LogSink::default(),
            log_rate: log::BYTES_PER_SECOND,
            #[cfg(feature = "sandbox")]
            sandbox: None,
        }
    }

    pub(crate) fn of_self() -> Self {
        let own = std::env::args_os().next().map(PathBuf::from);
        let name = own
            .as_deref()
            .and_then(Path::file_stem)
            .map(OsStr::to_string_lossy);
        Self {
            is_self: true,
            name: name.map(|name| name.into_owned()),
            ..Self::new(PathBuf::from("/proc/self/exe"))
        }
    }

    pub(crate) fn of_library(library: PathBuf) -> Self {
        let name = library.file_name().map(OsStr::to_string_lossy);
        Self {
            name: name.map(|name| name.into_owned()),
            library: Some(library),
            ..Self::new(PathBuf::from(stock::PROGRAM))
        }
    }

    /// Names the worker in errors and in the log. By default it is the file name of the program,
    /// or of the module library.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Adds an argument to the worker's command line.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Adds arguments to the worker's command line.
    #[must_use]
    pub fn args(mut self, arguments: impl IntoIterator<Item: Into<OsString>>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Sets a variable in the worker's environment, which is otherwise that of this process.
    #[must_use]
    pub fn env(mut self, variable: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.environment.push((variable.into(), Some(value.into())));
        self
    }

    /// Takes a variable out of the worker's environment.
    #[must_use]
    pub fn env_remove(mut self, variable: impl Into<OsString>) -> Self {
        self.environment.push((variable.into(), None));
        self
    }

    /// Gives the worker no variable but those set by [`env`](Self::env).
    #[must_use]
    pub fn env_clear(mut self) -> Self {
        self.is_environment_cleared = true;
        self
    }

    /// Starts the worker in another directory. A relative path of its program or library is one of
    /// this process's directory all the same.
    #[must_use]
    pub fn current_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// Gives the worker this long to be ready, instead of 10 seconds. It has as long to say what a
    /// module consists of, unless there is a [`call_deadline`](Self::call_deadline).
    #[must_use]
    pub fn startup_timeout(mut self, limit: Duration) -> Self {
        self.startup_timeout = limit;
        self
    }

    /// Chooses who matches calls and answers.
    #[must_use]
    pub fn dispatcher(mut self, dispatcher: Dispatcher) -> Self {
        self.dispatcher = dispatcher;
        self
    }

    /// Chooses what carries the frames. A worker that can't offer it uses the socket.
    #[must_use]
    pub fn channel(mut self, kind: ChannelKind) -> Self {
        self.kind = kind;
        self
    }

    /// Chooses how the worker and its callers wait for each other.
    #[must_use]
    pub fn wait(mut self, policy: WaitPolicy) -> Self {
        self.wait = policy;
        self
    }

    /// Limits what the worker's process may use: memory, the processor, descriptors.
    #[must_use]
    pub fn limits(mut self, limits: WorkerLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Has the worker started again of itself when it has ended. By default it is not.
    ///
    /// Clients go on: a call that was certainly not sent, because the worker was gone or being started
    /// again, waits for the next process, as long as its deadline allows. A call that was in flight
    /// fails with [`WorkerDied`](crate::FailureCause::WorkerDied), for nobody knows how far it came,
    /// and is never repeated unasked (see [`Request::repeated`](crate::Request::repeated)). Modules
    /// are compared again, and instances are lost, as with
    /// [`Worker::restart`](crate::Worker::restart), which works as well.
    ///
    /// ```no_run
    /// # async fn start() -> Result<(), reedbed::SpawnError> {
    /// use reedbed::{Backoff, RestartPolicy, Worker};
    ///
    /// let policy = RestartPolicy::OnFailure(Backoff::default());
    /// let worker = Worker::builder("path/to/worker").restart_policy(policy).spawn().await?;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn restart_policy(mut self, policy: RestartPolicy) -> Self {
        self.restart_policy = policy;
        self
    }

    /// Has the worker asked from time to time whether it still answers. By default it is not.
    ///
    /// One that doesn't is *stuck*: first its calls are cancelled, and it gets as long as
    /// [`stuck_timeout`](Self::stuck_timeout) (or one more beat of its heart) to be heard again; then it
    /// is sent SIGTERM, and half a second later SIGKILL. Calls that it has let go of until then fail
    /// with [`Cancelled`](crate::FailureCause::Cancelled), the others with
    /// [`WorkerDied`](crate::FailureCause::WorkerDied), for
    /// [`EndReason::Stuck`](crate::EndReason::Stuck), which says what was noticed, and which signal has
    /// ended it.
    #[must_use]
    pub fn heartbeat(mut self, heartbeat: Heartbeat) -> Self {
        self.vigilance.heartbeat = Some(heartbeat.in_range());
        self
    }

    /// Gives the worker this long to let go of a call that was cancelled, or whose deadline has
    /// passed. By default it has all the time it wants, and its leases last until then.
    ///
    /// If it doesn't, it is stuck: it is sent SIGTERM, and half a second later SIGKILL, and all its
    /// calls fail. Without this limit a worker that lets go of nothing has as many calls as it takes at
    /// once, sooner or later, and further ones wait until their deadline.
    #[must_use]
    pub fn stuck_timeout(mut self, limit: Duration) -> Self {
        self.vigilance.stuck_timeout = Some(limit);
        self
    }

    /// Gives each call that has no [deadline](crate::Call::deadline) of its own this one. By default
    /// there is none. It goes for the question what a module consists of, too.
    #[must_use]
    pub fn call_deadline(mut self, limit: Duration) -> Self {
        self.call_deadline = Some(limit);
        self
    }

    /// Gives a worker that nobody uses any more this long to finish the calls in flight and exit,
    /// instead of 2 seconds. Then it is sent SIGTERM, and half a second later SIGKILL.
    /// ([`Worker::shutdown`](crate::Worker::shutdown) says so itself.)
    #[must_use]
    pub fn shutdown_grace(mut self, grace: Duration) -> Self {
        self.shutdown_grace = grace;
        self
    }

    /// Says how far the worker is trusted, which decides what is shared with it and what is copied:
    /// see [`Trust`]. By default it is the user's own, and trusted.
    #[must_use]
    pub fn trust(mut self, trust: Trust) -> Self {
        self.trust = trust;
        self
    }

    /// Gives the worker a budget of shared memory, in bytes, besides the one that this process has for
    /// all of them ([`set_memory_budget`](crate::set_memory_budget)). Two things are held to it:
    ///
    /// - what the worker makes. It is told, and refuses itself more than that
    ///   ([`ShmExhausted`](crate::ShmExhausted) in its functions); segments beyond it are not mapped
    ///   here, which fails the call that returns them
    ///   ([`NotReturned`](crate::Failure::NotReturned)).
    /// - results that this process has, together with the copies of arguments for calls in flight. An
    ///   argument that finds no room is what [`on_exhausted`](Self::on_exhausted) says. Tensors that are
    ///   lent are nobody's copies, and don't count.
    ///
    /// So worker and calls together take twice as much at most.
    #[must_use]
    pub fn shared_memory(mut self, bytes: u64) -> Self {
        self.shared_memory_bytes = Some(bytes);
        self
    }

    /// Chooses what a call does whose arguments are to be copied and find no room, be it in the worker's
    /// budget or in that of this process. By default it fails.
    ///
    /// A call that waits holds nothing meanwhile, neither leases nor memory, and takes what it needs at
    /// once. Which of several goes first isn't said. It relies on other calls to end, and, where arrays
    /// are copied back, on their futures to be polled or dropped; one that is forgotten keeps its memory
    /// for ever.
    #[must_use]
    pub fn on_exhausted(mut self, on_exhausted: OnExhausted) -> Self {
        self.on_exhausted = on_exhausted;
        self
    }

    /// Chooses what the memory that is shared with the worker is made of, on both sides. By default
    /// it is what this process makes its tensors of: memfds, or what
    /// [`set_segments`](crate::set_segments) says.
    ///
    /// A worker that was built without the feature `posix-shm` says so and ends.
    #[cfg(feature = "posix-shm")]
    #[must_use]
    pub fn segments(mut self, segments: Segments) -> Self {
        self.segments = segments;
        self
    }

    /// Has `sink` called with each line that the worker prints, on the worker's driver thread,
    /// which it must not block. By default lines go to `tracing`, at level `INFO` with the target
    /// `reedbed::worker`, or to standard error where no subscriber is set; there, control characters
    /// are written out, for a terminal to show.
    #[must_use]
    pub fn log(mut self, sink: impl Fn(LogLine<'_>) + Send + Sync + 'static) -> Self {
        self.sink = LogSink(Arc::new(sink));
        self
    }

    /// Passes on so many bytes of what the worker prints each second, instead of 1 MiB; four seconds'
    /// worth of them at once after a silence. What is beyond that is left out, and the log says how much
    /// it was, so that a worker that prints without end fills neither memory nor disk.
    #[must_use]
    pub fn log_rate(mut self, bytes_per_second: u64) -> Self {
        self.log_rate = bytes_per_second;
        self
    }

    /// Confines the worker to what `sandbox` allows, from its program's first instruction on.
    ///
    /// That is apart from how far its channel is trusted, and goes well with it: a sandbox keeps a
    /// worker from the system, [`Trust`](crate::Trust) keeps it from arrays that aren't its own any more.
    /// Of this process's environment it gets next to nothing, see [`Sandbox`].
    #[cfg(feature = "sandbox")]
    #[must_use]
    pub fn sandbox(mut self, sandbox: Sandbox) -> Self {
        self.sandbox = Some(sandbox);
        self
    }

    /// One of several alike.
    pub(crate) fn numbered(&self, number: usize) -> Self {
        let name = format!("{} {number}", self.worker_name());
        self.clone().name(name)
    }

    pub(crate) fn chosen_restart_policy(&self) -> RestartPolicy {
        self.restart_policy
    }

    pub(crate) fn chosen_call_deadline(&self) -> Option<Duration> {
        self.call_deadline
    }

    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    pub(crate) fn chosen_dispatcher(&self) -> Dispatcher {
        self.dispatcher
    }
}
