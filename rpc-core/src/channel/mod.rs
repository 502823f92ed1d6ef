//! The connection of a host and a worker.
//!
//! - [`socket`] moves messages and descriptors, [`ring`] moves frames through memory that both sides
//!   map; [`bell`] and [`wait`] say how one side waits for the other;
//! - [`outbox`] sends, and queues what finds no room; [`reader`] reads;
//! - [`announce`] tells the other side of segments, [`accept`] hears what it tells of its own;
//!   [`exports`] and [`imports`] remember which each side knows, so that a descriptor travels once for
//!   each segment and access;
//! - [`loan`] turns tensors into handles, [`bind`] turns handles back into memory; [`named`] is what a
//!   frame hands over that may not be sent; [`exposed`] copies into and out of memory that an untrusted
//!   worker may write;
//! - [`inline`] is for arrays so small that they travel in the frame, [`long`] for frames that lie in a
//!   segment themselves;
//! - [`handshake`] is what both sides say first, [`terms`] what they have agreed on by that;
//! - [`error`] says what breaks a channel, and why something is not sent.
//!
//! A [`Channel`] is one end. It sends from any thread, without blocking; what arrives is read by
//! whichever thread has the [`Lead`], and by one of its own where nobody takes it, the *driver* (see
//! [`crate::call`]). Frames that concern segments go to [`Channel::accept`].

mod accept;
mod announce;
mod backlog;
pub(crate) mod bell;
pub(crate) mod bind;
mod error;
mod exports;
pub(crate) mod exposed;
pub(crate) mod handshake;
mod imports;
pub(crate) mod inline;
pub(crate) mod loan;
pub(crate) mod long;
#[cfg(all(test, reedbed_loom))]
mod models;
pub(crate) mod named;
mod outbox;
#[cfg(feature = "internals")]
pub mod parts;
mod reader;
mod ring;
mod rings;
pub(crate) mod socket;
mod terms;
pub(crate) mod wait;

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, PoisonError, Weak};

pub(crate) use backlog::Backlog;
use bell::Wake;
pub(crate) use error::{SendError, Violation};
use exports::{Exports, Transfers};
use imports::Imports;
use long::Stake;
use outbox::Outbox;
pub(crate) use reader::{Lead, Lingering, Look};
use reader::{Linger, Reader};
use ring::Lane;
pub(crate) use rings::Rings;
use socket::Socket;
pub(crate) use terms::Terms;
use wait::Waiting;

use crate::segment::account::Account;
use crate::segment::backing::Backing;
use crate::segment::kind::Segments;
use crate::segment::mapping::Access;
use crate::segment::pool;
use crate::segment::stranger::{Reach, Stranger};
use crate::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use crate::sync::{Mutex, MutexGuard};
use crate::tensor::Home;
use crate::wire::codec;
use crate::wire::frame::Frame;
use crate::wire::handshake::{Limits, MESSAGE_BYTES, ServedModule};

/// The source of [`Channel::uid`].
static NEXT_UID: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);

/// One end of the connection of a host and a worker.
#[derive(Debug)]
pub(crate) struct Channel {
    this: Weak<Self>,
    uid: u64,
    limits: Limits,
    socket: Arc<Socket>,
    outbox: Outbox,
    /// The ring that leads here.
    incoming: Option<Lane>,
    /// The ring that leads to the peer.
    outgoing: Option<Lane>,
    reader: Mutex<Reader>,
    /// The threads that wait for the lead.
    n_awaiting: AtomicU32,
    linger: Linger,
    /// Whether the thread that sleeps on the ring's bell was told to wake up.
    is_sleeper_called: AtomicBool,
    waiting: Waiting,
    exports: Mutex<Exports>,
    imports: Mutex<Imports>,
    transfers: Mutex<Transfers>,
    /// What the segments of both sides are made of.
    segments: Segments,
    /// The worker at the other end, if it isn't trusted.
    stranger: Option<Stranger>,
    /// What the peer may have of the shared memory.
    account: Arc<Account>,
    /// Whether descriptors of the peer's segments are kept, to forward tensors to third parties.
    keeps_descriptors: bool,
    received_bytes: AtomicU64,
    is_closed: AtomicBool,
}

/// What a driver read from the channel.
#[derive(Debug)]
pub(crate) enum Arrival {
    /// A frame that concerns calls.
    Frame(Frame),
    /// Nothing more for now.
    Nothing,
    /// There may be more, but what came for long concerned no call: whoever reads looks around first.
    Pause,
    /// The peer closed its end.
    EndOfFile,
}

