//! Leases: what calls in flight hold on a tensor's bytes.
//!
//! Views *inside* a process need only the borrow checker. A lease outlives the borrow that began
//! it, because the other process may go on reading or writing after the caller's future was
//! dropped or forgotten. So leases are kept here, as bounding byte ranges, until the peer has
//! acknowledged that it is done or is known dead.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Waker};

use super::extent::Extent;
use super::mapping::Access;
use crate::guarded::wake_each;
use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::sync::{Mutex, MutexGuard};

/// Why a tensor's elements can't be reached now. Nothing was changed.
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum AccessError {
    /// A call still holds the bytes.
    #[error(
        "bytes {wanted:?} of the tensor are leased: {holder} holds bytes {held:?} for {purpose}; \
         await the call, or `released()` if its future is gone"
    )]
    Leased {
        /// The bytes that were asked for, from the start of the tensor's extent.
        wanted: Range<usize>,
        /// The bytes that the call holds.
        held: Range<usize>,
        /// What the call does with them.
        purpose: &'static str,
        /// Which call: worker, module and function.
        holder: Arc<str>,
    },
    /// A call that could write the bytes ended without an answer, so they may be half written.
    #[error(
        "the tensor is poisoned: {by} could write it and ended without an answer, so its contents \
         may be half written; `reset()` sets it to zero, `recover()` accepts it as it is"
    )]
    Poisoned {
        /// Which call: worker, module and function, and how it ended.
        by: Arc<str>,
    },
}

crate::readable::debug_as_message!(AccessError);

/// The leases on one extent, and whether it is poisoned.
#[derive(Debug, Default)]
pub(crate) struct Leases {
    /// The number of entries in `state`, so that a free tensor is recognised without the lock.
    live: AtomicUsize,
    is_poisoned: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    entries: Vec<Entry>,
    next_key: u64,
    poisoned_by: Option<Arc<str>>,
    waiting: Vec<Waker>,
}

#[derive(Debug)]
struct Entry {
    key: u64,
    range: Range<usize>,
    access: Access,
    /// The size of the atomics that are shared; 0 for plain elements.
    cell_bytes: usize,
    holder: Holder,
}

/// Whom a lease is held by. Its text is made when somebody asks for it.
#[derive(Clone, Debug)]
pub(crate) enum Holder {
    /// A call.
    Call {
        /// The worker's name.
        worker: Arc<str>,
        /// The module's name.
        module: Cow<'static, str>,
        /// The function's name.
        function: Cow<'static, str>,
    },
    /// Somebody else.
    Other(&'static str),
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call {
                worker,
                module,
                function,
            } => write!(f, "call of `{module}::{function}` in worker `{worker}`"),
            Self::Other(holder) => f.write_str(holder),
        }
    }
}

impl Leases {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Every critical section leaves the state whole, so a panic elsewhere doesn't matter.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Checks that this process may reach `range` for `access` now.
    ///
    /// With `Access::ReadWrite` the caller holds the tensor by `&mut`, so no lease can begin behind
    /// its back; with `Access::Read`, none that writes can.
    pub(crate) fn check(&self, range: &Range<usize>, access: Access) -> Result<(), AccessError> {
        // Acquire: pairs with the Release in `end`, so that what the peer wrote before it let go
        // happens before what we read now.
        if self.live.load(Ordering::Acquire) == 0 && !self.is_poisoned.load(Ordering::Acquire) {
            return Ok(());
        }
        self.lock().check(range, access, 0)
    }

    /// Begins a lease, if no other one is in its way.
    pub(crate) fn begin(
        &self,
        range: &Range<usize>,
        access: Access,
        holder: &Holder,
    ) -> Result<u64, AccessError> {
        self.begin_of(range, access, 0, holder)
    }

    /// As [`begin`](Self::begin), to share the bytes as atomics that have `cell_bytes` each. Atomics of
    /// another size are in the way: what comes of both at one place, no model of memory says.
    pub(crate) fn begin_shared(
        &self,
        range: &Range<usize>,
        cell_bytes: usize,
        holder: &Holder,
    ) -> Result<u64, AccessError> {
        self.begin_of(range, Access::Shared, cell_bytes, holder)
    }

