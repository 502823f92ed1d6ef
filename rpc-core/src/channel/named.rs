//! Arrays that a frame hands over, from when they are named until it is known whether that was sent.
//!
//! A peer that means well hears of a transfer from the frame that names it. One that doesn't knows the
//! number, and where the bytes are, as soon as they are named: it may end the transfer, return the bytes
//! or give them again while the frame is still being written, or says afterwards that it never read it.
//!
//! ```text
//!                 ┌── sent, and read ──────────────────► the peer's
//!  named ─────────┼── not sent, or not read ───────────► this side's again: handed back
//!                 ├── the channel closed, then not sent ► this side's again: handed back
//!                 └── used by the peer, then not sent ──► whoever has them through that: not handed back
//! ```
//!
//! # Invariants
//! 1. What was named is handed back after [`Named::take_back`] has succeeded, and by nobody else; so the
//!    bytes have one owner.
//! 2. Both sides of each choice take place under one lock: that of the table of transfers for what this
//!    side moves, that of the bytes' marks for what it returns.

use std::sync::Arc;

use super::Channel;
use super::exports::Withdrawn;
use super::loan::Loan;
use crate::segment::extent::Extent;
use crate::segment::mapping::Access;
use crate::wire::handle::{Handle, Origin, Terms};

/// Handles whose transfers are under way; they are taken back unless the frame is sent.
#[derive(Debug, Default)]
pub(crate) struct Named {
    /// None if there is nothing to take back.
    pub(super) channel: Option<Arc<Channel>>,
    pub(super) handles: Vec<Handle>,
    pub(super) transfers: Vec<u64>,
    pub(super) returned: Vec<Arc<Extent>>,
}

/// The peer has used what it was not sent: somebody else may have it now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Used;

impl Named {
    /// The handles, once, for the frame that takes them.
    pub(crate) fn take_handles(&mut self) -> Vec<Handle> {
        std::mem::take(&mut self.handles)
    }

    /// Drops those of `loans`, all of which were named here, whose memory the transfers hold from now
    /// on. So when the peer ends a transfer, nobody keeps the memory from the next tenant, even if
    /// that comes before the sender has got round to anything else.
    ///
    /// What lies in segments of the peer's is still there: it must not hear of their end before the
    /// frame that names them.
    pub(crate) fn leave_to_transfers(&self, loans: &mut Vec<Loan>) {
        let mut handles = self.handles.iter();
        loans.retain(|_| {
            let is_held = handles.next().is_some_and(|handle| {
                let is_transferred =
                    matches!(handle.terms, Terms::Moved { .. } | Terms::Shared { .. });
                handle.origin == Origin::Sender && is_transferred
            });
            !is_held
        });
    }

    /// Takes everything back, because the frame was not sent, or the peer says that it never read it.
    ///
    /// # Errors
    /// If the peer has ended one of the transfers, lent or returned what was moved, or given something
    /// of what was returned away again: that is not this side's any more, or somebody else's here.
    pub(crate) fn take_back(mut self) -> Result<(), Used> {
        self.withdraw()
    }

    /// Notes that the frame was sent: from now on the transfers end with the peer's word.
    pub(crate) fn sent(&mut self) {
        self.transfers.clear();
        self.returned.clear();
    }

    fn withdraw(&mut self) -> Result<(), Used> {
        let mut was_used = false;
        for transfer in self.transfers.drain(..) {
            let channel = self.channel.as_ref();
            let withdrawn = channel.map(|channel| channel.transfers().withdraw(transfer));
            let extent = match withdrawn {
                Some(Withdrawn::Kept(extent)) => Some(extent),
                // Nobody had used it; the memory of a worker that lives on is not used again after this.
                Some(Withdrawn::Closed(extent)) => extent.upgrade(),
                Some(Withdrawn::Used) | None => {
                    was_used = true;
                    None
                }
            };
            // What the peer has lent is looked at here.
            was_used |= extent.is_some_and(|extent| {
                let (leases, all) = (extent.leases(), 0..extent.len());
                !leases.is_shared() && leases.check_leases(&all, Access::ReadWrite).is_err()
            });
        }
        for extent in self.returned.drain(..) {
            was_used |= !extent.tenure().keep();
        }
        if was_used { Err(Used) } else { Ok(()) }
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        // What was used is its user's. Nobody is handed anything back: whoever does that takes it back.
        let _ = self.withdraw();
    }
}

/// Both ends of a channel, and what is said between them.
#[cfg(test)]
mod ends {
    use ndarray::Ix1;

    use super::super::Terms as Agreed;
    use super::super::bind::{BindError, Bound};
    use super::super::socket::{self, Socket};
    use super::*;
    use crate::tensor::pointer::Located;

