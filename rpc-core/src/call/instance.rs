//! An instance of a service, as its host holds it.

use std::fmt;
use std::sync::{Arc, Weak};

use super::connection::{Caller, Connection};
use crate::channel::Channel;
use crate::wire::frame::Frame;

/// An instance that a worker made. When nobody here can use it any more, the worker drops it.
///
/// It comes to be when the constructor's reply arrives, not when somebody looks at that: so the
/// instance of a call that was given up meanwhile goes as well.
pub(crate) struct Claim {
    /// Not what keeps it: a handle that outlives its worker must not keep what the worker needed.
    channel: Weak<Channel>,
    /// The number that no other channel has.
    channel_uid: u64,
    number: u64,
}

impl Claim {
    pub(crate) fn new(channel: &Arc<Channel>, number: u64) -> Self {
        Self {
            channel: Arc::downgrade(channel),
            channel_uid: channel.uid(),
            number,
        }
    }

    /// The instance's number.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // Never blocks; and with the channel, the instance is gone as well.
        if let Some(channel) = self.channel.upgrade() {
            let instance = self.number;
            let _ = channel.send(&Frame::Dropped { instance });
        }
    }
}

/// An instance of a service in a worker. Generated handles hold one.
///
/// Clones share the instance; when the last of them is gone, and the last call of its methods has
/// ended, the worker drops it. A worker that is [restarted](crate::Worker::restart) has lost it.
#[derive(Clone)]
pub struct Instance {
    /// Before the caller, whose drop may be the worker's end.
    claim: Arc<Claim>,
    caller: Caller,
}

impl Instance {
    pub(crate) fn new(claim: Claim, caller: Caller) -> Self {
        Self {
            claim: Arc::new(claim),
            caller,
        }
    }

    /// Makes all calls fail, before anything is sent, that would have to copy an array argument.
    #[must_use]
    pub fn forbid_copies(self) -> Self {
        Self {
            caller: self.caller.forbid_copies(),
            ..self
        }
    }

    pub(crate) fn number(&self) -> u64 {
        self.claim.number()
    }

    /// Whether it lives at the other end of the connection.
    pub(crate) fn is_behind(&self, connection: &Connection) -> bool {
        self.claim.channel_uid == connection.exchange().channel().uid()
    }

    pub(crate) fn caller(&self) -> &Caller {
        &self.caller
    }
}

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instance")
            .field("number", &self.number())
            .field("caller", &self.caller)
            .finish()
    }
}

/// A generated handle of an instance, such as `DetectorInstance` of a type `Detector` whose `impl`
/// is marked `#[remote_module]`.
pub trait InstanceStub: Sized {
    /// Makes the handle.
    fn from_instance(instance: Instance) -> Self;
}
