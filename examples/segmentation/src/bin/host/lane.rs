//! Workers that share the images, and are replaced when they die.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use reedbed::Worker;
use segmentation::nuclei::{Client, Options};
use segmentation::ways::{Called, Job, Segmented, Way, WayError};

use crate::Failure;

/// How long a worker that isn't needed any more may take to exit.
const GRACE: Duration = Duration::from_secs(2);

/// A worker, for as long as it lives, and then another.
pub(crate) struct Lane {
    number: usize,
    program: PathBuf,
    worker: Worker,
    nuclei: Client,
}

/// A worker's death, and that another is in its place.
pub(crate) struct Loss<'a> {
    /// What the call that was in flight failed with.
    pub(crate) error: &'a WayError,
    /// The image of that call, as the dead worker left it.
    pub(crate) job: &'a Job,
    /// The new worker's process.
    pub(crate) new_pid: Option<u32>,
    /// The time from the error to the new worker's being ready.
    pub(crate) replaced_in: Duration,
}

impl Lane {
    /// Starts a worker.
    pub(crate) async fn start(program: &Path, number: usize) -> Result<Self, Failure> {
        let worker = Worker::builder(program)
            .name(format!("worker {number}"))
            // The last lines come with the error, if a worker dies.
            .log(|_| {})
            .spawn()
            .await?;
        Ok(Self {
            number,
            program: program.to_owned(),
            nuclei: worker.import().await?,
            worker,
        })
    }

    /// Returns which lane it is, from 1.
    pub(crate) fn number(&self) -> usize {
        self.number
    }

    /// Returns the number of the worker's process.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.worker.id()
    }

    /// Returns the bytes of all messages to and from the worker of this moment.
    pub(crate) fn message_bytes(&self) -> u64 {
        let traffic = self.worker.traffic();
        traffic.sent_bytes + traffic.received_bytes
    }

    /// Returns what calls the worker of this moment.
    pub(crate) fn nuclei(&self) -> &Client {
        &self.nuclei
    }

    /// Segments an image. If the worker dies of it, another gets a second try, and `on_loss` hears
    /// of it in between.
    pub(crate) async fn segment(
        &mut self,
        way: Way,
        path: &Path,
        on_loss: impl Fn(&Loss<'_>),
    ) -> Result<(Called, Segmented), Failure> {
        let mut job = Job::prepare(way, path)?;
        let options = Options::default();
        let called = match job.call(&self.nuclei, &options).await {
            Err(error) if error.is_end_of_worker() => {
                let since = Instant::now();
                *self = Self::start(&self.program, self.number).await?;
                on_loss(&Loss {
                    error: &error,
                    job: &job,
                    new_pid: self.pid(),
                    replaced_in: since.elapsed(),
                });
                job.renew()?;
                job.call(&self.nuclei, &options).await?
            }
            called => called?,
        };
        let segmented = job.finish().ok_or("the segments lost their shape")?;
        Ok((called, segmented))
    }

    /// Has the worker exit, and waits until it has.
    pub(crate) async fn stop(self) {
        self.worker.shutdown(GRACE).await;
    }
}

/// Has every item treated by a lane that is free. Each lane has a thread, because images are
/// decoded and results written there, between the calls.
pub(crate) fn share<T: Sync>(
    lanes: Vec<Lane>,
    items: &[T],
    treat: impl Fn(&mut Lane, usize, &T) + Sync,
) {
    let next = AtomicUsize::new(0);
    let (next, treat) = (&next, &treat);
    thread::scope(|scope| {
        for mut lane in lanes {
            scope.spawn(move || {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(index) else { break };
                    treat(&mut lane, index, item);
                }
                futures::executor::block_on(lane.stop());
            });
        }
    });
}