    fn begin_of(
        &self,
        range: &Range<usize>,
        access: Access,
        cell_bytes: usize,
        holder: &Holder,
    ) -> Result<u64, AccessError> {
        let mut state = self.lock();
        state.check(range, access, cell_bytes)?;
        let key = state.next_key;
        state.next_key += 1;
        let (range, holder) = (range.clone(), holder.clone());
        state.entries.push(Entry {
            key,
            range,
            access,
            cell_bytes,
            holder,
        });
        self.live.fetch_add(1, Ordering::Relaxed);
        Ok(key)
    }

    /// Ends the lease that [`begin`](Self::begin) returned this key for.
    pub(crate) fn end(&self, key: u64) {
        let mut state = self.lock();
        state.entries.retain(|entry| entry.key != key);
        // Release: see `check`.
        self.live.fetch_sub(1, Ordering::Release);
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        // A lease ends where another panic may be under way.
        wake_each(waiting);
    }

    /// Marks the contents as possibly half written.
    pub(crate) fn poison(&self, by: Arc<str>) {
        let mut state = self.lock();
        state.poisoned_by = Some(by);
        self.is_poisoned.store(true, Ordering::Release);
    }

    /// Takes the mark away. The caller has validated the contents.
    pub(crate) fn recover(&self) {
        let mut state = self.lock();
        state.poisoned_by = None;
        self.is_poisoned.store(false, Ordering::Release);
    }

    /// Tells whether the contents are marked as possibly half written.
    pub(crate) fn is_poisoned(&self) -> bool {
        self.is_poisoned.load(Ordering::Acquire)
    }

    /// Tells whether the bytes are shared with other processes, for atomics alone.
    pub(crate) fn is_shared(&self) -> bool {
        let state = self.lock();
        state
            .entries
            .iter()
            .any(|entry| entry.access == Access::Shared)
    }

    /// Tells whether they are shared as atomics of this size.
    pub(crate) fn is_shared_in(&self, cell_bytes: usize) -> bool {
        let state = self.lock();
        let is_such =
            |entry: &Entry| entry.access == Access::Shared && entry.cell_bytes == cell_bytes;
        state.entries.iter().any(is_such)
    }

    /// Checks for leases alone, whether poisoned or not.
    pub(crate) fn check_leases(
        &self,
        range: &Range<usize>,
        access: Access,
    ) -> Result<(), AccessError> {
        self.lock().check_leases(range, access, 0)
    }

    /// Completes once no lease is left.
    pub(crate) fn poll_released(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if state.entries.is_empty() {
            return Poll::Ready(());
        }
        if !state
            .waiting
            .iter()
            .any(|waker| waker.will_wake(cx.waker()))
        {
            state.waiting.push(cx.waker().clone());
        }
        Poll::Pending
    }
}

impl State {
    fn check(
        &self,
        range: &Range<usize>,
        access: Access,
        cell_bytes: usize,
    ) -> Result<(), AccessError> {
        self.check_leases(range, access, cell_bytes)?;
        match &self.poisoned_by {
            Some(by) => Err(AccessError::Poisoned { by: Arc::clone(by) }),
            None => Ok(()),
        }
    }

    fn check_leases(
        &self,
        range: &Range<usize>,
        access: Access,
        cell_bytes: usize,
    ) -> Result<(), AccessError> {
        let in_the_way = |entry: &&Entry| {
            let overlaps = entry.range.start < range.end && range.start < entry.range.end;
            let is_alike = access == entry.access && cell_bytes == entry.cell_bytes;
            let is_common = is_alike && access != Access::ReadWrite;
            overlaps && !is_common
        };
        match self.entries.iter().find(in_the_way) {
            Some(entry) => Err(AccessError::Leased {
                wanted: range.clone(),
                held: entry.range.clone(),
                purpose: match entry.access {
                    Access::Read => "reading",
                    Access::ReadWrite => "writing",
                    Access::Shared => "sharing",
                },
                holder: entry.holder.to_string().into(),
            }),
            None => Ok(()),
        }
    }
}

/// A lease of a call on some bytes of an extent. It ends when it is dropped.
///
/// It keeps the extent alive, so a tensor that is dropped while it is leased leaves its memory to
/// the lease.
pub(crate) struct Lease {
    extent: Arc<Extent>,
    key: u64,
    access: Access,
    holder: Holder,
}

impl Lease {
    /// Begins a lease of `holder` on `range` of `extent`.
    pub(crate) fn begin(
        extent: &Arc<Extent>,
        range: &Range<usize>,
        access: Access,
        holder: &Holder,
    ) -> Result<Self, AccessError> {
        let key = extent.leases().begin(range, access, holder)?;
        Ok(Self {
            extent: Arc::clone(extent),
            key,
            access,
            holder: holder.clone(),
        })
    }

