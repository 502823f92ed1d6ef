//! A worker's post: what clients hold of it, whichever process fills it now.
//!
//! A [`Post`] is held by clients; its [`Seat`], which the incumbents take, also by the thread that
//! refills it of itself, if it has a restart policy (see [`succession`](super::succession)).

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

use super::builder::WorkerBuilder;
use super::driver::Control;
use super::end::WorkerEnd;
use super::error::{ImportError, RestartError, SpawnError};
use super::restart::RestartPolicy;
use super::starting::{self, StartDispatch};
use super::succession::{Staff, Succession};
use super::vacancy::Replacement;
use crate::call::connection::Connection;
use crate::call::module::{Module, Stub};
use crate::call::pending::Deadline;
use crate::call::questions::{Description, Undescribed};
use crate::segment::stranger::Stranger;
use crate::wire::handshake::{ChannelKind, Dispatcher};
use crate::wire::schema::ModuleSchema;

/// The process, or the thread, that fills a post.
#[derive(Clone)]
pub(crate) struct Incumbent {
    pub(crate) connection: Arc<Connection>,
    pub(crate) control: Arc<Control>,
    pub(crate) id: Option<u32>,
    /// How long it may take to say what a module consists of.
    pub(crate) patience: Duration,
}

impl Incumbent {
    /// Asks the worker to end, which gets `grace` for that.
    pub(crate) fn request_stop(&self, grace: Duration) {
        self.control.stop(grace);
        self.connection.exchange().channel().wake_driver();
    }

    /// Waits until the worker has ended.
    pub(crate) async fn ended(&self) -> WorkerEnd {
        std::future::poll_fn(|cx| self.control.poll_end(cx)).await
    }

    /// Asks the worker what a module consists of.
    pub(crate) async fn describe(&self, module: &str) -> Result<Description, ImportError> {
        let gone = |end| ImportError::WorkerGone {
            worker: self.connection.name().to_string(),
            module: module.to_owned(),
            end,
        };
        let limit = self.patience;
        // Beyond the clock's range, it may take as long as it likes.
        let deadline = Instant::now().checked_add(limit).map(|at| (at, limit));
        let Some(asker) = self.connection.ask(module, deadline).map_err(gone)? else {
            return Ok(None);
        };
        let exchange = self.connection.exchange();
        match std::future::poll_fn(|cx| exchange.poll_description(&asker, cx)).await {
            Ok(schema) => Ok(schema),
            Err(Undescribed::Refused(refusal)) => Err(ImportError::NotDescribed {
                worker: self.connection.name().to_string(),
                module: module.to_owned(),
                reason: refusal.to_string(),
            }),
            Err(Undescribed::Late { limit }) => Err(ImportError::TimedOut {
                worker: self.connection.name().to_string(),
                module: module.to_owned(),
                limit,
            }),
            Err(Undescribed::Gone(_)) => Err(gone(self.ended().await)),
        }
    }

    /// Checks that the worker serves what this program calls.
    async fn check(&self, ours: &ModuleSchema) -> Result<(), ImportError> {
        let (worker, module) = (self.connection.name().to_string(), ours.name.clone());
        let served = self.connection.modules();
        let Some(theirs) = served.iter().find(|served| served.name == module) else {
            let served = served.iter().map(|served| served.name.clone()).collect();
            return Err(ImportError::UnknownModule {
                worker,
                module,
                served,
            });
        };
        if theirs.schema == ours.hash() {
            return Ok(());
        }
        let differences = match self.describe(&module).await? {
            Some(theirs) => ours.differences(&theirs),
            None => vec!["it isn't served any more".to_owned()],
        };
        if differences.is_empty() {
            return Ok(());
        }
        Err(ImportError::SchemaMismatch {
            worker,
            module,
            differences,
        })
    }
}

/// How to start a worker again.
pub(crate) enum Recipe {
    Process(Box<WorkerBuilder>),
    Thread {
        modules: Vec<Module>,
        dispatcher: Dispatcher,
        kind: ChannelKind,
        /// Who it is, if it isn't trusted.
        stranger: Option<Stranger>,
    },
}

