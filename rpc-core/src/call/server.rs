//! The worker's end of a channel: runs functions and answers calls.
//!
//! - [`served`] lists the functions, [`job`] is one call of one of them, [`runner`] is a thread that
//!   reads calls and runs short ones itself; [`answer`] says what came of them;
//! - [`instances`] keeps what constructors have made.

pub(crate) mod answer;
pub(crate) mod instances;
mod job;
mod runner;
mod served;

use std::collections::hash_map::Entry;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle as Runtime;
use tokio::task::AbortHandle;

use instances::Instances;
pub(crate) use job::Listed;
use job::{AsyncJob, Ending, SyncJob};
pub(crate) use runner::Runner;
use runner::Watch;
pub(crate) use served::Served;

use super::current::{self, CallState, Running};
use super::incoming::Parcel;
use super::module::Handler;
use super::server_call::{Callee, ServerCall};
use super::tarpc::TarpcServer;
use crate::channel::bind::BindError;
use crate::channel::{Channel, Violation};
use crate::numbered::Numbered;
use crate::wire::frame::{CallFrame, Failure, Frame, Outcome, ReplyFrame};
use crate::wire::handshake::Dispatcher;

/// Runs the functions that a channel asks for.
pub(crate) struct Server {
    channel: Arc<Channel>,
    served: Served,
    runtime: Runtime,
    instances: Arc<Instances>,
    running: Mutex<InFlight>,
    /// Calls off the list whose last frame is being sent.
    n_ending: AtomicUsize,
    /// Whether no more calls are taken. Set under the list's lock.
    is_draining: AtomicBool,
    /// Signalled when a call has ended.
    ended: Condvar,
    tarpc: Option<TarpcServer>,
    /// What the driver and the runner tell each other.
    watch: Watch,
    /// What the runner noticed that the driver has not heard of yet.
    violation: Mutex<Option<Violation>>,
}

