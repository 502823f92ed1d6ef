//! tarpc's dispatchers in the place of ours, over the same channel.
//!
//! A message of tarpc's travels as the body of a [`Frame::Tarpc`]; announcing segments and giving
//! tensors back stays as it is. What tarpc's dispatchers don't do is acknowledge a cancellation, so
//! the leases of a call whose future was dropped last until its late answer, or the worker's end.
//!
//! [`requests`] bounds what a host may ask of a worker at once.

mod requests;

use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures::channel::mpsc::{self, UnboundedReceiver, UnboundedSender};
use futures::{Sink, Stream, StreamExt};
use serde::{Deserialize, Serialize};
use tarpc::server::{BaseChannel, Channel as _};
use tarpc::{ClientMessage, Response, ServerError};
use tokio::runtime::Handle as Runtime;
use tokio::task::AbortHandle;

pub(super) use self::requests::Place;
use self::requests::{Opened, Requests};
use super::current::CallState;
use super::dispatch::{Dispatch, LongCall};
use super::error::FailureCause;
use super::exchange::settle;
use super::pending::Calls;
use super::server::Server;
use super::server::answer::{self, AtStake};
use crate::channel::bell::Wake;
use crate::channel::loan::Named;
use crate::channel::long::Stake;
use crate::channel::{Channel, SendError, Violation};
use crate::wire::codec::{self, Bytes};
use crate::wire::frame::{CallFrame, Failure, Frame, ReplyFrame};

/// The deadline that tarpc is given where the caller sets none. Its timers panic beyond two years.
const NO_DEADLINE: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Why a call is given up whose runtime has ended.
const RUNTIME_ENDED: &str = "the runtime has ended on which tarpc's dispatcher ran, so nobody hears it; keep the one where the \
     worker was started, or use `Dispatcher::Reedbed`";

/// A call, which tarpc's dispatcher may send or, if it was given up meanwhile, drop.
#[derive(Serialize)]
#[serde(transparent)]
struct Asked {
    frame: CallFrame,
    #[serde(skip)]
    named: Named,
}

impl tarpc::RequestName for Asked {
    fn name(&self) -> &str {
        "reedbed"
    }
}

/// A request on its way through the worker's dispatcher.
struct Taken {
    frame: CallFrame,
    place: Place,
}

impl tarpc::RequestName for Taken {
    fn name(&self) -> &str {
        "reedbed"
    }
}

/// One end of tarpc's transport: messages of type `M` out, messages of type `T` in.
struct Transport<T, M> {
    arrivals: UnboundedReceiver<T>,
    send: Box<dyn Fn(M) -> Result<(), SendError> + Send>,
}

impl<T, M> Stream for Transport<T, M> {
    type Item = io::Result<T>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.arrivals
            .poll_next_unpin(cx)
            .map(|arrival| arrival.map(Ok))
    }
}

impl<T, M> Sink<M> for Transport<T, M> {
    type Error = io::Error;

    fn poll_ready(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // What finds no room in the socket waits in the channel's own queue.
        Poll::Ready(Ok(()))
    }

