//! What a call holds until its end.

use std::sync::Arc;

use crate::call::entrusted::Entrusted;
use crate::call::incoming::Incoming;
use crate::channel::Channel;
use crate::segment::account::Copies;
use crate::segment::extent::Extent;
use crate::segment::lease::Lease;
use crate::tensor::pointer::Located;
use crate::wire::frame::Failure;

/// A mutably lent array of `bool`, which the worker could have filled with other bytes.
pub(crate) type LentBools = Located<bool, ndarray::IxDyn>;

/// What a call holds while it is in flight.
#[derive(Default)]
pub(crate) struct Held {
    pub(crate) leases: Vec<Lease>,
    /// Cells, which may be the worker's: it must not hear that they were let go before it hears of
    /// the call, whoever sends that and when.
    pub(crate) _shared: Vec<Arc<Extent>>,
    pub(crate) bools: Vec<LentBools>,
    pub(crate) expects: Option<Expected>,
    /// What was passed by value, until the worker has read the frame, where that is long.
    pub(crate) entrusted: Option<Box<Entrusted>>,
    /// Counts the copies: those that are leased, which end before it, and those that were given.
    pub(crate) _copies: Option<Copies>,
}

impl Held {
    /// Tells whether there is nothing to hold.
    pub(crate) fn is_empty(&self) -> bool {
        // Bools are leased, too.
        self.leases.is_empty()
            && self._shared.is_empty()
            && self.expects.is_none()
            && self._copies.is_none()
    }
}

/// Finds the number of the instance in what a constructor returned, which may be an error.
pub(crate) type FindInstance = fn(&mut Incoming<'_>) -> Result<Option<u64>, Failure>;

/// An instance that the answer will name, and that is to be dropped if nobody waits for that.
pub(crate) struct Expected {
    pub(crate) channel: Arc<Channel>,
    pub(crate) find: FindInstance,
}

impl Held {
    /// Ends the leases of a call that ran to its end, or never began. Returns whether all lent `bool`s
    /// are still that; if not, what was lent for writing is poisoned.
    pub(super) fn end(mut self) -> bool {
        self.leave();
        // Looked through while the leases still keep everyone else away.
        let are_valid = self.bools.iter().all(Located::scan);
        if are_valid {
            drop(self);
        } else {
            self.poison("which wrote a bool that is neither 0 nor 1");
        }
        are_valid
    }

    /// Ends the leases without an answer: what was lent for writing may be half written.
    pub(super) fn poison(mut self, how: &str) {
        self.leave();
        self.leases
            .into_iter()
            .for_each(|lease| lease.end_without_answer(how));
    }

    /// Leaves what was passed by value to the worker, which may have read the frame, whatever it says.
    fn leave(&mut self) {
        if let Some(entrusted) = self.entrusted.take() {
            entrusted.sent();
        }
    }
}
