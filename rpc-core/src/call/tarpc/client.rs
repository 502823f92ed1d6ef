//! The caller's side: tarpc's request dispatcher in the place of ours.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use futures::channel::mpsc;
use serde::Serialize;
use tarpc::{ClientMessage, Response};
use tokio::runtime::Handle as Runtime;
use tokio::task::AbortHandle;

use super::outstanding::Outstanding;
use super::{NO_DEADLINE, Transport, lock};
use crate::call::dispatch::{self, Dispatch, LongCall};
use crate::call::entrusted::Entrusted;
use crate::call::error::FailureCause;
use crate::call::exchange::{release, settle, unknown};
use crate::call::pending::Calls;
use crate::channel::bell::Wake;
use crate::channel::long::Stake;
use crate::channel::named::Used;
use crate::channel::{Channel, SendError, Violation};
use crate::wire::codec::{self, Bytes};
use crate::wire::frame::{CallFrame, Frame, ReplyFrame};

/// Why a call is given up, or not sent, whose runtime has ended.
const RUNTIME_ENDED: &str = "the runtime has ended on which tarpc's dispatcher ran, so nobody hears it; keep the one where the \
     worker was started, or use `Dispatcher::Reedbed`";

/// A call, which tarpc's dispatcher may send or, if it was given up meanwhile, drop.
#[derive(Serialize)]
#[serde(transparent)]
struct Asked {
    frame: CallFrame,
    #[serde(skip)]
    unsent: Unsent,
}

impl tarpc::RequestName for Asked {
    fn name(&self) -> &str {
        "reedbed"
    }
}

/// Ends a call that tarpc's dispatcher drops before it is sent: it was cancelled, or the runtime has
/// ended. The worker never hears of it, so what was passed by value comes back.
struct Unsent {
    channel: Arc<Channel>,
    calls: Arc<Calls>,
    call: u64,
    /// None once it is being sent.
    entrusted: Option<Entrusted>,
}

impl Unsent {
    /// Notes that it is being sent, with what is entrusted to it.
    fn sending(mut self) -> Option<Entrusted> {
        self.entrusted.take()
    }
}

impl Drop for Unsent {
    fn drop(&mut self) {
        if let Some(entrusted) = self.entrusted.take() {
            let reason = RUNTIME_ENDED.to_owned();
            let cause = FailureCause::NotSent { reason };
            let handed_back = self.calls.hand_back(self.call, cause, entrusted);
            if let Err(used) = handed_back {
                self.channel.break_off(used.before_it_was_sent());
            }
        }
    }
}

/// The caller's side: tarpc's request dispatcher.
pub(crate) struct TarpcDispatch {
    client: tarpc::client::Channel<Asked, ()>,
    runtime: Runtime,
    channel: Arc<Channel>,
    calls: Arc<Calls>,
    outstanding: Arc<Outstanding>,
    tasks: Arc<Mutex<HashMap<u64, Task>>>,
}

/// A call's turn with tarpc's client.
struct Task {
    handle: AbortHandle,
    is_over: Arc<AtomicBool>,
}

impl TarpcDispatch {
    /// Starts tarpc's dispatcher on `runtime`.
    pub(crate) fn start(runtime: Runtime, channel: Arc<Channel>, calls: Arc<Calls>) -> Self {
        let (arrivals, receiver) = mpsc::unbounded();
        let outstanding = Arc::new(Outstanding::new(arrivals));
        let outbox = ClientOutbox {
            channel: Arc::clone(&channel),
            calls: Arc::clone(&calls),
            outstanding: Arc::clone(&outstanding),
        };
        let transport: Transport<Response<()>, ClientMessage<Asked>> = Transport {
            arrivals: receiver,
            send: Box::new(move |message| outbox.send(message)),
        };
        let mut config = tarpc::client::Config::default();
        // The worker counts them, too. A call that was cancelled makes room for another one, of which the
        // worker must not hear before it hears of the cancellation.
        config.max_in_flight_requests = channel.limits().n_calls as usize;
        let new = {
            let _guard = runtime.enter();
            tarpc::client::new(config, transport)
        };
        let dispatch = new.dispatch;
        runtime.spawn(async move {
            if let Err(error) = dispatch.await {
                tracing::debug!(%error, "tarpc's dispatcher ended");
            }
        });
        Self {
            client: new.client,
            runtime,
            channel,
            calls,
            outstanding,
            tasks: Arc::default(),
        }
    }

    fn tasks(&self) -> MutexGuard<'_, HashMap<u64, Task>> {
        lock(&self.tasks)
    }
}

impl Drop for TarpcDispatch {
    fn drop(&mut self) {
        self.outstanding.close();
    }
}

/// Sends what tarpc's client says.
struct ClientOutbox {
    channel: Arc<Channel>,
    calls: Arc<Calls>,
    outstanding: Arc<Outstanding>,
}

