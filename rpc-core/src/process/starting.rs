//! From a socket to a worker that is ready: first messages, and whatever keeps them from being said.

use std::future::Future;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::thread;
use std::time::{Duration, Instant};

use futures::channel::oneshot;
use rustix::event::{PollFd, PollFlags};
use rustix::process::{PidfdFlags, getpid, pidfd_open};

use super::child::{Killer, WorkerProcess};
use super::driver::{Control, Driver, Life};
use super::end::WorkerEnd;
use super::error::SpawnError;
use super::post::Incumbent;
use super::serve;
use super::stuck::{Vigilance, Watch};
use super::worker::{GRACE_ON_DROP, StopOnDrop};
use crate::call::connection::Connection;
use crate::call::dispatch::{Dispatch, OwnDispatch};
use crate::call::exchange::Exchange;
use crate::call::module::Module;
use crate::call::pending::Calls;
use crate::call::tarpc::TarpcDispatch;
use crate::channel::handshake::{self, HandshakeError, Introduced};
use crate::channel::socket::{self, Socket};
use crate::channel::wait::WaitPolicy;
use crate::channel::{Channel, Rings, Terms};
use crate::segment::account::Account;
use crate::segment::kind::{self, Segments};
use crate::segment::stranger::Stranger;
use crate::wire::handshake::{ChannelKind, Dispatcher, Hello, Limits, Trust, Welcome};

/// How long a worker may take until it is ready, unless
/// [`startup_timeout`](crate::WorkerBuilder::startup_timeout) says otherwise.
pub(super) const STARTUP_TIMEOUT: Duration = Duration::from_secs(10);

/// The segments of a worker that isn't trusted which its host takes at a time: each has a descriptor
/// there. A worker that means well has few, because its results are copied and come back at once.
const STRANGERS_SEGMENTS: u32 = 1024;

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
                calls: Arc::clone(calls),
            }),
            Self::Tarpc(runtime) => Box::new(TarpcDispatch::start(
                runtime,
                Arc::clone(channel),
                Arc::clone(calls),
            )),
        }
    }
}

/// Whoever waits until a worker is ready. Dropped before, it has the process killed; the thread that
/// watches over it reaps it.
pub(super) struct Hatching {
    ready: oneshot::Receiver<Result<Incumbent, SpawnError>>,
    killer: Option<Killer>,
}

impl Hatching {
    pub(super) fn new(
        ready: oneshot::Receiver<Result<Incumbent, SpawnError>>,
        killer: Killer,
    ) -> Self {
        let killer = Some(killer);
        Self { ready, killer }
    }
}

impl Future for Hatching {
    type Output = Result<Incumbent, SpawnError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let ready = ready!(Pin::new(&mut self.ready).poll(cx));
        self.killer = None;
        let ended = |_| SpawnError::System(io::Error::other("the worker's driver thread ended"));
        Poll::Ready(ready.map_err(ended).flatten())
    }
}

impl Drop for Hatching {
    fn drop(&mut self) {
        if let Some(killer) = self.killer.take() {
            killer.kill();
        }
    }
}

/// A worker that is not ready yet.
pub(crate) struct Starting {
    pub(crate) worker: Arc<str>,
    pub(crate) program: PathBuf,
    pub(crate) limit: Duration,
    /// How long it may take afterwards to say what a module consists of.
    pub(crate) patience: Duration,
    pub(crate) dispatcher: Dispatcher,
    pub(crate) segments: Segments,
    /// Who it is, if it isn't trusted.
    pub(crate) stranger: Option<Stranger>,
    pub(crate) kind: ChannelKind,
    pub(crate) wait: WaitPolicy,
    pub(crate) shutdown_grace: Duration,
    pub(crate) vigilance: Vigilance,
    pub(crate) account: Arc<Account>,
    pub(crate) start_dispatch: StartDispatch,
    pub(crate) socket: Socket,
}

