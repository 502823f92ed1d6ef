//! How a caller waits: it looks for the answer itself, which spares the wake-up of two threads.
//!
//! A caller takes the [`Lead`] before it sends, so that the worker needs to wake nobody for an answer
//! that comes at once. If it doesn't come, a future leaves the lead, and the channel's driver wakes
//! it; a blocking caller sleeps where the worker itself can wake it. A forgotten future stalls nobody,
//! because the lead is held within one poll, never across.

use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::{Arc, OnceLock, PoisonError};
use std::task::Wake as WakeTask;
use std::thread::{self, Thread};
use std::time::Duration;

use super::exchange::Exchange;
use super::pending::Slot;
use crate::channel::{Arrival, Channel, Lead, Look, Violation};

/// After how long a caller that sleeps looks whether its call has ended, should a worker that breaks
/// the protocol keep it from being woken.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How a call was sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    /// Whether the worker had to be woken for it.
    pub(crate) has_woken: bool,
    /// Whether the worker runs on another processor.
    pub(crate) is_apart: bool,
}

impl Exchange {
    /// Wakes a worker that sleeps, for a call that is about to be prepared; tells whether it slept. It
    /// wakes while this side does its part.
    pub(crate) fn wake_ahead(&self) -> bool {
        self.channel().wake_ahead()
    }

    /// Takes the lead before a call is sent; tells whether the worker runs on another processor.
    pub(crate) fn lead(&self) -> Option<(Lead<'_>, bool)> {
        let lead = self.channel().try_lead()?;
        Some((lead, self.channel().is_apart()))
    }

    /// Reads what has arrived; for a call that was just sent, looks for its answer for a while.
    pub(crate) fn attend(&self, lead: Lead<'_>, slot: &Slot, sent: Option<Sent>) {
        let attended = self.read_until(lead, slot, sent);
        if let Err(violation) = attended {
            self.break_off(violation);
        }
    }

    fn read_until(
        &self,
        mut lead: Lead<'_>,
        slot: &Slot,
        sent: Option<Sent>,
    ) -> Result<(), Violation> {
        let waiting = self.channel().waiting();
        let limit = |sent: Sent| waiting.for_answer(sent.has_woken, sent.is_apart);
        if let Some(sent) = sent
            && let Some(limit) = limit(sent)
        {
            loop {
                let found = lead.look(limit, || slot.is_done());
                if !self.read_ring(&mut lead)? {
                    // Dropping the lead, it has the driver read on.
                    return Ok(());
                }
                if slot.is_done() || !found {
                    waiting.note(sent.has_woken, found);
                    lead.note_quick(found);
                    break;
                }
                if self.channel().is_awaited() {
                    break;
                }
            }
        }
        if self.calls().is_empty() {
            match lead.linger() {
                Some(still) => lead = still,
                None => return Ok(()),
            }
        }
        self.read_and_leave(lead)
    }

    /// Reads what the ring has; `false` if that is much that concerns no call, and not yet all.
    fn read_ring(&self, lead: &mut Lead<'_>) -> Result<bool, Violation> {
        loop {
            match lead.receive(Look::Ring)? {
                Arrival::Frame(frame) => self.accept(frame)?,
                Arrival::Pause => return Ok(false),
                Arrival::Nothing | Arrival::EndOfFile => return Ok(true),
            }
        }
    }

    fn read_and_leave(&self, mut lead: Lead<'_>) -> Result<(), Violation> {
        loop {
            if lead.is_ready() && !self.read_ring(&mut lead)? {
                return Ok(());
            }
            match lead.leave() {
                Some(still) => lead = still,
                None => return Ok(()),
            }
        }
    }

    /// Tells whether callers go on looking, and never sleep.
    pub(crate) fn never_sleeps(&self) -> bool {
        self.channel().waiting().never_sleeps()
    }

    /// Sleeps until the call of `slot` may have ended.
    pub(crate) fn sleep(&self, slot: &Slot, sleeper: &Sleeper) {
        let Some(lead) = self.channel().try_lead() else {
            thread::park();
            return;
        };
        sleeper.channel.get_or_init(|| Arc::clone(self.channel()));
        sleeper.is_on_bell.store(true, Ordering::Relaxed);
        // Whoever ends the call sees this, or this thread sees that it has ended.
        fence(Ordering::SeqCst);
        let slept = lead.sleep(Some(LOOK_AGAIN), || slot.is_done());
        sleeper.is_on_bell.store(false, Ordering::Relaxed);
        let (lead, has_slept) = match slept {
            Ok(lead) => (lead, true),
            Err(lead) => (lead, false),
        };
        if let Err(violation) = self.read_and_leave(lead) {
            self.break_off(violation);
        }
        if !has_slept && !slot.is_done() {
            thread::park();
        }
    }

    /// Has the driver end a worker that broke the protocol.
    pub(super) fn break_off(&self, violation: Violation) {
        self.violation
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert(violation);
        self.channel().close();
    }

    /// What a caller noticed that the driver has not heard of yet.
    pub(crate) fn take_violation(&self) -> Option<Violation> {
        let noticed = self
            .violation
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        // What the peer leaves unread closes the channel, and then others notice what follows from that.
        self.channel().take_violation().or(noticed)
    }
}

/// A thread that waits for a call.
pub(crate) struct Sleeper {
    thread: Thread,
    channel: OnceLock<Arc<Channel>>,
    /// Whether it sleeps on the ring's bell, and not in `park`.
    is_on_bell: AtomicBool,
}

impl Sleeper {
    /// This thread.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            thread: thread::current(),
            channel: OnceLock::new(),
            is_on_bell: AtomicBool::new(false),
        })
    }
}

impl WakeTask for Sleeper {
    fn wake(self: Arc<Self>) {
        fence(Ordering::SeqCst);
        if self.is_on_bell.load(Ordering::Relaxed)
            && let Some(channel) = self.channel.get()
        {
            channel.wake_sleeper();
        }
        self.thread.unpark();
    }
}
