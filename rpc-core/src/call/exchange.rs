//! Calls and answers on one channel, at the caller's end.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Instant;

use super::attend::Sent;
use super::dispatch::{Dispatch, Unsent};
use super::entrusted::Entrusted;
use super::error::FailureCause;
use super::incoming::Parcel;
use super::module::Method;
use super::outgoing::Outgoing;
use super::pending::{Answer, Begun, Calls, Deadline, Expected, Held, Slot};
use super::questions::{Asker, Description, Questions, Undescribed};
use crate::channel::bell::Wake;
use crate::channel::bind::BindError;
use crate::channel::loan::Loan;
use crate::channel::named::Used;
use crate::channel::{Arrival, Channel, Look, SendError, Violation};
use crate::process::WorkerEnd;
use crate::process::stuck::StuckSign;
use crate::readable::shorten;
use crate::wire::codec::Bytes;
use crate::wire::frame::{CallFrame, Failure, Frame, Outcome, ReplyFrame};
use crate::wire::handshake::MESSAGE_BYTES;

/// What a call's frame needs besides the arguments: handles, numbers, tarpc's context.
const FRAME_OVERHEAD_BYTES: u64 = 1024 * 1024;

/// Tells whether a frame with a body of so many bytes may be longer than the limit. One that fits
/// into a message never is.
pub(super) fn is_too_long(body_bytes: u64, limit_bytes: u64) -> bool {
    let overhead_bytes = FRAME_OVERHEAD_BYTES.min(limit_bytes / 64);
    body_bytes > MESSAGE_BYTES as u64 && body_bytes.saturating_add(overhead_bytes) > limit_bytes
}

/// What to say of more arrays than a frame may name.
pub(super) fn too_many_arrays(n: usize, n_handles: u32) -> String {
    format!(
        "{n} arrays are more than the limit of {n_handles} at once; pass them one part after \
         another, or as one array with a dimension more"
    )
}

/// Calls and answers on one channel: what a host's stubs and its driver share.
pub(crate) struct Exchange {
    channel: Arc<Channel>,
    calls: Arc<Calls>,
    questions: Questions,
    dispatch: Box<dyn Dispatch>,
    /// What a caller noticed that the driver has not heard of yet.
    pub(super) violation: Mutex<Option<Violation>>,
    pings: Pings,
}

/// The questions whether the worker still reads.
#[derive(Debug, Default)]
struct Pings {
    n_asked: AtomicU64,
    n_answered: AtomicU64,
}

impl Exchange {
    pub(crate) fn new(
        channel: Arc<Channel>,
        calls: Arc<Calls>,
        dispatch: Box<dyn Dispatch>,
    ) -> Arc<Self> {
        Arc::new(Self {
            channel,
            calls,
            questions: Questions::default(),
            dispatch,
            violation: Mutex::default(),
            pings: Pings::default(),
        })
    }

    /// The channel.
    pub(crate) fn channel(&self) -> &Arc<Channel> {
        &self.channel
    }

    /// The calls in flight.
    pub(crate) fn calls(&self) -> &Arc<Calls> {
        &self.calls
    }

