//! What both sides say first.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};

use super::Rings;
use super::socket::{Attachment, Received, Socket};
use crate::segment::kind::Segments;
use crate::wire::handshake::{
    self, ChannelKind, Hello, Limits, MESSAGE_BYTES, ServedModule, Unreadable, Welcome,
};

/// Why two processes did not come together.
#[derive(Debug)]
pub(crate) enum HandshakeError {
    /// The other side can't be understood.
    Unreadable(Unreadable),
    /// The other side closed the socket.
    EndOfFile,
    /// The other side said nothing in time.
    TimedOut,
    /// The kernel's.
    Io(io::Error),
}

/// A socket whose other end was introduced.
pub(crate) struct Introduced<T> {
    pub(crate) message: T,
    pub(crate) attachment: Option<OwnedFd>,
}

/// The numbers of what a host is ready to use that wants this kind of channel.
pub(crate) fn channels_for(kind: ChannelKind) -> Vec<u32> {
    match kind {
        ChannelKind::Ring => vec![ChannelKind::Ring as u32, ChannelKind::Socket as u32],
        ChannelKind::Socket => vec![ChannelKind::Socket as u32],
    }
}

/// Says hello to a worker.
pub(crate) fn say_hello(
    socket: &Socket,
    hello: &Hello,
    pidfd: Option<BorrowedFd<'_>>,
) -> Result<(), HandshakeError> {
    let message =
        handshake::encode(hello).map_err(|error| HandshakeError::Io(io::Error::other(error)))?;
    socket
        .try_send(&message, pidfd)
        .map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => HandshakeError::EndOfFile,
            _ => HandshakeError::Io(error),
        })
}

/// Welcomes a host, as the very first message of a worker that is ready.
pub(crate) fn welcome(
    socket: &Socket,
    rings: Option<&OwnedFd>,
    modules: Vec<ServedModule>,
) -> io::Result<()> {
    let welcome = Welcome {
        limits: Limits::OURS,
        channel: match rings {
            Some(_) => ChannelKind::Ring,
            None => ChannelKind::Socket,
        },
        modules,
    };
    let message = handshake::encode(&welcome).map_err(io::Error::other)?;
    if message.len() > MESSAGE_BYTES {
        let len = message.len();
        let what = format!("{len} bytes of module names are more than a message holds");
        return Err(io::Error::other(what));
    }
    // It is the first one, so there is room for it.
    socket.try_send(&message, rings.map(AsFd::as_fd))
}

/// The rings that a host would like to use, made by the worker; without them the socket will do.
pub(crate) fn offer_rings(hello: &Hello) -> Option<(Rings, OwnedFd)> {
    let is_wanted = hello.channels.contains(&(ChannelKind::Ring as u32));
    let made = is_wanted.then(Rings::create)?;
    made.inspect_err(
        |error| tracing::warn!(%error, "there is no memory for the rings of a channel"),
    )
    .ok()
}

/// The rings that a worker has made, if it was `offered` them and chose them; `segment` came with its
/// `Welcome`.
pub(crate) fn open_rings(
    offered: ChannelKind,
    welcome: &Welcome,
    segment: Option<OwnedFd>,
) -> Result<Option<Rings>, Unreadable> {
    if !channels_for(offered).contains(&(welcome.channel as u32)) {
        return Err(Unreadable::Rings(
            "it was offered the socket alone".to_owned(),
        ));
    }
    match (welcome.channel, segment) {
        (ChannelKind::Socket, None) => Ok(None),
        (ChannelKind::Socket, Some(_)) => Err(Unreadable::Message(
            "one with a descriptor that belongs to nothing".to_owned(),
        )),
        (ChannelKind::Ring, None) => Err(Unreadable::Rings(
            "their segment didn't arrive; is this process's table of descriptors full (`ulimit -n`)?"
                .to_owned(),
        )),
        (ChannelKind::Ring, Some(segment)) => Rings::open(&segment)
            .map(Some)
            .map_err(|error| Unreadable::Rings(error.to_string())),
    }
}

