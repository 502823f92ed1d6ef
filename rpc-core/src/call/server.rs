//! The worker's end of a channel: runs functions and answers calls.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::runtime::Handle as Runtime;
use tokio::task::AbortHandle;

use super::connection::is_too_long;
use super::current::{self, CallState, Running};
use super::incoming::{Parcel, Reply, ServerCall};
use super::module::{Function, Handler, Module};
use super::tarpc::TarpcServer;
use crate::channel::bind::BindError;
use crate::channel::{Channel, SendError, Violation};
use crate::wire::codec::Bytes;
use crate::wire::frame::{CallFrame, Failure, Frame, Outcome, ReplyFrame};
use crate::wire::handshake::{Dispatcher, ServedModule};
use crate::wire::schema::ModuleSchema;

/// What a worker serves.
#[derive(Debug)]
pub(crate) struct Served {
    functions: HashMap<u64, Function>,
    schemas: Vec<ModuleSchema>,
}

impl Served {
    /// Lists the functions of all modules.
    ///
    /// # Errors
    /// Two modules of one name, or two functions of one number.
    pub(crate) fn new(modules: &[Module]) -> Result<Self, String> {
        let mut served = Self {
            functions: HashMap::new(),
            schemas: Vec::new(),
        };
        for module in modules {
            if served
                .schemas
                .iter()
                .any(|schema| schema.name == module.name)
            {
                return Err(format!(
                    "two modules are called `{}`; rename one",
                    module.name
                ));
            }
            served.schemas.push((module.schema)());
            for function in (module.functions)() {
                let method = function.method;
                if let Some(other) = served.functions.insert(method.id, function) {
                    return Err(format!(
                        "functions `{}::{}` and `{}::{}` have the same number; rename one",
                        method.module, method.function, other.method.module, other.method.function
                    ));
                }
            }
        }
        Ok(served)
    }

    /// The modules, for the handshake.
    pub(crate) fn list(&self) -> Vec<ServedModule> {
        let entry = |schema: &ModuleSchema| ServedModule {
            name: schema.name.clone(),
            schema: schema.hash(),
        };
        self.schemas.iter().map(entry).collect()
    }
}

/// Runs the functions that a channel asks for.
pub(crate) struct Server {
    channel: Arc<Channel>,
    served: Served,
    runtime: Runtime,
    running: Mutex<InFlight>,
    /// Signalled when a call has ended.
    ended: Condvar,
    tarpc: Option<TarpcServer>,
}

#[derive(Default)]
struct InFlight {
    calls: HashMap<u64, InFlightCall>,
    /// Calls off the list whose last frame is being sent.
    n_ending: usize,
    is_draining: bool,
}

impl InFlight {
    fn is_empty(&self) -> bool {
        self.calls.is_empty() && self.n_ending == 0
    }
}

/// How to drop an asynchronous function's future.
enum Task {
    /// A task of its own.
    Tokio(AbortHandle),
    /// A future inside tarpc's task.
    Tarpc(futures::future::AbortHandle),
}

struct InFlightCall {
    state: Arc<CallState>,
    /// Drops an asynchronous function's future.
    task: Option<Task>,
}

/// A call whose arguments are found, ready to run.
pub(crate) struct Prepared {
    call: ServerCall,
    handler: Handler,
    state: Arc<CallState>,
    has_begun: Arc<AtomicBool>,
}

impl Server {
    pub(crate) fn new(
        channel: Arc<Channel>,
        served: Served,
        runtime: Runtime,
        dispatcher: Dispatcher,
    ) -> Arc<Self> {
        current::note_panics();
        Arc::new_cyclic(|this| {
            let tarpc = match dispatcher {
                Dispatcher::Reedbed => None,
                Dispatcher::Tarpc => Some(TarpcServer::start(
                    &runtime,
                    this.clone(),
                    Arc::clone(&channel),
                )),
            };
            let (running, ended) = (Mutex::default(), Condvar::new());
            Self {
                channel,
                served,
                runtime,
                running,
                ended,
                tarpc,
            }
        })
    }