    fn start_send(self: Pin<&mut Self>, message: M) -> io::Result<()> {
        (self.send)(message).map_err(io::Error::other)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// The caller's side: tarpc's request dispatcher.
pub(crate) struct TarpcDispatch {
    client: tarpc::client::Channel<Asked, ()>,
    runtime: Runtime,
    channel: Arc<Channel>,
    calls: Arc<Calls>,
    arrivals: UnboundedSender<Response<()>>,
    tasks: Arc<Mutex<HashMap<u64, AbortHandle>>>,
}

impl TarpcDispatch {
    /// Starts tarpc's dispatcher on `runtime`.
    pub(crate) fn start(runtime: Runtime, channel: Arc<Channel>, calls: Arc<Calls>) -> Self {
        let (arrivals, receiver) = mpsc::unbounded();
        let outbox = ClientOutbox {
            channel: Arc::clone(&channel),
            calls: Arc::clone(&calls),
            arrivals: arrivals.clone(),
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
            arrivals,
            tasks: Arc::default(),
        }
    }

    fn tasks(&self) -> MutexGuard<'_, HashMap<u64, AbortHandle>> {
        lock(&self.tasks)
    }
}

/// Sends what tarpc's client says.
struct ClientOutbox {
    channel: Arc<Channel>,
    calls: Arc<Calls>,
    arrivals: UnboundedSender<Response<()>>,
}

impl ClientOutbox {
    fn send(&self, message: ClientMessage<Asked>) -> Result<(), SendError> {
        let frame = Frame::Tarpc(Bytes(codec::encode(&message)?));
        let ClientMessage::Request(request) = message else {
            self.channel.send(&frame)?;
            return Ok(());
        };
        let call = request.message.frame.call;
        let mut named = Some(request.message.named);
        let sent = self.channel.send_with(&frame, || {
            let calls = Arc::clone(&self.calls);
            let named = named.take().unwrap_or_default();
            Box::new(LongRequest {
                call: LongCall { calls, call, named },
                request_id: request.id,
                arrivals: self.arrivals.clone(),
            })
        });
        match sent {
            Ok(_) => named.iter_mut().for_each(Named::sent),
            // Its worker's end is the answer.
            Err(SendError::Closed) => {}
            Err(error) => {
                drop(named);
                self.calls.not_sent(call, error.into());
                self.arrivals.answer(request.id);
            }
        }
        Ok(())
    }
}

/// A long request that the worker has yet to read.
struct LongRequest {
    call: LongCall,
    request_id: u64,
    arrivals: UnboundedSender<Response<()>>,
}

impl Stake for LongRequest {
    fn read(self: Box<Self>) {
        Box::new(self.call).read();
    }

    fn unread(self: Box<Self>, reason: String) {
        Box::new(self.call).unread(reason);
        self.arrivals.answer(self.request_id);
    }
}

/// Where tarpc's client takes answers from.
trait Answers {
    /// Has a request end, whose caller was told what came of it.
    fn answer(&self, request_id: u64);
}

impl Answers for UnboundedSender<Response<()>> {
    fn answer(&self, request_id: u64) {
        let message = Ok(());
        let _ = self.unbounded_send(Response {
            request_id,
            message,
        });
    }
}

/// A call that tarpc's client waits for. Dropped before that is over, by the end of the runtime, it
/// fails; a call that was cancelled has nobody to hear of it.
struct Awaited {
    calls: Arc<Calls>,
    call: u64,
    is_over: bool,
}

impl Awaited {
    fn answered(&mut self) {
        self.is_over = true;
    }

    fn give_up(&mut self, reason: String) {
        self.is_over = true;
        self.calls
            .give_up(self.call, FailureCause::Protocol { reason });
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        if !self.is_over {
            self.give_up(RUNTIME_ENDED.to_owned());
        }
    }
}

impl Dispatch for TarpcDispatch {
    fn send(&self, frame: CallFrame, named: Named) -> Result<Wake, (SendError, Box<CallFrame>)> {
        let call = frame.call;
        let mut context = tarpc::context::current();
        // The deadline is ours: at tarpc's own, its client says nothing to the worker, which would wait
        // for the end of that call when it is to shut down.
        context.deadline = Instant::now() + NO_DEADLINE;
        if let Some(trace) = frame.trace.as_deref().copied() {
            context.trace_context = trace.into();
        }
        let (client, tasks) = (self.client.clone(), Arc::clone(&self.tasks));
        let mut awaited = Awaited {
            calls: Arc::clone(&self.calls),
            call,
            is_over: false,
        };
        let mut running = self.tasks();
        let task = self.runtime.spawn(async move {
            match client.call(context, Asked { frame, named }).await {
                // The answer itself went to the table when it arrived.
                Ok(()) => awaited.answered(),
                Err(error) => awaited.give_up(error.to_string()),
            }
            lock(&tasks).remove(&call);
        });
        running.insert(call, task.abort_handle());
        // It is sent from another thread, which takes its time.
        Ok(Wake::Message)
    }

