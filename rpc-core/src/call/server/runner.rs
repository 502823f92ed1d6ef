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
/// After so many calls in a row for which the runner did not have to sleep, it is watched.
const QUICK: u32 = 32;
/// Where fewer calls come between two looks, the driver stops watching.
const FEW: u64 = 16;

/// What the runner and the driver tell each other.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// Counts the beginnings and the ends of functions on the runner: odd while one runs.
    turn: AtomicU64,
    /// The number of the function that runs there.
    function: AtomicU64,
    /// Whether the driver looks from time to time.
    is_on: AtomicBool,
    /// What the driver saw when it last looked. Nobody else uses it.
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    turn: u64,
    /// Whether it was to look again.
    is_on: bool,
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

    fn begin(&self, function: u64) {
        // The runner alone writes it, and `turn`.
        self.function.store(function, Ordering::Relaxed);
        self.next_turn();
        // Either the driver, which is about to stop watching, sees that a function runs, or the runner
        // sees that nobody watches it.
        fence(Ordering::SeqCst);
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
        let before = std::mem::replace(&mut seen.turn, turn);
        let is_running = turn % 2 == 1;
        let function = watch.function.load(Ordering::Relaxed);
        let is_first = !std::mem::replace(&mut seen.is_on, watch.is_on());
        if !watch.is_on() {
            // It was woken for what a function that runs may wait for. A short one it leaves alone.
            let shall_read = !is_running || !self.served.is_short(function);
            if !shall_read {
                seen.is_on = true;
                watch.is_on.store(true, Ordering::Relaxed);
            }
            return Attention {
                shall_read,
                look_again: (!shall_read).then_some(PATIENCE),
            };
        }
        let is_stuck = is_running && turn == before && !is_first;
        if is_stuck && let Some(pace) = self.served.pace(function) {
            pace.note_stuck();
        }
        if is_stuck || turn - before < 2 * FEW && !is_first {
            watch.is_on.store(false, Ordering::Relaxed);
            fence(Ordering::SeqCst);
            if watch.turn.load(Ordering::Relaxed) % 2 == 1 && !is_stuck {
                watch.is_on.store(true, Ordering::Relaxed);
            }
        }
        Attention {
            shall_read: is_stuck || !watch.is_on(),
            look_again: watch.is_on().then_some(PATIENCE),
        }
    }

    /// What the runner noticed that the driver has not heard of yet.
    pub(crate) fn take_violation(&self) -> Option<Violation> {
        let noticed = self.violation.lock();
        let noticed = noticed.unwrap_or_else(PoisonError::into_inner).take();
        // What the peer leaves unread closes the channel, and then others notice what follows from that.
        self.channel.take_violation().or(noticed)
    }
}

/// How calls come.
#[derive(Debug, Default)]
struct Tempo {
    /// How many came in a row without the runner having to sleep.
    n_quick: u32,
    /// Whether the host had to be woken for the last answer.
    has_woken: bool,
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
        let mut tempo = Tempo::default();
        while !channel.is_closed() {
            match lead.receive(Look::Ring)? {
                Arrival::Frame(Frame::Call(frame)) => {
                    if let Some(begun) = server.begin(frame)? {
                        tempo.n_quick += 1;
                        lead = self.run_here(lead, begun, &mut tempo);
                    }
                }
                Arrival::Frame(frame) => server.accept(frame)?,
                Arrival::Pause => {}
                Arrival::Nothing | Arrival::EndOfFile => lead = self.wait(lead, &mut tempo),
            }
        }
        Ok(())
    }

    /// Runs a call on this thread, or has another one do it if it might keep others waiting.
    fn run_here<'a>(&'a self, lead: Lead<'a>, mut begun: Begun, tempo: &mut Tempo) -> Lead<'a> {
        let (server, channel, watch) = (&self.server, &self.server.channel, &self.server.watch);
        if begun.may_block {
            server.spawn(begun);
            return lead;
        }
        let function = begun.function;
        let is_short = server.served.is_short(function);
        watch.begin(function);
        if is_short && watch.is_on() {
            lead.step_aside();
        } else if is_short && tempo.n_quick >= QUICK {
            lead.step_aside();
            if watch.turn_on() {
                channel.wake_driver();
            }
        } else if let Some(still) = lead.leave() {
            if !is_short {
                watch.next_turn();
                server.spawn(begun);
                return still;
            }
            still.step_aside();
            if watch.turn_on() {
                channel.wake_driver();
            }
        }
        let done = match &mut begun.job {
            Job::Sync(job) => Some(server.served.measure(function, || job.run())),
            Job::Async(job) => server.served.measure(function, || job.try_run()),
        };
        if done.is_none() {
            server.spawn(begun);
        }
        // Taken before the answer is sent, so that the host needs to wake nobody for its next call.
        let lead = channel.try_lead();
        watch.next_turn();
        if let Some(done) = done {
            tempo.has_woken = done.answer();
        }
        lead.unwrap_or_else(|| channel.lead())
    }

    /// Waits for the next frame: looks for a while, then sleeps.
    fn wait<'a>(&'a self, lead: Lead<'a>, tempo: &mut Tempo) -> Lead<'a> {
        let channel = &self.server.channel;
        let is_ended = || channel.is_closed();
        let waiting = channel.waiting();
        let has_woken = std::mem::take(&mut tempo.has_woken);
        let limit = waiting.after_reply(channel.is_apart(), has_woken);
        let found = limit.is_some_and(|limit| lead.look(limit, is_ended));
        if has_woken {
            waiting.note(true, found);
        }
        if found {
            return lead.make_way();
        }
        tempo.n_quick = 0;
        // Nobody else sleeps here.
        let lead = lead.sleep(None, is_ended).unwrap_or_else(|lead| lead);
        if let Some(limit) = channel.waiting().woken_early(channel.is_apart()) {
            // A host that has to copy an array first wakes this thread before it does.
            lead.look(limit, is_ended);
        }
        lead
    }
}
