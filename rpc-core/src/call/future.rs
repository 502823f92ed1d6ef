//! A call, as its caller holds it.

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use tokio::task::coop::cooperative;
use tracing::Span;

use super::attend::{Sent, Sleeper};
use super::connection::{Caller, Connection};
use super::copy_back::{CopyBack, INVALID_BOOL, Unfetched};
use super::error::{CallError, CallFailure, FailureCause, SendError};
use super::incoming::{Incoming, SELF};
use super::instance::Instance;
use super::module::Method;
use super::outgoing::Outgoing;
use super::pending::{Answer, Begun, Deadline, FindInstance, Slot};
use super::report::{CopyReason, Report};
use super::returned::Return;
use super::trace;
use crate::channel::Violation;
use crate::segment::account::Copies;
use crate::wire::frame::Failure;
use crate::wire::trace::TraceContext;

/// A call of a worker's function: a future of what the function returns.
///
/// Like any future it does nothing until it is polled (or [waited](Self::wait) for): then it takes
/// leases on its array arguments and is sent.
///
/// # Cancel safety
/// Dropping it before it was polled undoes it. Dropping it later asks the worker to stop; its
/// leases last until the worker has acknowledged that, so an argument may be found
/// [leased](crate::AccessError::Leased) for a moment, and an argument that was lent for writing is
/// then [poisoned](crate::AccessError::Poisoned) if the function had begun. Forgetting it
/// (`mem::forget`) leaves the call running to its end; one that still waits to be sent then keeps what
/// it holds for ever.
#[must_use = "a call does nothing until it is awaited or waited for"]
pub struct Call<'a, T, E> {
    caller: Caller,
    /// The connection that the arguments were prepared for; none if any will do.
    connection: Option<Arc<Connection>>,
    /// Whose method is called, which lives at least as long as the call.
    instance: Option<Instance>,
    method: Cow<'static, Method>,
    state: State<'a>,
    limit: Option<Duration>,
    /// Counted from the first poll.
    deadline: Option<Deadline>,
    forbids_copies: bool,
    /// What the caller said. Boxed, as the span below, because few calls have one and all calls move.
    trace: Option<Box<TraceContext>>,
    receive: Receive<T, E>,
    /// Finds the instance that the call makes.
    find: Option<FindInstance>,
}

/// Why nothing is sent, and no answer comes, where somebody has called `fork`.
const FORKED: &str = "this process was forked from the worker's host, which alone can call it; spawn a \
                      worker of its own, or exec";

/// What the function returned: a value, or an error of its own.
type Returned<T, E> = Result<Result<T, E>, Failure>;