#[derive(Default)]
struct InFlight {
    calls: Numbered<InFlightCall>,
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

/// A call that is on the list, and what to run for it.
struct Begun {
    call: u64,
    /// The function's number.
    function: u64,
    job: Job,
    /// Whether it was said that the function blocks for long.
    may_block: bool,
}

enum Job {
    Sync(SyncJob),
    Async(AsyncJob),
}

/// A call whose arguments are found, ready to run.
pub(crate) struct Prepared {
    call: ServerCall,
    handler: Handler,
}

impl Server {
    pub(crate) fn new(
        channel: Arc<Channel>,
        served: Served,
        runtime: Runtime,
        dispatcher: Dispatcher,
    ) -> Arc<Self> {
        current::note_panics();
        let tarpc = match dispatcher {
            Dispatcher::Reedbed => None,
            Dispatcher::Tarpc => Some(TarpcServer::start(&runtime, Arc::clone(&channel))),
        };
        let (running, ended) = (Mutex::default(), Condvar::new());
        let instances = Instances::new(runtime.clone(), Arc::clone(&channel));
        Arc::new(Self {
            channel,
            served,
            runtime,
            instances,
            running,
            n_ending: AtomicUsize::new(0),
            is_draining: AtomicBool::new(false),
            ended,
            tarpc,
            watch: Watch::default(),
            violation: Mutex::default(),
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
            (Frame::Tarpc(message), Some(tarpc)) => tarpc.accept(self, &message),
            (Frame::Describe { call, module }, _) => {
                let schema = self
                    .served
                    .schemas
                    .iter()
                    .find(|schema| schema.name == module);
                answer::describe(&self.channel, call, schema.cloned());
                Ok(())
            }
            (Frame::Dropped { instance }, _) => {
                // A worker that shuts down drops its instances itself, and may be quicker.
                if self.instances.remove(instance) || self.is_draining.load(Ordering::SeqCst) {
                    return Ok(());
                }
                Err(Violation(format!(
                    "dropped instance {instance}, which isn't there"
                )))
            }
            (Frame::Ping { n }, _) => {
                self.channel.send_or_close(&Frame::Pong { n });
                Ok(())
            }
            (Frame::Shutdown, _) => {
                let running = self.lock();
                self.is_draining.store(true, Ordering::SeqCst);
                drop(running);
                self.channel.wake_driver();
                Ok(())
            }
            _ => Err(Violation(
                "sent a frame that a host doesn't send".to_owned(),
            )),
        }
    }

    /// Tells whether the host wants no more calls, the last one has ended, and the instances are
    /// gone.
    pub(crate) fn is_drained(&self) -> bool {
        let is_idle = {
            let running = self.lock();
            let is_answered = self.tarpc.as_ref().is_none_or(TarpcServer::is_idle);
            // An answer that the host can't read has to be replaced.
            self.is_draining.load(Ordering::SeqCst)
                && self.is_empty(&running)
                && is_answered
                && !self.channel.has_unread()
        };
        is_idle && self.instances.end()
    }

    /// Cancels all calls and waits until the last function has let go of its arguments and the
    /// last instance is gone.
    pub(crate) fn stop(&self) {
        let mut running = self.lock();
        self.is_draining.store(true, Ordering::SeqCst);
        running.calls.values().for_each(InFlightCall::cancel);
        while !self.is_empty(&running) {
            running = self
                .ended
                .wait(running)
                .unwrap_or_else(PoisonError::into_inner);
        }
        drop(running);
        self.instances.wait_for_end();
    }

    fn is_empty(&self, running: &InFlight) -> bool {
        running.calls.is_empty() && self.n_ending.load(Ordering::SeqCst) == 0
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
        #[cfg(feature = "failpoints")]
        crate::failpoint::reach(crate::failpoint::Point::Received);
        // Bound even if the function is unknown, so that what was given is given back.
        let bound = match self.channel.bind_all(&frame.handles, &frame.inline.0) {
            Ok(bound) => bound,
            Err(BindError::Violation(violation)) => return Err(violation),
            Err(BindError::Refused(reason)) => return Ok(Err(Failure::SegmentRefused { reason })),
        };
        let Some(function) = self.served.function(frame.function) else {
            return Ok(Err(Failure::UnknownFunction));
        };
        state.named(function.method);
        let parcel = Parcel::new(bound, frame.body.0);
        let instances = &self.instances;
        let callee = function
            .takes_instance
            .then(|| Callee::find(&parcel, instances));
        let callee = match callee.transpose() {
            Ok(callee) => callee,
            Err(failure) => return Ok(Err(failure)),
        };
        let instances = Arc::clone(instances);
        Ok(Ok(Prepared {
            call: ServerCall::new(parcel, callee, instances, Arc::clone(state)),
            handler: function.handler,
        }))
    }

    /// Has a call run elsewhere than on this thread.
    fn start(self: &Arc<Self>, frame: CallFrame) -> Result<(), Violation> {
        if let Some(begun) = self.begin(frame)? {
            self.spawn(begun);
        }
        Ok(())
    }

    /// Finds what to run for a call; `None` if it was answered already.
    #[inline]
    fn begin(self: &Arc<Self>, frame: CallFrame) -> Result<Option<Begun>, Violation> {
        let (call, function) = (frame.call, frame.function);
        let state = Arc::new(CallState::of(&frame));
        // On the list before its arguments are found, so that `stop` waits for it or refuses it.
        let n_calls = self.channel.limits().n_calls as usize;
        let listed = self.list_one_of(call, &state, n_calls)?;
        let prepared = self.prepare(frame, &state)?;
        let (listed, prepared) = match (listed, prepared) {
            (Some(listed), Ok(prepared)) => (listed, prepared),
            (listed, prepared) => {
                // Whatever else is wrong with a call that isn't taken: its instance may be gone because
                // the worker is about to be.
                let failure = prepared.err().filter(|_| listed.is_some());
                let failure = failure.unwrap_or(Failure::ShuttingDown);
                drop(listed);
                let outcome = Outcome::Failed(failure);
                self.channel
                    .send_or_close(&Frame::Reply(ReplyFrame { call, outcome }));
                return Ok(None);
            }
        };
        let Prepared {
            call: arguments,
            handler,
        } = prepared;
        let may_block = matches!(handler, Handler::Blocking(_));
        let ending = |state| Ending {
            listed,
            state,
            is_answered: false,
        };
        let job = match handler {
            Handler::Sync(function) | Handler::Blocking(function) => Job::Sync(SyncJob {
                arguments: Some(arguments),
                function,
                ending: Some(ending(state)),
            }),
            Handler::Async(function) => Job::Async(AsyncJob {
                running: Some(Running::new(Arc::clone(&state), function(arguments))),
                ending: Some(ending(state)),
            }),
        };
        Ok(Some(Begun {
            call,
            function,
            job,
            may_block,
        }))
    }

    /// Runs a call on a thread that is for that.
    fn spawn(self: &Arc<Self>, begun: Begun) {
        let Begun {
            call,
            function,
            job,
            ..
        } = begun;
        match job {
            Job::Sync(mut job) => {
                let server = Arc::clone(self);
                self.runtime.spawn_blocking(move || {
                    let done = server.served.measure(function, || job.run());
                    done.answer();
                });
            }
            Job::Async(job) => self.spawn_task(call, job),
        }
    }

    fn spawn_task(&self, call: u64, job: AsyncJob) {
        let task = self.runtime.spawn(job);
        if let Some(in_flight) = self.lock().calls.get_mut(&call) {
            in_flight.task = Some(Task::Tokio(task.abort_handle()));
            if in_flight.state.is_cancelled.load(Ordering::Relaxed) {
                task.abort();
            }
        }
    }

    /// Puts a call on the list of running functions; `None` if the worker takes no more. Whoever calls
    /// it has seen that they aren't too many.
    pub(crate) fn list(self: &Arc<Self>, call: u64, state: &Arc<CallState>) -> Option<Listed> {
        self.list_one_of(call, state, usize::MAX).ok().flatten()
    }

    /// As [`list`](Self::list), if the number is new and there are no more than `n_calls`.
    fn list_one_of(
        self: &Arc<Self>,
        call: u64,
        state: &Arc<CallState>,
        n_calls: usize,
    ) -> Result<Option<Listed>, Violation> {
        let mut running = self.lock();
        if running.calls.len() >= n_calls {
            return Err(Violation(format!("sent more than {n_calls} calls at once")));
        }
        if self.is_draining.load(Ordering::SeqCst) {
            return Ok(None);
        }
        let Entry::Vacant(place) = running.calls.entry(call) else {
            return Err(Violation(format!(
                "called number {call} while it was in flight"
            )));
        };
        place.insert(InFlightCall {
            state: Arc::clone(state),
            task: None,
        });
        Ok(Some(Listed {
            server: Arc::clone(self),
            call,
            is_ending: false,
        }))
    }

    fn cancel(&self, call: u64) {
        // A call that was answered meanwhile is not there any more.
        if let Some(call) = self.lock().calls.get(&call) {
            call.cancel();
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

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("served", &self.served)
            .finish_non_exhaustive()
    }
}
