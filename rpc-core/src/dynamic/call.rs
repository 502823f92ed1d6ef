//! A call without a stub, as its caller holds it.

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::arguments::Arguments;
use super::decode;
use super::interface::{Interface, Signature};
use super::mismatch::{Mismatch, closest};
use super::value::Value;
use crate::call::connection::{Caller, Connection};
use crate::call::error::{CallError, FailureCause, SendError};
use crate::call::future::{Call, Receive, Reported, deadline_from_now};
use crate::call::incoming::Incoming;
use crate::call::instance::Instance;
use crate::call::module::Method;
use crate::call::outgoing::Outgoing;
use crate::call::pending::Deadline;
use crate::call::questions::{Asker, Description, Undescribed};
use crate::call::report::Report;
use crate::wire::frame::Failure;
use crate::wire::schema::method_id;
use crate::wire::trace::TraceContext;

/// A call of a worker's function without a stub: a future of the [`Value`] that it returns. Made by
/// [`Worker::call`](crate::Worker::call).
///
/// It is what a stub's [`Call`] is, with the same leases, deadlines and reports; the arguments are
/// checked against the worker's description when it is first polled. The first call of a module asks
/// the worker for that description. A call that waits until its worker is [started
/// again](crate::WorkerBuilder::restart_policy) does so before that: once checked, it goes to the process
/// whose description it was checked against, or nowhere.
///
/// # Cancel safety
/// As [`Call`]'s.
#[must_use = "a call does nothing until it is awaited or waited for"]
pub struct DynamicCall<'a> {
    caller: Caller,
    module: String,
    function: String,
    state: State<'a>,
    limit: Option<Duration>,
    /// Counted from the first poll.
    deadline: Option<Deadline>,
    trace: Option<TraceContext>,
    forbids_copies: bool,
}

type Returned = Value<'static>;