/// Reads what the function returned.
pub(crate) enum Receive<T, E> {
    /// As the type that this program knows it by.
    Known(fn(&mut Incoming<'_>) -> Returned<T, E>),
    /// As the worker described it.
    Described(Box<Reader<T, E>>),
}

type Reader<T, E> = dyn Fn(&mut Incoming<'_>) -> Returned<T, E> + Send;

/// Adds the arguments.
pub(crate) type Prepare<'a> =
    Box<dyn FnOnce(&mut Outgoing<'a>) -> Result<(), SendError> + Send + 'a>;

enum State<'a> {
    Unsent(Arguments<'a>),
    InFlight(InFlight<'a>),
    Done,
}

enum Arguments<'a> {
    /// They are yet to be added.
    Due(Prepare<'a>),
    /// They are once there is memory for copies.
    Later(Box<Outgoing<'a>>),
    /// They were, for a worker that was gone before the call was sent.
    Added(Box<Outgoing<'a>>),
}

struct InFlight<'a> {
    connection: Link,
    sent: SentCall<'a>,
}

/// The connection over which a call was sent: kept while it is polled for the first time, and after that
/// only known. A future that is forgotten must not keep what a dead worker needed; while the worker
/// lives, its post keeps it, and the caller keeps that.
enum Link {
    Kept(Arc<Connection>),
    Known(Weak<Connection>),
}

impl Link {
    /// Finds it; without one, the worker has ended, and so has the call.
    fn find(&self) -> Option<Arc<Connection>> {
        match self {
            Self::Kept(connection) => Some(Arc::clone(connection)),
            Self::Known(connection) => connection.upgrade(),
        }
    }

    /// Keeps it no more.
    fn loosen(&mut self) {
        if let Self::Kept(connection) = self {
            *self = Self::Known(Arc::downgrade(connection));
        }
    }
}

/// A call that was sent, and what is to be done when it is answered.
struct SentCall<'a> {
    slot: Arc<Slot>,
    /// Ends when the call does.
    _span: Option<Box<Span>>,
    report: Report,
    copies_back: Vec<Box<dyn CopyBack + Send + 'a>>,
    /// Counts what is yet to be copied back.
    _copies: Option<Copies>,
}

/// Calls `method` with the arguments that `send` adds.
pub fn call<'a, R: Return<K>, K>(
    caller: &Caller,
    method: &'static Method,
    send: impl FnOnce(&mut Outgoing<'a>) -> Result<(), SendError> + Send + 'a,
) -> Call<'a, R::Value, R::Error> {
    let method = Cow::Borrowed(method);
    let mut call = Call::new(caller, method, Box::new(send), Receive::Known(R::receive));
    call.find = R::MAKES.then_some(R::made as FindInstance);
    call
}

impl<'a, T, E> Call<'a, T, E> {
    /// Calls `method` with the arguments that `send` adds; `receive` reads what it returns.
    pub(crate) fn new(
        caller: &Caller,
        method: Cow<'static, Method>,
        send: Prepare<'a>,
        receive: Receive<T, E>,
    ) -> Self {
        Self {
            caller: caller.clone(),
            connection: None,
            instance: None,
            method,
            state: State::Unsent(Arguments::Due(send)),
            limit: None,
            deadline: None,
            forbids_copies: caller.forbids_copies(),
            trace: None,
            receive,
            find: None,
        }
    }

    /// Sends it over this connection alone, and not to what a restart puts in its worker's place.
    pub(crate) fn over(mut self, connection: Arc<Connection>) -> Self {
        self.connection = Some(connection);
        self
    }

    /// Keeps the instance whose method is called.
    pub(crate) fn of(mut self, instance: Option<Instance>) -> Self {
        self.instance = instance;
        self
    }

    /// Gives the call a deadline that has begun to run.
    pub(crate) fn until(mut self, deadline: Deadline) -> Self {
        self.deadline = Some(deadline);
        self
    }
}

/// Calls `method` of an instance with the arguments that `send` adds.
pub fn call_of<'a, R: Return<K>, K>(
    instance: &Instance,
    method: &'static Method,
    send: impl FnOnce(&mut Outgoing<'a>) -> Result<(), SendError> + Send + 'a,
) -> Call<'a, R::Value, R::Error> {
    let number = instance.number();
    let send = move |outgoing: &mut Outgoing<'a>| {
        outgoing.value(SELF, &number);
        send(outgoing)
    };
    let mut call = call::<R, K>(instance.caller(), method, send);
    call.instance = Some(instance.clone());
    call
}

impl<T, E> Call<'_, T, E> {
    /// Gives up after `limit`, counted from the first poll: the call fails with
    /// [`DeadlineExceeded`](FailureCause::DeadlineExceeded) and the worker is asked to stop. There
    /// is no deadline by default, unless the worker was [set up](crate::WorkerBuilder::call_deadline)
    /// with one; `Duration::MAX` does without that.
    pub fn deadline(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Has the call belong to a trace. Otherwise it belongs to that of the current `tracing` span,
    /// where OpenTelemetry follows it (feature `opentelemetry`), or else to that of the call which the
    /// function that makes it runs for; or to none.
    pub fn trace(mut self, trace: TraceContext) -> Self {
        self.trace = Some(Box::new(trace));
        self
    }

    /// Fails with [`CopyForbidden`](FailureCause::CopyForbidden), before anything is sent, where
    /// an array argument would have to be copied.
    pub fn forbid_copies(mut self) -> Self {
        self.forbids_copies = true;
        self
    }

    /// Also tells how many bytes of arrays were shared and how many copied.
    pub fn reported(self) -> Reported<Self> {
        Reported { call: self }
    }

    /// Blocks the thread until the function has returned.
    ///
    /// # Errors
    /// As awaiting it.
    pub fn wait(mut self) -> Result<T, CallError<E>> {
        self.wait_reported().map(|(value, _)| value)
    }

    fn wait_reported(&mut self) -> Result<(T, Report), CallError<E>> {
        // What is answered at once needs no waker.
        let mut cx = Context::from_waker(Waker::noop());
        if let Poll::Ready(result) = self.poll_reported(&mut cx) {
            return result;
        }
        let sleeper = Sleeper::new();
        let waker = Waker::from(Arc::clone(&sleeper));
        let mut cx = Context::from_waker(&waker);
        loop {
            if let Poll::Ready(result) = self.poll_reported(&mut cx) {
                return result;
            }
            match &self.state {
                State::InFlight(in_flight) => {
                    if let Some(connection) = in_flight.connection.find()
                        && !connection.exchange().never_sleeps()
                    {
                        let slot = &in_flight.sent.slot;
                        connection.exchange().sleep(slot, &sleeper);
                    }
                }
                // It waits for room.
                State::Unsent(_) | State::Done => std::thread::park(),
            }
        }
    }

    pub(crate) fn poll_reported(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(T, Report), CallError<E>>> {
        if matches!(self.state, State::Unsent(_)) {
            ready!(self.poll_send(cx))?;
        } else if let State::InFlight(in_flight) = &self.state
            && let Some(connection) = in_flight.connection.find()
        {
            let exchange = connection.exchange();
            if let Some(lead) = exchange.channel().try_lead() {
                // Where nobody sleeps, it goes on looking.
                let again = exchange.never_sleeps().then_some(Sent {
                    has_woken: false,
                    is_apart: true,
                });
                exchange.attend(lead, &in_flight.sent.slot, again);
            }
        }
        let State::InFlight(in_flight) = &mut self.state else {
            panic!("a call was polled after it had completed");
        };
        let answer = in_flight.sent.slot.poll(cx);
        if answer.is_pending() {
            let connection = in_flight.connection.find();
            let is_forked =
                |connection: &Arc<Connection>| !connection.exchange().channel().is_owner();
            if connection.as_ref().is_some_and(is_forked) {
                let reason = FORKED.to_owned();
                let cause = FailureCause::Protocol { reason };
                return Poll::Ready(Err(self.failure(cause, Vec::new())));
            }
            in_flight.connection.loosen();
            if connection.is_some_and(|connection| connection.exchange().never_sleeps()) {
                // Others have their turn on this thread, and then it looks again.
                cx.waker().wake_by_ref();
            }
        }
        let answer = ready!(answer);
        let State::InFlight(in_flight) = std::mem::replace(&mut self.state, State::Done) else {
            unreachable!("the state was just matched");
        };
        Poll::Ready(self.receive(answer, in_flight))
    }

    fn receive(
        &self,
        answer: Result<Answer, FailureCause>,
        mut in_flight: InFlight<'_>,
    ) -> Result<(T, Report), CallError<E>> {
        let (mut parcel, copied_bytes) = match answer {
            Ok(Answer::Returned {
                parcel,
                copied_bytes,
            }) => (parcel, copied_bytes),
            Ok(Answer::Described(_)) => {
                let reason = "a description where a reply belongs".to_owned();
                return Err(self.failure(FailureCause::Protocol { reason }, Vec::new()));
            }
            Err(cause) => return Err(self.failure(cause, Vec::new())),
        };
        let unfetched = |unfetched| self.unfetched(unfetched, &in_flight.connection);
        // Nothing of the caller's changes unless everything that came can be used.
        for array in &mut in_flight.sent.copies_back {
            array.fetch().map_err(unfetched)?;
        }
        let n_given = parcel.size_bytes();
        let n_copied = parcel
            .copy_out()
            .map_err(|source| self.failure(FailureCause::NoRoomForResult { source }, Vec::new()))?;
        let mut report = in_flight.sent.report;
        if copied_bytes > 0 {
            report.copied(None, copied_bytes, CopyReason::HeapReturned);
        }
        if n_copied > 0 {
            report.copied(None, n_copied, CopyReason::UntrustedResult);
        }
        report.shared_bytes += n_given.saturating_sub(copied_bytes);
        let mut incoming = parcel.open_for(&self.caller);
        let malformed = |failure: Failure| {
            let reason = super::error::Refusal(failure).to_string();
            self.failure(FailureCause::Protocol { reason }, Vec::new())
        };
        let returned = match &self.receive {
            Receive::Known(receive) => receive(&mut incoming),
            Receive::Described(receive) => receive(&mut incoming),
        };
        let returned = returned.map_err(malformed)?;
        incoming.finish().map_err(malformed)?;
        for array in &mut in_flight.sent.copies_back {
            array.copy_back().map_err(unfetched)?;
        }
        returned
            .map(|value| (value, report))
            .map_err(CallError::Returned)
    }
}

impl<'a, T, E> Call<'a, T, E> {
    /// Sends it, once there is a worker, and room.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), CallError<E>>> {
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
                    FailureCause::DeadlineExceeded { limit }
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

/// When a call is given up that is first polled now. Beyond the clock's range, it never is.
pub(crate) fn deadline_from_now(limit: Option<Duration>) -> Deadline {
    let limit = limit?;
    Instant::now().checked_add(limit).map(|at| (at, limit))
}

type Unsent = Vec<(String, Box<dyn std::any::Any + Send + Sync>)>;

impl<T, E> Call<'_, T, E> {
    fn failure(&self, cause: FailureCause, unsent: Unsent) -> CallError<E> {
        CallError::Failed(Box::new(self.call_failure(cause, unsent)))
    }

    fn unfetched(&self, unfetched: Unfetched, link: &Link) -> CallError<E> {
        if matches!(unfetched, Unfetched::Invalid)
            && let Some(connection) = link.find()
        {
            connection
                .exchange()
                .break_off(Violation(INVALID_BOOL.to_owned()));
        }
        self.failure(unfetched.into(), Vec::new())
    }

    fn call_failure(&self, cause: FailureCause, unsent: Unsent) -> CallFailure {
        CallFailure {
            worker: Arc::clone(self.caller.worker()),
            method: self.method.clone(),
            cause,
            unsent,
        }
    }
}

impl<T, E> Call<'_, T, E> {
    /// Has a task that makes one call after another, each of which is answered at once, give way to others
    /// now and then, as tokio's own futures do.
    fn poll_turn(&self, cx: &mut Context<'_>) -> Poll<()> {
        if !matches!(self.state, State::Unsent(_)) {
            return Poll::Ready(());
        }
        let mut turn = std::pin::pin!(cooperative(std::future::ready(())));
        turn.as_mut().poll(cx)
    }
}

impl<T, E> Future for Call<'_, T, E> {
    type Output = Result<T, CallError<E>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        ready!(self.poll_turn(cx));
        self.poll_reported(cx).map_ok(|(value, _)| value)
    }
}