    /// The channel.
    pub(crate) fn channel(&self) -> &Arc<Channel> {
        &self.channel
    }

    /// Takes a frame that concerns calls. Only the driver calls it.
    pub(crate) fn accept(self: &Arc<Self>, frame: Frame) -> Result<(), Violation> {
        match (frame, &self.tarpc) {
            (Frame::Call(frame), None) => self.start(frame),
            (Frame::Cancel { call }, None) => {
                self.cancel(call);
                Ok(())
            }
            (Frame::Tarpc(message), Some(tarpc)) => tarpc.accept(&message),
            (Frame::Describe { call, module }, _) => {
                let schema = self
                    .served
                    .schemas
                    .iter()
                    .find(|schema| schema.name == module);
                self.channel.send_or_close(&Frame::Description {
                    call,
                    module: schema.cloned(),
                });
                Ok(())
            }
            (Frame::Shutdown, _) => {
                self.lock().is_draining = true;
                self.channel.wake_driver();
                Ok(())
            }
            _ => Err(Violation(
                "sent a frame that a host doesn't send".to_owned(),
            )),
        }
    }

    /// Tells whether the host wants no more calls and the last one has ended.
    pub(crate) fn is_drained(&self) -> bool {
        let running = self.lock();
        let is_answered = self.tarpc.as_ref().is_none_or(TarpcServer::is_idle);
        running.is_draining && running.is_empty() && is_answered
    }

