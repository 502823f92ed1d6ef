//! What waits to be sent.
//!
//! Nobody waits for room: a message that finds none is queued, and the channel's driver, which is
//! always armed, sends it when the peer has read. So a sender never blocks on a peer that is itself
//! blocked on sending. What can be queued is bounded by the calls in flight and the segments that
//! are alive.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::event::EventfdFlags;

use super::socket::Socket;
use crate::segment::backing::Backing;

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

/// The channel is closed: nothing more can be sent.
#[derive(Debug)]
pub(crate) struct Closed;

/// The sending half of a channel.
#[derive(Debug)]
pub(crate) struct Outbox {
    socket: Arc<Socket>,
    queue: Mutex<Queue>,
    /// Wakes the driver when the queue is no longer empty.
    wake: OwnedFd,
    sent_bytes: AtomicU64,
    /// The process that made it. A forked child inherits the socket and must not speak.
    owner: u32,
}

#[derive(Debug, Default)]
struct Queue {
    messages: VecDeque<(Vec<u8>, Option<Descriptor>)>,
    is_closed: bool,
}

impl Outbox {
    pub(crate) fn new(socket: Arc<Socket>) -> io::Result<Self> {
        let wake = rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let (queue, sent_bytes) = (Mutex::default(), AtomicU64::new(0));
        Ok(Self {
            socket,
            queue,
            wake,
            sent_bytes,
            owner: std::process::id(),
        })
    }

    /// Tells whether this is the process that made it, and not a forked child of that.
    pub(crate) fn is_owner(&self) -> bool {
        std::process::id() == self.owner
    }

    /// Sends `message` now, or queues it behind what waits already.
    pub(crate) fn push(&self, message: Vec<u8>, fd: Option<Descriptor>) -> Result<(), Closed> {
        if !self.is_owner() {
            return Err(Closed);
        }
        let mut queue = self.lock();
        if queue.is_closed {
            return Err(Closed);
        }
        self.sent_bytes
            .fetch_add(message.len() as u64, Ordering::Relaxed);
        if queue.messages.is_empty() {
            match self
                .socket
                .try_send(&message, fd.as_ref().and_then(Descriptor::fd))
            {
                Ok(()) => {
                    drop(queue);
                    // Outside the lock: the last user of a segment says farewell through here.
                    drop(fd);
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => {
                    queue.is_closed = true;
                    drop(queue);
                    drop(fd);
                    self.wake_driver();
                    return Err(Closed);
                }
            }
        }
        queue.messages.push_back((message, fd));
        drop(queue);
        self.wake_driver();
        Ok(())
    }

    /// Sends what is queued as far as there is room; returns whether anything is left.
    pub(crate) fn flush(&self) -> Result<bool, Closed> {
        loop {
            let mut queue = self.lock();
            if queue.is_closed {
                return Err(Closed);
            }
            let Some((message, fd)) = queue.messages.front() else {
                return Ok(false);
            };
            match self
                .socket
                .try_send(message, fd.as_ref().and_then(Descriptor::fd))
            {
                Ok(()) => {
                    let sent = queue.messages.pop_front();
                    drop(queue);
                    drop(sent);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                Err(_) => {
                    queue.is_closed = true;
                    return Err(Closed);
                }
            }
        }
    }

    /// Refuses all further messages and forgets those that wait.
    pub(crate) fn close(&self) {
        let mut queue = self.lock();
        queue.is_closed = true;
        let forgotten = std::mem::take(&mut queue.messages);
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
