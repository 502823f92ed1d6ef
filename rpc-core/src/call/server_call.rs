//! A call, as the functions that the macro writes on the worker's side see it.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use super::current::CallState;
use super::incoming::{Incoming, Parcel, SELF, bad};
use super::reply::Reply;
use super::returned::Return;
use super::server::instances::{self, Instances};
use crate::wire::frame::Failure;

/// A call, as the worker's side of the macro's code sees it.
pub struct ServerCall {
    parcel: Parcel,
    callee: Option<Callee>,
    instances: Arc<Instances>,
    state: Arc<CallState>,
}

/// The instance whose method is called.
pub(crate) struct Callee {
    instance: Arc<instances::Instance>,
    number: u64,
    /// Where the arguments begin.
    offset: usize,
}

impl Callee {
    /// Finds the instance that the body of a call begins with.
    pub(crate) fn find(parcel: &Parcel, instances: &Instances) -> Result<Self, Failure> {
        let mut incoming = parcel.open();
        let number = incoming.value(SELF)?;
        let instance = instances.find(number);
        Ok(Self {
            instance: instance.ok_or(Failure::UnknownInstance { instance: number })?,
            number,
            offset: incoming.offset(),
        })
    }
}

impl ServerCall {
    pub(crate) fn new(
        parcel: Parcel,
        callee: Option<Callee>,
        instances: Arc<Instances>,
        state: Arc<CallState>,
    ) -> Self {
        Self {
            parcel,
            callee,
            instances,
            state,
        }
    }

    /// What the function may ask about its call.
    pub(crate) fn state(&self) -> &Arc<CallState> {
        &self.state
    }

    /// Returns the instance whose method is called.
    ///
    /// # Errors
    /// If it is one of another service.
    pub fn instance<T: Any>(&self) -> Result<&T, Failure> {
        let Some(callee) = &self.callee else {
            return Err(bad(SELF, "no instance was named"));
        };
        let instance = callee.number;
        callee
            .instance
            .value()
            .ok_or(Failure::UnknownInstance { instance })
    }

    /// Begins to read the arguments.
    #[must_use]
    pub fn arguments(&self) -> Incoming<'_> {
        #[cfg(feature = "failpoints")]
        crate::failpoint::reach(crate::failpoint::Point::Decoding);
        let offset = self.callee.as_ref().map_or(0, |callee| callee.offset);
        self.parcel.open_at(offset, &self.state.has_begun)
    }

    /// Turns what the function returned into a reply.
    ///
    /// # Errors
    /// If it can't be encoded or finds no memory.
    pub fn reply<R: Return<K>, K>(&self, returned: R) -> Result<Reply, Failure> {
        let mut reply = Reply::new(Arc::clone(&self.instances));
        returned.send(&mut reply)?;
        Ok(reply)
    }
}

impl fmt::Debug for ServerCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerCall")
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}
