//! How a process, or a thread, becomes a worker.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};
use rustix::net::SocketType;

use super::error::SpawnError;
use crate::call::module::Module;
use crate::call::server::{Runner, Served, Server};
use crate::channel::handshake::{self, HandshakeError, Introduced};
use crate::channel::socket::Socket;
use crate::channel::wait::WaitPolicy;
use crate::channel::{Arrival, Channel, Look, Terms, Violation};
use crate::segment::account::Account;
use crate::segment::budget;
use crate::segment::kind::{self, Segments};
use crate::wire::handshake::{Hello, Limits};

/// The argument by which a program knows that it was started as a worker of itself. Arguments,
/// unlike variables of the environment, are not passed on to a worker's own children.
pub(crate) const SELF_MARKER: &str = "--reedbed-worker";

/// The exit status of a process that could not serve and has said why on standard error:
/// `EX_SOFTWARE` of `sysexits.h`.
pub const CANNOT_SERVE: u8 = 70;

/// How long a worker waits for its host's first message.
const HELLO_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a worker whose channel was closed waits for its host to be dead, to tidy up after it.
#[cfg(feature = "posix-shm")]
const HOST_GRACE: Duration = Duration::from_millis(100);

/// Whether this program has said what it serves when it is run as a worker of itself.
static IS_INITIALISED: AtomicBool = AtomicBool::new(false);

/// Whether this program is a worker that got as far as serving. Run again, it gets there again.
static IS_SERVING: AtomicBool = AtomicBool::new(false);

/// Why a process can't serve, or has stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// It was started by hand.
    #[error(
        "this program is a reedbed worker: a host starts it (`Worker::spawn`), and its standard input is the host's channel, which it isn't here"
    )]
    NotAWorker,
    /// The descriptor to serve on is something else.
    #[error(
        "the descriptor to serve on is no host's channel, which is a socket of the type SEQPACKET"
    )]
    NotAChannel,
    /// The host can't be understood.
    #[error("the host can't be understood: {0}")]
    Incompatible(String),
    /// The host was gone before the worker was ready.
    #[error("the host was gone before the worker was ready")]
    HostGone,
    /// The host broke the protocol.
    #[error("the host broke the protocol: it {0}")]
    Protocol(String),
    /// Two modules or functions can't be told apart.
    #[error("the modules can't be served together: {0}")]
    Modules(String),
    /// The system refused something.
    #[error("the system has no room for the worker")]
    System(#[from] io::Error),
}

/// How a worker process serves.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct ServeOptions {
    /// The threads that run asynchronous functions; by default, one for each processor.
    pub n_threads: Option<usize>,
}

/// Tells whether this process was started by [`Worker::spawn_self`](crate::Worker::spawn_self), and
/// allows it in this process otherwise. `reedbed_worker::init![..]` calls it.
///
/// A process that was started to launch a sandboxed worker becomes that, and doesn't return.
#[must_use]
pub fn is_started_as_worker() -> bool {
    #[cfg(feature = "sandbox")]
    super::sandbox::launch_if_asked();
    if has_marker() {
        return true;
    }
    IS_INITIALISED.store(true, Ordering::Relaxed);
    false
}

/// Tells whether this program, run again, gets to where it serves or launches.
#[cfg(feature = "sandbox")]
pub(crate) fn can_run_itself() -> bool {
    IS_INITIALISED.load(Ordering::Relaxed) || (has_marker() && IS_SERVING.load(Ordering::Relaxed))
}

fn has_marker() -> bool {
    std::env::args_os()
        .nth(1)
        .is_some_and(|argument| argument == SELF_MARKER)
}

/// Checks that this program can be run as a worker of itself.
///
/// A worker that doesn't serve yet must not start itself again, or each of them would start one more.
/// It is known by its first argument, and, should that have got lost on the way, by its standard
/// input, which is the channel until it serves.
pub(crate) fn check_self() -> Result<(), SpawnError> {
    let is_serving = IS_SERVING.load(Ordering::Relaxed);
    if !is_serving && (has_marker() || is_channel(io::stdin())) {
        return Err(SpawnError::Recursion);
    }
    if !is_serving && !IS_INITIALISED.load(Ordering::Relaxed) {
        return Err(SpawnError::NotInitialised);
    }
    Ok(())
}

/// Serves modules to the host that started this process, until the host has no more use for it.
///
/// The host's end of whatever kind ends this process too, in the middle of a call if need be.
/// Standard input becomes `/dev/null`; standard output and standard error are the program's own.
///
/// # Errors
/// [`ServeError`] if the process can't serve, or the host broke the protocol. The caller reports it
/// and exits.
pub fn serve_inherited(modules: &[Module], options: ServeOptions) -> Result<(), ServeError> {
    let channel = inherited_channel()?;
    IS_SERVING.store(true, Ordering::Relaxed);
    serve_channel(channel, modules, options)
}

