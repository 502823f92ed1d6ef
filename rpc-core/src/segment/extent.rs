//! A range of a segment's bytes with exactly one tenant.

use std::fmt;
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::backing::Backing;
use super::lease::Leases;

/// What happens to the bytes when their tenant is gone.
pub(crate) trait Tenure: Send + Sync {
    /// Takes the bytes back. Runs once, when neither the tenant nor a lease is left.
    fn end(&self, backing: &Arc<Backing>, range: &Range<usize>);

    /// The channel over which a peer moved the bytes here, and the number of that transfer.
    fn transfer(&self) -> Option<(u64, u64)> {
        None
    }

    /// Prepares for giving the bytes back to that peer: `end` has nothing left to do.
    fn give_back(&self) {}

    /// Undoes [`give_back`](Self::give_back): the bytes were not sent. `false` if somebody else has been
    /// given them meanwhile, so that whoever was to send them has them no longer.
    fn keep(&self) -> bool {
        true
    }
}

/// The bytes of one tensor (or one bare segment): a range of a segment that no other tenant uses.
///
/// It is shared between the tensor, which owns it, and the leases on it, which may outlive the
/// tensor; the last of them gives it back.
pub(crate) struct Extent {
    backing: Arc<Backing>,
    range: Range<usize>,
    leases: Leases,
    tenure: Box<dyn Tenure>,
    is_disowned: AtomicBool,
}

impl Extent {
    /// Makes the tenant of `range`, which the caller found free and inside the segment.
    ///
    /// # Panics
    /// If it isn't inside.
    pub(crate) fn new(
        backing: Arc<Backing>,
        range: Range<usize>,
        tenure: impl Tenure + 'static,
    ) -> Self {
        // All pointers into the extent rest on it.
        assert!(
            range.start <= range.end && range.end <= backing.mapping().len(),
            "bytes {range:?} of a segment of {} bytes",
            backing.mapping().len()
        );
        Self {
            backing,
            range,
            leases: Leases::default(),
            tenure: Box::new(tenure),
            is_disowned: AtomicBool::new(false),
        }
    }

    /// The segment that holds the bytes.
    pub(crate) fn backing(&self) -> &Arc<Backing> {
        &self.backing
    }

    /// Where in the segment the bytes are.
    pub(crate) fn range(&self) -> Range<usize> {
        self.range.clone()
    }

    /// The number of bytes.
    pub(crate) fn len(&self) -> usize {
        self.range.len()
    }

    /// The first byte.
    pub(crate) fn base(&self) -> NonNull<u8> {
        // Inside the mapping by construction; a dangling pointer would only ever be for no bytes.
        self.backing
            .mapping()
            .at(self.range.start)
            .unwrap_or(NonNull::dangling())
    }

    /// What happens to the bytes when their tenant is gone.
    pub(crate) fn tenure(&self) -> &dyn Tenure {
        self.tenure.as_ref()
    }

    /// Has the bytes unmapped, in the end, instead of given to the next tenant: somebody else in
    /// this process may go on using them.
    pub(crate) fn disown(&self) {
        self.is_disowned.store(true, Ordering::Relaxed);
    }

    /// What calls hold on the bytes.
    pub(crate) fn leases(&self) -> &Leases {
        &self.leases
    }

    /// Where, from the start of the extent, the address `address` is.
    pub(crate) fn offset_of(&self, address: usize) -> usize {
        address.wrapping_sub(self.base().as_ptr().addr())
    }
}

impl Drop for Extent {
    fn drop(&mut self) {
        if !*self.is_disowned.get_mut() {
            self.tenure.end(&self.backing, &self.range);
        }
    }
}

impl fmt::Debug for Extent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Extent")
            .field("backing", &self.backing)
            .field("range", &self.range)
            .field("leases", &self.leases)
            .finish_non_exhaustive()
    }
}
