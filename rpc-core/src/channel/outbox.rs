//! What is sent, and what waits to be.
//!
//! A frame goes into the ring, where there is one, if it brings no descriptor, and finds room, and
//! nothing waits before it; otherwise over the socket. Nobody waits for room: a message that finds
//! none is queued, and the channel's driver, which is always armed, sends it when the peer has read.
//! So a sender never blocks on a peer that is itself blocked on sending. What is queued for a peer
//! that means well is bounded by the calls in flight and the memory that is shared; one that has more
//! said to it, and reads nothing, breaks the protocol. A descriptor that can't be sent because too many
//! are on their way is queued as well; the driver tries again after a while, and whenever something
//! else is queued behind it.
//!
//! Whatever is put into the ring says how many messages were sent over the socket before it, so the
//! peer deals with everything in the order in which it was sent.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, PoisonError};

use rustix::event::EventfdFlags;

use super::backlog::Backlog;
use super::bell::Wake;
use super::ring::{Count, Lane, Producer, PushError};
use super::socket::Socket;
use crate::segment::backing::Backing;
use crate::segment::fork;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Mutex, MutexGuard};
use crate::wire::handshake::MESSAGE_BYTES;

/// The descriptor that a message brings.
#[derive(Debug)]
pub(crate) enum Descriptor {
    /// That of a segment, which stays open here.
    Segment(Arc<Backing>),
    /// One that is closed here once it is sent.
    Own(OwnedFd),
}

impl Descriptor {
    fn fd(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Self::Segment(backing) => backing.fd(),
            Self::Own(fd) => Some(fd.as_fd()),
        }
    }
}

/// What a message takes while it waits, besides its bytes.
const MESSAGE_OVERHEAD_BYTES: usize = 64;
/// What may wait besides one long message for each call in flight: the ends of transfers and the like,
/// which are short.
const WAITING_BYTES: usize = 32 << 20;

/// The channel is closed: nothing more can be sent.
#[derive(Debug)]
pub(crate) struct Closed;

/// The sending half of a channel.
#[derive(Debug)]
pub(crate) struct Outbox {
    socket: Arc<Socket>,
    queue: Mutex<Queue>,
    /// The ring that leads to the peer.
    lane: Option<Lane>,
    /// The message that wakes a peer that sleeps in `poll`.
    bell: Vec<u8>,
    /// Wakes the driver when the queue is no longer empty.
    wake: OwnedFd,
    sent_bytes: AtomicU64,
    /// The most that may wait.
    most_waiting_bytes: usize,
    /// The process that made it. A forked child inherits the socket and must not speak.
    owner: u32,
}

#[derive(Debug, Default)]
struct Queue {
    messages: VecDeque<(Vec<u8>, Option<Descriptor>)>,
    /// What they take.
    waiting_bytes: usize,
    is_closed: bool,
    /// The writing end of the ring.
    producer: Option<Producer>,
    /// The messages that were sent over the socket.
    n_sent: Count,
    /// What the peer did that no reader does.
    violation: Option<String>,
}

impl Outbox {
    /// Sends over `socket`, and into the ring of `lane`. `bell` is the message that wakes the peer, with
    /// which `n_calls` may be in flight.
    pub(crate) fn new(
        socket: Arc<Socket>,
        lane: Option<Lane>,
        bell: Vec<u8>,
        n_calls: u32,
    ) -> io::Result<Self> {
        let wake = rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let queue = Queue {
            producer: lane.clone().map(Producer::new),
            ..Queue::default()
        };
        Ok(Self {
            socket,
            queue: Mutex::new(queue),
            lane,
            bell,
            wake,
            sent_bytes: AtomicU64::new(0),
            most_waiting_bytes: WAITING_BYTES + n_calls as usize * MESSAGE_BYTES,
            owner: fork::process_id(),
        })
    }

    /// Tells whether this is the process that made it, and not a forked child of that.
    pub(crate) fn is_owner(&self) -> bool {
        fork::process_id() == self.owner
    }

    /// Sends `message` now, or queues it behind what waits already; tells how the peer was woken for
    /// it.
    pub(crate) fn push(&self, message: &[u8], fd: Option<Descriptor>) -> Result<Wake, Closed> {
        if !self.is_owner() {
            return Err(Closed);
        }
        let mut queue = self.lock();
        if queue.is_closed {
            return Err(Closed);
        }
        // Written under the lock alone.
        let sent_bytes = self.sent_bytes.load(Ordering::Relaxed) + message.len() as u64;
        self.sent_bytes.store(sent_bytes, Ordering::Relaxed);
        if fd.is_none() && queue.messages.is_empty() {
            let after = queue.n_sent;
            match queue
                .producer
                .as_mut()
                .map(|ring| ring.push(message, after))
            {
                Some(Ok(())) => {
                    drop(queue);
                    return Ok(self.ring());
                }
                Some(Err(PushError::Corrupt { head, tail })) => {
                    queue.is_closed = true;
                    queue.violation = Some(format!(
                        "claims to have read up to slot {head} of a ring that is written up to {tail}"
                    ));
                    drop(queue);
                    self.wake_driver();
                    return Err(Closed);
                }
                Some(Err(PushError::Full)) | None => {}
            }
        }
        self.push_message(queue, message, fd)
            .map(|()| Wake::Message)
    }