/// Takes the channel that this process inherited as its standard input, which becomes `/dev/null`.
///
/// # Errors
/// [`ServeError::NotAWorker`] if no host started this process, and [`ServeError::System`].
pub fn inherited_channel() -> Result<OwnedFd, ServeError> {
    let stdin = io::stdin();
    if !is_channel(&stdin) {
        return Err(ServeError::NotAWorker);
    }
    let channel = stdin.as_fd().try_clone_to_owned()?;
    let null = std::fs::File::open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null).map_err(io::Error::from)?;
    #[cfg(feature = "sandbox")]
    super::sandbox::close_behind()?;
    Ok(channel)
}

/// As [`serve_inherited`], on a channel that was [taken](inherited_channel) already: by the program
/// that has loaded this code as a library, say.
///
/// # Errors
/// As [`serve_inherited`], and [`ServeError::NotAChannel`].
pub fn serve_channel(
    channel: OwnedFd,
    modules: &[Module],
    options: ServeOptions,
) -> Result<(), ServeError> {
    if !is_channel(&channel) {
        return Err(ServeError::NotAChannel);
    }
    #[cfg(feature = "failpoints")]
    crate::failpoint::arm_from_environment();
    let socket = Socket::new(channel);
    let served = Served::new(modules).map_err(ServeError::Modules)?;
    let Introduced {
        message: hello,
        attachment: host,
    } = handshake::read_hello(&socket, HELLO_TIMEOUT).map_err(refusal)?;

    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.thread_name("reedbed call").enable_time();
    if let Some(n_threads) = options.n_threads {
        builder.worker_threads(n_threads.max(1));
    }
    let runtime = builder.build()?;
    let segments = Segments::from_number(hello.segments).unwrap_or_default();
    budget::obey_host();
    // Whatever the functions make is to travel without a copy.
    kind::set(segments);
    #[cfg(feature = "posix-shm")]
    if segments == Segments::Named {
        crate::segment::named::leave_to_host();
    }
    let server = introduce(socket, served, runtime.handle(), &hello)?;
    let ended = thread::scope(|scope| {
        Runner::start(&server)?;
        let driver = thread::Builder::new().name("reedbed driver".to_owned());
        let serving = driver.spawn_scoped(scope, || match serve(&server, host.as_ref()) {
            Ok(End::HostGone) => {
                // Whatever the functions are doing, nobody wants it any more; and exit handlers of
                // foreign libraries must not hold the end up.
                #[cfg(feature = "posix-shm")]
                if segments == Segments::Named {
                    unlink_names(host.as_ref());
                }
                let _ = rustix::process::kill_process(
                    rustix::process::getpid(),
                    rustix::process::Signal::KILL,
                );
                Ok(())
            }
            Ok(End::Drained) => {
                #[cfg(feature = "posix-shm")]
                if segments == Segments::Named {
                    // What was moved to the host stays its own, name and all, beyond this process.
                    std::mem::forget(Arc::clone(server.channel()));
                }
                Ok(())
            }
            Err(Violation(what)) => Err(ServeError::Protocol(what)),
        })?;
        let panicked = |_| Err(io::Error::other("the worker's driver panicked").into());
        serving.join().unwrap_or_else(panicked)
    });
    // Functions that ignored their cancellation must not hold the exit up.
    runtime.shutdown_background();
    ended
}

/// Unlinks the names of this process, which is about to be killed, and those of its host, if that
/// is dead.
#[cfg(feature = "posix-shm")]
fn unlink_names(host: Option<&OwnedFd>) {
    use crate::segment::named;
    named::unlink_own();
    if let Some(host) = host {
        // A dying process closes its sockets a moment before it is dead.
        let mut fds = [PollFd::new(host, PollFlags::IN)];
        let _ = handshake::poll(&mut fds, Some(HOST_GRACE));
    }
    named::collect();
}

fn refusal(error: HandshakeError) -> ServeError {
    match error {
        HandshakeError::Unreadable(reason) => ServeError::Incompatible(reason.to_string()),
        HandshakeError::EndOfFile => ServeError::HostGone,
        HandshakeError::TimedOut => {
            ServeError::Incompatible(format!("it said nothing within {HELLO_TIMEOUT:?}"))
        }
        HandshakeError::Io(error) => ServeError::System(error),
    }
}

/// Tells whether a descriptor may be a channel. A terminal, a file, a pipe or a stream is none.
pub(crate) fn is_channel(fd: impl AsFd) -> bool {
    rustix::net::sockopt::socket_type(fd).is_ok_and(|kind| kind == SocketType::SEQPACKET)
}