    /// What it is for.
    pub(crate) fn access(&self) -> Access {
        self.access
    }

    /// Ends the lease of a peer that stopped without an answer: what it could write is poisoned.
    pub(crate) fn end_without_answer(self, how: &str) {
        if self.access == Access::ReadWrite {
            self.extent
                .leases()
                .poison(format!("{}, {how},", self.holder).into());
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.extent.leases().end(self.key);
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("access", &self.access)
            .field("holder", &self.holder)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[cfg(not(reedbed_loom))]
mod tests {
    use super::*;
    use crate::guarded::tests::{Alarm, Counter};
    use crate::segment::{Segments, pool};

    fn leased(holder: &'static str) -> (Arc<Extent>, Lease) {
        let extent = pool::allocate_in(Segments::Memfd, 64, &[]).unwrap().extent;
        let holder = Holder::Other(holder);
        let lease = Lease::begin(&extent, &(0..8), Access::ReadWrite, &holder).unwrap();
        (extent, lease)
    }

    #[test]
    fn a_waker_that_panics_keeps_nobody_from_a_lease_that_has_ended() {
        let (extent, lease) = leased("a call");
        let counter = Arc::new(Counter::default());
        let others = Waker::from(Arc::clone(&counter));
        for waker in [Waker::from(Arc::new(Alarm)), others] {
            let released = extent.leases().poll_released(&Context::from_waker(&waker));
            assert!(released.is_pending());
        }
        drop(lease);
        assert_eq!(counter.n_woken(), 1);
        assert!(extent.leases().check(&(0..8), Access::ReadWrite).is_ok());
    }
}

#[cfg(all(test, reedbed_loom))]
mod models {
    use loom::cell::UnsafeCell;
    use loom::sync::Arc;
    use loom::thread;

    use super::*;

    /// A peer writes under a lease and lets go; the owner, who finds it gone, sees what was written.
    #[test]
    fn loom_what_was_written_under_a_lease_is_seen_after_it() {
        loom::model(|| {
            let bytes = Arc::new((Leases::default(), UnsafeCell::new(0)));
            let key = bytes
                .0
                .begin(&(0..8), Access::ReadWrite, &Holder::Other("a call"));
            let key = key.unwrap();
            let peer = thread::spawn({
                let bytes = Arc::clone(&bytes);
                move || {
                    bytes.1.with_mut(|_| {});
                    bytes.0.end(key);
                }
            });
            if bytes.0.check(&(0..8), Access::ReadWrite).is_ok() {
                bytes.1.with_mut(|_| {});
            }
            peer.join().unwrap();
            bytes.0.check(&(0..8), Access::ReadWrite).unwrap();
        });
    }

    /// Two calls want to write the same bytes: one of them gets the lease, or one after the other.
    #[test]
    fn loom_leases_for_writing_exclude_each_other() {
        loom::model(|| {
            let bytes = Arc::new((Leases::default(), UnsafeCell::new(0)));
            let write = |bytes: &(Leases, UnsafeCell<i32>)| {
                let key = bytes
                    .0
                    .begin(&(0..8), Access::ReadWrite, &Holder::Other("a call"));
                if let Ok(key) = key {
                    bytes.1.with_mut(|_| {});
                    bytes.0.end(key);
                }
            };
            let other = thread::spawn({
                let bytes = Arc::clone(&bytes);
                move || write(&bytes)
            });
            write(&bytes);
            other.join().unwrap();
            assert_eq!(bytes.0.live.load(Ordering::Relaxed), 0);
        });
    }

    /// A call ends poisoned: whoever finds its lease gone finds the poison too.
    #[test]
    fn loom_poison_is_seen_by_whoever_finds_the_lease_gone() {
        loom::model(|| {
            let leases = Arc::new(Leases::default());
            let key = leases.begin(&(0..8), Access::ReadWrite, &Holder::Other("a call"));
            let key = key.unwrap();
            let ending = thread::spawn({
                let leases = Arc::clone(&leases);
                move || {
                    leases.poison("a dead worker".into());
                    leases.end(key);
                }
            });
            assert!(leases.check(&(0..8), Access::Read).is_err());
            ending.join().unwrap();
            assert!(leases.is_poisoned());
        });
    }
}
