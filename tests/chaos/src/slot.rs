//! A worker, whichever process it is at the moment, and what is being done to it.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use reedbed::failpoint::Point;
use reedbed::{BlockingStub, ChannelKind, Dispatcher, LogLine, Trust, Worker, WorkerBuilder};

use crate::diary::{self, Diary};
use crate::served::{LedgerClient, control, work};

/// What a worker is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// What it is called.
    pub name: &'static str,
    /// Who matches calls and answers.
    pub dispatcher: Dispatcher,
    /// What carries the frames.
    pub channel: ChannelKind,
    /// How far it is trusted.
    pub trust: Trust,
}

impl Kind {
    /// The kinds that there are.
    pub const ALL: &[Self] = &[
        Self::new("ring, trusted", ChannelKind::Ring, Trust::Trusted),
        Self::new("ring, untrusted", ChannelKind::Ring, Trust::Untrusted),
        Self::new("socket, trusted", ChannelKind::Socket, Trust::Trusted),
        Self::new("socket, untrusted", ChannelKind::Socket, Trust::Untrusted),
        Self::new(
            "tarpc over a ring, trusted",
            ChannelKind::Ring,
            Trust::Trusted,
        )
        .over_tarpc(),
        Self::new(
            "tarpc over a socket, untrusted",
            ChannelKind::Socket,
            Trust::Untrusted,
        )
        .over_tarpc(),
    ];

    const fn new(name: &'static str, channel: ChannelKind, trust: Trust) -> Self {
        Self {
            name,
            dispatcher: Dispatcher::Reedbed,
            channel,
            trust,
        }
    }

    const fn over_tarpc(self) -> Self {
        Self {
            dispatcher: Dispatcher::Tarpc,
            ..self
        }
    }

    /// Whether arrays that are lent for writing are copied there and back.
    #[must_use]
    pub fn copies(self) -> bool {
        self.trust == Trust::Untrusted
    }

    fn builder(self) -> WorkerBuilder {
        Worker::builder_of_self()
            .dispatcher(self.dispatcher)
            .channel(self.channel)
            .trust(self.trust)
            .startup_timeout(Duration::from_secs(60))
            // Only the last lines matter, which errors have.
            .log(|_: LogLine<'_>| {})
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// A worker and its clients.
#[derive(Debug)]
pub struct Slot {
    /// Its place among the slots.
    pub index: usize,
    /// What it is like.
    pub kind: Kind,
    /// The worker.
    pub worker: Worker,
    /// Its functions.
    pub work: work::Client,
    /// The same, blocking.
    pub blocking: work::BlockingClient,
    /// Its service.
    pub ledger: LedgerClient,
    /// What is done to it.
    pub control: control::Client,
    /// What it writes down.
    pub diary: Diary,
    /// Counts what is done to it: odd while something is that may end its calls.
    disturbance: AtomicU64,
    /// Whether it is dead, and not started again yet.
    pub is_down: AtomicBool,
    /// The point at which the host kills it: its place in `Point::ALL`, from 1.
    aim: AtomicU64,
    /// How often the host gets there until then.
    aim_left: AtomicU64,
    /// When the host did so.
    aim_hit_at: AtomicU64,
}

impl Slot {
    /// Starts a worker, whose diary is in `folder`.
    ///
    /// # Errors
    /// As starting a worker, and importing what it serves.
    pub async fn start(
        index: usize,
        kind: Kind,
        folder: &Path,
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let path = folder.join(format!("{index}"));
        let diary = Diary::create(&path)?;
        let builder = kind.builder().name(name(index)).env(diary::VARIABLE, path);
        let worker = builder.spawn().await?;
        let work: work::Client = worker.import().await?;
        Ok(Self {
            index,
            kind,
            blocking: work::BlockingClient::from_async(work.clone()),
            work,
            ledger: worker.import().await?,
            control: worker.import().await?,
            worker,
            diary,
            disturbance: AtomicU64::new(0),
            is_down: AtomicBool::new(false),
            aim: AtomicU64::new(0),
            aim_left: AtomicU64::new(0),
            aim_hit_at: AtomicU64::new(0),
        })
    }

    /// What was done to the worker so far.
    pub fn disturbance(&self) -> Disturbance {
        Disturbance::at(self.disturbance.load(Ordering::SeqCst))
    }

    /// Notes that from now on its calls may be ended.
    pub fn disturb(&self) {
        if self.disturbance().is_calm() {
            self.disturbance.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Notes that from now on its calls may not be ended.
    pub fn calm(&self) {
        if !self.disturbance().is_calm() {
            self.disturbance.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Notes that it is dead, so that callers turn to others.
    pub fn is_found_dead(&self) {
        if !self.disturbance().is_calm() {
            self.is_down.store(true, Ordering::Relaxed);
        }
    }

    /// Has the host kill it when a thread of the host's gets to `point` with a call of it for the `nth`
    /// time.
    pub fn aim(&self, point: Point, nth: u64) {
        self.aim_hit_at.store(0, Ordering::SeqCst);
        self.aim_left.store(nth.max(1), Ordering::SeqCst);
        self.aim.store(number(point), Ordering::SeqCst);
    }

    /// Takes that back; tells when it was done, if it was.
    pub fn take_aim(&self) -> Option<u64> {
        self.aim.store(0, Ordering::SeqCst);
        Some(self.aim_hit_at.swap(0, Ordering::SeqCst)).filter(|at| *at > 0)
    }

    /// Notes that a thread of the host's has got to a point with a call of it.
    pub fn reached(&self, point: Point) {
        if self.aim.load(Ordering::SeqCst) == number(point)
            && self.aim_left.fetch_sub(1, Ordering::SeqCst) == 1
        {
            self.aim_hit_at.store(diary::now(), Ordering::SeqCst);
            // If it fails, its killer notices that it lives on.
            let _ = self.signal(rustix::process::Signal::KILL);
        }
    }

    /// Sends its process a signal.
    ///
    /// # Errors
    /// The kernel's, where there is no such process any more.
    pub fn signal(&self, signal: rustix::process::Signal) -> io::Result<()> {
        let id = self.worker.id().and_then(|id| i32::try_from(id).ok());
        let Some(pid) = id.and_then(rustix::process::Pid::from_raw) else {
            return Err(io::Error::from(io::ErrorKind::NotFound));
        };
        Ok(rustix::process::kill_process(pid, signal)?)
    }
}

/// The name of a slot's worker, and of the thread that drives it, after [`DRIVER`].
#[must_use]
pub fn name(index: usize) -> String {
    format!("chaos {index}")
}

/// What the name of a driver's thread begins with; the worker's name follows.
pub const DRIVER: &str = "reedbed chaos ";

fn number(point: Point) -> u64 {
    let mut all = Point::ALL.iter().zip(1..);
    all.find(|(other, _)| **other == point)
        .map_or(0, |(_, number)| number)
}

/// A moment in what is done to a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disturbance(u64);

impl Disturbance {
    /// The moment after so many changes, the first of which begins one.
    #[must_use]
    pub(crate) fn at(n_changes: u64) -> Self {
        Self(n_changes)
    }

    /// Tells whether calls must go well at this moment.
    #[must_use]
    pub fn is_calm(self) -> bool {
        self.0.is_multiple_of(2)
    }

    /// Tells whether calls must have gone well since an earlier moment.
    #[must_use]
    pub fn is_calm_since(self, earlier: Self) -> bool {
        earlier.is_calm() && self == earlier
    }
}
