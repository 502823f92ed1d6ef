//! Segments that this process has announced to the peer, and tensors it has moved there.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::{Arc, Weak};

use super::long::Posted;
use crate::numbered::Numbered;
use crate::segment::backing::Backing;
use crate::segment::extent::Extent;
use crate::segment::mapping::Access;

/// Segments that the peer knows.
#[derive(Debug, Default)]
pub(crate) struct Exports {
    by_uid: Numbered<Export>,
    uid_of: Numbered<u64>,
    n_announced: u64,
}

#[derive(Debug)]
struct Export {
    segment: u64,
    backing: Weak<Backing>,
    is_readable: bool,
    is_writable: bool,
}

/// How a segment is to be named to the peer.
pub(crate) struct Named {
    /// Its number on the channel.
    pub(crate) segment: u64,
    /// Whether it must be announced for the access first.
    pub(crate) is_new: bool,
    /// Whether this is its first announcement at all.
    pub(crate) is_first: bool,
}

impl Exports {
    /// The number of segments that the peer knows.
    pub(crate) fn len(&self) -> usize {
        self.by_uid.len()
    }

    /// Tells whether the peer knows the segment.
    pub(crate) fn contains(&self, backing: &Backing) -> bool {
        self.by_uid.contains_key(&backing.uid())
    }

    /// Names a segment for `access`, and notes that it is announced from now on.
    pub(crate) fn name(&mut self, backing: &Arc<Backing>, access: Access) -> Named {
        let n_known = self.n_announced;
        let n_announced = &mut self.n_announced;
        let uid_of = &mut self.uid_of;
        let export = self.by_uid.entry(backing.uid()).or_insert_with(|| {
            *n_announced += 1;
            uid_of.insert(*n_announced, backing.uid());
            Export {
                segment: *n_announced,
                backing: Arc::downgrade(backing),
                is_readable: false,
                is_writable: false,
            }
        });
        let is_first = export.segment > n_known;
        let flag = match access {
            Access::Read => &mut export.is_readable,
            Access::ReadWrite | Access::Shared => &mut export.is_writable,
        };
        let is_new = !std::mem::replace(flag, true);
        Named {
            segment: export.segment,
            is_new,
            is_first,
        }
    }

    /// Notes that the announcement for `access` did not take place after all.
    pub(crate) fn unname(&mut self, backing: &Backing, access: Access) {
        if let Some(export) = self.by_uid.get_mut(&backing.uid()) {
            match access {
                Access::Read => export.is_readable = false,
                Access::ReadWrite | Access::Shared => export.is_writable = false,
            }
        }
    }

    /// Notes that the peer could not use the segment; tells whether it was one of ours.
    pub(crate) fn refused(&mut self, segment: u64) -> bool {
        let Some(uid) = self.uid_of.get(&segment) else {
            // It may have been forgotten while the refusal was under way.
            return segment <= self.n_announced;
        };
        if let Some(export) = self.by_uid.get_mut(uid) {
            export.is_readable = false;
            export.is_writable = false;
        }
        true
    }

    /// Strikes a segment that is no more off the list; returns its number.
    pub(crate) fn forget(&mut self, uid: u64) -> Option<u64> {
        let export = self.by_uid.remove(&uid)?;
        self.uid_of.remove(&export.segment);
        Some(export.segment)
    }

    /// Finds a segment of ours by its number.
    pub(crate) fn find(&self, segment: u64) -> Option<Arc<Backing>> {
        self.by_uid
            .get(self.uid_of.get(&segment)?)?
            .backing
            .upgrade()
    }
}

/// Tensors that were moved to the peer and have not come back, cells that it shares, and long frames
/// that it has yet to read.
#[derive(Debug, Default)]
pub(crate) struct Transfers {
    extents: Numbered<Arc<Extent>>,
    /// The same, by segment and first byte.
    by_place: BTreeSet<(u64, usize, u64)>,
    /// Long frames. They are no arrays: the peer can't lend them, or return them.
    frames: Numbered<Posted>,
    n_transfers: u64,
    /// What was under way when the channel closed: nobody had used it.
    left: Numbered<Weak<Extent>>,
}

/// What has become of a transfer whose frame was not sent, or not read.
#[derive(Debug)]
pub(crate) enum Withdrawn {
    /// It was under way, and is no more.
    Kept(Arc<Extent>),
    /// It was under way when the channel closed.
    Closed(Weak<Extent>),
    /// The peer has ended it, or returned what was moved.
    Used,
}

impl Transfers {
    /// Notes that `extent` is moved to the peer; returns the number of the transfer.
    pub(crate) fn add(&mut self, extent: &Arc<Extent>) -> u64 {
        self.n_transfers += 1;
        self.extents.insert(self.n_transfers, Arc::clone(extent));
        self.by_place.insert(place(extent, self.n_transfers));
        self.n_transfers
    }

    /// Notes that the peer is about to be sent a long frame; returns the number of the transfer.
    pub(crate) fn add_frame(&mut self, posted: Posted) -> u64 {
        self.n_transfers += 1;
        self.frames.insert(self.n_transfers, posted);
        self.n_transfers
    }

    /// Ends the transfer of a long frame. The caller drops the result when it holds no lock.
    pub(crate) fn remove_frame(&mut self, transfer: u64) -> Option<Posted> {
        self.frames.remove(&transfer)
    }

    /// Tells whether the peer has read all long frames, or has said that it can't.
    pub(crate) fn has_no_frames(&self) -> bool {
        self.frames.is_empty()
    }

    /// Ends a transfer. The caller drops the result when it holds no lock.
    pub(crate) fn remove(&mut self, transfer: u64) -> Option<Arc<Extent>> {
        let extent = self.extents.remove(&transfer)?;
        self.by_place.remove(&place(&extent, transfer));
        Some(extent)
    }

    /// Takes a transfer back whose frame was not sent, or not read. The caller drops the result when it
    /// holds no lock.
    pub(crate) fn withdraw(&mut self, transfer: u64) -> Withdrawn {
        match self.remove(transfer) {
            Some(extent) => Withdrawn::Kept(extent),
            None => match self.left.remove(&transfer) {
                Some(extent) => Withdrawn::Closed(extent),
                None => Withdrawn::Used,
            },
        }
    }

    /// Finds what was moved to the peer, or is shared with it, under this number.
    pub(crate) fn get(&self, transfer: u64) -> Option<Arc<Extent>> {
        self.extents.get(&transfer).map(Arc::clone)
    }

    /// Finds the moved tensor that holds `bytes` of a segment.
    pub(crate) fn holding(&self, backing: &Backing, bytes: &Range<usize>) -> Option<Arc<Extent>> {
        let until = (backing.uid(), bytes.start, u64::MAX);
        let (_, _, transfer) = self
            .by_place
            .range((backing.uid(), 0, 0)..=until)
            .next_back()?;
        let extent = self.extents.get(transfer)?;
        (extent.range().start <= bytes.start && bytes.end <= extent.range().end)
            .then(|| Arc::clone(extent))
    }

    /// Ends all transfers: the peer is gone.
    pub(crate) fn take_all(&mut self) -> (Numbered<Arc<Extent>>, Numbered<Posted>) {
        self.by_place.clear();
        let left = self.extents.iter();
        let left = left.map(|(transfer, extent)| (*transfer, Arc::downgrade(extent)));
        self.left.extend(left);
        (
            std::mem::take(&mut self.extents),
            std::mem::take(&mut self.frames),
        )
    }
}

fn place(extent: &Extent, transfer: u64) -> (u64, usize, u64) {
    (extent.backing().uid(), extent.range().start, transfer)
}
