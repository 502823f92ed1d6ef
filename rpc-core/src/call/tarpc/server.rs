//! The worker's side: tarpc's channel and request handlers.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::channel::mpsc::{self, UnboundedSender};
use serde::Deserialize;
use tarpc::server::{BaseChannel, Channel as _};
use tarpc::{ClientMessage, Response, ServerError};
use tokio::runtime::Handle as Runtime;

use super::requests::{Opened, Place, Requests};
use super::{NO_DEADLINE, Transport};
use crate::call::current::CallState;
use crate::call::server::Server;
use crate::call::server::answer::{self, AtStake};
use crate::channel::{Channel, SendError, Violation};
use crate::wire::codec::{self, Bytes};
use crate::wire::frame::{CallFrame, Failure, Frame, ReplyFrame};

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