    fn cancel(&self, call: u64) {
        let task = self.tasks().remove(&call);
        task.iter().for_each(AbortHandle::abort);
        // Nothing tells whether the worker will ever answer it.
        self.calls.set_aside(call);
    }

    fn hears_of_cancelled(&self) -> bool {
        false
    }

    fn accept(&self, frame: Frame) -> Result<(), Violation> {
        let Frame::Tarpc(message) = frame else {
            return Err(Violation(
                "sent a frame that a worker doesn't send".to_owned(),
            ));
        };
        let response: Response<ReplyFrame> = codec::decode(&message.0)
            .map_err(|error| Violation(format!("sent a malformed response: {error}")))?;
        let message = match response.message {
            // A call that was given up has no use for a late answer, but its leases end with it.
            Ok(reply) => Ok(settle(&self.channel, &self.calls, reply)?),
            Err(error) => Err(error),
        };
        let _ = self.arrivals.unbounded_send(Response {
            request_id: response.request_id,
            message,
        });
        Ok(())
    }
}

/// The worker's side: tarpc's channel and request handlers.
pub(crate) struct TarpcServer {
    arrivals: UnboundedSender<ClientMessage<Taken>>,
    requests: Arc<Requests>,
}

impl TarpcServer {
    /// Starts tarpc's channel on `runtime`.
    pub(crate) fn start(runtime: &Runtime, server: Weak<Server>, channel: Arc<Channel>) -> Self {
        let (arrivals, receiver) = mpsc::unbounded();
        let requests = Requests::new(channel.limits().n_calls as usize);
        let open = Arc::clone(&requests);
        let ended = Arc::clone(&channel);
        let send = move |response: Response<Answered>| {
            let answering = open.answer(response.request_id);
            respond(&channel, response)?;
            drop(answering);
            // It may have been the last one that a shutdown waits for.
            channel.wake_driver();
            Ok(())
        };
        let transport: Transport<ClientMessage<Taken>, Response<Answered>> = Transport {
            arrivals: receiver,
            send: Box::new(send),
        };
        let serve = Serve {
            server,
            n_requests: Arc::default(),
        };
        runtime.spawn(async move {
            let handlers = BaseChannel::with_defaults(transport).execute(serve);
            handlers
                .for_each(|handler| async {
                    tokio::spawn(handler);
                })
                .await;
            // Without it, nobody would answer what still comes.
            ended.close();
        });
        Self { arrivals, requests }
    }

    /// Tells whether every request was answered or cancelled.
    pub(crate) fn is_idle(&self) -> bool {
        self.requests.is_idle()
    }

