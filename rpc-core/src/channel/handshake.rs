//! What both sides say first.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};

use super::socket::{Attachment, Received, Socket};
use crate::segment::kind::Segments;
use crate::wire::handshake::{
    self, ChannelKind, Dispatcher, Hello, Limits, MESSAGE_BYTES, ServedModule, Trust, Unreadable,
    Welcome,
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

/// Says hello to a worker.
pub(crate) fn say_hello(
    socket: &Socket,
    worker: &str,
    dispatcher: Dispatcher,
    segments: Segments,
    pidfd: Option<BorrowedFd<'_>>,
) -> Result<(), HandshakeError> {
    let hello = Hello {
        limits: Limits::OURS,
        trust: Trust::Trusted,
        dispatcher,
        segments: segments as u32,
        channels: vec![ChannelKind::Socket as u32],
        worker: worker.to_owned(),
    };
    let message =
        handshake::encode(&hello).map_err(|error| HandshakeError::Io(io::Error::other(error)))?;
    socket
        .try_send(&message, pidfd)
        .map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => HandshakeError::EndOfFile,
            _ => HandshakeError::Io(error),
        })
}

/// Writes the message that welcomes a host.
pub(crate) fn welcome(modules: Vec<ServedModule>) -> io::Result<Vec<u8>> {
    let welcome = Welcome {
        limits: Limits::OURS,
        channel: ChannelKind::Socket,
        modules,
    };
    let message = handshake::encode(&welcome).map_err(io::Error::other)?;
    if message.len() > MESSAGE_BYTES {
        let len = message.len();
        let what = format!("{len} bytes of module names are more than a message holds");
        return Err(io::Error::other(what));
    }
    Ok(message)
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

/// Waits for an event, for `limit` at most. An interruption counts as an event.
pub(crate) fn poll(fds: &mut [PollFd<'_>], limit: Option<Duration>) -> io::Result<()> {
    // Rounded up, so that a deadline has passed when the wait for it is over.
    let limit = limit.map(|limit| limit + Duration::from_micros(1));
    let timeout = limit.and_then(|limit| Timespec::try_from(limit).ok());
    match rustix::event::poll(fds, timeout.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
