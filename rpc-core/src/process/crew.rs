//! Several workers that serve the same modules, called as one.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::{join_all, try_join_all};

use super::builder::WorkerBuilder;
use super::end::WorkerEnd;
use super::error::{ImportError, RestartError, SpawnError};
use super::post::Post;
use super::worker::Worker;
use crate::call::connection::Caller;
use crate::call::module::{Module, Stub};

/// Several workers that serve the same modules. Their clients call whichever has the fewest calls
/// in flight.
///
/// ```
/// # #[reedbed::remote_module]
/// # mod tiles {
/// #     use reedbed::ndarray::ArrayView2;
/// #     pub fn total(#[ndarray] tile: ArrayView2<'_, u16>) -> u64 {
/// #         tile.iter().copied().map(u64::from).sum()
/// #     }
/// # }
/// # fn main() -> Result<(), Box<dyn std::error::Error>> { futures::executor::block_on(async {
/// use futures::future::try_join_all;
/// use reedbed::ndarray::{Ix2, s};
/// use reedbed::{Crew, Tensor};
///
/// let crew = Crew::in_process(&[tiles::MODULE], 2).await?; // or `Crew::spawn(builder, 2)`
/// let tiles = crew.import::<tiles::Client>().await?;
///
/// let image = Tensor::<u16, Ix2>::from_elem((4, 6), 1)?;
/// let totals = (0..4).map(|row| tiles.total(image.slice(s![row..=row, ..])));
/// let totals = try_join_all(totals).await?;
/// assert_eq!(totals, [6; 4]);
/// # Ok(()) }) }
/// ```
///
/// A call goes to a worker when it is first polled (or waited for), and stays with it. An instance
/// lives in the worker that made it, and its methods are called there. A worker that has ended gets
/// no call, as long as there is another one; the calls that it had fail as they do with any worker,
/// and [`restart_ended`](Self::restart_ended) puts a new process in its place, or its
/// [restart policy](WorkerBuilder::restart_policy) does.
///
/// Clones, and the clients, share the workers. When the last of them is gone, the workers finish
/// the calls in flight and exit.
#[derive(Clone)]
pub struct Crew {
    workers: Arc<[Worker]>,
    roster: Arc<Roster>,
}

impl Crew {
    /// Starts `n` workers (at least one) that are set up alike, all at once, and waits until they are
    /// ready. Their names have a number each: `cells 1`, `cells 2`.
    ///
    /// Where they differ, in a variable of the environment for example, start them one by one: see
    /// [`of`](Self::of).
    ///
    /// # Errors
    /// [`SpawnError`], if one of them doesn't start; no process is left behind.
    ///
    /// # Cancel safety
    /// As [`WorkerBuilder::spawn`].
    pub async fn spawn(builder: WorkerBuilder, n: usize) -> Result<Self, SpawnError> {
        let workers = (1..=n.max(1)).map(|number| builder.numbered(number).spawn());
        try_join_all(workers).await.map(Self::with)
    }

    /// Serves modules on `n` threads (at least one) of this process, as
    /// [`Worker::in_process`] does on one, for tests and debuggers.
    ///
    /// # Errors
    /// As [`Worker::in_process`].
    pub async fn in_process(modules: &[Module], n: usize) -> Result<Self, SpawnError> {
        let workers = (0..n.max(1)).map(|_| Worker::in_process(modules));
        try_join_all(workers).await.map(Self::with)
    }

    /// Makes a crew of workers that run already; `None` if there is none.
    #[must_use]
    pub fn of(workers: impl IntoIterator<Item = Worker>) -> Option<Self> {
        let workers: Vec<_> = workers.into_iter().collect();
        (!workers.is_empty()).then(|| Self::with(workers))
    }

    fn with(workers: Vec<Worker>) -> Self {
        let posts = workers.iter().map(|worker| Arc::clone(worker.post()));
        Self {
            roster: Arc::new(Roster {
                posts: posts.collect(),
                turn: AtomicUsize::new(0),
            }),
            workers: workers.into(),
        }
    }

    /// Makes the client of a module that the workers serve, after comparing what all sides know of
    /// it.
    ///
    /// # Errors
    /// [`ImportError`] if one of the workers serves no such module, or other signatures.
    ///
    /// # Cancel safety
    /// Dropping it changes nothing.
    pub async fn import<S: Stub>(&self) -> Result<S, ImportError> {
        try_join_all(self.roster.posts.iter().map(|post| post.import::<S>())).await?;
        Ok(S::from_caller(Caller::of_crew(Arc::clone(&self.roster))))
    }

    /// Returns the workers, each of which can be used by itself.
    #[must_use]
    pub fn workers(&self) -> &[Worker] {
        &self.workers
    }

    /// Returns the number of calls in flight, in all workers.
    #[must_use]
    pub fn n_calls_in_flight(&self) -> usize {
        self.workers.iter().map(Worker::n_calls_in_flight).sum()
    }

    /// Starts those workers again that have ended, all at once, as [`Worker::restart`] does; returns
    /// how they had ended. One that waits to be started again by its policy doesn't wait any longer.
    ///
    /// # Errors
    /// [`RestartError`] of the first that did not start; it can be restarted again, and the others
    /// may have been.
    ///
    /// # Cancel safety
    /// As [`Worker::restart`].
    pub async fn restart_ended(&self) -> Result<Vec<WorkerEnd>, RestartError> {
        let ended = self
            .workers
            .iter()
            .filter(|worker| worker.post().is_vacant());
        // There is nothing left to wait for.
        let restarts = join_all(ended.map(|worker| worker.restart(Duration::ZERO))).await;
        restarts.into_iter().collect()
    }

    /// Has all workers finish the calls in flight and exit, as [`Worker::shutdown`] does, and waits
    /// until they are gone. Returns how they ended, in the order of [`workers`](Self::workers).
    ///
    /// # Cancel safety
    /// Dropping it doesn't take the request back.
    pub async fn shutdown(&self, grace: Duration) -> Vec<WorkerEnd> {
        join_all(self.workers.iter().map(|worker| worker.shutdown(grace))).await
    }
}

impl fmt::Debug for Crew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Crew").field(&self.workers).finish()
    }
}

/// The posts of a crew, from which each call gets one.
pub(crate) struct Roster {
    /// At least one.
    posts: Vec<Arc<Post>>,
    /// Where to look first, so that workers with nothing to do take turns.
    turn: AtomicUsize,
}

impl Roster {
    /// The post with the fewest calls in flight; one whose worker has ended only if all have, and then
    /// rather one that is started again than one that isn't.
    pub(crate) fn least_busy(&self) -> &Arc<Post> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % self.posts.len();
        let (last, first) = self.posts.split_at(turn);
        let least = first.iter().chain(last).min_by_key(|post| {
            let n_calls = post.connection().calls().len();
            (post.is_given_up(), post.is_vacant(), n_calls)
        });
        // There is at least one.
        least.unwrap_or(&self.posts[0])
    }
}

impl fmt::Debug for Roster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.posts).finish()
    }
}