    pub(super) fn channels() -> [Arc<Channel>; 2] {
        let (ours, theirs) = socket::pair().unwrap();
        [ours, theirs].map(|end| Channel::new(Socket::new(end), Agreed::of_a_test()).unwrap())
    }

    /// Names an array that is given away.
    pub(super) fn give(channel: &Channel, array: &Located<u8, Ix1>) -> (Named, Handle) {
        let mut named = Named::default();
        let loan = Loan::give(array).unwrap();
        channel.name_all(&[loan], &mut named).unwrap();
        let handle = named.take_handles().remove(0);
        (named, handle)
    }

    /// The same place, as the peer names it on terms of its own.
    pub(super) fn of_peer(handle: &Handle, terms: impl FnOnce(u64) -> Terms) -> Handle {
        let (Terms::Moved { transfer } | Terms::Returned { transfer }) = handle.terms else {
            panic!("it was given away: {handle:?}");
        };
        let origin = match handle.origin {
            Origin::Sender => Origin::Receiver,
            Origin::Receiver | Origin::Frame => Origin::Sender,
        };
        let terms = terms(transfer);
        let handle = handle.clone();
        Handle {
            origin,
            terms,
            ..handle
        }
    }

    pub(super) fn returned(handle: &Handle) -> Handle {
        of_peer(handle, |transfer| Terms::Returned { transfer })
    }

    pub(super) fn bind(channel: &Channel, handle: Handle) -> Result<Bound, BindError> {
        let bound = channel.bind_all(&[handle], &[]);
        bound.map(|mut bound| bound.remove(0))
    }
}

#[cfg(test)]
#[cfg(not(reedbed_loom))]
mod tests {
    use ndarray::Ix1;

    use super::super::bind::{BindError, Bound};
    use super::super::{Arrival, Look};
    use super::ends::{bind, channels, give, of_peer, returned};
    use super::*;
    use crate::Tensor;
    use crate::tensor::pointer::Located;
    use crate::wire::frame::Frame;

    type Bytes = Tensor<u8, Ix1>;

    fn array() -> Bytes {
        Tensor::from_elem(100_000, 1).unwrap()
    }

    /// Reads all that the peer has said.
    fn read(channel: &Channel) {
        let read = channel.lead().receive(Look::Both);
        assert!(matches!(read, Ok(Arrival::Nothing)), "{read:?}");
    }

    /// An array that the peer gave, and its handle.
    fn given_by(peer: &Channel, channel: &Channel) -> (Named, Bytes, Handle) {
        let theirs = array();
        let (named, handle) = give(peer, theirs.located());
        read(channel);
        let Ok(Bound::Given { extent, layout }) = bind(channel, handle.clone()) else {
            panic!("it is given");
        };
        let ours = Tensor::from_located(Located::new(extent, &layout).unwrap());
        (named, ours, handle)
    }

    #[test]
    fn what_nobody_used_is_taken_back() {
        let [ours, _theirs] = channels();
        let array = array();
        let (named, handle) = give(&ours, array.located());
        assert_eq!(named.take_back(), Ok(()));
        let late = bind(&ours, returned(&handle));
        assert!(matches!(late, Err(BindError::Violation(_))), "{late:?}");
    }

    #[test]
    fn what_the_peer_has_returned_or_ended_is_not_taken_back() {
        let [ours, theirs] = channels();
        let arrays = [array(), array()];
        let [(first, handle), (second, other)] = [0, 1].map(|n| give(&ours, arrays[n].located()));
        let has_it = bind(&ours, returned(&handle)).unwrap();
        assert_eq!(first.take_back(), Err(Used));
        drop(has_it);
        let Terms::Moved { transfer } = other.terms else {
            panic!("it was given away: {other:?}");
        };
        theirs.send(&Frame::Ended { transfer }).unwrap();
        read(&ours);
        assert_eq!(second.take_back(), Err(Used));
    }

    #[test]
    fn what_the_peer_has_lent_is_not_taken_back() {
        for has_closed in [false, true] {
            let [ours, _theirs] = channels();
            let array = array();
            let (named, handle) = give(&ours, array.located());
            let lent = bind(&ours, of_peer(&handle, |_| Terms::ReadWrite)).unwrap();
            if has_closed {
                ours.close();
                ours.release_all(true);
            }
            assert_eq!(named.take_back(), Err(Used), "{has_closed}");
            drop(lent);
        }
    }

    /// All transfers end with the channel: those that nobody had used are this side's.
    #[test]
    fn the_end_of_the_channel_is_no_use_of_what_was_not_sent() {
        for is_peer_dead in [false, true] {
            let [ours, _theirs] = channels();
            let arrays = [array(), array()];
            let [(left, _), (used, handle)] = [0, 1].map(|n| give(&ours, arrays[n].located()));
            let has_it = bind(&ours, returned(&handle)).unwrap();
            ours.close();
            ours.release_all(is_peer_dead);
            assert_eq!(left.take_back(), Ok(()));
            assert_eq!(used.take_back(), Err(Used));
            drop(has_it);
        }
    }

