//! A thread that reads calls from the ring and runs functions itself, which spares the wake-up of
//! another one.
//!
//! While it runs a function, somebody else must read what comes: a cancellation, or a call that the
//! function waits for. So it leaves the lead before, and the channel's driver reads in its place,
//! woken by the host, and has further calls run elsewhere. When the function has returned, the runner
//! takes the lead again. Only where calls come so fast that the ring has more of them, and the function
//! is known to be short, the driver isn't woken for them: it *watches*, which means that it looks from
//! time to time whether the runner is stuck.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::{Begun, Job, Server};
use crate::channel::{Arrival, Lead, Look, Violation};
use crate::wire::frame::Frame;

/// How long a short function may keep the runner from reading before the driver does it.
const PATIENCE: Duration = Duration::from_millis(1);
/// After so many looks at a runner that was not crowded, the driver stops watching.
const CALM: u32 = 10;

/// What the runner and the driver tell each other.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// Counts the beginnings and the ends of functions on the runner: odd while one runs.
    turn: AtomicU64,
    /// The number of the function that runs there.
    function: AtomicU64,
    /// How often more calls were waiting.
    n_crowds: AtomicU64,
    /// Whether the driver looks from time to time.
    is_on: AtomicBool,
    /// What the driver saw when it last looked. Nobody else uses it.
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    turn: u64,
    n_crowds: u64,
    n_calm: u32,
}

impl Watch {
    fn is_on(&self) -> bool {
        self.is_on.load(Ordering::Relaxed)
    }

    /// Has the driver look from time to time; tells whether it must be woken for that.
    fn turn_on(&self) -> bool {
        fence(Ordering::SeqCst);
        !self.is_on.swap(true, Ordering::Relaxed)
    }

    fn crowd(&self) {
        // The runner alone writes it, and `turn`, and `function`.
        let n = self.n_crowds.load(Ordering::Relaxed);
        self.n_crowds.store(n + 1, Ordering::Relaxed);
    }

    fn begin(&self, function: u64) {
        self.function.store(function, Ordering::Relaxed);
        self.next_turn();
    }

    fn next_turn(&self) {
        let turn = self.turn.load(Ordering::Relaxed);
        self.turn.store(turn + 1, Ordering::Release);
    }
}

/// What the driver is to do next.
pub(crate) struct Attention {
    /// Whether it reads what is there.
    pub(crate) shall_read: bool,
    /// After how long it looks at the runner again.
    pub(crate) look_again: Option<Duration>,
}

impl Server {
    /// Tells the driver whether the runner needs its help. Only the driver calls it.
    pub(crate) fn watch_runner(&self) -> Attention {
        let watch = &self.watch;
        let mut seen = watch.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = watch.turn.load(Ordering::Acquire);
        let is_running = turn % 2 == 1;
        let is_same = turn == std::mem::replace(&mut seen.turn, turn);
        let pace = self.served.pace(watch.function.load(Ordering::Relaxed));
        if is_running && is_same && pace.is_short() && watch.is_on() {
            pace.is_stuck();
        }
        let shall_read = !is_running || !pace.is_short();
        if shall_read && !watch.is_on() {
            return Attention {
                shall_read,
                look_again: None,
            };
        }
        let n_crowds = watch.n_crowds.load(Ordering::Relaxed);
        let is_crowded = n_crowds != std::mem::replace(&mut seen.n_crowds, n_crowds);
        seen.n_calm = if is_crowded || !shall_read {
            0
        } else {
            seen.n_calm + 1
        };
        watch.is_on.store(seen.n_calm < CALM, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        // A crowd that came at this very moment relies on being watched.
        if watch.n_crowds.load(Ordering::Relaxed) != n_crowds {
            watch.is_on.store(true, Ordering::Relaxed);
        }
        Attention {
            shall_read,
            look_again: watch.is_on().then_some(PATIENCE),
        }
    }

    /// What the runner noticed that the driver has not heard of yet.
    pub(crate) fn take_violation(&self) -> Option<Violation> {
        let noticed = self.violation.lock();
        let noticed = noticed.unwrap_or_else(PoisonError::into_inner).take();
        noticed.or_else(|| self.channel.take_violation())
    }
}

/// The thread.
pub(crate) struct Runner {
    server: Arc<Server>,
}

impl Runner {
    /// Starts the thread, if the channel has rings. It ends when the channel is closed.
    ///
    /// # Errors
    /// The kernel's, where there is no room for a thread.
    pub(crate) fn start(server: &Arc<Server>) -> io::Result<Option<JoinHandle<()>>> {
        if !server.channel.has_rings() || server.tarpc.is_some() {
            return Ok(None);
        }
        let runner = Self {
            server: Arc::clone(server),
        };
        let thread = thread::Builder::new().name("reedbed runner".to_owned());
        thread.spawn(move || runner.run()).map(Some)
    }