impl Recipe {
    /// Starts a worker and gives it a post.
    pub(crate) async fn start(self) -> Result<Arc<Post>, SpawnError> {
        let incumbent = self.follow().await?;
        let policy = self.restart_policy();
        let succession = (policy != RestartPolicy::Never).then(|| Succession::new(policy));
        let call_deadline = match &self {
            Self::Process(builder) => builder.chosen_call_deadline(),
            Self::Thread { .. } => None,
        };
        let seat = Arc::new(Seat {
            name: Arc::clone(incumbent.connection.name()),
            incumbent: RwLock::new(incumbent.clone()),
            recipe: self,
            imported: Mutex::default(),
            turn: futures::lock::Mutex::default(),
            succession,
        });
        if seat.succession.is_some() && !incumbent.control.take_seat(Arc::downgrade(&seat)) {
            // It has ended so soon that its driver knew of no seat.
            let end = incumbent.ended().await;
            if let Some(vacancy) = seat.bury(&incumbent.connection, &incumbent.control, &end) {
                thread::Builder::new().spawn(move || vacancy.fill())?;
            }
        }
        Ok(Arc::new(Post {
            seat,
            call_deadline,
        }))
    }

    fn restart_policy(&self) -> RestartPolicy {
        match self {
            Self::Process(builder) => builder.chosen_restart_policy(),
            Self::Thread { .. } => RestartPolicy::Never,
        }
    }

    /// What to say of a process that ended before anybody could call it.
    fn ended_early(&self, worker: &str, end: WorkerEnd) -> SpawnError {
        let program = match self {
            Self::Process(builder) => builder.program().to_owned(),
            Self::Thread { .. } => PathBuf::from("in process"),
        };
        let worker = worker.to_owned();
        SpawnError::Ended {
            worker,
            program,
            end,
        }
    }

    /// Checks what can be checked before the worker that runs is stopped.
    fn check(&self) -> Result<(), SpawnError> {
        let dispatcher = match self {
            Self::Process(builder) => builder.chosen_dispatcher(),
            Self::Thread { dispatcher, .. } => *dispatcher,
        };
        StartDispatch::new(dispatcher).map(drop)
    }

    pub(super) async fn follow(&self) -> Result<Incumbent, SpawnError> {
        match self {
            Self::Process(builder) => builder.as_ref().clone().start_process().await,
            Self::Thread {
                modules,
                dispatcher,
                kind,
                stranger,
            } => starting::start_in_process(modules, *dispatcher, *kind, *stranger),
        }
    }
}

/// A worker as its clients know it, from one restart to the next.
pub(crate) struct Post {
    seat: Arc<Seat>,
    call_deadline: Option<Duration>,
}

/// The place that a worker's processes take, one after another.
pub(crate) struct Seat {
    pub(super) name: Arc<str>,
    incumbent: RwLock<Incumbent>,
    pub(super) recipe: Recipe,
    /// The modules that there are clients of, as this program knows them.
    imported: Mutex<Vec<ModuleSchema>>,
    /// Held while the worker is restarted.
    pub(super) turn: futures::lock::Mutex<()>,
    /// If the worker is started again of itself.
    pub(super) succession: Option<Arc<Succession>>,
}

impl Post {
    /// The worker's name.
    pub(crate) fn name(&self) -> &Arc<str> {
        &self.seat.name
    }

    /// The deadline of calls that have none of their own.
    pub(crate) fn call_deadline(&self) -> Option<Duration> {
        self.call_deadline
    }

    /// Who fills it now.
    pub(crate) fn incumbent(&self) -> Incumbent {
        self.seat.incumbent()
    }

    /// The connection of who fills it now.
    pub(crate) fn connection(&self) -> Arc<Connection> {
        self.seat.connection()
    }

    /// Whether who filled it has ended, and nobody else fills it yet.
    pub(crate) fn is_vacant(&self) -> bool {
        self.connection().calls().end().is_some()
    }

    /// Whether it is refilled of itself, so that calls wait for the next incumbent.
    pub(crate) fn has_successors(&self) -> bool {
        self.seat.succession.is_some()
    }

    /// Whether it is vacant for good, unless it is refilled by hand.
    pub(crate) fn is_given_up(&self) -> bool {
        let succession = self.seat.succession.as_ref();
        succession.is_none_or(|succession| succession.is_settled()) && self.is_vacant()
    }

    /// Waits until there is somebody to call, who may be another one than the caller knows.
    pub(crate) fn poll_staff(
        &self,
        cx: &Context<'_>,
        known: &Arc<Connection>,
        deadline: Deadline,
    ) -> Poll<Staff> {
        let Some(succession) = &self.seat.succession else {
            return Poll::Ready(Staff::Present);
        };
        let channel = known.exchange().channel();
        if succession.is_settled() && !channel.is_closed() {
            return Poll::Ready(Staff::Present);
        }
        succession.poll_staff(
            cx,
            deadline,
            || !Arc::ptr_eq(known, &self.connection()),
            || channel.is_closed(),
            || known.calls().end(),
        )
    }