impl Channel {
    /// Wraps one end of a pair, after the handshake.
    pub(crate) fn new(socket: Socket, terms: Terms) -> io::Result<Arc<Self>> {
        let socket = Arc::new(socket);
        let (incoming, outgoing, imports) = match terms.rings {
            Some(rings) => {
                let imports = Imports::beside_rings(rings.identity);
                (Some(rings.incoming), Some(rings.outgoing), imports)
            }
            None => (None, None, Imports::default()),
        };
        let bell = codec::encode(&Frame::Bell).map_err(io::Error::other)?;
        let outbox = Outbox::new(
            Arc::clone(&socket),
            outgoing.clone(),
            bell,
            terms.limits.n_calls,
        )?;
        Ok(Arc::new_cyclic(|this| Self {
            this: Weak::clone(this),
            uid: NEXT_UID.fetch_add(1, Ordering::Relaxed),
            limits: terms.limits,
            socket,
            outbox,
            reader: Mutex::new(Reader::new(incoming.clone())),
            n_awaiting: AtomicU32::new(0),
            linger: Linger::default(),
            is_sleeper_called: AtomicBool::new(false),
            incoming,
            outgoing,
            waiting: Waiting::new(terms.wait),
            exports: Mutex::default(),
            imports: Mutex::new(imports),
            transfers: Mutex::default(),
            segments: terms.segments,
            stranger: terms.stranger,
            account: terms.account,
            keeps_descriptors: terms.keeps_descriptors,
            received_bytes: AtomicU64::new(0),
            is_closed: AtomicBool::new(false),
        }))
    }

    /// How this side waits.
    pub(crate) fn waiting(&self) -> &Waiting {
        &self.waiting
    }

    /// Tells whether frames go through rings.
    pub(crate) fn has_rings(&self) -> bool {
        self.incoming.is_some()
    }

    /// Notes on which processor this thread runs, for the peer to see; tells whether that was another
    /// one than the peer's when it last did so.
    pub(crate) fn is_apart(&self) -> bool {
        let (Some(incoming), Some(outgoing)) = (&self.incoming, &self.outgoing) else {
            return false;
        };
        let cpu = wait::current_cpu();
        let noted = outgoing.producer_cpu();
        if noted.load(Ordering::Relaxed) != cpu {
            noted.store(cpu, Ordering::Relaxed);
        }
        incoming.producer_cpu().load(Ordering::Relaxed) != cpu
    }

    /// Wakes the thread of the peer that reads calls, if it sleeps and that may pay, for what will soon
    /// be sent; tells whether it slept.
    pub(crate) fn wake_ahead(&self) -> bool {
        self.outbox.is_peer_asleep()
            && self.waiting.may_wake_ahead(self.is_apart())
            && self.outbox.wake_peer()
    }

    /// Closes the channel, for what the peer did that no reader of it notices; the driver says so.
    pub(crate) fn break_off(&self, violation: Violation) {
        self.outbox.accuse(violation.0);
        self.close();
    }

    /// What the peer did that no reader notices, or wrote into a ring that nobody writes who keeps to
    /// the protocol; once.
    pub(crate) fn take_violation(&self) -> Option<Violation> {
        self.outbox.take_violation().map(Violation)
    }

    /// A number that no other channel of this process ever has.
    pub(crate) fn uid(&self) -> u64 {
        self.uid
    }

    /// What was negotiated.
    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// What the segments of both sides are made of.
    #[cfg(feature = "posix-shm")]
    pub(crate) fn segments(&self) -> Segments {
        self.segments
    }

    /// What the peer may have of the shared memory.
    pub(crate) fn account(&self) -> &Arc<Account> {
        &self.account
    }

    /// The worker at the other end, if it isn't trusted.
    pub(crate) fn stranger(&self) -> Option<Stranger> {
        self.stranger
    }

    /// Where what is copied for the peer to read lies.
    pub(crate) fn home(&self) -> Home {
        self.stranger.map_or(Home::Common(self.segments), Home::For)
    }

    /// Tells whether a segment can travel here, for `access` or (`ReadWrite`) given away. What can't is
    /// copied first.
    pub(crate) fn takes(&self, backing: &Backing, access: Access) -> bool {
        let is_guarded = backing.reach() == Reach::Guarded;
        if self.stranger.is_some() {
            return is_guarded && access == Access::Read;
        }
        // Nobody but its maker can write a guarded one.
        let is_writable = !is_guarded || access == Access::Read;
        backing.segments() == self.segments
            && is_writable
            && (self.knows(backing) || announce::is_nameable(backing))
    }