/// Answers a host's first message.
fn introduce(
    socket: Socket,
    served: Served,
    runtime: &tokio::runtime::Handle,
    hello: &Hello,
) -> io::Result<Arc<Server>> {
    let (rings, segment) = handshake::offer_rings(hello).unzip();
    let terms = Terms {
        limits: Limits::OURS.negotiate(hello.limits),
        segments: Segments::from_number(hello.segments).unwrap_or_default(),
        // The host is trusted, whatever it thinks of this worker.
        stranger: None,
        account: Account::unlimited(),
        rings,
        wait: WaitPolicy::from_number(hello.wait),
        keeps_descriptors: false,
    };
    let channel = Channel::new(socket, terms)?;
    let modules = served.list();
    let server = Server::new(channel, served, runtime.clone(), hello.dispatcher);
    server.channel().welcome(segment.as_ref(), modules)?;
    Ok(server)
}

/// Why a server has stopped.
enum End {
    /// The host is gone.
    HostGone,
    /// The host wants no more calls, and the last one has ended.
    Drained,
}

/// Serves what the channel asks for. `host` is a descriptor that is readable once the host's
/// process has ended.
fn serve(server: &Arc<Server>, host: Option<&OwnedFd>) -> Result<End, Violation> {
    let channel = server.channel();
    loop {
        channel.clear_wake();
        if let Some(violation) = server.take_violation() {
            return Err(violation);
        }
        // Asked first: what is queued after that keeps it from being drained.
        let is_drained = server.is_drained();
        let backlog = channel.flush();
        let attention = server.watch_runner();
        // A runner that is about to read what there is needs no help with it.
        let earlier = |later| server.take_violation().unwrap_or(later);
        if attention.shall_read && !read_frames(server).map_err(earlier)? {
            // It may be this side that has closed the channel, for what it has just noticed.
            return server.take_violation().map_or(Ok(End::HostGone), Err);
        }
        if is_drained && backlog.is_nothing() {
            return Ok(End::Drained);
        }
        if server.is_drained() {
            // It was drained while the frames were read: once more round, to send the last ones.
            channel.wake_driver();
        }
        let mut fds = vec![PollFd::from_borrowed_fd(channel.wake_fd(), PollFlags::IN)];
        fds.extend(host.map(|host| PollFd::new(host, PollFlags::IN)));
        if attention.shall_read {
            fds.push(PollFd::from_borrowed_fd(channel.as_fd(), backlog.events()));
        }
        if handshake::poll(&mut fds, backlog.limit(attention.look_again)).is_err() {
            thread::yield_now();
        }
        if host
            .and(fds.get(1))
            .is_some_and(|host| host.revents().contains(PollFlags::IN))
        {
            return Ok(End::HostGone);
        }
    }
}

/// Reads all frames that are there; tells whether the host may send more.
fn read_frames(server: &Arc<Server>) -> Result<bool, Violation> {
    let mut lead = server.channel().lead();
    loop {
        match lead.receive(Look::Both)? {
            Arrival::Frame(frame) => server.accept(frame)?,
            Arrival::Nothing => match lead.leave() {
                Some(still) => lead = still,
                None => return Ok(true),
            },
            Arrival::Pause => {
                server.channel().wake_driver();
                return Ok(true);
            }
            Arrival::EndOfFile => return Ok(false),
        }
    }
}

/// Serves modules on a thread of this process. The thread ends when the host's end of `socket` is
/// closed and the last function has let go of its arguments.
pub(crate) fn start_thread(
    socket: Socket,
    modules: &[Module],
) -> Result<JoinHandle<()>, SpawnError> {
    let served = Served::new(modules).map_err(SpawnError::Modules)?;
    let run = move || {
        let introduced = handshake::read_hello(&socket, HELLO_TIMEOUT);
        let Ok(Introduced { message: hello, .. }) = introduced else {
            return;
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("reedbed call")
            .enable_time()
            .build();
        let Ok(runtime) = runtime else {
            return;
        };
        let Ok(server) = introduce(socket, served, runtime.handle(), &hello) else {
            return;
        };
        let runner = Runner::start(&server);
        if let Err(Violation(what)) = serve(&server, None) {
            tracing::error!(what, "the host of an in-process worker broke the protocol");
        }
        server.channel().close();
        server.stop();
        // It ends with the channel, when the function that it runs has returned.
        runner.ok().flatten().map(JoinHandle::join);
        server.channel().release_all(false);
        runtime.shutdown_background();
    };
    Ok(thread::Builder::new()
        .name("reedbed server".to_owned())
        .spawn(run)?)
}
