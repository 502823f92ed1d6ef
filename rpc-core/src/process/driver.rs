//! The thread that reads a worker's channel, passes on what it prints, and watches over it.
//!
//! It is always armed: a caller that forgets its future, or never polls it again, stalls nobody.
//! It waits in `poll` for the socket, the worker's end and its output, and uses no processor while
//! nothing happens.

use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};

use super::child::WorkerProcess;
use super::end::{EndReason, WorkerEnd};
use super::post::Seat;
use super::stuck::{Verdict, Watch};
use crate::call::exchange::Exchange;
use crate::channel::{Arrival, Backlog, Lingering, Look, Violation, handshake};
use crate::guarded::guarded;
use crate::wire::frame::Frame;

/// How long a worker that closed its end of the channel may take to exit, before it is killed.
const EXIT_GRACE: Duration = Duration::from_millis(200);
/// How often the driver looks whether callers still linger.
const LINGER: Duration = Duration::from_millis(2);
/// Frames that are read before the driver looks at everything else again.
const FRAMES_AT_A_TIME: usize = 256;

/// What is told of a worker whose driver panicked.
const PANICKED: &str = "made its host's driver thread panic (its message is on standard error)";

/// What the holders of a worker and its driver tell each other.
#[derive(Debug, Default)]
pub(crate) struct Control {
    state: Mutex<ControlState>,
}

#[derive(Debug, Default)]
struct ControlState {
    /// By when the worker shall have ended of itself.
    stop_by: Option<Instant>,
    end: Option<WorkerEnd>,
    waiting: Vec<Waker>,
    /// Who is to be told of its end, before everybody else.
    seat: Option<Weak<Seat>>,
    /// Whether it was told, or there was nobody to tell.
    is_buried: bool,
}

impl Control {
    /// Asks the driver to end the worker, which gets `grace` to finish the calls in flight. The
    /// caller wakes the driver.
    pub(crate) fn stop(&self, grace: Duration) {
        let mut state = self.lock();
        let by = Instant::now().checked_add(grace);
        // The earliest request counts. Beyond the clock's range, it is as long as it gets.
        let by = by.unwrap_or_else(|| Instant::now() + Duration::from_secs(u32::MAX.into()));
        state.stop_by = Some(state.stop_by.map_or(by, |earlier| earlier.min(by)));
    }

    /// Tells whether the worker was asked to end.
    pub(crate) fn is_asked_to_stop(&self) -> bool {
        self.stop_by().is_some()
    }

    /// Notes whom to tell of the worker's end; `false` if it has ended already.
    pub(crate) fn take_seat(&self, seat: Weak<Seat>) -> bool {
        let mut state = self.lock();
        state.seat = Some(seat);
        !state.is_buried
    }

    /// Tells whether the worker has ended, and its seat was told, if it had one.
    pub(crate) fn is_buried(&self) -> bool {
        self.lock().is_buried
    }

    fn bury(&self) -> Option<Arc<Seat>> {
        let mut state = self.lock();
        state.is_buried = true;
        state.seat.take()?.upgrade()
    }

    /// Completes when the worker has ended and all it held is released.
    pub(crate) fn poll_end(&self, cx: &Context<'_>) -> Poll<WorkerEnd> {
        let mut state = self.lock();
        match &state.end {
            Some(end) => Poll::Ready(end.clone()),
            None => {
                if !state
                    .waiting
                    .iter()
                    .any(|waker| waker.will_wake(cx.waker()))
                {
                    state.waiting.push(cx.waker().clone());
                }
                Poll::Pending
            }
        }
    }

    fn stop_by(&self) -> Option<Instant> {
        self.lock().stop_by
    }

    fn set_end(&self, end: WorkerEnd) {
        let waiting = {
            let mut state = self.lock();
            state.end = Some(end);
            std::mem::take(&mut state.waiting)
        };
        for waker in waiting {
            // The others are woken as well.
            guarded(|| waker.wake());
        }
    }

