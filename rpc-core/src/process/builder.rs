//! How a worker is set up.

use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use futures::channel::oneshot;

use super::child::WorkerProcess;
use super::error::SpawnError;
use super::heartbeat::Heartbeat;
use super::limits::WorkerLimits;
use super::log::{self, Log, LogLine, LogSink};
use super::post::{Incumbent, Recipe};
use super::restart::RestartPolicy;
#[cfg(feature = "sandbox")]
use super::sandbox::{self, Sandbox};
use super::serve::{self, SELF_MARKER};
use super::starting::{Hatching, STARTUP_TIMEOUT, StartDispatch, Starting};
use super::stock;
use super::stuck::Vigilance;
use super::worker::{GRACE_ON_DROP, Worker};
use crate::channel::socket::{self, Socket};
use crate::channel::wait::WaitPolicy;
use crate::segment::account::{Account, OnExhausted};
use crate::segment::budget::WORKER_VARIABLE;
use crate::segment::kind::{self, Segments};
use crate::segment::stranger::Stranger;
use crate::wire::handshake::{ChannelKind, Dispatcher, Trust};

/// Sets up a worker: see [`Worker::builder`].
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
    /// are compared again, and instances are lost, as with [`Worker::restart`], which works as well.
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
    /// calls fail. tarpc's dispatcher doesn't hear of the end of a cancelled call, so with that this
    /// only says how long a worker may take that misses its [`heartbeat`](Self::heartbeat).
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
    /// ([`Worker::shutdown`] says so itself.)
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

    /// Starts the worker and waits until it is ready.
    ///
    /// # Errors
    /// [`SpawnError`]; no process is left behind.
    ///
    /// # Cancel safety
    /// Dropped before the worker is ready, it has the worker stopped in the background.
    pub async fn spawn(self) -> Result<Worker, SpawnError> {
        let recipe = Recipe::Process(Box::new(self.located()?));
        recipe.start().await.map(Worker::new)
    }

    /// Finds the program, and who it is, once and for all: neither the directory of the worker nor another one of
    /// this process's changes what a restart starts.
    fn located(mut self) -> Result<Self, SpawnError> {
        if self.trust == Trust::Untrusted {
            if self.segments != Segments::Memfd {
                return Err(SpawnError::UntrustedSegments {
                    worker: self.worker_name().to_string(),
                });
            }
            // Each one that is started is another one, until it is restarted.
            self.stranger = Some(Stranger::new());
        }
        if let Some(library) = &mut self.library {
            *library = std::path::absolute(&library)?;
            self.program = stock::find(library)?;
        }
        // A bare name is looked for in `PATH`.
        if self.program.components().count() > 1 {
            self.program = std::path::absolute(&self.program)?;
        }
        #[cfg(feature = "sandbox")]
        if let Some(sandbox) = self.sandbox.take() {
            self.sandbox = Some(sandbox.located()?);
        }
        Ok(self)
    }

    /// Starts the worker and waits until it is ready, without a post.
    pub(crate) async fn start_process(self) -> Result<Incumbent, SpawnError> {
        #[cfg(feature = "sandbox")]
        let is_confined = self.sandbox.is_some();
        let started = self.start()?.await;
        #[cfg(feature = "sandbox")]
        if is_confined {
            return started.map_err(sandbox::explain);
        }
        started
    }

    /// As [`spawn`](Self::spawn), blocking the thread.
    pub(crate) fn spawn_blocking(self) -> Result<Worker, SpawnError> {
        futures::executor::block_on(self.spawn())
    }

    /// Starts the process, and the thread that waits until it is ready and then drives it.
    fn start(self) -> Result<Hatching, SpawnError> {
        if self.is_self {
            serve::check_self()?;
        }
        let starting_dispatch = StartDispatch::new(self.dispatcher)?;
        let worker = self.worker_name();
        let (ours, theirs) = socket::pair()?;
        let ours = Socket::new(ours);
        #[cfg(not(feature = "sandbox"))]
        let mut command = self.command();
        #[cfg(feature = "sandbox")]
        let (mut command, plan) = self.confined_command()?;
        command
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        // A Ctrl-C in the terminal is for the host, which ends its workers as it ends. What a worker
        // leaves behind is found by the group.
        command.process_group(0);
        let child = command.spawn().map_err(|source| SpawnError::Program {
            program: self.program.clone(),
            source,
        })?;
        // The command owns the child's end of the socket.
        drop(command);
        let log = Log::new(Arc::clone(&worker), self.sink.clone(), self.log_rate);
        let mut process = WorkerProcess::new(child, log)?;
        // Before `Hello`. Dropped with an error, the process is killed and reaped.
        process
            .limit(&self.limits)
            .map_err(|source| SpawnError::Limit {
                worker: worker.to_string(),
                program: self.program.clone(),
                source,
            })?;
        let killer = process.killer()?;
        // Limited first, then told what to become.
        #[cfg(feature = "sandbox")]
        if let Some(plan) = plan {
            plan.send(&ours)?;
        }
        let starting = Starting {
            worker: Arc::clone(&worker),
            program: self.program,
            limit: self.startup_timeout,
            patience: self.call_deadline.unwrap_or(self.startup_timeout),
            dispatcher: self.dispatcher,
            segments: self.segments,
            stranger: self.stranger,
            kind: self.kind,
            wait: self.wait,
            shutdown_grace: self.shutdown_grace,
            vigilance: self.vigilance,
            account: Account::new(
                Arc::clone(&worker),
                self.shared_memory_bytes,
                self.on_exhausted,
            ),
            start_dispatch: starting_dispatch,
            socket: ours,
        };
        let (sender, receiver) = oneshot::channel();
        // A name of the system's ends at a zero byte, so a thread can't have one.
        let named = format!("reedbed {worker}").replace('\0', " ");
        let thread = thread::Builder::new().name(named);
        thread.spawn(move || starting.run(process, sender))?;
        Ok(Hatching::new(receiver, killer))
    }

    /// The command of the worker; or of the launcher that confines itself and becomes it, and what
    /// that is to be told.
    #[cfg(feature = "sandbox")]
    fn confined_command(&self) -> Result<(Command, Option<sandbox::Sealed>), SpawnError> {
        let command = self.command();
        let Some(sandbox) = &self.sandbox else {
            return Ok((command, None));
        };
        let library = self.library.as_deref();
        let keeps_environment = !self.is_environment_cleared;
        sandbox::check_arguments(&self.arguments)
            .and_then(|()| {
                sandbox::confine(sandbox, &command, library, keeps_environment, self.segments)
            })
            .map(|(launcher, plan)| (launcher, Some(plan)))
            .map_err(|refused| refused.of(&self.worker_name(), &self.program))
    }

    fn worker_name(&self) -> Arc<str> {
        let file = || {
            self.program
                .file_name()
                .unwrap_or(self.program.as_os_str())
                .to_string_lossy()
        };
        self.name
            .clone()
            .unwrap_or_else(|| file().into_owned())
            .into()
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        if self.is_self {
            if let Some(own) = std::env::args_os().next() {
                command.arg0(own);
            }
            command.arg(SELF_MARKER);
        }
        if let Some(library) = &self.library {
            command.arg("--module").arg(library);
        }
        command.args(&self.arguments);
        if self.is_environment_cleared {
            command.env_clear();
        }
        for (variable, value) in &self.environment {
            match value {
                Some(value) => command.env(variable, value),
                None => command.env_remove(variable),
            };
        }
        match self.shared_memory_bytes {
            Some(bytes) => command.env(WORKER_VARIABLE, bytes.to_string()),
            // That of this process is its own, if it is a worker.
            None => command.env_remove(WORKER_VARIABLE),
        };
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        command
    }
}