    fn run(self) {
        // Functions find tokio's timers and sockets on this thread, too.
        let runtime = self.server.runtime.clone();
        let _entered = runtime.enter();
        if let Err(violation) = self.serve() {
            let noticed = self.server.violation.lock();
            *noticed.unwrap_or_else(PoisonError::into_inner) = Some(violation);
            self.server.channel.wake_driver();
        }
    }

    fn serve(&self) -> Result<(), Violation> {
        let (server, channel) = (&self.server, &self.server.channel);
        let mut lead = channel.lead();
        while !channel.is_closed() {
            match lead.receive(Look::Ring)? {
                Arrival::Frame(Frame::Call(frame)) => {
                    let function = frame.function;
                    if let Some(begun) = server.begin(frame)? {
                        lead = self.run_here(lead, function, begun);
                    }
                }
                Arrival::Frame(frame) => server.accept(frame)?,
                Arrival::Nothing | Arrival::EndOfFile => lead = self.wait(lead),
            }
        }
        Ok(())
    }

    /// Runs a call on this thread, or has another one do it if it might keep others waiting.
    fn run_here<'a>(&'a self, lead: Lead<'a>, function: u64, begun: Begun) -> Lead<'a> {
        let (server, channel, watch) = (&self.server, &self.server.channel, &self.server.watch);
        if begun.may_block {
            server.spawn(begun);
            return lead;
        }
        let is_short = begun.pace.is_short();
        watch.begin(function);
        if is_short && watch.is_on() {
            if lead.is_ready() {
                watch.crowd();
            }
            lead.step_aside();
        } else if let Some(still) = lead.leave() {
            if !is_short {
                watch.next_turn();
                server.spawn(begun);
                return still;
            }
            watch.crowd();
            still.step_aside();
            if watch.turn_on() {
                channel.wake_driver();
            }
        }
        let Begun {
            call, job, pace, ..
        } = begun;
        let done = match job {
            Job::Sync(job) => Some(pace.measure(|| job.run())),
            Job::Async(job) => match pace.measure(|| job.try_run()) {
                Ok(done) => Some(done),
                Err(job) => {
                    server.spawn_task(call, job);
                    None
                }
            },
        };
        // Taken before the answer is sent, so that the host needs to wake nobody for its next call.
        let lead = channel.try_lead();
        watch.next_turn();
        if let Some(done) = done {
            done.answer();
        }
        lead.unwrap_or_else(|| channel.lead())
    }

    /// Waits for the next frame: looks for a while, then sleeps.
    fn wait<'a>(&'a self, lead: Lead<'a>) -> Lead<'a> {
        let channel = &self.server.channel;
        let is_ended = || channel.is_closed();
        let limit = channel.waiting().after_reply(channel.is_apart());
        if limit.is_some_and(|limit| lead.look(limit, is_ended)) {
            return lead.make_way();
        }
        // Nobody else sleeps here.
        let lead = lead.sleep(is_ended).unwrap_or_else(|lead| lead);
        if let Some(limit) = channel.waiting().woken_early() {
            // A host that has to copy an array first wakes this thread before it does.
            lead.look(limit, is_ended);
        }
        lead
    }
}
