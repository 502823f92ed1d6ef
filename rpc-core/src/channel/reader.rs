//! Reading what has arrived, from the ring and from the socket.
//!
//! One thread at a time reads: it has the *lead*. A channel's driver takes it when the socket has
//! something to say; a caller that waits for an answer, or a thread that runs functions, takes it to
//! look at the ring by itself, which spares two wake-ups a call.
//!
//! # Order
//! Each frame in the ring says how many messages had been sent over the socket before it. So a reader
//! knows which messages to take from the socket first; and a message is dealt with when the ring has
//! no frame left that was there before it. That is the order in which the peer sent.

use std::sync::{PoisonError, TryLockError};
use std::time::{Duration, Instant};

use super::bell::Wake;
use super::ring::{Consumer, Corrupt, Count, Lane};
use super::socket::{Attachment, Received};
use super::{Arrival, Channel, Violation, wait};
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use crate::sync::{self, MutexGuard};
use crate::wire::frame::Frame;
use crate::wire::handshake::MESSAGE_BYTES;

/// What the reading thread knows.
#[derive(Debug)]
pub(super) struct Reader {
    /// The reading end of the ring.
    consumer: Option<Consumer>,
    buffer: Vec<u8>,
    /// The messages that were taken from the socket and dealt with.
    n_received: Count,
    /// A message that was taken from the socket, and waits for frames that were sent before it.
    held: Option<(Vec<u8>, Attachment)>,
    is_at_end: bool,
    /// Whether a thread sleeps on the ring's bell, so that it is woken first.
    has_sleeper: bool,
    /// How many calls in a row were answered at once.
    n_quick: u32,
}

/// So many frames that concern no call, or frames for so long, are dealt with at a time. A peer that
/// sends them without end must not keep the reader from everything else.
const SILENT_FRAMES: u32 = 256;
const SILENCE: Duration = Duration::from_millis(5);

/// After so many calls in a row that were answered at once, callers *linger*.
const QUICK: u32 = 32;

/// Spares callers of many short calls the bell.
///
/// To say how it is to be woken, a side writes a cache line that the other one reads, and to take that
/// back it does so again, which takes as long as the rest of a short call. So where one call follows
/// another, callers leave the bell as it is, and the driver looks from time to time whether they still
/// come; when they don't, it sets the bell.
#[derive(Debug, Default)]
pub(super) struct Linger {
    is_on: AtomicBool,
    /// Counts how often the lead was left. Written under the reader's lock.
    n_left: AtomicU64,
    /// What the driver saw when it last looked.
    n_seen: AtomicU64,
}

impl Reader {
    pub(super) fn new(lane: Option<Lane>) -> Self {
        Self {
            consumer: lane.map(Consumer::new),
            buffer: vec![0; MESSAGE_BYTES],
            n_received: Count::default(),
            held: None,
            is_at_end: false,
            has_sleeper: false,
            n_quick: 0,
        }
    }
}

/// Where to look for what has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// At the ring alone, and at the socket only where a frame there says so.
    Ring,
    /// At both.
    Both,
}

/// Whether callers come so fast that they leave the bell alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lingering {
    /// They don't.
    No,
    /// They do.
    Yes,
    /// They did until now.
    NoMore,
}

/// The right to read. Dropped, it leaves word how the peer is to wake this side.
#[derive(Debug)]
pub(crate) struct Lead<'a> {
    channel: &'a Channel,
    /// Taken only while the thread sleeps, and by `leave`.
    reader: Option<MutexGuard<'a, Reader>>,
}

impl Channel {
    /// Takes the lead, unless there is no ring or another thread has it, or waits for it.
    pub(crate) fn try_lead(&self) -> Option<Lead<'_>> {
        self.incoming.as_ref()?;
        if !self.outbox.is_owner() {
            // A forked child has neither the pages nor anything to say.
            return None;
        }
        if self.is_awaited() {
            return None;
        }
        match self.reader.try_lock() {
            Ok(reader) => Some(self.lead_with(reader)),
            Err(TryLockError::Poisoned(reader)) => Some(self.lead_with(reader.into_inner())),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Takes the lead when the thread that has it leaves it, which takes it a moment.
    pub(crate) fn lead(&self) -> Lead<'_> {
        self.n_awaiting.fetch_add(1, Ordering::Relaxed);
        // No panic leaves it half changed: what was read is dealt with afterwards.
        let reader = self.reader.lock();
        self.n_awaiting.fetch_sub(1, Ordering::Relaxed);
        self.lead_with(reader.unwrap_or_else(PoisonError::into_inner))
    }

    /// Tells whether a thread waits for the lead: a driver, which has to look after more than frames.
    pub(crate) fn is_awaited(&self) -> bool {
        self.n_awaiting.load(Ordering::Relaxed) > 0
    }