enum State<'a> {
    Unasked(Arguments<'a>),
    /// The worker describes the module.
    Asked {
        /// Not what keeps it, as in a stub's call.
        connection: Weak<Connection>,
        arguments: Arguments<'a>,
        asker: Asker,
        deadline: Deadline,
    },
    Called(Box<Call<'a, Returned, Returned>>),
    /// Between two of the others.
    Moving,
}

/// A function that a worker described.
#[derive(Clone)]
struct Target {
    interface: Arc<Interface>,
    index: usize,
}

impl Target {
    fn signature(&self) -> &Signature {
        &self.interface.functions[self.index]
    }
}

impl<'a> DynamicCall<'a> {
    pub(crate) fn new(
        caller: Caller,
        module: &str,
        function: &str,
        arguments: Arguments<'a>,
    ) -> Self {
        Self {
            forbids_copies: caller.forbids_copies(),
            caller,
            module: module.to_owned(),
            function: function.to_owned(),
            state: State::Unasked(arguments),
            limit: None,
            deadline: None,
            trace: None,
        }
    }

    /// Gives up after `limit`, as [`Call::deadline`]. The time in which the worker describes the
    /// module counts. A call without a deadline waits for that as long as the worker's
    /// [startup timeout](crate::WorkerBuilder::startup_timeout); `Duration::MAX` waits for ever.
    pub fn deadline(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Has the call belong to a trace, as [`Call::trace`].
    pub fn trace(mut self, trace: TraceContext) -> Self {
        self.trace = Some(trace);
        self
    }

    /// Fails, before anything is sent, where an array would have to be copied, as
    /// [`Call::forbid_copies`].
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
    ///
    /// # Panics
    /// Inside an executor's `block_on`, as [`futures::executor::block_on`] does.
    pub fn wait(self) -> Result<Returned, CallError<Returned>> {
        futures::executor::block_on(self)
    }

    fn poll_reported(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(Returned, Report), CallError<Returned>>> {
        loop {
            match &mut self.state {
                State::Unasked(_) => {
                    let default = self.caller.call_deadline();
                    let limit = self.limit.or(default);
                    let deadline = *self
                        .deadline
                        .get_or_insert_with(|| deadline_from_now(limit));
                    let connection = self.caller.connection();
                    match ready!(self.caller.poll_staff(cx, &connection, deadline)) {
                        // It may be another one by now.
                        Ok(()) => self.ask(self.caller.connection(), deadline),
                        Err(cause) => return Poll::Ready(Err(self.fail(connection, cause))),
                    }
                }
                State::Asked {
                    connection, asker, ..
                } => {
                    let answer = match connection.upgrade() {
                        Some(connection) => connection.exchange().poll_description(asker, cx),
                        // Its end is an answer, or will be.
                        None => asker.poll(cx),
                    };
                    let answer = ready!(answer);
                    self.answered(answer);
                }
                State::Called(call) => return call.poll_reported(cx),
                State::Moving => panic!("a call was polled after it had panicked"),
            }
        }
    }

    /// Looks the module up, or asks the worker for it.
    fn ask(&mut self, connection: Arc<Connection>, deadline: Deadline) {
        let State::Unasked(arguments) = std::mem::replace(&mut self.state, State::Moving) else {
            unreachable!("only an unasked call asks");
        };
        let target = match connection.interfaces().get(&self.module) {
            Some(interface) => self.target(interface),
            None => match connection.ask(&self.module, self.patience(deadline)) {
                Ok(Some(asker)) => {
                    self.state = State::Asked {
                        connection: Arc::downgrade(&connection),
                        arguments,
                        asker,
                        deadline,
                    };
                    return;
                }
                Ok(None) => Err(unknown_module(&connection)),
                Err(end) => Err(FailureCause::WorkerGone { end }),
            },
        };
        let call = self.call(Some(connection), target, arguments, deadline);
        self.state = State::Called(Box::new(call));
    }

    /// Until when a description is waited for: as long as the call has, which may be for ever, if its caller
    /// says so, but not for want of saying anything.
    fn patience(&self, deadline: Deadline) -> Deadline {
        let is_chosen = self.limit.or(self.caller.call_deadline()).is_some();
        if is_chosen {
            return deadline;
        }
        deadline_from_now(Some(self.caller.patience()))
    }

    /// Fails before anything was asked; what was passed by value is handed back.
    fn fail(&mut self, connection: Arc<Connection>, cause: FailureCause) -> CallError<Returned> {
        let State::Unasked(arguments) = std::mem::replace(&mut self.state, State::Moving) else {
            unreachable!("only an unasked call asks");
        };
        let target = Err(unknown_module(&connection));
        self.call(Some(connection), target, arguments, None)
            .fail(cause)
    }

    /// Goes on with the worker's description.
    fn answered(&mut self, answer: Result<Description, Undescribed>) {
        let asked = std::mem::replace(&mut self.state, State::Moving);
        let State::Asked {
            connection,
            arguments,
            deadline,
            ..
        } = asked
        else {
            unreachable!("only a question is answered");
        };
        // Without one, the worker has ended, which is the answer.
        let connection = connection.upgrade();
        let target = match answer {
            Ok(schema) => match (&connection, schema) {
                (Some(connection), Some(schema)) => {
                    self.target(connection.interfaces().note(&self.module, &schema))
                }
                (Some(connection), None) => Err(unknown_module(connection)),
                (None, _) => Err(FailureCause::NotSent {
                    reason: "the worker that described it was restarted".to_owned(),
                }),
            },
            Err(Undescribed::Gone(end)) => Err(FailureCause::WorkerGone { end }),
            Err(Undescribed::Late { limit }) => Err(FailureCause::NotDescribed { limit }),
            Err(Undescribed::Refused(refusal)) => Err(FailureCause::NotSent {
                reason: format!("its module was not described: {refusal}"),
            }),
        };
        self.state = State::Called(Box::new(self.call(connection, target, arguments, deadline)));
    }

    fn target(&self, interface: Arc<Interface>) -> Result<Target, FailureCause> {
        let names = || interface.functions.iter().map(|found| found.name.as_str());
        match names().position(|name| name == self.function) {
            Some(index) => Ok(Target { interface, index }),
            None => Err(FailureCause::Mismatch(Mismatch::UnknownFunction {
                closest: closest(&self.function, names()).map(str::to_owned),
                served: names().map(str::to_owned).collect(),
            })),
        }
    }

    /// Checks what doesn't depend on the arguments' types.
    fn check(&self, target: Target, instance: Option<&Instance>) -> Result<Target, FailureCause> {
        decode::check(&target.signature().returns).map_err(FailureCause::Mismatch)?;
        let others = instance.map(Instance::caller);
        match others.filter(|theirs| !theirs.is_of_worker(&self.caller)) {
            Some(theirs) => Err(FailureCause::Mismatch(Mismatch::OtherWorker {
                worker: theirs.worker().to_string(),
            })),
            None => Ok(target),
        }
    }

    /// Makes the call; one that fails as soon as it is polled, if there is nothing to be called. It
    /// goes to the worker that described the function, and not to what a restart puts in its place.
    fn call(
        &self,
        connection: Option<Arc<Connection>>,
        target: Result<Target, FailureCause>,
        arguments: Arguments<'a>,
        deadline: Deadline,
    ) -> Call<'a, Returned, Returned> {
        let method = Method {
            id: method_id(&self.module, &self.function),
            module: Cow::Owned(self.module.clone()),
            function: Cow::Owned(self.function.clone()),
        };
        let instance = arguments.instance().cloned();
        let target = target.and_then(|target| self.check(target, instance.as_ref()));
        let described = target.as_ref().ok().cloned();
        // Another worker's instance is a mismatch, not one that this worker has lost.
        let instance = instance.filter(|_| described.is_some());
        let send = move |outgoing: &mut Outgoing<'a>| match target {
            Ok(target) => {
                outgoing.expects = decode::find_instance(&target.signature().returns);
                arguments.send(target.signature(), outgoing)
            }
            Err(cause) => {
                arguments.give_back(outgoing);
                Err(SendError(cause))
            }
        };
        let receive = move |incoming: &mut Incoming<'_>| match &described {
            Some(target) => decode::decode(incoming, &target.signature().returns),
            None => Err(Failure::UnknownFunction),
        };
        let receive = Receive::Described(Box::new(receive));
        let call = Call::new(&self.caller, Cow::Owned(method), Box::new(send), receive);
        let call = match connection {
            Some(connection) => call.over(connection),
            // It fails as soon as it is polled.
            None => call,
        };
        let mut call = call.of(instance).until(deadline);
        if let Some(trace) = self.trace {
            call = call.trace(trace);
        }
        if self.forbids_copies {
            call.forbid_copies()
        } else {
            call
        }
    }
}

fn unknown_module(connection: &Connection) -> FailureCause {
    let served = connection.modules().iter();
    FailureCause::Mismatch(Mismatch::UnknownModule {
        served: served.map(|module| module.name.clone()).collect(),
    })
}

impl Future for DynamicCall<'_> {
    type Output = Result<Returned, CallError<Returned>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.poll_reported(cx).map_ok(|(value, _)| value)
    }
}

impl Reported<DynamicCall<'_>> {
    /// Blocks the thread until the function has returned.
    ///
    /// # Errors
    /// As awaiting it.
    ///
    /// # Panics
    /// As [`DynamicCall::wait`].
    pub fn wait(self) -> Result<(Returned, Report), CallError<Returned>> {
        futures::executor::block_on(self)
    }
}

impl Future for Reported<DynamicCall<'_>> {
    type Output = Result<(Returned, Report), CallError<Returned>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.call.poll_reported(cx)
    }
}

impl fmt::Debug for DynamicCall<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DynamicCall")
            .field("module", &self.module)
            .field("function", &self.function)
            .finish_non_exhaustive()
    }
}
