//! What a host holds of a worker.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::builder::WorkerBuilder;
use super::driver::Control;
use super::end::WorkerEnd;
use super::error::{ImportError, RestartError, SpawnError};
use super::post::{Post, Recipe};
use crate::call::connection::Caller;
use crate::call::exchange::Exchange;
use crate::call::module::{Module, Stub};
use crate::dynamic::{Arguments, DynamicCall, Interface};
use crate::segment::stranger::Stranger;
use crate::wire::handshake::{ChannelKind, Dispatcher, Trust};
use crate::wire::schema::ModuleSchema;

/// How long a worker that nobody uses any more may take to finish and exit, unless
/// [`shutdown_grace`](crate::WorkerBuilder::shutdown_grace) says otherwise.
pub(super) const GRACE_ON_DROP: Duration = Duration::from_secs(2);

/// A worker: a process (or, for tests, a thread) that serves modules.
///
/// Clones, and the clients that [`import`](Self::import) makes, share the worker. When the last of
/// them is gone, the worker finishes the calls in flight and exits; if the host itself ends in any
/// way, so does the worker. What it has started, it takes along: see
/// [`WorkerBuilder`](WorkerBuilder#processes-that-a-worker-starts).
#[derive(Clone)]
pub struct Worker {
    post: Arc<Post>,
}

/// The bytes of all messages between a host and a worker. Arrays that cross by handle aren't in
/// them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes that this process sent.
    pub sent_bytes: u64,
    /// Bytes that it received.
    pub received_bytes: u64,
}

impl Worker {
    pub(crate) fn new(post: Arc<Post>) -> Self {
        Self { post }
    }

    pub(crate) fn post(&self) -> &Arc<Post> {
        &self.post
    }

    /// Starts `program`, which serves its modules with `reedbed_worker::worker_main!`, and waits
    /// until it is ready.
    ///
    /// # Errors
    /// [`SpawnError`]; no process is left behind.
    ///
    /// # Cancel safety
    /// Dropped before the worker is ready, it has the worker stopped in the background.
    pub async fn spawn(program: impl Into<PathBuf>) -> Result<Self, SpawnError> {
        Self::builder(program).spawn().await
    }

    /// Sets up a worker that runs `program`: its arguments, environment, log and more.
    #[must_use]
    pub fn builder(program: impl Into<PathBuf>) -> WorkerBuilder {
        WorkerBuilder::new(program.into())
    }

    /// Starts this very program again, as a worker. Its `main` begins with
    /// `reedbed_worker::init![..]`, which names the modules.
    ///
    /// # Errors
    /// [`SpawnError::NotInitialised`] if it doesn't, [`SpawnError::Recursion`] in a worker that doesn't
    /// serve yet, and the others. (A function that a worker serves may do it.)
    ///
    /// # Cancel safety
    /// As [`spawn`](Self::spawn).
    pub async fn spawn_self() -> Result<Self, SpawnError> {
        Self::builder_of_self().spawn().await
    }

    /// Sets up a worker that runs this very program (see [`spawn_self`](Self::spawn_self)).
    #[must_use]
    pub fn builder_of_self() -> WorkerBuilder {
        WorkerBuilder::of_self()
    }

    /// Has the stock worker load a module library (`libsegmentation.so`, see
    /// `reedbed_worker::export_modules!`) and serve its modules.
    ///
    /// The stock worker is the program `reedbed-worker`: the one that the environment variable
    /// `REEDBED_WORKER` names, or else one [beside](crate::program_beside) this program, or else
    /// one in `PATH`. [`builder`](Self::builder) with the arguments `--module libsegmentation.so`
    /// takes one from elsewhere.
    ///
    /// # Errors
    /// [`SpawnError::NoStockWorker`], [`SpawnError::Ended`] with the stock worker's own words if it
    /// can't load the library, and the others.
    ///
    /// # Cancel safety
    /// As [`spawn`](Self::spawn).
    pub async fn spawn_library(library: impl Into<PathBuf>) -> Result<Self, SpawnError> {
        Self::builder_of_library(library).spawn().await
    }

    /// Sets up a worker that loads a module library (see [`spawn_library`](Self::spawn_library)).
    /// The functions see the [arguments](WorkerBuilder::arg) that follow `--`; `--crate name`
    /// before that names the library's crate where the file's name doesn't.
    #[must_use]
    pub fn builder_of_library(library: impl Into<PathBuf>) -> WorkerBuilder {
        WorkerBuilder::of_library(library.into())
    }