/// Reads the other side's first message, if it has come.
pub(crate) fn try_read<T: serde::de::DeserializeOwned>(
    socket: &Socket,
) -> Result<Option<Introduced<T>>, HandshakeError> {
    let mut buffer = vec![0; MESSAGE_BYTES];
    let received = socket
        .try_receive(&mut buffer)
        .map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => {
                HandshakeError::Unreadable(Unreadable::Message(error.to_string()))
            }
            _ => HandshakeError::Io(error),
        })?;
    let (len, attachment) = match received {
        Received::Message { len, attachment } => (len, attachment),
        Received::EndOfFile => return Err(HandshakeError::EndOfFile),
        Received::Nothing => return Ok(None),
    };
    let message = handshake::decode(&buffer[..len]).map_err(HandshakeError::Unreadable)?;
    let attachment = match attachment {
        Attachment::Some(fd) => Some(fd),
        Attachment::None | Attachment::Lost => None,
    };
    Ok(Some(Introduced {
        message,
        attachment,
    }))
}

/// Waits for a host's first message.
pub(crate) fn read_hello(
    socket: &Socket,
    limit: Duration,
) -> Result<Introduced<Hello>, HandshakeError> {
    let hello: Introduced<Hello> = read(socket, limit)?;
    if !hello
        .message
        .channels
        .contains(&(ChannelKind::Socket as u32))
    {
        return Err(HandshakeError::Unreadable(Unreadable::Channel));
    }
    let kind = hello.message.segments;
    if Segments::from_number(kind).is_none() {
        return Err(HandshakeError::Unreadable(Unreadable::Segments(kind)));
    }
    Ok(hello)
}

/// Waits for the other side's first message.
pub(crate) fn read<T: serde::de::DeserializeOwned>(
    socket: &Socket,
    limit: Duration,
) -> Result<Introduced<T>, HandshakeError> {
    let until = Instant::now() + limit;
    loop {
        if let Some(introduced) = try_read(socket)? {
            return Ok(introduced);
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(HandshakeError::TimedOut);
        }
        let mut fds = [PollFd::from_borrowed_fd(socket.as_fd(), PollFlags::IN)];
        poll(&mut fds, Some(left)).map_err(HandshakeError::Io)?;
    }
}

/// Waits for an event, for `limit` at most; where that is zero, only looks. An interruption counts as
/// an event.
pub(crate) fn poll(fds: &mut [PollFd<'_>], limit: Option<Duration>) -> io::Result<()> {
    // Rounded up, so that a deadline has passed when the wait for it is over. A look is no wait: of a
    // microsecond the kernel's timers make more than fifty.
    let limit = limit.map(|limit| match limit {
        Duration::ZERO => limit,
        _ => limit.saturating_add(Duration::from_micros(1)),
    });
    let timeout = limit.and_then(|limit| Timespec::try_from(limit).ok());
    match rustix::event::poll(fds, timeout.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::net::UnixStream;

    use super::*;

    /// How often this thread has slept.
    fn n_sleeps() -> u64 {
        let status = fs::read_to_string("/proc/thread-self/status").unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        line.unwrap().trim().parse().unwrap()
    }

    #[test]
    fn a_look_does_not_sleep() {
        let (silent, _other) = UnixStream::pair().unwrap();
        let mut fds = [PollFd::from_borrowed_fd(silent.as_fd(), PollFlags::IN)];
        let before = n_sleeps();
        for _ in 0..200 {
            poll(&mut fds, Some(Duration::ZERO)).unwrap();
            assert!(fds[0].revents().is_empty());
        }
        // The kernel may have had reasons of its own.
        let n_sleeps = n_sleeps() - before;
        assert!(n_sleeps < 100, "{n_sleeps} sleeps in 200 looks");
    }

    #[test]
    fn a_wait_lasts_at_least_as_long_as_it_was_told() {
        let (silent, _other) = UnixStream::pair().unwrap();
        let mut fds = [PollFd::from_borrowed_fd(silent.as_fd(), PollFlags::IN)];
        let limit = Duration::from_nanos(1_500_001);
        let until = Instant::now() + limit;
        poll(&mut fds, Some(limit)).unwrap();
        assert!(Instant::now() >= until);
    }
}
