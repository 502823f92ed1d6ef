//! How a worker is set up.

use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use futures::channel::oneshot;
use rustix::event::{PollFd, PollFlags};
use rustix::process::{PidfdFlags, getpid, pidfd_open};
use std::os::fd::AsFd;

use super::driver::{Control, Driver, Life, WorkerProcess};
use super::end::WorkerEnd;
use super::error::SpawnError;
use super::log::{Log, LogLine, LogSink};
use super::post::{Incumbent, Recipe};
use super::serve::{self, SELF_MARKER};
use super::stock;
use super::worker::{StopOnDrop, Worker};
use crate::call::connection::{Connection, Dispatch, Exchange, OwnDispatch};
use crate::call::module::Module;
use crate::call::pending::Calls;
use crate::call::tarpc::TarpcDispatch;
use crate::channel::Channel;
use crate::channel::handshake::{self, HandshakeError, Introduced};
use crate::channel::socket::{self, Socket};
use crate::segment::kind::{self, Segments};
use crate::wire::handshake::{Dispatcher, Limits, Welcome};

/// How long a worker may take until it is ready, unless
/// [`startup_timeout`](WorkerBuilder::startup_timeout) says otherwise.
const STARTUP_TIMEOUT: Duration = Duration::from_secs(10);

/// Sets up a worker: see [`Worker::builder`].
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
    sink: LogSink,
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
            sink: LogSink::default(),
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

    /// Gives the worker this long to be ready, instead of 10 seconds.
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
    /// `reedbed::worker`, or to standard error where no subscriber is set.
    #[must_use]
    pub fn log(mut self, sink: impl Fn(LogLine<'_>) + Send + Sync + 'static) -> Self {
        self.sink = LogSink(Arc::new(sink));
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

    /// Finds the program, once and for all: neither the directory of the worker nor another one of
    /// this process's changes what a restart starts.
    fn located(mut self) -> Result<Self, SpawnError> {
        if let Some(library) = &mut self.library {
            *library = std::path::absolute(&library)?;
            self.program = stock::find(library)?;
        }
        // A bare name is looked for in `PATH`.
        if self.program.components().count() > 1 {
            self.program = std::path::absolute(&self.program)?;
        }
        Ok(self)
    }

    /// Starts the worker and waits until it is ready, without a post.
    pub(crate) async fn start_process(self) -> Result<Incumbent, SpawnError> {
        self.start()?.await.unwrap_or_else(|_| {
            Err(SpawnError::System(std::io::Error::other(
                "the worker's driver thread ended",
            )))
        })
    }

    /// As [`spawn`](Self::spawn), blocking the thread.
    pub(crate) fn spawn_blocking(self) -> Result<Worker, SpawnError> {
        futures::executor::block_on(self.spawn())
    }

    /// Starts the process, and the thread that waits until it is ready and then drives it.
    fn start(self) -> Result<oneshot::Receiver<Result<Incumbent, SpawnError>>, SpawnError> {
        if self.is_self {
            serve::check_self()?;
        }
        let starting_dispatch = StartDispatch::new(self.dispatcher)?;
        let worker = self.worker_name();
        let (ours, theirs) = socket::pair()?;
        let mut command = self.command();
        command
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        // A Ctrl-C in the terminal is for the host, which ends its workers as it ends.
        command.process_group(0);
        let child = command.spawn().map_err(|source| SpawnError::Program {
            program: self.program.clone(),
            source,
        })?;
        // The command owns the child's end of the socket.
        drop(command);
        let log = Log::new(Arc::clone(&worker), self.sink.clone());
        let process = WorkerProcess::new(child, log)?;
        let starting = Starting {
            worker: Arc::clone(&worker),
            program: self.program,
            limit: self.startup_timeout,
            dispatcher: self.dispatcher,
            segments: self.segments,
            start_dispatch: starting_dispatch,
            socket: Socket::new(ours),
        };
        let (sender, receiver) = oneshot::channel();
        let thread = thread::Builder::new().name(format!("reedbed {worker}"));
        thread.spawn(move || starting.run(process, sender))?;
        Ok(receiver)
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
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        command
    }
}

/// What a dispatcher needs of the thread that asked for it.
#[derive(Debug)]
pub(crate) enum StartDispatch {
    Reedbed,
    Tarpc(tokio::runtime::Handle),
}

impl StartDispatch {
    pub(crate) fn new(dispatcher: Dispatcher) -> Result<Self, SpawnError> {
        match dispatcher {
            Dispatcher::Reedbed => Ok(Self::Reedbed),
            Dispatcher::Tarpc => tokio::runtime::Handle::try_current()
                .map(Self::Tarpc)
                .map_err(|_| SpawnError::NoRuntime),
        }
    }

    fn start(self, channel: &Arc<Channel>, calls: &Arc<Calls>) -> Box<dyn Dispatch> {
        match self {
            Self::Reedbed => Box::new(OwnDispatch {
                channel: Arc::clone(channel),
            }),
            Self::Tarpc(runtime) => Box::new(TarpcDispatch::start(
                runtime,
                Arc::clone(channel),
                Arc::clone(calls),
            )),
        }
    }
}

/// A worker that is not ready yet.
pub(crate) struct Starting {
    pub(crate) worker: Arc<str>,
    pub(crate) program: PathBuf,
    pub(crate) limit: Duration,
    pub(crate) dispatcher: Dispatcher,
    pub(crate) segments: Segments,
    pub(crate) start_dispatch: StartDispatch,
    pub(crate) socket: Socket,
}

impl Starting {
    fn run(
        self,
        mut process: WorkerProcess,
        ready: oneshot::Sender<Result<Incumbent, SpawnError>>,
    ) {
        let welcome = self.hello(&mut process);
        let id = process.id();
        let started = welcome.and_then(|welcome| Ok(self.connect(welcome, Some(id))?));
        match started {
            Ok((incumbent, exchange, control)) => {
                // If nobody waits any more, dropping it here has it stopped.
                drop(ready.send(Ok(incumbent)));
                Driver {
                    exchange,
                    control,
                    life: Life::Process(process),
                }
                .run();
            }
            Err(error) => {
                process.reap();
                drop(ready.send(Err(error)));
            }
        }
    }

    /// Exchanges the first messages with a process.
    fn hello(&self, process: &mut WorkerProcess) -> Result<Welcome, SpawnError> {
        let until = Instant::now() + self.limit;
        // Without it (an old kernel, a full table), the worker notices the host's end by the socket.
        let pidfd = pidfd_open(getpid(), PidfdFlags::empty()).ok();
        let pidfd = pidfd.as_ref().map(AsFd::as_fd);
        let (socket, worker) = (&self.socket, &self.worker);
        handshake::say_hello(socket, worker, self.dispatcher, self.segments, pidfd)
            .map_err(|error| self.error(error, process))?;
        loop {
            let read = handshake::try_read(&self.socket);
            match read {
                Ok(Some(Introduced { message, .. })) => return Ok(message),
                Ok(None) => {}
                Err(error) => return Err(self.error(error, process)),
            }
            process.read_output();
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(self.error(HandshakeError::TimedOut, process));
            }
            let mut fds = vec![PollFd::from_borrowed_fd(self.socket.as_fd(), PollFlags::IN)];
            fds.extend(
                process
                    .fds()
                    .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)),
            );
            handshake::poll(&mut fds, Some(left))?;
        }
    }

    fn error(&self, error: HandshakeError, process: &mut WorkerProcess) -> SpawnError {
        let (worker, program) = (self.worker.to_string(), self.program.clone());
        match error {
            HandshakeError::EndOfFile => {
                // The socket closes a moment before the process is gone.
                let mut fds: Vec<_> = Vec::new();
                fds.extend(
                    process
                        .fds()
                        .take(1)
                        .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)),
                );
                let _ = handshake::poll(&mut fds, Some(Duration::from_secs(1)));
                drop(fds);
                let reason = process.reap();
                let end = WorkerEnd::new(reason, process.log.last_lines());
                SpawnError::Ended {
                    worker,
                    program,
                    end,
                }
            }
            HandshakeError::TimedOut => SpawnError::TimedOut {
                worker,
                program,
                limit: self.limit,
            },
            HandshakeError::Unreadable(reason) => SpawnError::Incompatible {
                worker,
                program,
                reason: reason.to_string(),
            },
            HandshakeError::Io(error) => SpawnError::System(error),
        }
    }

    /// Makes a worker of a socket over which both sides have introduced themselves.
    pub(crate) fn connect(
        self,
        welcome: Welcome,
        id: Option<u32>,
    ) -> std::io::Result<(Incumbent, Arc<Exchange>, Arc<Control>)> {
        let limits = Limits::OURS.negotiate(welcome.limits);
        let channel = Channel::new(self.socket, limits, self.segments, true)?;
        let calls = Arc::new(Calls::new(limits.n_calls as usize));
        let dispatch = self.start_dispatch.start(&channel, &calls);
        let exchange = Exchange::new(channel, calls, dispatch);
        let control = Arc::new(Control::default());
        let stop = StopOnDrop::new(Arc::clone(&exchange), Arc::clone(&control));
        let connection = Connection::new(self.worker, Arc::clone(&exchange), welcome.modules, stop);
        let incumbent = Incumbent {
            connection: Arc::new(connection),
            control: Arc::clone(&control),
            id,
        };
        Ok((incumbent, exchange, control))
    }
}

