//! What keeps messages from being sent, and so what a driver waits for.

use std::io;
use std::time::Duration;

use rustix::event::PollFlags;
use rustix::io::Errno;

/// How long a driver waits before it tries again to send a descriptor, where nothing tells it when
/// that will do.
const TRY_AGAIN: Duration = Duration::from_millis(10);

/// What waits to be sent, and for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backlog {
    /// Nothing waits.
    Nothing,
    /// The socket is full: the kernel says when the peer has read.
    Full,
    /// Too many descriptors of this user are on their way, over whatever sockets: it may be another
    /// peer that has to receive some. The socket has room all the while, so it would be no use to poll
    /// for that.
    Crowded,
}

impl Backlog {
    /// What keeps a message from being sent that was refused with `error`; `None` if nothing ever will
    /// be sent again.
    pub(crate) fn of(error: &io::Error) -> Option<Self> {
        if error.kind() == io::ErrorKind::WouldBlock {
            return Some(Self::Full);
        }
        match Errno::from_io_error(error) {
            Some(Errno::TOOMANYREFS | Errno::NOBUFS) => Some(Self::Crowded),
            _ => None,
        }
    }

    /// Tells whether nothing waits.
    pub(crate) fn is_nothing(self) -> bool {
        self == Self::Nothing
    }

    /// What to poll the socket for, besides messages.
    pub(crate) fn events(self) -> PollFlags {
        match self {
            Self::Nothing | Self::Crowded => PollFlags::IN,
            Self::Full => PollFlags::IN | PollFlags::OUT,
        }
    }

    /// How long to poll, at most, where it is `limit` otherwise.
    pub(crate) fn limit(self, limit: Option<Duration>) -> Option<Duration> {
        match self {
            Self::Nothing | Self::Full => limit,
            Self::Crowded => Some(limit.map_or(TRY_AGAIN, |limit| limit.min(TRY_AGAIN))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backlog(errno: Errno) -> Option<Backlog> {
        Backlog::of(&errno.into())
    }

    #[test]
    fn a_full_socket_is_polled_until_it_has_room() {
        let full = backlog(Errno::AGAIN).unwrap();
        assert_eq!(full.events(), PollFlags::IN | PollFlags::OUT);
        assert_eq!(full.limit(None), None);
    }

    #[test]
    fn a_crowded_socket_is_tried_again_and_not_polled_for_room() {
        for errno in [Errno::TOOMANYREFS, Errno::NOBUFS] {
            let crowded = backlog(errno).unwrap();
            assert_eq!(crowded.events(), PollFlags::IN);
            assert_eq!(crowded.limit(None), Some(TRY_AGAIN));
            let sooner = Some(TRY_AGAIN / 2);
            assert_eq!(crowded.limit(sooner), sooner);
            assert_eq!(crowded.limit(Some(TRY_AGAIN * 2)), Some(TRY_AGAIN));
        }
    }

    #[test]
    fn nothing_is_waited_for_where_nothing_is_sent_any_more() {
        assert_eq!(backlog(Errno::PIPE), None);
        assert_eq!(backlog(Errno::CONNRESET), None);
    }
}
