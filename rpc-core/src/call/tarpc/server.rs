//! The worker's side: tarpc's channel and request handlers.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::channel::mpsc::{self, UnboundedSender};
use serde::Deserialize;
use tarpc::server::{BaseChannel, Channel as _};
use tarpc::{ClientMessage, Response, ServerError};
use tokio::runtime::Handle as Runtime;

use super::ending::{Answered, Ending, respond};
use super::requests::{Opened, Requests};
use super::{NO_DEADLINE, Transport};
use crate::call::current::CallState;
use crate::call::server::{Prepared, Server};
use crate::channel::{Channel, Violation};
use crate::wire::codec::{self, Bytes};
use crate::wire::frame::{CallFrame, Failure, ReplyFrame};

/// A request on its way through the worker's dispatcher. Dropped, it lets go of its arguments first.
struct Taken {
    prepared: Result<Prepared, Failure>,
    ending: Ending,
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
    /// Numbers the requests on the list of running functions.
    n_requests: AtomicU64,
}

impl TarpcServer {
    /// Starts tarpc's channel on `runtime`.
    pub(crate) fn start(runtime: &Runtime, channel: Arc<Channel>) -> Self {
        let (arrivals, receiver) = mpsc::unbounded();
        let requests = Requests::new(channel.limits().n_calls as usize);
        let open = Arc::clone(&requests);
        let ended = Arc::clone(&channel);
        let answer = move |response: Response<Answered>| {
            // Of a request that was released, the host has heard.
            if let Ok(mut answered) = response.message {
                let answering = open.answer(response.request_id, answered.call());
                answered.send()?;
                drop(answering);
            }
            // It may have been the last one that a shutdown waits for.
            channel.wake_driver();
            Ok(())
        };
        let transport: Transport<ClientMessage<Taken>, Response<Answered>> = Transport {
            arrivals: receiver,
            send: Box::new(answer),
        };
        runtime.spawn(async move {
            let handlers = BaseChannel::with_defaults(transport).execute(Serve);
            handlers
                .for_each(|handler| async {
                    tokio::spawn(handler);
                })
                .await;
            // Without it, nobody would answer what still comes.
            ended.close();
        });
        Self {
            arrivals,
            requests,
            n_requests: AtomicU64::default(),
        }
    }

    /// Tells whether every request was answered or cancelled.
    pub(crate) fn is_idle(&self) -> bool {
        self.requests.is_idle()
    }

    /// Takes a message of tarpc's client.
    pub(crate) fn accept(&self, server: &Arc<Server>, message: &Bytes) -> Result<(), Violation> {
        let malformed = |what: &str| Violation(format!("sent a malformed request: {what}"));
        let message = codec::decode(&message.0).map_err(|error| malformed(&error.to_string()))?;
        let message = match message {
            Message::Request {
                trace_context,
                id,
                message: frame,
                ..
            } => {
                let Some(message) = self.take(server, id, frame)? else {
                    return Ok(());
                };
                let mut context = tarpc::context::current();
                // The call has its own. At tarpc's, its server would forget the request, which would stay
                // open: nothing would be said that ends it.
                context.deadline = Instant::now() + NO_DEADLINE;
                context.trace_context = trace_context;
                ClientMessage::Request(tarpc::Request {
                    context,
                    id,
                    message,
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

    /// Finds what to run for a request, here and now: a segment that it names may be forgotten, and the
    /// request cancelled, before tarpc's dispatcher comes to it. `None` if it was refused.
    fn take(
        &self,
        server: &Arc<Server>,
        request_id: u64,
        frame: CallFrame,
    ) -> Result<Option<Taken>, Violation> {
        let place = match self.requests.open(request_id, frame.call)? {
            Opened::Open(place) => place,
            Opened::Busy { n_functions } => {
                let n_functions = n_functions as u64;
                server.refuse(request_id, frame, Failure::Busy { n_functions })?;
                return Ok(None);
            }
        };
        let (call, state) = (frame.call, Arc::new(CallState::of(&frame)));
        let number = self.n_requests.fetch_add(1, Ordering::Relaxed);
        let Some(listed) = server.list(number, &state) else {
            drop(place);
            // Not by tarpc's tasks: when all else has ended, the worker exits, and nobody runs them.
            let answering = self.requests.answer(request_id, call);
            server.refuse(request_id, frame, Failure::ShuttingDown)?;
            drop(answering);
            server.channel().wake_driver();
            return Ok(None);
        };
        let prepared = server.prepare(frame, &state)?;
        let ending = Ending {
            server: Arc::clone(server),
            request_id,
            call,
            state,
            place: Some(place),
            listed,
            is_told: false,
        };
        Ok(Some(Taken { prepared, ending }))
    }
}

impl Server {
    /// Answers a request that is not taken.
    fn refuse(&self, request_id: u64, frame: CallFrame, failure: Failure) -> Result<(), Violation> {
        let (call, state) = (frame.call, Arc::new(CallState::of(&frame)));
        // Its arguments are bound all the same, so that what was given is given back.
        drop(self.prepare(frame, &state)?);
        let (outcome, at_stake) = self.outcome(Err(failure));
        let reply = ReplyFrame { call, outcome };
        if respond(self.channel(), request_id, reply, at_stake).is_err() {
            self.channel().close();
        }
        Ok(())
    }
}

/// A [`ClientMessage`], as it is written. tarpc's own decoder panics at a deadline that is too far away.
#[derive(Deserialize)]
enum Message {
    Request {
        _deadline: Duration,
        trace_context: tarpc::trace::Context,
        id: u64,
        message: CallFrame,
    },
    Cancel {
        trace_context: tarpc::trace::Context,
        request_id: u64,
    },
}

/// Serves one request, as tarpc's dispatcher asks for it.
#[derive(Clone, Copy)]
struct Serve;

impl tarpc::server::Serve for Serve {
    type Req = Taken;
    type Resp = Answered;

    async fn serve(
        self,
        _: tarpc::context::Context,
        Taken { prepared, ending }: Taken,
    ) -> Result<Answered, ServerError> {
        let answered = match prepared {
            Ok(prepared) => prepared.run(ending).await,
            Err(failure) => Some(ending.answer(Err(failure))),
        };
        // The host was told that by `Released`. This ends it for tarpc's server, too, and isn't sent.
        answered.ok_or_else(|| {
            let detail = "the call was cancelled".to_owned();
            ServerError::new(io::ErrorKind::Interrupted, detail)
        })
    }
}