    /// Serves modules on a thread of this process, over the same channel and by the same rules,
    /// for tests and debuggers. Only crashes are not kept apart.
    ///
    /// # Errors
    /// [`SpawnError::Modules`] if two modules share a name, and [`SpawnError::System`].
    pub async fn in_process(modules: &[Module]) -> Result<Self, SpawnError> {
        Self::in_process_over(modules, Dispatcher::default(), ChannelKind::default()).await
    }

    /// As [`in_process`](Self::in_process), with a dispatcher and a channel of choice.
    ///
    /// # Errors
    /// As [`in_process`](Self::in_process), and [`SpawnError::NoRuntime`].
    pub async fn in_process_over(
        modules: &[Module],
        dispatcher: Dispatcher,
        channel: ChannelKind,
    ) -> Result<Self, SpawnError> {
        let trust = Trust::Trusted;
        Self::in_process_with_trust(modules, trust, dispatcher, channel).await
    }

    /// As [`in_process_over`](Self::in_process_over), by the rules for a worker that is
    /// [trusted](Trust) so far or not. A thread can do what it likes with its process's memory, so this keeps
    /// nothing from it; it shows what is shared and copied.
    ///
    /// # Errors
    /// As [`in_process_over`](Self::in_process_over).
    pub async fn in_process_with_trust(
        modules: &[Module],
        trust: Trust,
        dispatcher: Dispatcher,
        channel: ChannelKind,
    ) -> Result<Self, SpawnError> {
        let recipe = Recipe::Thread {
            modules: modules.to_vec(),
            dispatcher,
            kind: channel,
            stranger: (trust == Trust::Untrusted).then(Stranger::new),
        };
        recipe.start().await.map(Self::new)
    }

    /// Makes the client of a module that the worker serves, after comparing what both sides know of
    /// it.
    ///
    /// # Errors
    /// [`ImportError`] if the worker serves no such module, or other signatures, or doesn't say in time
    /// which ones.
    ///
    /// # Cancel safety
    /// Dropping it changes nothing.
    pub async fn import<S: Stub>(&self) -> Result<S, ImportError> {
        self.post.import::<S>().await?;
        Ok(S::from_caller(Caller::new(Arc::clone(&self.post))))
    }

    /// Returns what a module consists of; `None` if the worker serves no such module. The worker is asked
    /// once for each module, and while it hasn't said, all who ask wait for the same answer, each for as long
    /// as the worker's [call deadline](crate::WorkerBuilder::call_deadline), or, without one, its
    /// [startup timeout](crate::WorkerBuilder::startup_timeout).
    ///
    /// # Errors
    /// [`ImportError::WorkerGone`], [`ImportError::TimedOut`].
    ///
    /// # Cancel safety
    /// Dropping it changes nothing.
    pub async fn describe(&self, module: &str) -> Result<Option<ModuleSchema>, ImportError> {
        let schema = self.post.incumbent().describe(module).await?;
        Ok(schema.map(Arc::unwrap_or_clone))
    }

    /// Returns what a module consists of, with its types taken apart; `None` if the worker serves no
    /// such module. The worker is asked once for each module.
    ///
    /// # Errors
    /// [`ImportError::WorkerGone`], [`ImportError::TimedOut`].
    ///
    /// # Cancel safety
    /// Dropping it changes nothing.
    pub async fn interface(&self, module: &str) -> Result<Option<Arc<Interface>>, ImportError> {
        let incumbent = self.post.incumbent();
        let interfaces = incumbent.connection.interfaces();
        if let Some(interface) = interfaces.get(module) {
            return Ok(Some(interface));
        }
        let schema = incumbent.describe(module).await?;
        Ok(schema.map(|schema| interfaces.note(module, &schema)))
    }

    /// Returns what all modules consist of: their functions, with documentation, arguments and
    /// types. Types that this version of reedbed doesn't know are
    /// [`Type::Other`](crate::dynamic::Type::Other).
    ///
    /// # Errors
    /// [`ImportError::WorkerGone`], [`ImportError::TimedOut`].
    ///
    /// # Cancel safety
    /// Dropping it changes nothing.
    pub async fn interfaces(&self) -> Result<Vec<Arc<Interface>>, ImportError> {
        let mut interfaces = Vec::new();
        for module in self.modules() {
            interfaces.extend(self.interface(&module).await?);
        }
        Ok(interfaces)
    }