    /// Takes a message of tarpc's client.
    pub(crate) fn accept(&self, server: &Server, message: &Bytes) -> Result<(), Violation> {
        let malformed = |what: &str| Violation(format!("sent a malformed request: {what}"));
        let message = codec::decode(&message.0).map_err(|error| malformed(&error.to_string()))?;
        let message = match message {
            Message::Request {
                deadline,
                trace_context,
                id,
                message: frame,
            } => {
                let place = match self.requests.open(id)? {
                    Opened::Open(place) => place,
                    Opened::Busy { n_functions } => {
                        let n_functions = n_functions as u64;
                        return server.refuse(id, frame, Failure::Busy { n_functions });
                    }
                };
                let mut context = tarpc::context::current();
                context.deadline = Instant::now() + deadline.min(NO_DEADLINE);
                context.trace_context = trace_context;
                ClientMessage::Request(tarpc::Request {
                    context,
                    id,
                    message: Taken { frame, place },
                })
            }
            Message::Cancel {
                trace_context,
                request_id,
            } => {
                if !self.requests.cancel(request_id) {
                    // Its answer has crossed this, or there was no such request.
                    return Ok(());
                }
                ClientMessage::Cancel {
                    trace_context,
                    request_id,
                }
            }
        };
        let _ = self.arrivals.unbounded_send(message);
        Ok(())
    }
}

impl Server {
    /// Answers a request that is not taken.
    fn refuse(&self, request_id: u64, frame: CallFrame, failure: Failure) -> Result<(), Violation> {
        let (call, state) = (frame.call, Arc::new(CallState::of(&frame)));
        // Its arguments are bound all the same, so that what was given is given back.
        drop(self.prepare(frame, &state)?);
        let (outcome, at_stake) = self.outcome(Err(failure));
        let frame = ReplyFrame { call, outcome };
        let response = Response {
            request_id,
            message: Ok(Answered { frame, at_stake }),
        };
        if respond(self.channel(), response).is_err() {
            self.channel().close();
        }
        Ok(())
    }
}

/// A [`ClientMessage`], as it is written. tarpc's own decoder, and its timers, panic at a deadline
/// that is too far away.
#[derive(Deserialize)]
enum Message {
    Request {
        deadline: Duration,
        trace_context: tarpc::trace::Context,
        id: u64,
        message: CallFrame,
    },
    Cancel {
        trace_context: tarpc::trace::Context,
        request_id: u64,
    },
}

/// A reply, which tarpc's dispatcher may send or, if the call was cancelled meanwhile, drop.
struct Answered {
    frame: ReplyFrame,
    at_stake: AtStake,
}

/// Sends what tarpc's server says.
fn respond(channel: &Arc<Channel>, response: Response<Answered>) -> Result<(), SendError> {
    let request_id = response.request_id;
    let frame = move |message: Result<ReplyFrame, ServerError>| {
        let response = Response {
            request_id,
            message,
        };
        codec::encode(&response).map(|body| Frame::Tarpc(Bytes(body)))
    };
    match response.message {
        Ok(Answered {
            frame: reply,
            at_stake,
        }) => answer::send(channel, reply, at_stake, move |reply| frame(Ok(reply)))?,
        Err(error) => channel.send(&frame(Err(error))?)?,
    };
    Ok(())
}

/// Serves one request, as tarpc's dispatcher asks for it.
#[derive(Clone)]
struct Serve {
    server: Weak<Server>,
    n_requests: Arc<AtomicU64>,
}

impl tarpc::server::Serve for Serve {
    type Req = Taken;
    type Resp = Answered;

    async fn serve(
        self,
        _: tarpc::context::Context,
        Taken { frame, place }: Taken,
    ) -> Result<Answered, ServerError> {
        let ending = || {
            ServerError::new(
                io::ErrorKind::ConnectionAborted,
                "the worker is ending".to_owned(),
            )
        };
        let call = frame.call;
        let server = self.server.upgrade().ok_or_else(ending)?;
        let state = Arc::new(CallState::of(&frame));
        // tarpc's own numbers are not known here; these are never used twice.
        let number = self.n_requests.fetch_add(1, Ordering::Relaxed);
        let listed = server.list(number, &state);
        let prepared = server.prepare(frame, &state).map_err(|violation| {
            server.channel().close();
            ServerError::new(io::ErrorKind::InvalidData, violation.to_string())
        })?;
        let returned = match (listed, prepared) {
            (Some(listed), Ok(prepared)) => prepared.run(listed, place).await,
            (_, Err(failure)) => Err(failure),
            (None, Ok(_)) => Err(Failure::ShuttingDown),
        };
        let (outcome, at_stake) = server.outcome(returned);
        let frame = ReplyFrame { call, outcome };
        Ok(Answered { frame, at_stake })
    }
}

/// Locks a list. No critical section here can panic half way through a change.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
