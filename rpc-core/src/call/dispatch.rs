//! Who matches calls with answers.

use std::sync::Arc;

use super::entrusted::Entrusted;
use super::error::{FailureCause, Refusal};
use super::exchange::{release, settle};
use super::pending::Calls;
use crate::channel::bell::Wake;
use crate::channel::long::Stake;
use crate::channel::named::Used;
use crate::channel::{Channel, SendError, Violation};
use crate::wire::frame::{CallFrame, Failure, Frame};

/// Who matches calls with answers: ours or tarpc's dispatcher.
pub(crate) trait Dispatch: Send + Sync {
    /// Sends a call with what is entrusted to it; tells how the worker was woken for it. If it can't be
    /// sent, all of it comes back.
    fn send(&self, call: CallFrame, entrusted: Entrusted) -> Result<Wake, Box<Unsent>>;

    /// Asks the worker to stop a call whose caller is gone.
    fn cancel(&self, call: u64);

    /// Takes a frame that ends a call, or is the dispatcher's own; `Err` if there is no such frame.
    fn accept(&self, frame: Frame) -> Result<(), Violation>;
}

/// A call that can't be sent.
pub(crate) struct Unsent {
    /// Why.
    pub(crate) error: SendError,
    pub(crate) call: CallFrame,
    /// None if the worker says that it has read the call, or that it could not.
    pub(crate) entrusted: Option<Entrusted>,
}

/// Reedbed's own dispatcher: every frame is what it says.
pub(crate) struct OwnDispatch {
    pub(crate) channel: Arc<Channel>,
    pub(crate) calls: Arc<Calls>,
}

/// A call that the worker has yet to read, because it is long.
pub(super) struct LongCall {
    pub(super) calls: Arc<Calls>,
    pub(super) call: u64,
}

impl Stake for LongCall {
    fn read(self: Box<Self>) {
        if let Some(entrusted) = self.calls.take_kept(self.call) {
            entrusted.sent();
        }
    }

    fn unread(self: Box<Self>, reason: String) -> Result<(), Violation> {
        let Self { calls, call } = *self;
        // Without it, the call was answered, or its sender has found that it was not sent.
        let entrusted = calls.take_kept(call).ok_or(Used);
        let refusal = Refusal(Failure::SegmentRefused { reason });
        let cause = FailureCause::Remote(refusal);
        let handed_back = entrusted.and_then(|entrusted| calls.hand_back(call, cause, *entrusted));
        handed_back.map_err(Used::without_reading)
    }
}

impl Dispatch for OwnDispatch {
    fn send(&self, frame: CallFrame, entrusted: Entrusted) -> Result<Wake, Box<Unsent>> {
        let id = frame.call;
        let frame = Frame::Call(frame);
        let mut entrusted = Some(entrusted);
        let sent = self.channel.send_with(&frame, || {
            let (calls, call) = (Arc::clone(&self.calls), id);
            calls.keep(call, entrusted.take().unwrap_or_default());
            Box::new(LongCall { calls, call })
        });
        match (sent, frame) {
            (Ok(wake), _) => {
                if let Some(entrusted) = entrusted {
                    entrusted.sent();
                }
                Ok(wake)
            }
            (Err(error), Frame::Call(call)) => {
                let kept = || self.calls.take_kept(id).map(|kept| *kept);
                Err(Box::new(Unsent {
                    error,
                    call,
                    entrusted: entrusted.or_else(kept),
                }))
            }
            (Err(_), _) => unreachable!("it was made above"),
        }
    }

    fn cancel(&self, call: u64) {
        self.channel.send_or_close(&Frame::Cancel { call });
    }

    fn accept(&self, frame: Frame) -> Result<(), Violation> {
        match frame {
            Frame::Reply(reply) => settle(&self.channel, &self.calls, reply),
            Frame::Released { call, has_begun } => release(&self.calls, call, has_begun),
            _ => Err(Violation(
                "sent a frame that a worker doesn't send".to_owned(),
            )),
        }
    }
}