impl<T, E> Drop for Call<'_, T, E> {
    fn drop(&mut self) {
        if let State::InFlight(in_flight) = &self.state
            && let Some(connection) = in_flight.connection.find()
        {
            connection.exchange().cancel(in_flight.sent.slot.id());
        }
    }
}

impl<T, E> fmt::Debug for Call<'_, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Unsent(_) => "unsent",
            State::InFlight(_) => "in flight",
            State::Done => "done",
        };
        f.debug_struct("Call")
            .field("method", &self.method)
            .field("state", &state)
            .finish_non_exhaustive()
    }
}

/// A call that also tells what was shared and what was copied (see [`Call::reported`]).
#[derive(Debug)]
#[must_use = "a call does nothing until it is awaited or waited for"]
pub struct Reported<C> {
    pub(crate) call: C,
}

impl<T, E> Reported<Call<'_, T, E>> {
    /// Blocks the thread until the function has returned.
    ///
    /// # Errors
    /// As awaiting it.
    pub fn wait(mut self) -> Result<(T, Report), CallError<E>> {
        self.call.wait_reported()
    }
}

impl<T, E> Future for Reported<Call<'_, T, E>> {
    type Output = Result<(T, Report), CallError<E>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        ready!(self.call.poll_turn(cx));
        self.call.poll_reported(cx)
    }
}
