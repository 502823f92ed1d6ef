//! One end of a connection: whole messages, each with at most one descriptor, and frames in rings
//! where there are some.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::cmsg_space;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};

use super::frame;
use super::rings::Rings;

/// The longest message, and the longest frame in a ring.
const LONGEST_BYTES: usize = 64 * 1024;

/// How long a peer may take for anything. It is never waited out unless a test fails.
pub const LIMIT: Duration = Duration::from_secs(120);

/// One end of a connection.
#[derive(Debug)]
pub struct End {
    fd: OwnedFd,
    /// Where frames go that bring no descriptor and find room.
    lane: Option<Mutex<Lane>>,
}

/// Rings, and how many messages went each way.
#[derive(Debug)]
struct Lane {
    rings: Rings,
    n_sent: u32,
    n_received: u32,
}

/// What came.
#[derive(Debug)]
pub enum Received {
    /// A message and the descriptor beside it.
    Message(Vec<u8>, Option<OwnedFd>),
    /// The other end is closed.
    EndOfFile,
}

/// Makes a connected pair of ends, both closed on exec.
///
/// # Panics
/// If there can be none.
#[must_use]
pub fn pair() -> (End, OwnedFd) {
    let flags = SocketFlags::CLOEXEC;
    let pair = rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None);
    let (ours, theirs) = pair.expect("a pair of sockets");
    (End::new(ours), theirs)
}

/// Waits until `fd` is readable (a process: until it has ended); `false` if that takes too long.
#[must_use]
pub fn wait_for(fd: BorrowedFd<'_>) -> bool {
    let limit = Timespec::try_from(LIMIT).expect("a short time");
    loop {
        let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::IN)];
        match rustix::event::poll(&mut fds, Some(&limit)) {
            Ok(n) => return n > 0,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => panic!("can't wait: {error}"),
        }
    }
}

impl AsFd for End {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl End {
    /// Wraps a socket.
    #[must_use]
    pub fn new(fd: OwnedFd) -> Self {
        Self { fd, lane: None }
    }

    /// Speaks through rings from now on, and over the socket where the wire wants it.
    pub fn use_rings(&mut self, rings: Rings) {
        let (n_sent, n_received) = (0, 0);
        self.lane = Some(Mutex::new(Lane {
            rings,
            n_sent,
            n_received,
        }));
    }

    fn lane(&self) -> Option<MutexGuard<'_, Lane>> {
        let lane = self.lane.as_ref()?;
        Some(lane.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Sends a message with descriptors; tells whether the other end was there to take it, or the ring had
    /// room for it.
    ///
    /// # Panics
    /// If it can't be sent for another reason.
    pub fn try_send(&self, message: &[u8], descriptors: &[BorrowedFd<'_>]) -> bool {
        let Some(mut lane) = self.lane() else {
            return self.send_message(message, descriptors);
        };
        let is_frame = descriptors.is_empty() && (1..=LONGEST_BYTES).contains(&message.len());
        let after = lane.n_sent;
        lane.n_sent += 1;
        if is_frame && lane.rings.has_room(message.len()) {
            lane.rings.push(message, after);
            // Who looks may have taken it, and ended for that, before the bell rings.
            let _ = self.send_message(&frame::bell(), &[]);
            return true;
        }
        self.send_message(message, descriptors)
    }

    fn send_message(&self, message: &[u8], descriptors: &[BorrowedFd<'_>]) -> bool {
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(8))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() {
            assert!(ancillary.push(SendAncillaryMessage::ScmRights(descriptors)));
        }
        let parts = [IoSlice::new(message)];
        match rustix::net::sendmsg(&self.fd, &parts, &mut ancillary, SendFlags::NOSIGNAL) {
            Ok(len) => {
                assert_eq!(len, message.len());
                true
            }
            Err(rustix::io::Errno::PIPE | rustix::io::Errno::CONNRESET) => false,
            Err(error) => panic!("{} bytes can't be sent: {error}", message.len()),
        }
    }

    /// Sends a message to a peer that is there.
    ///
    /// # Panics
    /// If it isn't.
    pub fn send(&self, message: &[u8]) {
        assert!(self.try_send(message, &[]), "the peer is gone");
    }

    /// Sends a message with a descriptor to a peer that is there.
    ///
    /// # Panics
    /// If it isn't.
    pub fn send_with(&self, message: &[u8], descriptor: impl AsFd) {
        assert!(
            self.try_send(message, &[descriptor.as_fd()]),
            "the peer is gone"
        );
    }

    /// Receives the next message.
    ///
    /// # Panics
    /// If none comes in time.
    #[must_use]
    pub fn receive(&self) -> Received {
        let Some(mut lane) = self.lane() else {
            return self.receive_message();
        };
        let since = Instant::now();
        loop {
            assert!(since.elapsed() < LIMIT, "nothing came within {LIMIT:?}");
            match lane.rings.peek() {
                Some(after) if after == lane.n_received % (1 << 15) => {
                    return Received::Message(lane.rings.pop(), None);
                }
                None if !self.has_come() => std::thread::yield_now(),
                // A frame may have come before the message, and be there now.
                None if lane.rings.peek().is_some() => {}
                _ => match self.receive_message() {
                    Received::Message(message, None) if message == frame::bell() => {
                        lane.n_received += 1;
                    }
                    Received::EndOfFile => return Received::EndOfFile,
                    message => {
                        lane.n_received += 1;
                        return message;
                    }
                },
            }
        }
    }

    fn receive_message(&self) -> Received {
        assert!(wait_for(self.fd.as_fd()), "nothing came within {LIMIT:?}");
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut message = vec![0; 65536];
        let mut parts = [IoSliceMut::new(&mut message)];
        let flags = RecvFlags::CMSG_CLOEXEC;
        let len = match rustix::net::recvmsg(&self.fd, &mut parts, &mut ancillary, flags) {
            Ok(received) => received.bytes,
            Err(rustix::io::Errno::CONNRESET) => 0,
            Err(error) => panic!("can't receive: {error}"),
        };
        let mut descriptor = None;
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                descriptor = descriptors.last();
            }
        }
        message.truncate(len);
        match len {
            0 => Received::EndOfFile,
            _ => Received::Message(message, descriptor),
        }
    }

    /// Tells whether a message, or the end, has come.
    ///
    /// # Panics
    /// If the system can't tell.
    #[must_use]
    pub fn has_come(&self) -> bool {
        let mut fds = [PollFd::new(&self.fd, PollFlags::IN)];
        let at_once = Timespec::default();
        rustix::event::poll(&mut fds, Some(&at_once)).expect("an answer") > 0
    }

    /// Waits a moment; tells whether another frame has come.
    ///
    /// # Panics
    /// If the system can't wait.
    #[must_use]
    pub fn has_more(&self) -> bool {
        const MOMENT: Duration = Duration::from_millis(50);
        if let Some(lane) = self.lane() {
            // A message may be a bell alone.
            let since = Instant::now();
            while lane.rings.peek().is_none() && since.elapsed() < MOMENT {
                std::thread::yield_now();
            }
            return lane.rings.peek().is_some();
        }
        let moment = Timespec::try_from(MOMENT).expect("a short time");
        let mut fds = [PollFd::new(&self.fd, PollFlags::IN)];
        rustix::event::poll(&mut fds, Some(&moment)).expect("a wait") > 0
    }

    /// Closes both directions, for whoever has the descriptor.
    pub fn shut_down(&self) {
        let _ = rustix::net::shutdown(&self.fd, rustix::net::Shutdown::Both);
    }
}
