//! What came of a call, on its way to the host.

use std::sync::{Arc, Weak};

use super::Server;
use super::instances::Unsent;
use crate::call::exchange::{is_too_long, too_many_arrays};
use crate::call::reply::Reply;
use crate::channel::bell::Wake;
use crate::channel::loan::Loan;
use crate::channel::long::Stake;
use crate::channel::named::Named;
use crate::channel::{Channel, SendError, Violation};
use crate::readable::shorten;
use crate::wire::codec::{Bytes, CodecError};
use crate::wire::frame::{Failure, Frame, Outcome, ReplyFrame};
use crate::wire::schema::ModuleSchema;

/// What an answer hands over. Dropped unsent, it stays here.
#[derive(Debug, Default)]
pub(crate) struct AtStake {
    named: Option<Named>,
    made: Vec<Unsent>,
    /// Dropped after the answer is sent: the host must not hear that a cell of its own was let go
    /// before the answer that names it.
    _loans: Vec<Loan>,
}

impl AtStake {
    /// Notes that the answer was sent, and can be read: from now on it is the host's.
    fn sent(&mut self) {
        if let Some(named) = &mut self.named {
            named.sent();
        }
        self.made.iter_mut().for_each(Unsent::sent);
    }
}

impl Server {
    /// Turns what came of a function into what is sent, and what depends on whether it is.
    pub(crate) fn outcome(&self, returned: Result<Reply, Failure>) -> (Outcome, AtStake) {
        #[cfg(feature = "failpoints")]
        crate::failpoint::reach(crate::failpoint::Point::Returned);
        let outcome = returned.and_then(|reply| self.returned(reply));
        outcome.unwrap_or_else(|failure| (Outcome::Failed(failure), AtStake::default()))
    }

    fn returned(&self, mut reply: Reply) -> Result<(Outcome, AtStake), Failure> {
        let limit_bytes = self.channel.limits().frame_bytes;
        let len_bytes = (reply.body.len() + reply.inline.len()) as u64;
        if is_too_long(len_bytes, limit_bytes) {
            return Err(not_returned(&SendError::TooLong {
                len_bytes,
                limit_bytes,
            }));
        }
        let n_handles = self.channel.limits().n_handles;
        if reply.loans.len() > n_handles as usize {
            let reason = too_many_arrays(reply.loans.len(), n_handles);
            return Err(Failure::NotReturned { reason });
        }
        for loan in &mut reply.loans {
            let n_copied = loan.adapt(&self.channel);
            reply.copied_bytes += n_copied.map_err(|error| not_returned(&error))?;
        }
        let mut named = Named::default();
        let all = self.channel.name_all(&reply.loans, &mut named);
        all.map_err(|error| not_returned(&error))?;
        named.leave_to_transfers(&mut reply.loans);
        #[cfg(feature = "failpoints")]
        crate::failpoint::reach(crate::failpoint::Point::Replying);
        let outcome = Outcome::Returned {
            handles: named.take_handles(),
            inline: Bytes(reply.inline.take()),
            body: Bytes(reply.body),
            copied_bytes: reply.copied_bytes,
        };
        let at_stake = AtStake {
            named: Some(named),
            made: reply.made,
            _loans: reply.loans,
        };
        Ok((outcome, at_stake))
    }
}

fn not_returned(error: &SendError) -> Failure {
    Failure::NotReturned {
        reason: error.to_string(),
    }
}

/// What is answered where an answer can't be sent, or not be read. It is never long.
enum Instead {
    /// There was a result.
    NotReturned,
    /// It was a failure, in many words.
    Fewer(Failure),
}

impl Instead {
    fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Returned { .. } => Self::NotReturned,
            Outcome::Failed(failure) => Self::Fewer(failure.shortened()),
        }
    }

    fn failure(self, reason: &str) -> Failure {
        match self {
            Self::NotReturned => Failure::NotReturned {
                reason: shorten(reason, LONGEST_TEXT),
            },
            Self::Fewer(failure) => failure,
        }
    }
}

/// The characters of each text of a failure that must fit into a message.
const LONGEST_TEXT: usize = 4096;

impl Failure {
    /// The same with texts so short that it fits into a message.
    fn shortened(&self) -> Self {
        let short = |text: &String| shorten(text, LONGEST_TEXT);
        match self {
            Self::BadArgument { argument, reason } => Self::BadArgument {
                argument: short(argument),
                reason: short(reason),
            },
            Self::SegmentRefused { reason } => Self::SegmentRefused {
                reason: short(reason),
            },
            Self::Panicked { message, location } => Self::Panicked {
                message: short(message),
                location: location.as_ref().map(short),
            },
            Self::NotReturned { reason } => Self::NotReturned {
                reason: short(reason),
            },
            Self::UnknownFunction
            | Self::ShuttingDown
            | Self::UnknownInstance { .. }
            | Self::Busy { .. } => self.clone(),
        }
    }
}

/// A long answer that the host has yet to read.
struct LongAnswer<F> {
    channel: Weak<Channel>,
    call: u64,
    at_stake: AtStake,
    instead: Instead,
    frame: F,
}

impl<F> Stake for LongAnswer<F>
where
    F: Fn(ReplyFrame) -> Result<Frame, CodecError> + Send,
{
    fn read(mut self: Box<Self>) {
        self.at_stake.sent();
        // It may have been the last one that a shutdown waits for.
        if let Some(channel) = self.channel.upgrade() {
            channel.wake_driver();
        }
    }

    fn unread(self: Box<Self>, reason: String) -> Result<(), Violation> {
        let Self {
            channel,
            call,
            at_stake,
            instead,
            frame,
        } = *self;
        drop(at_stake);
        if let Some(channel) = channel.upgrade() {
            if send_instead(&channel, call, instead.failure(&reason), frame).is_err() {
                channel.close();
            }
            channel.wake_driver();
        }
        Ok(())
    }
}

