//! One call in a worker, from its arguments to its one last frame.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker, ready};

use super::{Prepared, Server, Task, answer};
use crate::call::current::{self, CallState, Running};
use crate::call::module::Handler;
use crate::call::reply::Reply;
use crate::call::server_call::ServerCall;
use crate::call::tarpc;
use crate::channel::bell::Wake;
use crate::wire::frame::{Failure, Frame, ReplyFrame};

impl Prepared {
    /// Runs the function for tarpc's dispatcher, which cancels by dropping the future; `None` if it was
    /// told to stop and did so, of which the host has heard by then.
    pub(crate) async fn run(self, ending: tarpc::Ending) -> Option<tarpc::Answered> {
        let Self { call, handler } = self;
        let state = Arc::clone(call.state());
        match handler {
            Handler::Async(function) => {
                let running = Running::new(state, function(call));
                let (running, task) = futures::future::abortable(running);
                ending.listed().stops_with(task);
                // Aborted, it was dropped because the worker is ending.
                let returned = running.await.ok()?;
                Some(ending.answer(returned))
            }
            Handler::Sync(function) | Handler::Blocking(function) => {
                let cancel = CancelOnDrop(Arc::clone(&state));
                let job = move || {
                    let returned = run_once(&mut Some(call), function, &state);
                    returned.map(|returned| ending.answer(returned))
                };
                let answered = tokio::task::spawn_blocking(job).await;
                drop(cancel);
                answered.ok().flatten()
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
pub(super) struct Ending {
    pub(super) listed: Listed,
    pub(super) state: Arc<CallState>,
    pub(super) is_answered: bool,
}

/// A place on the list of running functions.
pub(crate) struct Listed {
    pub(super) server: Arc<Server>,
    pub(super) call: u64,
    pub(super) is_ending: bool,
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
            self.server.n_ending.fetch_add(1, Ordering::SeqCst);
        }
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        let server = &self.server;
        if self.is_ending {
            server.n_ending.fetch_sub(1, Ordering::SeqCst);
        } else {
            server.lock().calls.remove(&self.call);
        }
        // Whoever drains it looks at the list after saying so.
        if server.is_draining.load(Ordering::SeqCst) {
            let is_empty = server.is_empty(&server.lock());
            server.ended.notify_all();
            if is_empty {
                server.channel.wake_driver();
            }
        }
    }
}

impl Ending {
    /// Answers; tells whether the host had to be woken for it.
    fn answer(mut self, returned: Result<Reply, Failure>) -> bool {
        self.is_answered = true;
        self.listed.leave();
        let (server, call) = (&self.listed.server, self.listed.call);
        let (outcome, at_stake) = server.outcome(returned);
        let reply = ReplyFrame { call, outcome };
        let sent = answer::send(&server.channel, reply, at_stake, |reply| {
            Ok(Frame::Reply(reply))
        });
        if sent.is_err() {
            server.channel.close();
        }
        sent.is_ok_and(|wake| wake != Wake::Nothing)
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        if self.is_answered {
            return;
        }
        let has_begun = self.state.has_begun.load(Ordering::Acquire);
        self.listed.leave();
        #[cfg(feature = "failpoints")]
        crate::failpoint::reach(crate::failpoint::Point::Releasing);
        let released = Frame::Released {
            call: self.listed.call,
            has_begun,
        };
        self.listed.server.channel.send_or_close(&released);
    }
}

/// A synchronous function on its way to a thread. Dropped unrun, it lets go of its arguments first.
pub(super) struct SyncJob {
    pub(super) arguments: Option<ServerCall>,
    pub(super) function: fn(&ServerCall) -> Result<Reply, Failure>,
    pub(super) ending: Option<Ending>,
}

impl SyncJob {
    /// Runs the function, once. (A job is large, so it isn't moved for that.)
    pub(super) fn run(&mut self) -> Done {
        Done {
            returned: self.returned(),
            ending: self.ending.take(),
        }
    }

    fn returned(&mut self) -> Option<Result<Reply, Failure>> {
        let state = &self.ending.as_ref()?.state;
        run_once(&mut self.arguments, self.function, state)
    }
}

/// Runs a synchronous function, unless its caller is gone, and lets go of its arguments; `None` if what
/// it returned is no answer.
#[inline]
fn run_once(
    arguments: &mut Option<ServerCall>,
    function: fn(&ServerCall) -> Result<Reply, Failure>,
    state: &Arc<CallState>,
) -> Option<Result<Reply, Failure>> {
    let call = arguments.as_ref()?;
    if state.is_cancelled.load(Ordering::Relaxed) {
        *arguments = None;
        return None;
    }
    let returned = current::run(state, || function(call));
    *arguments = None;
    // If it was told to stop and did so, this is no answer.
    let is_answer = returned.is_err() || !state.knows_it.load(Ordering::Relaxed);
    is_answer.then_some(returned)
}

/// A function that has returned, or was dropped. Dropped itself, it says so.
pub(super) struct Done {
    returned: Option<Result<Reply, Failure>>,
    ending: Option<Ending>,
}

impl Done {
    /// Tells the caller; tells itself whether the host had to be woken for it.
    pub(super) fn answer(mut self) -> bool {
        match (self.returned.take(), self.ending.take()) {
            (Some(returned), Some(ending)) => ending.answer(returned),
            _ => false,
        }
    }
}

/// An asynchronous function as a task. Aborted, it lets go of its arguments first: its fields are
/// dropped in this order.
pub(super) struct AsyncJob {
    pub(super) running: Option<Running<dyn Future<Output = Result<Reply, Failure>> + Send>>,
    pub(super) ending: Option<Ending>,
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

impl AsyncJob {
    /// Polls the function once; `None` if it hasn't returned yet.
    pub(super) fn try_run(&mut self) -> Option<Done> {
        let mut cx = Context::from_waker(Waker::noop());
        match Pin::new(self.running.as_mut()?).poll(&mut cx) {
            // Polled again by the task that it becomes.
            Poll::Pending => None,
            Poll::Ready(returned) => {
                self.running = None;
                Some(Done {
                    returned: Some(returned),
                    ending: self.ending.take(),
                })
            }
        }
    }
}
