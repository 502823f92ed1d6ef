//! A worker's post: what clients hold of it, whichever process fills it now.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use super::builder::WorkerBuilder;
use super::driver::Control;
use super::end::WorkerEnd;
use super::error::{ImportError, RestartError, SpawnError};
use super::starting::{self, StartDispatch};
use crate::call::connection::Connection;
use crate::call::module::{Module, Stub};
use crate::call::pending::Answer;
use crate::wire::handshake::{ChannelKind, Dispatcher};
use crate::wire::schema::ModuleSchema;

/// The process, or the thread, that fills a post.
#[derive(Clone)]
pub(crate) struct Incumbent {
    pub(crate) connection: Arc<Connection>,
    pub(crate) control: Arc<Control>,
    pub(crate) id: Option<u32>,
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
    pub(crate) async fn describe(&self, module: &str) -> Result<Option<ModuleSchema>, ImportError> {
        let gone = |end| ImportError::WorkerGone {
            worker: self.connection.name().to_string(),
            module: module.to_owned(),
            end,
        };
        let slot = self
            .connection
            .exchange()
            .describe(module, None)
            .map_err(gone)?;
        match std::future::poll_fn(|cx| slot.poll(cx)).await {
            Ok(Answer::Described(schema)) => Ok(schema),
            Ok(Answer::Returned { .. }) | Err(_) => Err(gone(self.ended().await)),
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
    },
}

impl Recipe {
    /// Starts a worker and gives it a post.
    pub(crate) async fn start(self) -> Result<Arc<Post>, SpawnError> {
        let incumbent = self.follow().await?;
        Ok(Arc::new(Post {
            name: Arc::clone(incumbent.connection.name()),
            incumbent: RwLock::new(incumbent),
            recipe: self,
            imported: Mutex::default(),
            turn: futures::lock::Mutex::default(),
        }))
    }

    /// Checks what can be checked before the worker that runs is stopped.
    fn check(&self) -> Result<(), SpawnError> {
        let dispatcher = match self {
            Self::Process(builder) => builder.chosen_dispatcher(),
            Self::Thread { dispatcher, .. } => *dispatcher,
        };
        StartDispatch::new(dispatcher).map(drop)
    }

    async fn follow(&self) -> Result<Incumbent, SpawnError> {
        match self {
            Self::Process(builder) => builder.as_ref().clone().start_process().await,
            Self::Thread {
                modules,
                dispatcher,
                kind,
            } => starting::start_in_process(modules, *dispatcher, *kind),
        }
    }
}

/// A worker as its clients know it, from one restart to the next.
pub(crate) struct Post {
    name: Arc<str>,
    incumbent: RwLock<Incumbent>,
    recipe: Recipe,
    /// The modules that there are clients of, as this program knows them.
    imported: Mutex<Vec<ModuleSchema>>,
    /// Held while the worker is restarted.
    turn: futures::lock::Mutex<()>,
}

impl Post {
    /// The worker's name.
    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Who fills it now.
    pub(crate) fn incumbent(&self) -> Incumbent {
        let incumbent = self.incumbent.read();
        incumbent.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The connection of who fills it now.
    pub(crate) fn connection(&self) -> Arc<Connection> {
        let incumbent = self.incumbent.read();
        let incumbent = incumbent.unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&incumbent.connection)
    }

    /// Whether who filled it has ended, and nobody else fills it yet.
    pub(crate) fn is_vacant(&self) -> bool {
        self.connection().calls().end().is_some()
    }

    /// Checks that the worker serves the module, now and after every restart.
    pub(crate) async fn import<S: Stub>(&self) -> Result<(), ImportError> {
        let ours = S::schema();
        loop {
            let incumbent = self.incumbent();
            incumbent.check(&ours).await?;
            let mut imported = self.imported();
            if !imported.contains(&ours) {
                imported.push(ours.clone());
            }
            drop(imported);
            // Whoever fills the post after this has been compared with the list.
            if Arc::ptr_eq(&incumbent.connection, &self.connection()) {
                return Ok(());
            }
        }
    }

    /// Stops the worker, if it hasn't ended, and fills the post anew.
    pub(crate) async fn refill(&self, grace: Duration) -> Result<WorkerEnd, RestartError> {
        let _turn = self.turn.lock().await;
        self.recipe.check()?;
        let before = self.incumbent();
        before.request_stop(grace);
        let end = before.ended().await;
        let incumbent = self.recipe.follow().await?;
        let mut n_checked = 0;
        while let Err(added) = self.fill(&incumbent, n_checked) {
            for module in &added {
                incumbent.check(module).await?;
            }
            n_checked += added.len();
        }
        Ok(end)
    }

    /// Has `incumbent` fill the post, if it was compared with all imported modules and not only the
    /// first `n_checked`; returns the others.
    fn fill(&self, incumbent: &Incumbent, n_checked: usize) -> Result<(), Vec<ModuleSchema>> {
        let place = self.incumbent.write();
        let mut place = place.unwrap_or_else(PoisonError::into_inner);
        let unchecked = self.imported()[n_checked..].to_vec();
        if !unchecked.is_empty() {
            return Err(unchecked);
        }
        let before = std::mem::replace(&mut *place, incumbent.clone());
        drop(place);
        drop(before);
        Ok(())
    }

    fn imported(&self) -> MutexGuard<'_, Vec<ModuleSchema>> {
        // No critical section can panic half way.
        self.imported.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Post {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Post")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