    /// Checks that the worker serves the module, now and after every restart.
    pub(crate) async fn import<S: Stub>(&self) -> Result<(), ImportError> {
        let seat = &self.seat;
        let ours = S::schema();
        loop {
            let incumbent = seat.incumbent();
            incumbent.check(&ours).await?;
            let mut imported = seat.imported();
            if !imported.contains(&ours) {
                imported.push(ours.clone());
            }
            drop(imported);
            // Whoever fills the post after this has been compared with the list.
            if Arc::ptr_eq(&incumbent.connection, &seat.connection()) {
                return Ok(());
            }
        }
    }

    /// Stops the worker, if it hasn't ended, and fills the post anew.
    pub(crate) async fn refill(&self, grace: Duration) -> Result<WorkerEnd, RestartError> {
        let seat = &self.seat;
        let mut by_hand = seat.begin_by_hand();
        let _turn = seat.turn.lock().await;
        seat.recipe.check()?;
        let before = seat.incumbent();
        before.request_stop(grace);
        let end = before.ended().await;
        let incumbent = seat.recipe.follow().await?;
        seat.appoint(incumbent, by_hand.as_mut()).await?;
        Ok(end)
    }

    /// Has the worker end, and nobody come after it; waits for that.
    pub(crate) async fn shut_down(&self, grace: Duration) -> WorkerEnd {
        if let Some(succession) = &self.seat.succession {
            succession.close();
        }
        // Nobody else fills the post from now on.
        let incumbent = self.incumbent();
        incumbent.request_stop(grace);
        incumbent.ended().await
    }
}

impl Drop for Post {
    fn drop(&mut self) {
        if let Some(succession) = &self.seat.succession {
            succession.abandon();
        }
    }
}

impl Seat {
    fn incumbent(&self) -> Incumbent {
        let incumbent = self.incumbent.read();
        incumbent.unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn connection(&self) -> Arc<Connection> {
        let incumbent = self.incumbent.read();
        let incumbent = incumbent.unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&incumbent.connection)
    }

    fn imported(&self) -> MutexGuard<'_, Vec<ModuleSchema>> {
        // No critical section can panic half way.
        self.imported.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has a worker that is ready fill the post, once it was compared with all imported modules.
    pub(super) async fn appoint(
        self: &Arc<Self>,
        incumbent: Incumbent,
        mut by_hand: Option<&mut Replacement>,
    ) -> Result<(), RestartError> {
        if self.succession.is_some() {
            // First of all, so that its driver tells when it ends.
            incumbent.control.take_seat(Arc::downgrade(self));
        }
        let mut n_checked = 0;
        loop {
            match self.fill(&incumbent, n_checked, by_hand.as_deref_mut()) {
                Ok(()) => return Ok(()),
                Err(Unfit::Unchecked(added)) => {
                    for module in &added {
                        incumbent.check(module).await?;
                    }
                    n_checked += added.len();
                }
                Err(Unfit::Ended) => {
                    let end = incumbent.ended().await;
                    return Err(self.recipe.ended_early(&self.name, end).into());
                }
            }
        }
    }

    /// Has `incumbent` fill the post, if it was compared with all imported modules and not only the
    /// first `n_checked`.
    fn fill(
        &self,
        incumbent: &Incumbent,
        n_checked: usize,
        by_hand: Option<&mut Replacement>,
    ) -> Result<(), Unfit> {
        let replace = || {
            let place = self.incumbent.write();
            let mut place = place.unwrap_or_else(PoisonError::into_inner);
            let unchecked = self.imported()[n_checked..].to_vec();
            if !unchecked.is_empty() {
                return Err(Unfit::Unchecked(unchecked));
            }
            if self.succession.is_some() && incumbent.control.is_buried() {
                // Its driver has found it in no seat, and won't come back.
                return Err(Unfit::Ended);
            }
            Ok(std::mem::replace(&mut *place, incumbent.clone()))
        };
        let replaced = match &self.succession {
            Some(succession) => succession.fill(by_hand.map(Replacement::by_hand), replace)?,
            None => Some(replace()?),
        };
        // The last user of a connection stops its worker, outside all locks.
        drop(replaced);
        Ok(())
    }
}

/// Why a worker that is ready doesn't fill a post yet, or at all.
enum Unfit {
    /// It was not compared with these modules.
    Unchecked(Vec<ModuleSchema>),
    /// It has ended meanwhile.
    Ended,
}

impl fmt::Debug for Post {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Post")
            .field("name", self.name())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seat")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