    /// Cancels all calls and waits until the last function has let go of its arguments.
    pub(crate) fn stop(&self) {
        let mut running = self.lock();
        running.is_draining = true;
        running.calls.values().for_each(InFlightCall::cancel);
        while !running.is_empty() {
            running = self
                .ended
                .wait(running)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, InFlight> {
        // No critical section can panic half way.
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Finds the function and the arguments of a call.
    pub(crate) fn prepare(
        &self,
        frame: CallFrame,
        state: &Arc<CallState>,
    ) -> Result<Result<Prepared, Failure>, Violation> {
        // Bound even if the function is unknown, so that what was given is given back.
        let bound = match self.channel.bind_all(&frame.handles) {
            Ok(bound) => bound,
            Err(BindError::Violation(violation)) => return Err(violation),
            Err(BindError::Refused(reason)) => return Ok(Err(Failure::SegmentRefused { reason })),
        };
        let Some(function) = self.served.functions.get(&frame.function) else {
            return Ok(Err(Failure::UnknownFunction));
        };
        let has_begun = Arc::new(AtomicBool::new(false));
        let parcel = Parcel::new(bound, frame.body.0);
        Ok(Ok(Prepared {
            call: ServerCall::new(parcel, Arc::clone(&has_begun)),
            handler: function.handler,
            state: Arc::clone(state),
            has_begun,
        }))
    }

    fn start(self: &Arc<Self>, frame: CallFrame) -> Result<(), Violation> {
        let call = frame.call;
        let n_calls = self.channel.limits().n_calls as usize;
        {
            let running = self.lock();
            if running.calls.contains_key(&call) {
                return Err(Violation(format!(
                    "called number {call} while it was in flight"
                )));
            }
            if running.calls.len() >= n_calls {
                return Err(Violation(format!("sent more than {n_calls} calls at once")));
            }
        }
        let state = Arc::new(CallState::of(&frame));
        // On the list before its arguments are found, so that `stop` waits for it or refuses it.
        let listed = self.list(call, &state);
        let prepared = self.prepare(frame, &state)?;
        let (listed, prepared) = match (listed, prepared) {
            (Some(listed), Ok(prepared)) => (listed, prepared),
            (listed, prepared) => {
                drop(listed);
                let failure = prepared.err().unwrap_or(Failure::ShuttingDown);
                let outcome = Outcome::Failed(failure);
                self.channel
                    .send_or_close(&Frame::Reply(ReplyFrame { call, outcome }));
                return Ok(());
            }
        };
        let Prepared {
            call: arguments,
            handler,
            state,
            has_begun,
        } = prepared;
        let ending = Ending {
            listed,
            server: Arc::clone(self),
            call,
            has_begun,
            is_answered: false,
        };
        match handler {
            Handler::Sync(function) => {
                let job = SyncJob {
                    arguments: Some(arguments),
                    ending,
                };
                self.runtime
                    .spawn_blocking(move || job.run(&state, function));
            }
            Handler::Async(function) => {
                let running = Running::new(state, function(arguments));
                let task = self.runtime.spawn(AsyncJob {
                    running: Some(running),
                    ending: Some(ending),
                });
                if let Some(in_flight) = self.lock().calls.get_mut(&call) {
                    in_flight.task = Some(Task::Tokio(task.abort_handle()));
                }
            }
        }
        Ok(())
    }

    /// Puts a call on the list of running functions; `None` if the worker takes no more.
    pub(crate) fn list(self: &Arc<Self>, call: u64, state: &Arc<CallState>) -> Option<Listed> {
        let mut running = self.lock();
        if running.is_draining {
            return None;
        }
        let in_flight = InFlightCall {
            state: Arc::clone(state),
            task: None,
        };
        running.calls.insert(call, in_flight);
        Some(Listed {
            server: Arc::clone(self),
            call,
            is_ending: false,
        })
    }

    fn cancel(&self, call: u64) {
        // A call that was answered meanwhile is not there any more.
        if let Some(call) = self.lock().calls.get(&call) {
            call.cancel();
        }
    }

    /// Turns what came of a function into what is sent, and has `send` send it.
    pub(crate) fn answer(
        &self,
        returned: Result<Reply, Failure>,
        send: impl Fn(Outcome) -> Result<(), SendError>,
    ) -> Result<(), SendError> {
        let not_returned = |error: SendError| {
            Outcome::Failed(Failure::NotReturned {
                reason: error.to_string(),
            })
        };
        let reply = match returned {
            Ok(reply) => reply,
            Err(failure) => return send(Outcome::Failed(failure)),
        };
        let limit_bytes = self.channel.limits().frame_bytes;
        let len_bytes = reply.body.len() as u64;
        if is_too_long(len_bytes, limit_bytes) {
            return send(not_returned(SendError::TooLong {
                len_bytes,
                limit_bytes,
            }));
        }
        let mut named = match self.channel.name_all(&reply.loans) {
            Ok(named) => named,
            Err(error) => return send(not_returned(error)),
        };
        let sent = send(Outcome::Returned {
            handles: named.take_handles(),
            body: Bytes(reply.body),
            copied_bytes: reply.copied_bytes,
        });
        named.settle(&sent);
        match sent {
            Ok(()) | Err(SendError::Closed) => sent,
            Err(error) => send(not_returned(error)),
        }
    }
}

impl InFlightCall {
    fn cancel(&self) {
        self.state.is_cancelled.store(true, Ordering::Relaxed);
        match &self.task {
            Some(Task::Tokio(task)) => task.abort(),
            Some(Task::Tarpc(task)) => task.abort(),
            None => {}
        }
    }
}

impl Prepared {
    /// Runs the function for tarpc's dispatcher, which cancels by dropping the future.
    pub(crate) async fn run(self, listed: Listed) -> Result<Reply, Failure> {
        let Self {
            call,
            handler,
            state,
            ..
        } = self;
        let ended = || Failure::NotReturned {
            reason: "the worker is ending".to_owned(),
        };
        match handler {
            Handler::Async(function) => {
                let running = Running::new(state, function(call));
                let (running, task) = futures::future::abortable(running);
                listed.stops_with(task);
                let returned = running.await;
                // Dropped after the function's future: `Server::stop` waits for that.
                drop(listed);
                returned.unwrap_or_else(|_| Err(ended()))
            }
            Handler::Sync(function) => {
                let cancel = CancelOnDrop(Arc::clone(&state));
                let job = move || {
                    let returned = current::run(&state, || function(&call));
                    drop(call);
                    drop(listed);
                    returned
                };
                let returned = tokio::task::spawn_blocking(job).await;
                drop(cancel);
                returned.unwrap_or_else(|_| Err(ended()))
            }
        }
    }
}

/// Tells a synchronous function that its caller is gone.
struct CancelOnDrop(Arc<CallState>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.is_cancelled.store(true, Ordering::Relaxed);
    }
}

/// Sees to it that a call ends with exactly one frame, whatever happens to its function, and after
/// the function has let go of its arguments.
struct Ending {
    listed: Listed,
    server: Arc<Server>,
    call: u64,
    has_begun: Arc<AtomicBool>,
    is_answered: bool,
}

/// A place on the list of running functions.
pub(crate) struct Listed {
    server: Arc<Server>,
    call: u64,
    is_ending: bool,
}

impl Listed {
    /// Has `Server::stop` drop the function's future by `task`.
    fn stops_with(&self, task: futures::future::AbortHandle) {
        if let Some(in_flight) = self.server.lock().calls.get_mut(&self.call) {
            if in_flight.state.is_cancelled.load(Ordering::Relaxed) {
                task.abort();
            }
            in_flight.task = Some(Task::Tarpc(task));
        }
    }

    /// Takes the call off the list, because what is sent next lets the host send another one. A
    /// shutdown waits until it is sent.
    fn leave(&mut self) {
        if !std::mem::replace(&mut self.is_ending, true) {
            let mut running = self.server.lock();
            running.calls.remove(&self.call);
            running.n_ending += 1;
        }
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        let mut running = self.server.lock();
        if self.is_ending {
            running.n_ending -= 1;
        } else {
            running.calls.remove(&self.call);
        }
        let is_drained = running.is_draining && running.is_empty();
        drop(running);
        self.server.ended.notify_all();
        if is_drained {
            self.server.channel.wake_driver();
        }
    }
}

impl Ending {
    fn answer(mut self, returned: Result<Reply, Failure>) {
        self.is_answered = true;
        self.listed.leave();
        let (channel, call) = (&self.server.channel, self.call);
        let sent = self.server.answer(returned, |outcome| {
            channel.send(&Frame::Reply(ReplyFrame { call, outcome }))
        });
        if sent.is_err() {
            channel.close();
        }
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        if self.is_answered {
            return;
        }
        let has_begun = self.has_begun.load(Ordering::Acquire);
        self.listed.leave();
        let released = Frame::Released {
            call: self.call,
            has_begun,
        };
        self.server.channel.send_or_close(&released);
    }
}

/// A synchronous function on its way to a thread. Dropped unrun, it lets go of its arguments first.
struct SyncJob {
    arguments: Option<ServerCall>,
    ending: Ending,
}

impl SyncJob {
    fn run(mut self, state: &Arc<CallState>, function: fn(&ServerCall) -> Result<Reply, Failure>) {
        let Some(arguments) = self.arguments.take() else {
            return;
        };
        if state.is_cancelled.load(Ordering::Relaxed) {
            drop(arguments);
            return;
        }
        let returned = current::run(state, || function(&arguments));
        drop(arguments);
        if returned.is_ok() && state.knows_it.load(Ordering::Relaxed) {
            // It stopped early, so this is no answer; dropping the ending says so.
            return;
        }
        self.ending.answer(returned);
    }
}

/// An asynchronous function as a task. Aborted, it lets go of its arguments first: its fields are
/// dropped in this order.
struct AsyncJob {
    running: Option<Running<dyn Future<Output = Result<Reply, Failure>> + Send>>,
    ending: Option<Ending>,
}

impl Future for AsyncJob {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(running) = &mut self.running else {
            return Poll::Ready(());
        };
        let returned = ready!(Pin::new(running).poll(cx));
        self.running = None;
        if let Some(ending) = self.ending.take() {
            ending.answer(returned);
        }
        Poll::Ready(())
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("served", &self.served)
            .finish_non_exhaustive()
    }
}