    /// Wakes the peer, if it sleeps, for what was put into the ring.
    fn ring(&self) -> Wake {
        let Some(lane) = &self.lane else {
            return Wake::Nothing;
        };
        let wake = lane.bell().ring();
        if wake == Wake::Message {
            let queue = self.lock();
            if !queue.is_closed {
                // If that fails, the next one to send hears of it.
                let _ = self.push_message(queue, &self.bell, None);
            }
        }
        wake
    }

    /// Tells whether a thread of the peer sleeps until something is put into the ring.
    pub(crate) fn is_peer_asleep(&self) -> bool {
        self.lane
            .as_ref()
            .is_some_and(|lane| self.is_owner() && lane.bell().is_asleep())
    }

    /// Wakes the peer, if it sleeps, for what will soon be put into the ring; tells whether it slept.
    pub(crate) fn wake_peer(&self) -> bool {
        self.is_owner() && self.ring() != Wake::Nothing
    }

    /// Sends a message over the socket, or queues it.
    fn push_message(
        &self,
        mut queue: MutexGuard<'_, Queue>,
        message: &[u8],
        fd: Option<Descriptor>,
    ) -> Result<(), Closed> {
        if queue.messages.is_empty() {
            match self
                .socket
                .try_send(message, fd.as_ref().and_then(Descriptor::fd))
            {
                Ok(()) => {
                    queue.n_sent = queue.n_sent.next();
                    drop(queue);
                    // Outside the lock: the last user of a segment says farewell through here.
                    drop(fd);
                    return Ok(());
                }
                Err(error) if Backlog::of(&error).is_some() => {}
                Err(_) => {
                    queue.is_closed = true;
                    drop(queue);
                    drop(fd);
                    self.wake_driver();
                    return Err(Closed);
                }
            }
        }
        queue.waiting_bytes += message.len() + MESSAGE_OVERHEAD_BYTES;
        if queue.waiting_bytes > self.most_waiting_bytes {
            queue.is_closed = true;
            let (n, bytes) = (queue.messages.len(), queue.waiting_bytes);
            queue.violation = Some(format!(
                "leaves unread what it is sent: {n} messages wait, which take {bytes} bytes"
            ));
            drop(queue);
            drop(fd);
            self.wake_driver();
            return Err(Closed);
        }
        queue.messages.push_back((message.to_vec(), fd));
        drop(queue);
        self.wake_driver();
        Ok(())
    }

    /// Sends what is queued as far as there is room; returns what keeps the rest from being sent.
    pub(crate) fn flush(&self) -> Result<Backlog, Closed> {
        loop {
            let mut queue = self.lock();
            if queue.is_closed {
                return Err(Closed);
            }
            let Some((message, fd)) = queue.messages.front() else {
                return Ok(Backlog::Nothing);
            };
            match self
                .socket
                .try_send(message, fd.as_ref().and_then(Descriptor::fd))
            {
                Ok(()) => {
                    queue.n_sent = queue.n_sent.next();
                    let sent = queue.messages.pop_front();
                    let len = sent.as_ref().map_or(0, |(message, _)| message.len());
                    queue.waiting_bytes -= len + MESSAGE_OVERHEAD_BYTES;
                    drop(queue);
                    drop(sent);
                }
                Err(error) => match Backlog::of(&error) {
                    Some(backlog) => return Ok(backlog),
                    None => {
                        queue.is_closed = true;
                        return Err(Closed);
                    }
                },
            }
        }
    }

    /// Notes what the peer did, unless something was noted before.
    pub(crate) fn accuse(&self, what: String) {
        self.lock().violation.get_or_insert(what);
    }

    /// What the peer did that no reader does, once.
    pub(crate) fn take_violation(&self) -> Option<String> {
        self.lock().violation.take()
    }

    /// Tells whether all further messages are refused.
    pub(crate) fn is_closed(&self) -> bool {
        self.lock().is_closed
    }

    /// Refuses all further messages and forgets those that wait.
    pub(crate) fn close(&self) {
        let mut queue = self.lock();
        queue.is_closed = true;
        let forgotten = std::mem::take(&mut queue.messages);
        queue.waiting_bytes = 0;
        drop(queue);
        drop(forgotten);
    }

    /// Makes the driver look at the queue, the deadlines and the state of the channel.
    pub(crate) fn wake_driver(&self) {
        // Full means that a wake-up is pending already.
        let _ = rustix::io::write(&self.wake, &1u64.to_ne_bytes());
    }

    /// What the driver polls, besides the socket.
    pub(crate) fn wake_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }

    /// Takes the wake-ups that are pending.
    pub(crate) fn clear_wake(&self) {
        let _ = rustix::io::read(&self.wake, &mut [0u8; 8]);
    }

    /// The bytes of all messages so far.
    pub(crate) fn sent_bytes(&self) -> u64 {
        self.sent_bytes.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // No critical section can panic half way.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
