//! How a call is sent: it waits for a worker, for room and for memory, and its arguments are added.

use std::task::{Context, Poll, ready};
use std::time::Instant;

use super::link::Link;
use super::{Arguments, Call, FORKED, InFlight, SentCall, State, deadline_from_now};
use crate::call::connection::Connection;
use crate::call::error::{CallError, CallFailure, FailureCause, SendError};
use crate::call::outgoing::Outgoing;
use crate::call::pending::{Begun, Deadline};
use crate::call::trace;

impl<'a, T, E> Call<'a, T, E> {
    /// Sends it, once there is a worker, and room.
    pub(super) fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), CallError<E>>> {
        loop {
            self.caller.choose();
            let default = self.caller.call_deadline();
            let deadline = *self
                .deadline
                .get_or_insert_with(|| deadline_from_now(self.limit.or(default)));
            let connection = self.connection.clone();
            let connection = connection.unwrap_or_else(|| self.caller.connection());
            let exchange = connection.exchange();
            if !exchange.channel().is_owner() {
                // It hasn't the memory to copy anything to.
                self.forbids_copies = true;
                let reason = FORKED.to_owned();
                let cause = FailureCause::NotSent { reason };
                return Poll::Ready(Err(self.prepare_in_vain(&connection, cause)));
            }
            if let Some(instance) = &self.instance
                && !instance.is_behind(&connection)
            {
                let instance = instance.number();
                let cause = FailureCause::InstanceLost { instance };
                return Poll::Ready(Err(self.prepare_in_vain(&connection, cause)));
            }
            let can_wait = self.can_wait_for_successors();
            if can_wait
                && let Err(cause) = ready!(self.caller.poll_staff(cx, &connection, deadline))
            {
                return Poll::Ready(Err(self.prepare_in_vain(&connection, cause)));
            }
            let has_woken = exchange.wake_ahead();
            let begun = match exchange.calls().poll_begin(cx, deadline) {
                Poll::Ready(Ok(begun)) => begun,
                Poll::Ready(Err(FailureCause::WorkerGone { .. })) if can_wait => continue,
                Poll::Ready(Err(cause)) => {
                    // The arguments are prepared all the same, so that what was passed by value is
                    // handed back with the error.
                    return Poll::Ready(Err(self.prepare_in_vain(&connection, cause)));
                }
                Poll::Pending => {
                    exchange.note_deadline(deadline);
                    return Poll::Pending;
                }
            };
            // Another one of a crew may have asked before this one.
            let is_half_way = matches!(self.state, State::Unsent(Arguments::Later(_)));
            if is_half_way || exchange.channel().account().asks_first() {
                ready!(self.poll_copies(cx, &connection, deadline))?;
            }
            // From here on the arguments are for this worker: another one of a crew may be trusted, and
            // must not get memory that this one can write.
            self.caller.settle();
            let sent = self.send(&connection, begun, deadline, has_woken);
            if let Some(sent) = sent.map_err(CallError::Failed)? {
                self.connection = None;
                let connection = Link::Kept(connection);
                self.state = State::InFlight(InFlight { connection, sent });
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// Adds the arguments, as soon as there is memory for those that are copied.
    fn poll_copies(
        &mut self,
        cx: &Context<'_>,
        connection: &Connection,
        deadline: Deadline,
    ) -> Poll<Result<(), CallError<E>>> {
        let channel = connection.exchange().channel();
        let mut outgoing = match std::mem::replace(&mut self.state, State::Done) {
            State::Unsent(Arguments::Due(prepare)) => {
                let mut outgoing = Box::new(self.outgoing(connection));
                outgoing.add_later();
                if let Err(SendError(cause)) = prepare(&mut outgoing) {
                    return Poll::Ready(Err(self.add_in_vain(outgoing, cause)));
                }
                outgoing
            }
            State::Unsent(Arguments::Later(outgoing)) => outgoing,
            others => {
                self.state = others;
                return Poll::Ready(Ok(()));
            }
        };
        // It may be another process's by now.
        outgoing.readdress(channel);
        let cause = match channel.account().poll_room(cx, outgoing.wanted()) {
            Poll::Ready(Ok(room)) => {
                let (copies, added) = room.spend(|| outgoing.add_now());
                outgoing.copies = copies;
                match added {
                    Ok(()) => {
                        self.state = State::Unsent(Arguments::Added(outgoing));
                        return Poll::Ready(Ok(()));
                    }
                    Err(SendError(cause)) => cause,
                }
            }
            Poll::Ready(Err(source)) => FailureCause::Exhausted {
                argument: outgoing.largest().to_owned(),
                source,
            },
            Poll::Pending => match deadline {
                Some((at, limit)) if at <= Instant::now() => {
                    let was_sent = false;
                    FailureCause::DeadlineExceeded { limit, was_sent }
                }
                _ => {
                    self.state = State::Unsent(Arguments::Later(outgoing));
                    connection.calls().wake_at_end(cx, deadline);
                    connection.exchange().note_deadline(deadline);
                    return Poll::Pending;
                }
            },
        };
        Poll::Ready(Err(self.add_in_vain(outgoing, cause)))
    }

    /// Fails; what was passed by value is handed back.
    fn add_in_vain(&self, mut outgoing: Box<Outgoing<'a>>, cause: FailureCause) -> CallError<E> {
        outgoing.add_in_vain();
        self.failure(cause, outgoing.given)
    }

    fn outgoing(&self, connection: &Connection) -> Outgoing<'a> {
        let holder = connection.holder(&self.method);
        let channel = connection.exchange().channel();
        let mut outgoing = Outgoing::new(holder, self.forbids_copies, channel);
        outgoing.expects = self.find;
        outgoing
    }

    /// Whether it may go to another process than the one that is there now. An instance is lost with
    /// its process.
    fn can_wait_for_successors(&self) -> bool {
        self.connection.is_none() && self.instance.is_none() && self.caller.has_successors()
    }

    /// Sends it; or leaves it unsent, if the worker is gone and another one will come.
    fn send(
        &mut self,
        connection: &Connection,
        begun: Begun<'_>,
        deadline: Deadline,
        has_woken: bool,
    ) -> Result<Option<SentCall<'a>>, Box<CallFailure>> {
        let State::Unsent(arguments) = std::mem::replace(&mut self.state, State::Done) else {
            unreachable!("only an unsent call is sent");
        };
        let channel = connection.exchange().channel();
        let span = trace::calling(connection.name(), &self.method, begun.slot().id());
        let (mut outgoing, added) = match arguments {
            Arguments::Due(prepare) => {
                let mut outgoing = self.outgoing(connection);
                let added = prepare(&mut outgoing).map_err(|SendError(cause)| cause);
                (outgoing, added)
            }
            Arguments::Later(_) => unreachable!("they were added before"),
            Arguments::Added(mut outgoing) => {
                outgoing.readdress(channel);
                (*outgoing, Ok(()))
            }
        };
        outgoing.trace =
            trace::of_call(self.trace.as_deref().copied(), span.as_deref()).map(Box::new);
        let sent = match added {
            Ok(()) => {
                let exchange = connection.exchange();
                let sent = exchange.send(&self.method, &mut outgoing, begun, deadline, has_woken);
                if sent.is_err()
                    && self.can_wait_for_successors()
                    && !channel.can_send()
                    && outgoing.is_whole()
                {
                    // Whoever looks next finds that this worker is gone, before its driver does.
                    channel.close();
                    self.state = State::Unsent(Arguments::Added(Box::new(outgoing)));
                    return Ok(None);
                }
                sent
            }
            Err(cause) => Err(cause),
        };
        match sent {
            Ok(slot) => {
                let Outgoing {
                    report,
                    copies_back,
                    copies,
                    ..
                } = outgoing;
                Ok(Some(SentCall {
                    slot,
                    _span: span,
                    report,
                    _copies: copies.filter(|_| !copies_back.is_empty()),
                    copies_back,
                }))
            }
            Err(cause) => Err(Box::new(self.call_failure(cause, outgoing.given))),
        }
    }

    /// Fails before it was sent; what was passed by value is handed back.
    pub(crate) fn fail(&mut self, cause: FailureCause) -> CallError<E> {
        let connection = self.connection.clone();
        let connection = connection.unwrap_or_else(|| self.caller.connection());
        self.prepare_in_vain(&connection, cause)
    }

    fn prepare_in_vain(&mut self, connection: &Connection, cause: FailureCause) -> CallError<E> {
        let State::Unsent(arguments) = std::mem::replace(&mut self.state, State::Done) else {
            unreachable!("only an unsent call is prepared");
        };
        let outgoing = match arguments {
            Arguments::Due(prepare) => {
                let mut outgoing = self.outgoing(connection);
                // Its own error matters less than the worker's end.
                let _ = prepare(&mut outgoing);
                outgoing
            }
            Arguments::Later(mut outgoing) => {
                outgoing.add_in_vain();
                *outgoing
            }
            Arguments::Added(outgoing) => *outgoing,
        };
        CallError::Failed(Box::new(self.call_failure(cause, outgoing.given)))
    }
}
