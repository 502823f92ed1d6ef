//! A worker, as its host's clients hold it.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use super::error::FailureCause;
use super::exchange::Exchange;
use super::module::Method;
use super::pending::{Calls, Deadline};
use super::questions::Asker;
use crate::dynamic::Interfaces;
use crate::process::WorkerEnd;
use crate::process::crew::Roster;
use crate::process::post::Post;
use crate::process::succession::Staff;
use crate::segment::lease::Holder;
use crate::wire::handshake::ServedModule;

/// A worker, as its host calls it.
pub(crate) struct Connection {
    name: Arc<str>,
    exchange: Arc<Exchange>,
    modules: Vec<ServedModule>,
    /// What the worker has said of them.
    interfaces: Interfaces,
    /// Stops the worker when the last user of the connection is gone.
    _on_drop: Box<dyn Send + Sync>,
}

impl Connection {
    pub(crate) fn new(
        name: Arc<str>,
        exchange: Arc<Exchange>,
        modules: Vec<ServedModule>,
        on_drop: impl Send + Sync + 'static,
    ) -> Self {
        Self {
            name,
            exchange,
            modules,
            interfaces: Interfaces::default(),
            _on_drop: Box::new(on_drop),
        }
    }

    /// The worker's name.
    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// What the driver shares.
    pub(crate) fn exchange(&self) -> &Exchange {
        &self.exchange
    }

    /// The calls in flight.
    pub(crate) fn calls(&self) -> &Arc<Calls> {
        self.exchange.calls()
    }

    /// The modules that the worker said it serves.
    pub(crate) fn modules(&self) -> &[ServedModule] {
        &self.modules
    }

    /// What the worker has said of its modules.
    pub(crate) fn interfaces(&self) -> &Interfaces {
        &self.interfaces
    }

    /// Asks the worker what a module consists of; `None` if it doesn't serve it.
    pub(crate) fn ask(&self, module: &str, deadline: Deadline) -> Result<Option<Asker>, WorkerEnd> {
        // It has named its modules. About others there is nothing to be asked, and no end of names.
        let is_served = self.modules.iter().any(|served| served.name == module);
        is_served
            .then(|| self.exchange.ask(module, deadline))
            .transpose()
    }

    /// Whom the leases of a call are held by.
    pub(crate) fn holder(&self, method: &Method) -> Holder {
        Holder::Call {
            worker: Arc::clone(&self.name),
            module: method.module.clone(),
            function: method.function.clone(),
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// A module of a worker, ready to be called. Generated clients hold one.
#[derive(Clone, Debug)]
pub struct Caller {
    post: Arc<Post>,
    /// Who else could be called.
    roster: Option<Arc<Roster>>,
    forbids_copies: bool,
}

impl Caller {
    pub(crate) fn new(post: Arc<Post>) -> Self {
        Self {
            post,
            roster: None,
            forbids_copies: false,
        }
    }

    /// Calls whichever worker of a crew has the least to do.
    pub(crate) fn of_crew(roster: Arc<Roster>) -> Self {
        let post = Arc::clone(roster.least_busy());
        Self {
            roster: Some(roster),
            ..Self::new(post)
        }
    }

    /// Chooses a worker, for a call that was not sent yet.
    pub(crate) fn choose(&mut self) {
        if let Some(roster) = &self.roster {
            self.post = Arc::clone(roster.least_busy());
            if !self.post.has_successors() {
                self.settle();
            }
        }
    }

    /// Settles for the worker that was chosen.
    pub(crate) fn settle(&mut self) {
        self.roster = None;
    }

    /// Whether a call that wasn't sent waits for the next incumbent.
    pub(crate) fn has_successors(&self) -> bool {
        self.post.has_successors()
    }

    /// The deadline of calls that have none of their own.
    pub(crate) fn call_deadline(&self) -> Option<Duration> {
        self.post.call_deadline()
    }

    /// How long the worker may take to say what a module consists of, unless a call has a deadline.
    pub(crate) fn patience(&self) -> Duration {
        self.post.incumbent().patience
    }

    /// Waits until there is somebody to call; `Err` if nobody will come, or not in time.
    pub(crate) fn poll_staff(
        &self,
        cx: &Context<'_>,
        known: &Arc<Connection>,
        deadline: Deadline,
    ) -> Poll<Result<(), FailureCause>> {
        self.post
            .poll_staff(cx, known, deadline)
            .map(|staff| match (staff, deadline) {
                (Staff::Gone(end), _) => Err(FailureCause::WorkerGone { end }),
                (Staff::GivenUp(given_up), _) => Err(FailureCause::GivenUp { given_up }),
                (Staff::TooLate, Some((_, limit))) => Err(FailureCause::DeadlineExceeded {
                    limit,
                    was_sent: false,
                }),
                (Staff::Present, _) | (Staff::TooLate, None) => Ok(()),
            })
    }

    /// Makes all calls fail, before anything is sent, that would have to copy an array argument.
    #[must_use]
    pub fn forbid_copies(self) -> Self {
        Self {
            forbids_copies: true,
            ..self
        }
    }

    /// The worker's name.
    pub(crate) fn worker(&self) -> &Arc<str> {
        self.post.name()
    }

    /// Tells whether both call the same worker.
    pub(crate) fn is_of_worker(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.post, &other.post)
    }

    /// The connection to the worker as it is now; another one after a restart.
    pub(crate) fn connection(&self) -> Arc<Connection> {
        self.post.connection()
    }

    pub(crate) fn forbids_copies(&self) -> bool {
        self.forbids_copies
    }
}
