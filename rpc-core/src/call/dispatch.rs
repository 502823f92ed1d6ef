//! Who matches calls with answers.

use std::sync::Arc;

use super::error::{FailureCause, Refusal};
use super::exchange::{release, settle};
use super::pending::{Calls, Given};
use crate::channel::bell::Wake;
use crate::channel::loan::Named;
use crate::channel::long::Stake;
use crate::channel::{Channel, SendError, Violation};
use crate::wire::frame::{CallFrame, Failure, Frame};

/// Who matches calls with answers: ours or tarpc's dispatcher.
pub(crate) trait Dispatch: Send + Sync {
    /// Sends a call, whose handles are `named`, and which takes what is `given`; tells how the worker was
    /// woken for it. If it can't be sent, it comes back, and what is given is where it was, or with the
    /// call in the table. What is left of it otherwise, the worker has.
    fn send(
        &self,
        call: CallFrame,
        named: Named,
        given: &mut Given,
    ) -> Result<Wake, (SendError, Box<CallFrame>)>;

    /// Asks the worker to stop a call whose caller is gone.
    fn cancel(&self, call: u64);

    /// Takes a frame that ends a call, or is the dispatcher's own; `Err` if there is no such frame.
    fn accept(&self, frame: Frame) -> Result<(), Violation>;
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
    pub(super) named: Named,
}

impl Stake for LongCall {
    fn read(mut self: Box<Self>) {
        self.named.sent();
        self.calls.let_go(self.call);
    }

    fn unread(self: Box<Self>, reason: String) -> Result<(), Violation> {
        let Self { calls, call, named } = *self;
        // A worker that did read it, and has used what it says it never had, leaves the call to its end.
        named.take_back()?;
        let refusal = Refusal(Failure::SegmentRefused { reason });
        calls.hand_back(call, FailureCause::Remote(refusal), Vec::new());
        Ok(())
    }
}

impl Dispatch for OwnDispatch {
    fn send(
        &self,
        frame: CallFrame,
        named: Named,
        given: &mut Given,
    ) -> Result<Wake, (SendError, Box<CallFrame>)> {
        let call = frame.call;
        let frame = Frame::Call(frame);
        let mut named = Some(named);
        let sent = self.channel.send_with(&frame, || {
            let calls = Arc::clone(&self.calls);
            calls.keep(call, std::mem::take(given));
            let named = named.take().unwrap_or_default();
            Box::new(LongCall { calls, call, named })
        });
        match (sent, frame) {
            (Ok(wake), _) => {
                named.iter_mut().for_each(Named::sent);
                Ok(wake)
            }
            (Err(error), Frame::Call(call)) => {
                drop(named);
                Err((error, Box::new(call)))
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