impl Starting {
    /// Waits until it is ready, tells whoever waits, and drives it to its end.
    pub(super) fn run(
        self,
        mut process: WorkerProcess,
        ready: oneshot::Sender<Result<Incumbent, SpawnError>>,
    ) {
        let welcome = self.hello(&mut process);
        let watch = Watch::new(self.vigilance);
        let id = process.id();
        let started = welcome.and_then(|(welcome, rings)| {
            let rings = handshake::open_rings(self.kind, &welcome, rings);
            let rings = rings
                .map_err(|reason| self.error(HandshakeError::Unreadable(reason), &mut process))?;
            Ok(self.connect(welcome, rings, Some(id))?)
        });
        match started {
            Ok((incumbent, exchange, control)) => {
                process.is_ready();
                // If nobody waits any more, dropping it here has it stopped.
                drop(ready.send(Ok(incumbent)));
                Driver {
                    exchange,
                    control,
                    life: Life::Process(Box::new(process)),
                    watch,
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
    fn hello(&self, process: &mut WorkerProcess) -> Result<(Welcome, Option<OwnedFd>), SpawnError> {
        // Beyond the clock's range, it may take as long as it likes.
        let until = Instant::now().checked_add(self.limit);
        // Without it (an old kernel, a full table), the worker notices the host's end by the socket.
        let pidfd = pidfd_open(getpid(), PidfdFlags::empty()).ok();
        let pidfd = pidfd.as_ref().map(AsFd::as_fd);
        self.say_hello(pidfd)
            .map_err(|error| self.error(error, process))?;
        loop {
            let read = handshake::try_read(&self.socket);
            match read {
                Ok(Some(Introduced {
                    message,
                    attachment,
                })) => return Ok((message, attachment)),
                // What it has started may hold its end of the socket open.
                Ok(None) if process.has_exited() => {
                    return Err(self.error(HandshakeError::EndOfFile, process));
                }
                Ok(None) => {}
                Err(error) => return Err(self.error(error, process)),
            }
            process.read_output();
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Err(self.error(HandshakeError::TimedOut, process));
            }
            let mut fds = vec![PollFd::from_borrowed_fd(self.socket.as_fd(), PollFlags::IN)];
            fds.extend(
                process
                    .fds()
                    .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)),
            );
            handshake::poll(&mut fds, left)?;
        }
    }

    fn say_hello(&self, pidfd: Option<BorrowedFd<'_>>) -> Result<(), HandshakeError> {
        let hello = Hello {
            limits: self.limits(),
            trust: match self.stranger {
                None => Trust::Trusted,
                Some(_) => Trust::Untrusted,
            },
            dispatcher: self.dispatcher,
            segments: self.segments as u32,
            wait: self.wait.number(),
            channels: handshake::channels_for(self.kind),
            worker: self.worker.to_string(),
        };
        handshake::say_hello(&self.socket, &hello, pidfd)
    }

    /// What this side takes.
    fn limits(&self) -> Limits {
        match self.stranger {
            None => Limits::OURS,
            Some(_) => Limits {
                n_segments: STRANGERS_SEGMENTS,
                ..Limits::OURS
            },
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
                let end = WorkerEnd::new(reason, process.log.last_lines())
                    .after_panic(process.log.last_panic());
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
        rings: Option<Rings>,
        id: Option<u32>,
    ) -> std::io::Result<(Incumbent, Arc<Exchange>, Arc<Control>)> {
        let limits = self.limits().negotiate(welcome.limits);
        let terms = Terms {
            limits,
            segments: self.segments,
            stranger: self.stranger,
            account: self.account,
            rings,
            wait: self.wait,
            keeps_descriptors: true,
        };
        let channel = Channel::new(self.socket, terms)?;
        let n_calls = limits.n_calls as usize;
        let calls = Calls::new(n_calls, limits.frame_bytes).watched(&self.vigilance);
        let calls = Arc::new(calls);
        let dispatch = self.start_dispatch.start(&channel, &calls);
        let exchange = Exchange::new(channel, calls, dispatch);
        let control = Arc::new(Control::default());
        let stop = StopOnDrop::new(
            Arc::clone(&exchange),
            Arc::clone(&control),
            self.shutdown_grace,
        );
        let connection = Connection::new(self.worker, Arc::clone(&exchange), welcome.modules, stop);
        let incumbent = Incumbent {
            connection: Arc::new(connection),
            control: Arc::clone(&control),
            id,
            patience: self.patience,
        };
        Ok((incumbent, exchange, control))
    }
}

/// Starts a worker on a thread of this process.
pub(crate) fn start_in_process(
    modules: &[Module],
    dispatcher: Dispatcher,
    kind: ChannelKind,
    stranger: Option<Stranger>,
) -> Result<Incumbent, SpawnError> {
    let start_dispatch = StartDispatch::new(dispatcher)?;
    let worker: Arc<str> = "in process".into();
    let (ours, theirs) = socket::pair()?;
    let starting = Starting {
        worker: Arc::clone(&worker),
        program: PathBuf::from("in process"),
        limit: STARTUP_TIMEOUT,
        patience: STARTUP_TIMEOUT,
        dispatcher,
        segments: match stranger {
            None => kind::segments(),
            Some(_) => Segments::Memfd,
        },
        stranger,
        kind,
        wait: WaitPolicy::default(),
        shutdown_grace: GRACE_ON_DROP,
        vigilance: Vigilance::default(),
        account: Account::unlimited(),
        start_dispatch,
        socket: Socket::new(ours),
    };
    starting
        .say_hello(None)
        .map_err(|error| in_process_error(&worker, &error))?;
    let server = serve::start_thread(Socket::new(theirs), modules)?;
    let Introduced {
        message: welcome,
        attachment,
    } = handshake::read(&starting.socket, STARTUP_TIMEOUT)
        .map_err(|error| in_process_error(&worker, &error))?;
    let rings = handshake::open_rings(kind, &welcome, attachment)
        .map_err(|reason| in_process_error(&worker, &HandshakeError::Unreadable(reason)))?;
    let (incumbent, exchange, control) = starting.connect(welcome, rings, None)?;
    let driver = Driver {
        exchange,
        control,
        life: Life::Thread(Some(server)),
        watch: Watch::new(Vigilance::default()),
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
