//! The socket: whole messages, each with at most one descriptor, in order.
//!
//! It is one end of a `SOCK_SEQPACKET` pair that is inherited, so no other process can open it.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::cmsg_space;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};

use crate::sync::order_by_messages;

/// One end of the pair.
#[derive(Debug)]
pub(crate) struct Socket {
    fd: OwnedFd,
}

/// What one `receive` found.
#[derive(Debug)]
pub(crate) enum Received {
    /// A message of `len` bytes, now at the start of the buffer.
    Message {
        /// The length of the message.
        len: usize,
        /// The descriptor that came with it, if any.
        attachment: Attachment,
    },
    /// The peer closed its end.
    EndOfFile,
    /// Nothing has come yet.
    Nothing,
}

/// The descriptor beside a message.
#[derive(Debug)]
pub(crate) enum Attachment {
    /// There was none.
    None,
    /// There was one.
    Some(OwnedFd),
    /// There was one, and this process had no room for it in its table.
    Lost,
}

/// Makes a connected pair. Both ends are closed on exec.
pub(crate) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let (ours, theirs) = rustix::net::socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )?;
    Ok((ours, theirs))
}

impl Socket {
    /// Wraps one end of a pair.
    pub(crate) fn new(fd: OwnedFd) -> Self {
        Self { fd }
    }

    /// Sends a message that isn't empty: an empty one looks like end-of-file.
    ///
    /// # Errors
    /// The kernel's. Those pass that [`Backlog::of`](super::backlog::Backlog::of) knows; after any other
    /// one, nothing can be sent any more.
    pub(crate) fn try_send(
        &self,
        message: &[u8],
        attachment: Option<BorrowedFd<'_>>,
    ) -> io::Result<()> {
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        let descriptors = attachment.as_slice();
        if !descriptors.is_empty() {
            let pushed = ancillary.push(SendAncillaryMessage::ScmRights(descriptors));
            debug_assert!(pushed, "the buffer is made for one descriptor");
        }
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        order_by_messages();
        loop {
            match rustix::net::sendmsg(&self.fd, &[IoSlice::new(message)], &mut ancillary, flags) {
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Receives a message into `buffer`, which is as long as the longest valid one.
    ///
    /// # Errors
    /// The kernel's; [`io::ErrorKind::InvalidData`] for a message that is longer than `buffer` or
    /// brings more than one descriptor.
    pub(crate) fn try_receive(&self, buffer: &mut [u8]) -> io::Result<Received> {
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
        let mut is_reset = false;
        let received = loop {
            let mut buffers = [IoSliceMut::new(buffer)];
            match rustix::net::recvmsg(&self.fd, &mut buffers, &mut ancillary, flags) {
                Ok(received) => break received,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(Received::Nothing),
                // The peer closed its end before it had read everything. The kernel says so once,
                // and before it hands out what the peer had sent.
                Err(Errno::CONNRESET) if !is_reset => is_reset = true,
                Err(Errno::CONNRESET) => return Ok(Received::EndOfFile),
                Err(error) => return Err(error.into()),
            }
        };
        order_by_messages();
        let mut descriptors = Vec::new();
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(rights) = message {
                descriptors.extend(rights);
            }
        }
        let invalid = |what| Err(io::Error::new(io::ErrorKind::InvalidData, what));
        if descriptors.len() > 1 {
            return invalid("a message with more than one descriptor");
        }
        if received.flags.contains(ReturnFlags::TRUNC) {
            return invalid("a message longer than any frame");
        }
        if received.bytes == 0 {
            return Ok(Received::EndOfFile);
        }
        let attachment = match descriptors.pop() {
            Some(fd) => Attachment::Some(fd),
            // The kernel drops what finds no room and still delivers the bytes.
            None if received.flags.contains(ReturnFlags::CTRUNC) => Attachment::Lost,
            None => Attachment::None,
        };
        Ok(Received::Message {
            len: received.bytes,
            attachment,
        })
    }

    /// Closes both directions, for every process that has the descriptor.
    pub(crate) fn shut_down(&self) {
        // Fails only if it is closed already.
        let _ = rustix::net::shutdown(&self.fd, rustix::net::Shutdown::Both);
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_peer_sent_is_received_though_it_had_not_read_everything() {
        let (ours, theirs) = pair().unwrap();
        let (ours, theirs) = (Socket::new(ours), Socket::new(theirs));
        ours.try_send(b"unread", None).unwrap();
        theirs.try_send(b"last words", None).unwrap();
        drop(theirs);
        let mut buffer = [0; 64];
        let received = ours.try_receive(&mut buffer).unwrap();
        assert!(
            matches!(received, Received::Message { len: 10, .. }),
            "{received:?}"
        );
        let received = ours.try_receive(&mut buffer).unwrap();
        assert!(matches!(received, Received::EndOfFile), "{received:?}");
    }

    fn sockets() -> (Socket, Socket) {
        let (one, other) = pair().unwrap();
        (Socket::new(one), Socket::new(other))
    }

    #[test]
    fn messages_keep_their_bounds_and_bring_descriptors() {
        let (host, worker) = sockets();
        let fd = crate::segment::memfd::create(4096).unwrap();
        host.try_send(b"first", Some(fd.as_fd())).unwrap();
        host.try_send(b"second", None).unwrap();
        let mut buffer = [0; 64];
        let Received::Message {
            len: 5,
            attachment: Attachment::Some(received),
        } = worker.try_receive(&mut buffer).unwrap()
        else {
            panic!("the first message has five bytes and a descriptor");
        };
        let identity = crate::segment::memfd::identity;
        assert_eq!(identity(&fd).unwrap(), identity(&received).unwrap());
        assert!(matches!(
            worker.try_receive(&mut buffer).unwrap(),
            Received::Message {
                len: 6,
                attachment: Attachment::None
            }
        ));
        assert_eq!(&buffer[..6], b"second");
        assert!(matches!(
            worker.try_receive(&mut buffer).unwrap(),
            Received::Nothing
        ));
        drop(host);
        assert!(matches!(
            worker.try_receive(&mut buffer).unwrap(),
            Received::EndOfFile
        ));
    }

    #[test]
    fn a_full_socket_would_block_and_a_long_message_is_refused() {
        let (host, worker) = sockets();
        let message = [1; 4096];
        let full = (0..10_000)
            .find_map(|_| host.try_send(&message, None).err())
            .unwrap();
        assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
        let error = worker.try_receive(&mut [0; 4095]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}