    /// Sends a call whose arguments are prepared, and looks for the answer for a moment. `has_woken`
    /// tells whether the worker was woken ahead of it. If it can't be sent, the arguments are as they
    /// were.
    pub(crate) fn send(
        &self,
        method: &Method,
        outgoing: &mut Outgoing<'_>,
        begun: Begun<'_>,
        deadline: Deadline,
        has_woken: bool,
    ) -> Result<Arc<Slot>, FailureCause> {
        let gone = |end| FailureCause::WorkerGone { end };
        let n_handles = self.channel.limits().n_handles;
        if outgoing.loans.len() > n_handles as usize {
            let n = outgoing.loans.len();
            let reason = too_many_arrays(n, n_handles);
            return Err(FailureCause::NotSent { reason });
        }
        let limit_bytes = self.channel.limits().frame_bytes;
        let len_bytes = (outgoing.body.len() + outgoing.inline.len()) as u64;
        if is_too_long(len_bytes, limit_bytes) {
            return Err(SendError::TooLong {
                len_bytes,
                limit_bytes,
            }
            .into());
        }
        // From here on what was named comes back by `take_back` alone.
        let mut entrusted = Entrusted::new(std::mem::take(&mut outgoing.given));
        let named = self.channel.name_all(&outgoing.loans, &mut entrusted.named);
        if let Err(error) = named {
            return self.take_back(Some(entrusted), outgoing, begun, error.into());
        }
        let slot = begun.slot();
        self.note_deadline(deadline);
        self.note_call();
        let bools = outgoing
            .loans
            .iter()
            .filter_map(|loan| loan.lent_bools())
            .collect();
        let expects = outgoing.expects.map(|find| Expected {
            channel: Arc::clone(&self.channel),
            find,
        });
        let shared = outgoing.loans.iter().filter_map(Loan::shared).collect();
        let leases: Vec<_> = outgoing
            .loans
            .iter_mut()
            .filter_map(|loan| loan.take_lease())
            .collect();
        let n_copied = outgoing.report.copied_bytes;
        if n_copied > 0 && !leases.is_empty() && outgoing.copies.is_none() {
            outgoing.copies = Some(self.channel.account().note_copies(n_copied));
        }
        let held = Held {
            leases,
            _shared: shared,
            bools,
            expects,
            entrusted: None,
            _copies: outgoing.copies.clone(),
        };
        if !held.is_empty()
            && let Err((end, held)) = self.calls.hold(slot, held)
        {
            outgoing.take_back(held.leases);
            return self.take_back(Some(entrusted), outgoing, begun, gone(end));
        }
        self.calls.weigh(slot.id(), len_bytes);
        let time_left = deadline.map(|(at, _)| at.saturating_duration_since(Instant::now()));
        #[cfg(feature = "failpoints")]
        crate::failpoint::reach(crate::failpoint::Point::Sending);
        // Taken before it is sent, so that the worker needs to wake nobody for the answer.
        let lead = self.lead();
        let frame = CallFrame {
            call: slot.id(),
            function: method.id,
            time_left_ns: time_left.map(|time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)),
            trace: outgoing.trace.take(),
            handles: entrusted.named.take_handles(),
            inline: Bytes(outgoing.inline.take()),
            body: Bytes(std::mem::take(&mut outgoing.body)),
        };
        let wake = match self.dispatch.send(frame, entrusted) {
            Ok(wake) => wake,
            Err(unsent) => {
                drop(lead);
                let Unsent {
                    error,
                    call,
                    entrusted,
                } = *unsent;
                outgoing.body = call.body.0;
                outgoing.inline.put_back(call.inline.0);
                let cause = match (error, self.calls.end()) {
                    (SendError::Closed, Some(end)) => gone(end),
                    (error, _) => error.into(),
                };
                return self.take_back(entrusted, outgoing, begun, cause);
            }
        };
        // From here on it belongs to the worker, whatever becomes of this thread: were the call taken back
        // now, its leases would end. An error no longer hands anything back.
        let slot = begun.sent();
        outgoing.loans.clear();
        if deadline.is_some() && slot.is_done() && self.calls.contains(slot.id()) {
            // It was given up before it was sent, when there was nothing to cancel yet.
            self.dispatch.cancel(slot.id());
        }
        #[cfg(feature = "failpoints")]
        crate::failpoint::reach(crate::failpoint::Point::Sent);
        if let Some((lead, is_apart)) = lead {
            let has_woken = has_woken || wake != Wake::Nothing;
            let sent = Sent {
                has_woken,
                is_apart,
            };
            self.attend(lead, &slot, Some(sent));
        }
        Ok(slot)
    }

    /// Takes a call back that can't be sent, for this `cause`, with what it lends and gives. A worker that
    /// has used some of that is ended, and the call with it, as if it had been sent.
    fn take_back(
        &self,
        entrusted: Option<Entrusted>,
        outgoing: &mut Outgoing<'_>,
        begun: Begun<'_>,
        cause: FailureCause,
    ) -> Result<Arc<Slot>, FailureCause> {
        match entrusted.ok_or(Used).and_then(Entrusted::take_back) {
            Ok(given) => {
                outgoing.given = given;
                let held = begun.withdraw();
                outgoing.take_back(held.leases);
                Err(cause)
            }
            Err(used) => {
                outgoing.loans.clear();
                self.break_off(used.before_it_was_sent());
                Ok(begun.sent())
            }
        }
    }

    /// Has the driver wake up in time for a deadline.
    pub(crate) fn note_deadline(&self, deadline: Deadline) {
        if deadline.is_some_and(|(at, _)| self.calls.must_wake_driver(at)) {
            self.channel.wake_driver();
        }
    }

    /// Has the driver look whether the worker answers, if it does so while calls are in flight.
    fn note_call(&self) {
        if let Some(after) = self.calls.first_look()
            && let Some(at) = Instant::now().checked_add(after)
            && self.calls.must_wake_driver(at)
        {
            self.channel.wake_driver();
        }
    }

    /// Asks whether the worker still reads. Only the driver calls it.
    pub(crate) fn ping(&self) {
        // Written before it is sent, so that the answer is expected.
        let n = self.pings.n_asked.fetch_add(1, Ordering::Relaxed) + 1;
        self.channel.send_or_close(&Frame::Ping { n });
    }

    /// Takes an answer. They come in the order of the questions, each once.
    fn pong(&self, n: u64) -> Result<(), Violation> {
        let due = self.pings.n_answered.fetch_add(1, Ordering::Relaxed) + 1;
        if n == due && n <= self.pings.n_asked.load(Ordering::Relaxed) {
            return Ok(());
        }
        Err(Violation(format!(
            "answered ping {n}, which was not asked, or not next"
        )))
    }

    /// Asks the worker, which is stuck, to stop all calls.
    pub(crate) fn cancel_all(&self, sign: StuckSign) {
        let calls = self.calls.cancel_all(sign);
        calls
            .into_iter()
            .for_each(|call| self.dispatch.cancel(call));
    }

    /// Asks the worker to stop a call whose caller is gone.
    pub(crate) fn cancel(&self, call: u64) {
        if self.calls.contains(call) {
            self.dispatch.cancel(call);
            self.note_cancelled(call);
        }
    }

    /// Has the driver look whether the worker lets go of a call.
    fn note_cancelled(&self, call: u64) {
        if let Some(at) = self.calls.note_cancelled(call)
            && self.calls.must_wake_driver(at)
        {
            self.channel.wake_driver();
        }
    }

    /// Asks the worker what a module consists of that it has named, unless somebody has.
    pub(super) fn ask(&self, module: &str, deadline: Deadline) -> Result<Asker, WorkerEnd> {
        let number = || self.calls.number_question();
        let (asker, unsent) = self.questions.ask(module, deadline, number)?;
        if let Some(call) = unsent {
            let module = module.to_owned();
            self.channel
                .send_or_close(&Frame::Describe { call, module });
        }
        Ok(asker)
    }

    /// Completes with what the worker said of a module.
    pub(crate) fn poll_description(
        &self,
        asker: &Asker,
        cx: &Context<'_>,
    ) -> Poll<Result<Description, Undescribed>> {
        let answer = asker.poll(cx);
        if answer.is_pending() {
            // It is on the list, where the driver finds it.
            self.note_deadline(asker.deadline());
            self.note_call();
        }
        answer
    }

    /// Tells whether somebody waits for the worker: for the end of a call, or for a description.
    pub(crate) fn is_awaited(&self) -> bool {
        !self.calls.is_empty() || self.questions.are_awaited()
    }

    /// Ends all calls and questions: the worker is known dead.
    pub(crate) fn fail_all(&self, end: &WorkerEnd) {
        self.calls.fail_all(end);
        self.questions.fail_all(end);
    }

    /// Takes a frame that concerns calls. Only the driver calls it.
    pub(crate) fn accept(&self, frame: Frame) -> Result<(), Violation> {
        match frame {
            Frame::Reply(ReplyFrame {
                call,
                outcome: Outcome::Failed(failure @ Failure::NotReturned { .. }),
            }) if self.questions.refuse(call, &failure) => Ok(()),
            Frame::Description { call, module } => {
                if let Some(module) = &module
                    && let Some(function) = module.named_twice()
                {
                    let (module, function) = (shorten(&module.name, 64), shorten(function, 64));
                    return Err(Violation(format!(
                        "described function `{function}` of module `{module}` twice"
                    )));
                }
                known(self.questions.answer(call, module), call)
            }
            Frame::Pong { n } => self.pong(n),
            frame => self.dispatch.accept(frame),
        }
    }

    /// Reads all frames that are left of a worker that is gone.
    pub(crate) fn drain(&self) -> Result<(), Violation> {
        let mut lead = self.channel.lead();
        loop {
            match lead.receive(Look::Both)? {
                Arrival::Frame(frame) => self.accept(frame)?,
                Arrival::Pause => {}
                Arrival::Nothing | Arrival::EndOfFile => return Ok(()),
            }
        }
    }

    /// Fails the calls and questions whose deadlines have passed; returns the next deadline.
    pub(crate) fn expire(&self, now: Instant) -> Option<Instant> {
        let (expired, next) = self.calls.expire(now);
        for call in expired {
            self.dispatch.cancel(call);
            self.calls.note_cancelled(call);
        }
        let next_question = self.questions.expire(now);
        if let Some(at) = next_question {
            self.calls.driver_sleeps_until(at);
        }
        [next, next_question].into_iter().flatten().min()
    }
}

