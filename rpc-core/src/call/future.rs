//! A call, as its caller holds it.

mod link;
mod receiving;
mod sending;

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use tokio::task::coop::cooperative;
use tracing::Span;

use self::link::Link;
use super::attend::{Sent, Sleeper};
use super::connection::{Caller, Connection};
use super::copy_back::CopyBack;
use super::entrusted::Given;
use super::error::{CallError, CallFailure, FailureCause, SendError};
use super::incoming::{Incoming, SELF};
use super::instance::Instance;
use super::module::Method;
use super::outgoing::Outgoing;
use super::pending::{Deadline, FindInstance, Slot};
use super::report::Report;
use super::returned::Return;
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
}

/// When a call is given up that is first polled now. Beyond the clock's range, it never is.
pub(crate) fn deadline_from_now(limit: Option<Duration>) -> Deadline {
    let limit = limit?;
    Instant::now().checked_add(limit).map(|at| (at, limit))
}

impl<T, E> Call<'_, T, E> {
    fn failure(&self, cause: FailureCause, unsent: Given) -> CallError<E> {
        CallError::Failed(Box::new(self.call_failure(cause, unsent)))
    }

    fn call_failure(&self, cause: FailureCause, unsent: Given) -> CallFailure {
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