    fn lead_with<'a>(&'a self, reader: MutexGuard<'a, Reader>) -> Lead<'a> {
        if let Some(lane) = &self.incoming {
            lane.bell().set(Wake::Nothing);
        }
        Lead {
            channel: self,
            reader: Some(reader),
        }
    }

    /// Tells the driver whether callers linger, and whether they still come. If they don't, it takes
    /// the lead once.
    pub(crate) fn lingering(&self) -> Lingering {
        let linger = &self.linger;
        if !linger.is_on.load(Ordering::Relaxed) {
            return Lingering::No;
        }
        let n_left = linger.n_left.load(Ordering::Relaxed);
        if linger.n_seen.swap(n_left, Ordering::Relaxed) != n_left {
            return Lingering::Yes;
        }
        // Whoever has the lead when this is written sets the bell, or the driver does.
        linger.is_on.store(false, Ordering::Relaxed);
        Lingering::NoMore
    }

    /// Wakes the thread that sleeps on the ring's bell, if one does.
    pub(crate) fn wake_sleeper(&self) {
        if let Some(lane) = &self.incoming
            && self.outbox.is_owner()
        {
            // Said before: whoever leaves the lead, and sets the bell for that thread once more, looks
            // afterwards whether it was called.
            self.is_sleeper_called.swap(true, Ordering::AcqRel);
            fence(Ordering::SeqCst);
            lane.bell().wake_own();
        }
    }
}

impl<'a> Lead<'a> {
    fn reader(&mut self) -> &mut Reader {
        match &mut self.reader {
            Some(reader) => reader,
            None => unreachable!("only a sleeping thread has given it away"),
        }
    }

    /// Tells whether the ring has a frame.
    pub(crate) fn is_ready(&self) -> bool {
        let consumer = self
            .reader
            .as_ref()
            .and_then(|reader| reader.consumer.as_ref());
        consumer.is_some_and(|consumer| consumer.peek().is_some())
    }

    /// Reads what has arrived, dealing with all that concerns segments, up to the first frame that
    /// concerns calls, or for as long as a reader may be kept from everything else.
    pub(crate) fn receive(&mut self, look: Look) -> Result<Arrival, Violation> {
        let channel = self.channel;
        let reader = self.reader();
        let mut n_silent = 0;
        let mut since = None;
        loop {
            let head = reader.consumer.as_ref().and_then(Consumer::peek);
            let frame = match (&mut reader.consumer, head) {
                (Some(consumer), Some(head)) if head.after == reader.n_received => {
                    let len = consumer
                        .pop(head, &mut reader.buffer)
                        .map_err(|Corrupt(what)| Violation(what))?;
                    channel.count_received(len);
                    let frame = channel.decode(&reader.buffer[..len])?;
                    channel.accept(frame, Attachment::None)?
                }
                (_, head) => {
                    // The frame comes after messages; or there is none, and a message is next.
                    if head.is_some() || look == Look::Both {
                        channel.hold_message(reader)?;
                        if head.is_none() && reader.consumer.as_ref().is_some_and(is_ready) {
                            // It came meanwhile, and maybe before the message.
                            continue;
                        }
                    }
                    let Some((message, attachment)) = reader.held.take() else {
                        if head.is_some() {
                            let what = "counted a message on the socket that isn't there";
                            return Err(Violation(what.to_owned()));
                        }
                        return Ok(match reader.is_at_end {
                            true => Arrival::EndOfFile,
                            false => Arrival::Nothing,
                        });
                    };
                    reader.n_received = reader.n_received.next();
                    let frame = channel.decode(&message)?;
                    channel.accept(frame, attachment)?
                }
            };
            match frame {
                Some(Frame::Oversize { .. }) => {
                    let what = "sent a long frame inside a long frame";
                    return Err(Violation(what.to_owned()));
                }
                Some(frame) => return Ok(Arrival::Frame(frame)),
                None => {}
            }
            n_silent += 1;
            let since: &Instant = since.get_or_insert_with(Instant::now);
            // A model goes the same way each time, whatever the time is.
            let is_long = !cfg!(reedbed_loom) && since.elapsed() > SILENCE;
            if n_silent == SILENT_FRAMES || is_long {
                return Ok(Arrival::Pause);
            }
        }
    }

    /// Looks at the ring until a frame is there, or `until` says so, or another thread waits for the
    /// lead; for as long as `limit`. Tells whether one of these ended it.
    pub(crate) fn look(&self, limit: Duration, until: impl Fn() -> bool) -> bool {
        wait::look(limit, || {
            self.is_ready() || until() || self.channel.is_awaited()
        })
    }

    /// Lets another thread have the lead, if one waits for it, and takes it back.
    pub(crate) fn make_way(self) -> Self {
        let channel = self.channel;
        if !channel.is_awaited() {
            return self;
        }
        self.step_aside();
        // A lock goes to whoever asks at the right moment, and not to whoever waits.
        while channel.is_awaited() {
            sync::yield_now();
        }
        channel.lead()
    }