    /// Calls a function that is known only by name, with arguments that are checked against the
    /// worker's description before anything is sent: see
    /// [`dynamic`](crate::dynamic).
    ///
    /// ```
    /// # use reedbed::{Worker, args, remote_module};
    /// # #[remote_module]
    /// # mod arithmetic {
    /// #     pub fn power(base: f64, exponent: i32) -> f64 { base.powi(exponent) }
    /// # }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> { futures::executor::block_on(async {
    /// # let worker = Worker::in_process(&[arithmetic::MODULE]).await?;
    /// let power = worker.call("arithmetic", "power", args![1.5, 2]).await?;
    /// assert_eq!(power.deserialize::<f64>()?, 2.25);
    /// let power = worker.call("arithmetic", "power", args!{ exponent: 2, base: 1.5 }).await?;
    /// # assert_eq!(power.deserialize::<f64>()?, 2.25);
    /// # Ok(()) }) }
    /// ```
    pub fn call<'a>(
        &self,
        module: &str,
        function: &str,
        arguments: Arguments<'a>,
    ) -> DynamicCall<'a> {
        let caller = Caller::new(Arc::clone(&self.post));
        DynamicCall::new(caller, module, function, arguments)
    }

    /// Returns the names of the modules that the worker serves.
    pub fn modules(&self) -> impl Iterator<Item = String> + use<> {
        let connection = self.post.connection();
        let names = connection
            .modules()
            .iter()
            .map(|module| module.name.clone());
        names.collect::<Vec<_>>().into_iter()
    }

    /// Returns the worker's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.post.name()
    }

    /// Returns the number of the worker's process, which another one has after a restart; `None` for
    /// a worker in this process.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.post.incumbent().id
    }

    /// Returns the bytes of all messages so far, since the last restart.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        let (sent_bytes, received_bytes) = self.post.connection().exchange().channel().traffic();
        Traffic {
            sent_bytes,
            received_bytes,
        }
    }

    /// Returns the number of calls in flight. A cancelled call counts until the worker has
    /// acknowledged that.
    #[must_use]
    pub fn n_calls_in_flight(&self) -> usize {
        self.post.connection().calls().len()
    }

    /// Has the worker finish the calls in flight and exit, and waits until it is gone. After
    /// `grace` it is sent SIGTERM, and half a second later SIGKILL. New calls are refused at once.
    ///
    /// # Cancel safety
    /// Dropping it doesn't take the request back.
    pub async fn shutdown(&self, grace: Duration) -> WorkerEnd {
        self.post.shut_down(grace).await
    }

    /// Starts the worker again, as it was set up the first time: a new process (or thread) in the
    /// place of the old one. If that still runs, it is shut down first, as by
    /// [`shutdown`](Self::shutdown). Returns how it ended.
    ///
    /// Clients that were imported before call the new process, whose modules are compared with what
    /// they know again. Calls in flight fail as at any worker's end, and what was lent to them for
    /// writing is poisoned. Instances are lost with the old process: their methods fail with
    /// [`InstanceLost`](crate::FailureCause::InstanceLost), and a client constructs new ones.
    ///
    /// Nothing else restarts a worker, unless it has a
    /// [restart policy](WorkerBuilder::restart_policy); what that has counted so far is forgotten.
    ///
    /// # Errors
    /// [`RestartError`]; the worker has then ended, and can be restarted again. Only what is missing in
    /// this program ([`SpawnError::NoRuntime`]) is found before the worker is asked to end, so that it
    /// runs on.
    ///
    /// # Cancel safety
    /// Dropped half way, it may leave the worker stopped, but never half started.
    pub async fn restart(&self, grace: Duration) -> Result<WorkerEnd, RestartError> {
        self.post.refill(grace).await
    }

    /// Waits until the worker has ended, for whatever reason, and all that its calls held is
    /// released.
    ///
    /// # Cancel safety
    /// Dropping it changes nothing.
    pub async fn ended(&self) -> WorkerEnd {
        self.post.incumbent().ended().await
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker")
            .field("name", &self.name())
            .field("id", &self.id())
            .finish_non_exhaustive()
    }
}

/// Stops a worker that nobody can call any more.
pub(crate) struct StopOnDrop {
    exchange: Arc<Exchange>,
    control: Arc<Control>,
    grace: Duration,
    /// The process that started the worker. A forked child holds a copy, and must not stop it.
    owner: u32,
}

impl StopOnDrop {
    pub(crate) fn new(exchange: Arc<Exchange>, control: Arc<Control>, grace: Duration) -> Self {
        Self {
            exchange,
            control,
            grace,
            owner: std::process::id(),
        }
    }
}

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        if std::process::id() == self.owner {
            self.control.stop(self.grace);
            self.exchange.channel().wake_driver();
        }
    }
}