    #[test]
    fn what_the_peer_has_given_again_is_not_taken_back() {
        for has_closed in [false, true] {
            let [ours, theirs] = channels();
            let (_theirs, array, handle) = given_by(&theirs, &ours);
            let (left, _) = give(&ours, array.located());
            assert_eq!(left.take_back(), Ok(()), "nobody has it");
            let (named, _) = give(&ours, array.located());
            let transfer = 7;
            let terms = Terms::Moved { transfer };
            let again = bind(&ours, Handle { terms, ..handle }).unwrap();
            if has_closed {
                ours.close();
                ours.release_all(true);
            }
            assert_eq!(named.take_back(), Err(Used), "{has_closed}");
            drop(again);
        }
    }

    /// One of several arrays can't be named: those before it are taken back, unless they were used.
    #[test]
    fn what_was_named_before_an_error_is_there_as_well() {
        let [ours, _theirs] = channels();
        let array = array();
        let stranger = crate::segment::stranger::Stranger::new();
        let other =
            super::super::exposed::Exposed::copy_of(&ndarray::Array1::<u8>::zeros(8), stranger);
        let loans = [
            Loan::give(array.located()).unwrap(),
            Loan::give_exposed(&other.unwrap(), &ndarray::Array1::<u8>::zeros(8)),
        ];
        let name = || {
            let mut named = Named::default();
            assert!(ours.name_all(&loans, &mut named).is_err());
            let handle = named.handles.remove(0);
            (named, handle)
        };
        assert_eq!(name().0.take_back(), Ok(()));
        let (named, handle) = name();
        let has_it = bind(&ours, returned(&handle)).unwrap();
        assert_eq!(named.take_back(), Err(Used));
        drop(has_it);
    }
}

#[cfg(all(test, reedbed_loom))]
mod models {
    use std::ops::Range;

    use loom::cell::UnsafeCell;
    use loom::thread;
    use ndarray::Ix1;

    use super::super::models::explore;
    use super::ends::{bind, channels, give, of_peer, returned};
    use super::*;
    use crate::segment::backing::Backing;
    use crate::segment::extent::Tenure;
    use crate::segment::kind::Segments;
    use crate::tensor::locate;
    use crate::tensor::pointer::Located;

    struct Unmapped;

    impl Tenure for Unmapped {
        fn end(&self, _: &Arc<Backing>, _: &Range<usize>) {}
    }

    fn array() -> Located<u8, Ix1> {
        let backing = Arc::new(Backing::create(64, Segments::Memfd).unwrap());
        let extent = Arc::new(Extent::new(backing, 0..64, Unmapped));
        locate(extent, 0, Ix1(64)).unwrap()
    }

    /// A call isn't sent; the worker returns what came with it, and the channel closes. One side has it.
    #[test]
    fn loom_what_was_not_sent_has_one_owner() {
        explore(2, || {
            let ([host, _worker], array) = (channels(), array());
            let bytes = Arc::new(UnsafeCell::new(0));
            let (named, handle) = give(&host, &array);
            let reading = thread::spawn({
                let (host, bytes) = (Arc::clone(&host), Arc::clone(&bytes));
                move || {
                    let received = bind(&host, returned(&handle)).ok();
                    if received.is_some() {
                        bytes.with_mut(|_| {});
                    }
                    received.is_some()
                }
            });
            let closing = thread::spawn({
                let host = Arc::clone(&host);
                move || host.release_all(true)
            });
            let is_back = named.take_back().is_ok();
            if is_back {
                bytes.with_mut(|_| {});
            }
            assert_ne!(is_back, reading.join().unwrap());
            closing.join().unwrap();
        });
    }

    /// A call isn't sent; the worker lends what came with it, and lets go. Nobody else has it meanwhile.
    #[test]
    fn loom_what_is_taken_back_is_not_lent_any_more() {
        explore(3, || {
            let ([host, _worker], array) = (channels(), array());
            let bytes = Arc::new(UnsafeCell::new(0));
            let (named, handle) = give(&host, &array);
            let reading = thread::spawn({
                let (host, bytes) = (Arc::clone(&host), Arc::clone(&bytes));
                move || {
                    let lent = bind(&host, of_peer(&handle, |_| Terms::ReadWrite));
                    if let Ok(lent) = lent {
                        bytes.with_mut(|_| {});
                        drop(lent);
                    }
                }
            });
            if named.take_back().is_ok() {
                bytes.with_mut(|_| {});
            }
            reading.join().unwrap();
        });
    }
}