    fn lock(&self) -> MutexGuard<'_, ControlState> {
        // No critical section can panic half way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What runs a worker.
pub(crate) enum Life {
    /// A process.
    Process(Box<WorkerProcess>),
    /// A thread of this process.
    Thread(Option<JoinHandle<()>>),
}

/// Drives the channel of one worker until the worker has ended.
pub(crate) struct Driver {
    pub(crate) exchange: Arc<Exchange>,
    pub(crate) control: Arc<Control>,
    pub(crate) life: Life,
    pub(super) watch: Watch,
}

impl Driver {
    /// Runs until the worker has ended, then ends all calls and releases all they held.
    pub(crate) fn run(mut self) {
        // Should anything panic in here, which would be a bug, the worker is ended
        // and its callers are told: each step is taken, however the one before it went.
        let driven =
            guarded(|| self.drive()).unwrap_or_else(|| Err(Violation(PANICKED.to_owned())));
        // What was noticed first has closed the channel; what is read from a closed one may look wrong, too.
        let violation = self.exchange.take_violation().or(driven.err());
        self.exchange.channel().close();
        let end = guarded(|| self.end(violation)).unwrap_or_else(|| {
            let reason = EndReason::ProtocolViolation(PANICKED.to_owned());
            WorkerEnd::new(reason, Vec::new())
        });
        // Before the calls fail: who finds the worker dead finds out as well whether another one comes.
        let channel = self.exchange.channel().uid();
        let seat = self.control.bury();
        let bury = |seat: &Arc<Seat>| guarded(|| seat.bury_channel(channel, &self.control, &end));
        let vacancy = seat.as_ref().and_then(bury).flatten();
        guarded(|| self.exchange.fail_all(&end));
        let is_peer_dead = matches!(self.life, Life::Process(_));
        guarded(|| self.exchange.channel().release_all(is_peer_dead));
        self.control.set_end(end);
        if let Some(seat) = seat {
            seat.wake_callers();
        }
        // Nothing of the old worker is left open while the new one is waited for.
        drop(self);
        if let Some(vacancy) = vacancy {
            vacancy.fill();
        }
    }

    /// Waits until the worker has ended, and says how it did.
    fn end(&mut self, mut violation: Option<Violation>) -> WorkerEnd {
        let end = match &mut self.life {
            Life::Process(process) => {
                let reason = match (process.reap(), self.watch.sign(), process.step()) {
                    (
                        EndReason::Signalled(9 | 15) | EndReason::Exited(_),
                        Some(sign),
                        Some(step),
                    ) => EndReason::Stuck { sign, step },
                    (reason, ..) => reason,
                };
                // What was answered before the end still counts.
                if violation.is_none() {
                    violation = self.exchange.drain().err();
                }
                #[cfg(feature = "posix-shm")]
                if self.exchange.channel().segments() == crate::segment::kind::Segments::Named {
                    // Now that the last of them were opened, the worker's names are nobody's.
                    crate::segment::named::collect();
                }
                // A panic that a caller was told of didn't end the process.
                let survived = self.exchange.calls().last_panic();
                let printed = process.log.last_panic();
                let fatal = printed.filter(|printed| survived.as_deref() != Some(*printed));
                WorkerEnd::new(reason, process.log.last_lines()).after_panic(fatal)
            }
            Life::Thread(thread) => {
                if let Some(thread) = thread.take() {
                    let _ = thread.join();
                }
                WorkerEnd::new(EndReason::Stopped, Vec::new())
            }
        };
        match violation {
            Some(Violation(what)) => end.because(EndReason::ProtocolViolation(what)),
            None => end,
        }
    }