impl ClientOutbox {
    fn send(&self, message: ClientMessage<Asked>) -> Result<(), SendError> {
        let frame = codec::encode(&message).map(|message| Frame::Tarpc(Bytes(message)));
        let ClientMessage::Request(request) = message else {
            return match self.channel.send(&frame?) {
                // There is nothing left to cancel.
                Ok(_) | Err(SendError::Closed) => Ok(()),
                Err(error) => Err(error),
            };
        };
        let Asked {
            frame: CallFrame { call, .. },
            unsent,
        } = request.message;
        let mut entrusted = unsent.sending();
        let stake = || -> Box<dyn Stake> {
            let calls = Arc::clone(&self.calls);
            calls.keep(call, entrusted.take().unwrap_or_default());
            Box::new(LongRequest {
                call: LongCall { calls, call },
                outstanding: Arc::clone(&self.outstanding),
            })
        };
        self.outstanding.note(call, request.id);
        let sent = frame.map_err(SendError::from);
        match sent.and_then(|frame| self.channel.send_with(&frame, stake)) {
            Ok(_) => {
                if let Some(entrusted) = entrusted {
                    entrusted.sent();
                }
            }
            // Its worker's end is the answer.
            Err(SendError::Closed) => {}
            Err(error) => {
                let kept = || self.calls.take_kept(call).map(|kept| *kept);
                let entrusted = entrusted.or_else(kept).ok_or(Used);
                let handed_back = entrusted
                    .and_then(|entrusted| self.calls.hand_back(call, error.into(), entrusted));
                match handed_back {
                    Ok(()) => {
                        self.outstanding.end(call);
                    }
                    Err(used) => self.channel.break_off(used.before_it_was_sent()),
                }
            }
        }
        Ok(())
    }
}

/// A long request that the worker has yet to read.
struct LongRequest {
    call: LongCall,
    outstanding: Arc<Outstanding>,
}

impl Stake for LongRequest {
    fn read(self: Box<Self>) {
        Box::new(self.call).read();
    }

    fn unread(self: Box<Self>, reason: String) -> Result<(), Violation> {
        let call = self.call.call;
        Box::new(self.call).unread(reason)?;
        self.outstanding.end(call);
        Ok(())
    }
}

/// A call that tarpc's client waits for. Dropped before that is over, by the end of the runtime, it
/// fails; a call that was cancelled ends when the worker has let go of it.
struct Awaited {
    calls: Arc<Calls>,
    call: u64,
    is_over: Arc<AtomicBool>,
}

impl Awaited {
    fn answered(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    fn give_up(&self, reason: String) {
        self.answered();
        self.calls
            .give_up(self.call, FailureCause::Protocol { reason });
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        if !self.is_over.load(Ordering::Relaxed) {
            self.give_up(RUNTIME_ENDED.to_owned());
        }
    }
}

impl Dispatch for TarpcDispatch {
    fn send(&self, frame: CallFrame, entrusted: Entrusted) -> Result<Wake, Box<dispatch::Unsent>> {
        let call = frame.call;
        let mut context = tarpc::context::current();
        // The deadline is ours: at tarpc's own, its client says nothing to the worker, which would wait
        // for the end of that call when it is to shut down.
        context.deadline = Instant::now() + NO_DEADLINE;
        if let Some(trace) = frame.trace.as_deref().copied() {
            context.trace_context = trace.into();
        }
        let (client, tasks) = (self.client.clone(), Arc::clone(&self.tasks));
        let is_over = Arc::new(AtomicBool::new(false));
        let awaited = Awaited {
            calls: Arc::clone(&self.calls),
            call,
            is_over: Arc::clone(&is_over),
        };
        let unsent = Unsent {
            channel: Arc::clone(&self.channel),
            calls: Arc::clone(&self.calls),
            call,
            entrusted: Some(entrusted),
        };
        let asked = Asked { frame, unsent };
        let task = self.runtime.spawn(async move {
            match client.call(context, asked).await {
                // The answer itself went to the table when it arrived.
                Ok(()) => awaited.answered(),
                Err(error) => awaited.give_up(error.to_string()),
            }
            // It is noted as over, so whoever has yet to put it on the list won't.
            lock(&tasks).remove(&call);
        });
        let mut tasks = self.tasks();
        if !is_over.load(Ordering::Relaxed) {
            let handle = task.abort_handle();
            tasks.insert(call, Task { handle, is_over });
        }
        drop(tasks);
        // It is sent from another thread, which takes its time.
        Ok(Wake::Message)
    }

    fn cancel(&self, call: u64) {
        let task = self.tasks().remove(&call);
        if let Some(Task { handle, is_over }) = task {
            is_over.store(true, Ordering::Relaxed);
            handle.abort();
        }
    }

    fn accept(&self, frame: Frame) -> Result<(), Violation> {
        let message = match frame {
            Frame::Tarpc(message) => message,
            Frame::Released { call, has_begun } => {
                if !self.outstanding.end(call) {
                    return Err(unknown(call));
                }
                return release(&self.calls, call, has_begun);
            }
            Frame::Reply(ReplyFrame { call, .. }) => {
                return Err(Violation(format!(
                    "answered call {call} by a frame of its own, where tarpc's dispatchers answer"
                )));
            }
            _ => {
                return Err(Violation(
                    "sent a frame that a worker doesn't send".to_owned(),
                ));
            }
        };
        let response: Response<ReplyFrame> = codec::decode(&message.0)
            .map_err(|error| Violation(format!("sent a malformed response: {error}")))?;
        let request = response.request_id;
        let Ok(reply) = response.message else {
            // tarpc's client would forget the request, and the call keep its leases for ever.
            return Err(Violation(format!(
                "ended request {request} with an error of tarpc's, where a reply or `Released` belongs"
            )));
        };
        let call = reply.call;
        match self.outstanding.request(call) {
            Some(due) if due == request => {}
            Some(due) => {
                return Err(Violation(format!(
                    "answered call {call} as request {request}, which came as request {due}"
                )));
            }
            None => return Err(unknown(call)),
        }
        // A call that was given up has no use for a late answer, but its leases end with it.
        settle(&self.channel, &self.calls, reply)?;
        self.outstanding.end(call);
        Ok(())
    }
}