/// Starts a worker on a thread of this process.
pub(crate) fn start_in_process(
    modules: &[Module],
    dispatcher: Dispatcher,
) -> Result<Incumbent, SpawnError> {
    let start_dispatch = StartDispatch::new(dispatcher)?;
    let worker: Arc<str> = "in process".into();
    let (ours, theirs) = socket::pair()?;
    let starting = Starting {
        worker: Arc::clone(&worker),
        program: PathBuf::from("in process"),
        limit: STARTUP_TIMEOUT,
        dispatcher,
        segments: kind::segments(),
        start_dispatch,
        socket: Socket::new(ours),
    };
    handshake::say_hello(
        &starting.socket,
        &worker,
        dispatcher,
        starting.segments,
        None,
    )
    .map_err(|error| in_process_error(&worker, &error))?;
    let server = serve::start_thread(Socket::new(theirs), modules)?;
    let Introduced {
        message: welcome, ..
    } = handshake::read(&starting.socket, STARTUP_TIMEOUT)
        .map_err(|error| in_process_error(&worker, &error))?;
    let (incumbent, exchange, control) = starting.connect(welcome, None)?;
    let driver = Driver {
        exchange,
        control,
        life: Life::Thread(Some(server)),
    };
    thread::Builder::new()
        .name("reedbed in process".to_owned())
        .spawn(move || driver.run())?;
    Ok(incumbent)
}

fn in_process_error(worker: &str, error: &HandshakeError) -> SpawnError {
    SpawnError::Incompatible {
        worker: worker.to_owned(),
        program: PathBuf::from("in process"),
        reason: format!("{error:?}"),
    }
}