    /// Returns when the worker has ended, or shall be ended.
    fn drive(&mut self) -> Result<(), Violation> {
        let mut closed_at: Option<Instant> = None;
        let mut has_asked = false;
        loop {
            let now = Instant::now();
            self.exchange.channel().clear_wake();
            let backlog = self.exchange.channel().flush();
            let next_deadline = self.exchange.expire(now);
            let stop_by = self.control.stop_by();
            if stop_by.is_some() && !has_asked {
                has_asked = true;
                let _ = self.exchange.channel().send(&Frame::Shutdown);
            }
            if let Some(violation) = self.exchange.take_violation() {
                return Err(violation);
            }
            if closed_at.is_none() && self.read_frames()? {
                closed_at = Some(now);
            }
            let exit_by = closed_at.map(|at| at + EXIT_GRACE);
            let mut wake_at = earliest([next_deadline, stop_by, exit_by]);
            match &mut self.life {
                Life::Process(process) => {
                    let verdict = self.watch.look(now, &self.exchange);
                    process.read_output();
                    if process.has_exited() || exit_by.is_some_and(|by| by <= now) {
                        return Ok(());
                    }
                    let is_stuck = verdict == Verdict::End;
                    if is_stuck || stop_by.is_some_and(|by| by <= now) {
                        process.terminate(now);
                        // Calls end at their deadlines until the worker does.
                        wake_at = earliest([next_deadline, process.kill_at]);
                    } else if let Verdict::Wait(Some(look_again)) = verdict {
                        wake_at = earliest([wake_at, Some(look_again)]);
                        self.exchange.calls().driver_sleeps_until(look_again);
                    }
                }
                Life::Thread(_) => {
                    if closed_at.is_some() || stop_by.is_some_and(|by| by <= now) {
                        return Ok(());
                    }
                }
            }
            let limit = wake_at.map(|at| at.saturating_duration_since(Instant::now()));
            self.wait(backlog, closed_at.is_some(), limit);
        }
    }

    /// Reads frames; tells whether the worker has closed its end.
    fn read_frames(&self) -> Result<bool, Violation> {
        let mut lead = self.exchange.channel().lead();
        for _ in 0..FRAMES_AT_A_TIME {
            match lead.receive(Look::Both)? {
                Arrival::Frame(frame) => self.exchange.accept(frame)?,
                Arrival::Nothing => match lead.leave() {
                    Some(still) => lead = still,
                    None => return Ok(false),
                },
                Arrival::Pause => break,
                Arrival::EndOfFile => return Ok(true),
            }
        }
        // More may be there: have the next wait return at once.
        self.exchange.channel().wake_driver();
        Ok(false)
    }

    fn wait(&self, backlog: Backlog, is_closed: bool, limit: Option<Duration>) {
        let channel = self.exchange.channel();
        let mut fds = vec![PollFd::from_borrowed_fd(channel.wake_fd(), PollFlags::IN)];
        if !is_closed {
            fds.push(PollFd::from_borrowed_fd(channel.as_fd(), backlog.events()));
        }
        if let Life::Process(process) = &self.life {
            fds.extend(
                process
                    .fds()
                    .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)),
            );
        }
        let until = backlog
            .limit(limit)
            .and_then(|limit| Instant::now().checked_add(limit));
        loop {
            let limit = until.map(|until| until.saturating_duration_since(Instant::now()));
            let lingering = channel.lingering();
            let limit = match lingering {
                Lingering::No => limit,
                Lingering::Yes => Some(limit.map_or(LINGER, |limit| limit.min(LINGER))),
                // What came unasked for is read, and the bell set.
                Lingering::NoMore => return,
            };
            if handshake::poll(&mut fds, limit).is_err() {
                // Out of memory in the kernel; nothing better is left than to look around again.
                std::thread::yield_now();
            }
            let is_over = limit.is_some_and(|limit| limit < LINGER);
            if lingering == Lingering::No || is_over || fds.iter().any(has_news) {
                return;
            }
        }
    }
}

fn has_news(fd: &PollFd<'_>) -> bool {
    !fd.revents().is_empty()
}

fn earliest<const N: usize>(moments: [Option<Instant>; N]) -> Option<Instant> {
    moments.into_iter().flatten().min()
}
