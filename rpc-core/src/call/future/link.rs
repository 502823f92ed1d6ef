//! What a call knows of the connection it was sent over.

use std::sync::{Arc, Weak};

use crate::call::connection::Connection;

/// The connection over which a call was sent: kept while it is polled for the first time, and after that
/// only known. A future that is forgotten must not keep what a dead worker needed; while the worker
/// lives, its post keeps it, and the caller keeps that.
pub(super) enum Link {
    Kept(Arc<Connection>),
    Known(Weak<Connection>),
}

impl Link {
    /// Finds it; without one, the worker has ended, and so has the call.
    pub(super) fn find(&self) -> Option<Arc<Connection>> {
        match self {
            Self::Kept(connection) => Some(Arc::clone(connection)),
            Self::Known(connection) => connection.upgrade(),
        }
    }

    /// Keeps it no more.
    pub(super) fn loosen(&mut self) {
        if let Self::Kept(connection) = self {
            *self = Self::Known(Arc::downgrade(connection));
        }
    }
}