/// Sends the answer of a call, in what `frame` makes of it. If that can't be sent, or not be read
/// because it is long, a short failure goes in its place, and what is at stake stays here.
///
/// # Errors
/// If the channel is closed.
pub(crate) fn send<F>(
    channel: &Arc<Channel>,
    reply: ReplyFrame,
    at_stake: AtStake,
    frame: F,
) -> Result<Wake, SendError>
where
    F: Fn(ReplyFrame) -> Result<Frame, CodecError> + Copy + Send + 'static,
{
    let call = reply.call;
    #[cfg(feature = "failpoints")]
    let is_result = matches!(reply.outcome, Outcome::Returned { .. });
    let mut unsent = Some((at_stake, Instead::of(&reply.outcome)));
    let sent = channel.send_with(&frame(reply)?, || {
        let (at_stake, instead) = unsent
            .take()
            .unwrap_or_else(|| unreachable!("it is asked for once"));
        Box::new(LongAnswer {
            channel: Arc::downgrade(channel),
            call,
            at_stake,
            instead,
            frame,
        })
    });
    #[cfg(feature = "failpoints")]
    if is_result {
        crate::failpoint::reach(crate::failpoint::Point::Replied);
    }
    match (sent, unsent) {
        (Ok(wake), unsent) => {
            if let Some((mut at_stake, _)) = unsent {
                at_stake.sent();
            }
            Ok(wake)
        }
        (Err(error @ SendError::Closed), _) | (Err(error), None) => Err(error),
        (Err(error), Some((at_stake, instead))) => {
            drop(at_stake);
            send_instead(channel, call, instead.failure(&error.to_string()), frame)
        }
    }
}

fn send_instead<F>(
    channel: &Channel,
    call: u64,
    failure: Failure,
    frame: F,
) -> Result<Wake, SendError>
where
    F: Fn(ReplyFrame) -> Result<Frame, CodecError>,
{
    let outcome = Outcome::Failed(failure);
    channel.send(&frame(ReplyFrame { call, outcome })?)
}

/// A long description that the host has yet to read.
struct LongDescription {
    channel: Weak<Channel>,
    call: u64,
}

impl Stake for LongDescription {
    fn read(self: Box<Self>) {}

    fn unread(self: Box<Self>, reason: String) -> Result<(), Violation> {
        if let Some(channel) = self.channel.upgrade() {
            not_described(&channel, self.call, &reason);
        }
        Ok(())
    }
}

/// Answers a question with the description of a module, or says that there is no room for that.
pub(super) fn describe(channel: &Arc<Channel>, call: u64, module: Option<ModuleSchema>) {
    let sent = channel.send_with(&Frame::Description { call, module }, || {
        let channel = Arc::downgrade(channel);
        Box::new(LongDescription { channel, call })
    });
    match sent {
        Ok(_) => {}
        Err(SendError::Closed) => channel.close(),
        Err(error) => not_described(channel, call, &error.to_string()),
    }
}

fn not_described(channel: &Channel, call: u64, reason: &str) {
    let failure = Instead::NotReturned.failure(reason);
    let outcome = Outcome::Failed(failure);
    channel.send_or_close(&Frame::Reply(ReplyFrame { call, outcome }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::socket::{self, Socket};
    use crate::channel::{Arrival, Look, Terms};

    /// Reads the next frame that concerns calls.
    fn receive(channel: &Channel) -> Frame {
        match channel.lead().receive(Look::Both) {
            Ok(Arrival::Frame(frame)) => frame,
            other => panic!("a frame is expected, not {other:?}"),
        }
    }

    #[test]
    fn a_description_that_can_not_be_read_is_replaced() {
        let (ours, theirs) = socket::pair().unwrap();
        let end = |socket| Channel::new(Socket::new(socket), Terms::of_a_test()).unwrap();
        let (worker, host) = (end(ours), end(theirs));
        let module = ModuleSchema {
            name: "long".to_owned(),
            docs: "x".repeat(100_000),
            functions: Vec::new(),
        };
        describe(&worker, 7, Some(module.clone()));
        assert!(worker.has_unread());
        let reason = "full".to_owned();
        host.send(&Frame::Unread {
            transfer: 1,
            reason,
        })
        .unwrap();
        let nothing = worker.lead().receive(Look::Both);
        assert!(matches!(nothing, Ok(Arrival::Nothing)));
        assert!(!worker.has_unread());
        // This host has read it all the same.
        let (call, module) = (7, Some(module));
        assert_eq!(receive(&host), Frame::Description { call, module });
        let reason = "no room for a frame of 100041 bytes: full".to_owned();
        let outcome = Outcome::Failed(Failure::NotReturned { reason });
        assert_eq!(receive(&host), Frame::Reply(ReplyFrame { call, outcome }));
    }

    #[test]
    fn failures_in_fewer_words_fit_into_a_message() {
        // Four bytes each.
        let long = || "🐚".repeat(100_000);
        for failure in [
            Failure::BadArgument {
                argument: long(),
                reason: long(),
            },
            Failure::SegmentRefused { reason: long() },
            Failure::Panicked {
                message: long(),
                location: Some(long()),
            },
            Failure::NotReturned { reason: long() },
        ] {
            let (call, outcome) = (1, Outcome::Failed(failure.shortened()));
            let frame = Frame::Reply(ReplyFrame { call, outcome });
            let len = frame.with_encoded(<[u8]>::len).unwrap();
            assert!(len <= crate::wire::handshake::MESSAGE_BYTES, "{len}");
        }
    }
}