    /// Sleeps until the peer has put a frame into the ring, or [`Channel::wake_sleeper`] is called.
    /// Others may take the lead meanwhile. `Err` if a thread sleeps here already.
    ///
    /// With a `limit`, it doesn't rely on the bell alone, which the peer can write at any time.
    pub(crate) fn sleep(
        mut self,
        limit: Option<Duration>,
        is_done: impl Fn() -> bool,
    ) -> Result<Self, Self> {
        let Some(lane) = &self.channel.incoming else {
            return Err(self);
        };
        if std::mem::replace(&mut self.reader().has_sleeper, true) {
            return Err(self);
        }
        // Whoever calls has done before what `is_done` asks for.
        self.channel.is_sleeper_called.swap(false, Ordering::AcqRel);
        lane.bell().set(Wake::Futex);
        let found = self.is_ready() || is_done();
        if !found {
            self.reader = None;
            lane.bell().sleep(limit);
            let reader = self.channel.reader.lock();
            self.reader = Some(reader.unwrap_or_else(PoisonError::into_inner));
        }
        self.reader().has_sleeper = false;
        lane.bell().set(Wake::Nothing);
        Ok(self)
    }

    /// Tells whether a thread sleeps until it is woken for what this one reads.
    pub(crate) fn has_sleeper(&self) -> bool {
        self.reader
            .as_ref()
            .is_some_and(|reader| reader.has_sleeper)
    }

    /// Notes whether a call was answered at once.
    pub(crate) fn note_quick(&mut self, is_quick: bool) {
        let channel = self.channel;
        let reader = self.reader();
        reader.n_quick = if is_quick { reader.n_quick + 1 } else { 0 };
        if reader.n_quick == QUICK {
            reader.n_quick = 0;
            // The driver's first look finds that they came.
            channel.linger.n_seen.store(u64::MAX, Ordering::Relaxed);
            if !channel.linger.is_on.swap(true, Ordering::Relaxed) {
                channel.wake_driver();
            }
        }
    }

    /// Leaves the lead when nothing is awaited any more. What comes unasked for is read later, if
    /// callers linger.
    pub(crate) fn linger(mut self) -> Option<Self> {
        let linger = &self.channel.linger;
        if self.has_sleeper() || !linger.is_on.load(Ordering::Relaxed) {
            return self.leave();
        }
        let n_left = linger.n_left.load(Ordering::Relaxed);
        linger.n_left.store(n_left + 1, Ordering::Relaxed);
        self.reader = None;
        None
    }

    /// Leaves the lead, unless something has come meanwhile.
    pub(crate) fn leave(mut self) -> Option<Self> {
        self.say_how_to_wake();
        if self.is_ready() {
            self.channel.incoming.as_ref()?.bell().set(Wake::Nothing);
            return Some(self);
        }
        self.reader = None;
        None
    }

    /// Leaves the lead, though something may be there, and though nobody will be woken for what comes:
    /// the thread comes back, or somebody watches it.
    pub(crate) fn step_aside(mut self) {
        self.reader = None;
    }

    fn say_how_to_wake(&self) {
        if let Some(lane) = &self.channel.incoming {
            if !self.has_sleeper() {
                lane.bell().set(Wake::Message);
                return;
            }
            lane.bell().set(Wake::Futex);
            if self.channel.is_sleeper_called.load(Ordering::Relaxed) {
                lane.bell().wake_own();
            }
        }
    }
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        if self.reader.is_none() {
            return;
        }
        self.say_how_to_wake();
        if self.is_ready() {
            // Somebody must read it.
            self.channel.wake_driver();
        }
    }
}

fn is_ready(consumer: &Consumer) -> bool {
    consumer.peek().is_some()
}

impl Channel {
    /// Takes a message from the socket, if there is one and none is held yet.
    fn hold_message(&self, reader: &mut Reader) -> Result<(), Violation> {
        if reader.held.is_some() || reader.is_at_end {
            return Ok(());
        }
        match self.socket.try_receive(&mut reader.buffer) {
            Ok(Received::Message { len, attachment }) => {
                self.count_received(len);
                reader.held = Some((reader.buffer[..len].to_vec(), attachment));
            }
            Ok(Received::Nothing) => {}
            Ok(Received::EndOfFile) => reader.is_at_end = true,
            Err(error) => {
                return Err(Violation(format!("sent what can't be received: {error}")));
            }
        }
        Ok(())
    }

    /// Counts bytes, under the reader's lock.
    fn count_received(&self, len: usize) {
        let before = self.received_bytes.load(Ordering::Relaxed);
        self.received_bytes
            .store(before + len as u64, Ordering::Relaxed);
    }

    /// Inlined with what it calls: each function in between moves the frame once more.
    #[inline]
    fn decode(&self, message: &[u8]) -> Result<Frame, Violation> {
        Frame::decode(message)
            .map_err(|error| Violation(format!("sent a malformed frame: {error}")))
    }
}