    /// Tells whether cells may be shared with the peer that lie in a segment: one that isn't trusted
    /// sees all of it.
    pub(crate) fn may_share(&self, backing: &Backing) -> bool {
        self.stranger.is_none()
            || backing.reach() == Reach::Exposed
                && (backing.is_own() || self.imports().number_of(backing).is_some())
    }

    fn knows(&self, backing: &Backing) -> bool {
        self.imports().number_of(backing).is_some() || self.exports().contains(backing)
    }

    /// The bytes of all messages so far: sent, received. Descriptors are not bytes.
    pub(crate) fn traffic(&self) -> (u64, u64) {
        (
            self.outbox.sent_bytes(),
            self.received_bytes.load(Ordering::Relaxed),
        )
    }

    /// Welcomes the host, as the very first message of a worker that is ready. `rings` is the segment
    /// where they lie.
    pub(crate) fn welcome(
        &self,
        rings: Option<&OwnedFd>,
        modules: Vec<ServedModule>,
    ) -> io::Result<()> {
        handshake::welcome(&self.socket, rings, modules)
    }

    /// Sends a frame that is never long; tells how the peer was woken for it.
    pub(crate) fn send(&self, frame: &Frame) -> Result<Wake, SendError> {
        self.send_with(frame, || Box::new(()))
    }

    /// Sends a frame, in a segment if it is long; tells how the peer was woken for it. What depends on
    /// whether the peer can read a long one, `stake` makes.
    pub(crate) fn send_with(
        &self,
        frame: &Frame,
        stake: impl FnOnce() -> Box<dyn Stake>,
    ) -> Result<Wake, SendError> {
        frame.with_encoded(|bytes| match bytes.len() {
            0..=MESSAGE_BYTES => Ok(self.outbox.push(bytes, None)?),
            _ => self.send_long(bytes, stake),
        })?
    }

    /// Sends a frame that may be lost with the channel.
    pub(crate) fn send_or_close(&self, frame: &Frame) {
        if self.send(frame).is_err() {
            self.close();
        }
    }

    /// Tells whether anything can be sent, as far as is known.
    pub(crate) fn can_send(&self) -> bool {
        !self.outbox.is_closed()
    }

    /// Tells whether this side has closed the channel.
    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }

    /// Tells whether this is the process whose channel it is, and not a forked child of that.
    pub(crate) fn is_owner(&self) -> bool {
        self.outbox.is_owner()
    }

    /// Closes the channel for both sides. What waits to be sent is forgotten.
    pub(crate) fn close(&self) {
        if !self.outbox.is_owner() {
            // A forked child shares the socket, and must not close it for its parent.
            return;
        }
        self.is_closed.store(true, Ordering::Release);
        self.outbox.close();
        self.socket.shut_down();
        self.outbox.wake_driver();
        self.wake_sleeper();
    }

    /// Lets go of all memory that is shared with the peer. What was moved to it is used again only
    /// if it is dead: a peer in this process may have kept tensors.
    pub(crate) fn release_all(&self, is_peer_dead: bool) {
        let (transfers, frames) = self.transfers().take_all();
        if !is_peer_dead {
            transfers.values().for_each(|extent| extent.disown());
        }
        let imports = self.imports().take_all();
        drop((transfers, frames, imports));
        if let Some(stranger) = self.stranger {
            pool::forget(stranger);
        }
    }

    /// Sends what is queued as far as there is room; returns what keeps the rest from being sent.
    pub(crate) fn flush(&self) -> Backlog {
        self.outbox.flush().unwrap_or(Backlog::Nothing)
    }

    /// Makes the driver look around.
    pub(crate) fn wake_driver(&self) {
        self.outbox.wake_driver();
    }

    /// What the driver polls besides the socket.
    pub(crate) fn wake_fd(&self) -> BorrowedFd<'_> {
        self.outbox.wake_fd()
    }

    /// Takes the wake-ups that are pending.
    pub(crate) fn clear_wake(&self) {
        self.outbox.clear_wake();
    }

    fn exports(&self) -> MutexGuard<'_, Exports> {
        lock(&self.exports)
    }

    fn imports(&self) -> MutexGuard<'_, Imports> {
        lock(&self.imports)
    }

    fn transfers(&self) -> MutexGuard<'_, Transfers> {
        lock(&self.transfers)
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Locks a table. No critical section here can panic half way through a change.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