/// The violation of answering a call that isn't in flight.
pub(super) fn unknown(call: u64) -> Violation {
    Violation(format!("answered call {call}, which isn't in flight"))
}

fn known(is_known: bool, call: u64) -> Result<(), Violation> {
    is_known.then_some(()).ok_or_else(|| unknown(call))
}

/// Ends a call that the worker has let go of.
pub(super) fn release(calls: &Calls, call: u64, has_begun: bool) -> Result<(), Violation> {
    known(calls.release(call, has_begun), call)
}

/// Ends a call with the worker's reply.
pub(crate) fn settle(
    channel: &Channel,
    calls: &Calls,
    ReplyFrame { call, outcome }: ReplyFrame,
) -> Result<(), Violation> {
    #[cfg(feature = "failpoints")]
    crate::failpoint::reach(crate::failpoint::Point::Settling);
    let (handles, inline, body, copied_bytes) = match outcome {
        Outcome::Returned {
            handles,
            inline,
            body,
            copied_bytes,
        } => (handles, inline, body, copied_bytes),
        Outcome::Failed(failure) => {
            return known(calls.refuse(call, failure), call);
        }
    };
    match channel.bind_all(&handles, &inline.0) {
        Ok(bound) => {
            let parcel = Parcel::new(bound, body.0);
            match calls.answer(
                call,
                Answer::Returned {
                    parcel,
                    copied_bytes,
                },
            ) {
                Ok(is_known) => known(is_known, call),
                Err(what) => Err(Violation(what.to_owned())),
            }
        }
        Err(BindError::Violation(violation)) => Err(violation),
        Err(BindError::Refused(reason)) => {
            let failure = Failure::NotReturned { reason };
            known(calls.refuse(call, failure), call)
        }
    }
}
