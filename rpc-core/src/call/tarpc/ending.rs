//! How a request ends in a worker.
//!
//! tarpc's dispatcher says nothing of a request that was cancelled: it drops the function's future, or
//! its answer. The host has to hear of it all the same, because it counts the call, and keeps its
//! leases, until then.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tarpc::Response;

use super::requests::Place;
use crate::call::current::CallState;
use crate::call::reply::Reply;
use crate::call::server::answer::{self, AtStake};
use crate::call::server::{Listed, Server};
use crate::channel::{Channel, SendError};
use crate::wire::codec::{self, Bytes};
use crate::wire::frame::{Failure, Frame, ReplyFrame};

/// Sees to it that a request ends with exactly one frame that names its call, whatever happens to its
/// function, and after that has let go of its arguments.
pub(crate) struct Ending {
    pub(super) server: Arc<Server>,
    pub(super) request_id: u64,
    pub(super) call: u64,
    pub(super) state: Arc<CallState>,
    /// Free before the frame is sent, because that lets the host send another request.
    pub(super) place: Option<Place>,
    /// Kept until the frame is sent, which a shutdown waits for.
    pub(super) listed: Listed,
    pub(super) is_told: bool,
}

impl Ending {
    /// The place on the list of running functions.
    pub(crate) fn listed(&self) -> &Listed {
        &self.listed
    }

    /// Answers, with what came of a function that has let go of its arguments.
    pub(crate) fn answer(mut self, returned: Result<Reply, Failure>) -> Answered {
        self.place = None;
        let (outcome, at_stake) = self.server.outcome(returned);
        let call = self.call;
        Answered {
            reply: Some((ReplyFrame { call, outcome }, at_stake)),
            ending: self,
        }
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        if self.is_told {
            return;
        }
        let (call, has_begun) = (self.call, self.state.has_begun.load(Ordering::Acquire));
        let requests = self.place.take().map(Place::leave);
        let id = self.request_id;
        let _ending = requests.as_ref().map(|requests| requests.answer(id, call));
        #[cfg(feature = "failpoints")]
        crate::failpoint::reach(crate::failpoint::Point::Releasing);
        let released = Frame::Released { call, has_begun };
        self.server.channel().send_or_close(&released);
    }
}

/// An answer. If the call was cancelled meanwhile, tarpc's dispatcher drops it instead of sending it,
/// and it is sent then.
pub(crate) struct Answered {
    reply: Option<(ReplyFrame, AtStake)>,
    ending: Ending,
}

impl Answered {
    /// The call that it ends.
    pub(super) fn call(&self) -> u64 {
        self.ending.call
    }

    /// Sends it, once.
    pub(super) fn send(&mut self) -> Result<(), SendError> {
        self.ending.is_told = true;
        let (channel, id) = (self.ending.server.channel(), self.ending.request_id);
        match self.reply.take() {
            Some((reply, at_stake)) => respond(channel, id, reply, at_stake),
            None => Ok(()),
        }
    }
}

impl Drop for Answered {
    fn drop(&mut self) {
        if self.send().is_err() {
            self.ending.server.channel().close();
        }
    }
}

/// Answers a request.
pub(super) fn respond(
    channel: &Arc<Channel>,
    request_id: u64,
    reply: ReplyFrame,
    at_stake: AtStake,
) -> Result<(), SendError> {
    let frame = move |reply| response(request_id, reply);
    answer::send(channel, reply, at_stake, frame).map(drop)
}

/// What tarpc's client is told of a request.
fn response(request_id: u64, reply: ReplyFrame) -> Result<Frame, codec::CodecError> {
    let response = Response {
        request_id,
        message: Ok(reply),
    };
    codec::encode(&response).map(|body| Frame::Tarpc(Bytes(body)))
}
