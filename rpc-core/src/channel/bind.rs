//! From handles to memory: what a call or a reply brought.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::imports::BORROWER;
use super::inline::Placed;
use super::{Channel, Violation, exposed};
use crate::segment::ShmExhausted;
use crate::segment::account::ResultBytes;
use crate::segment::backing::Backing;
use crate::segment::extent::{Extent, Tenure};
use crate::segment::lease::Leases;
use crate::segment::mapping::Access;
use crate::segment::shared;
use crate::tensor::DType;
use crate::tensor::layout::CheckedLayout;
use crate::tensor::pointer::Lent;
use crate::wire::frame::Frame;
use crate::wire::handle::{Handle, Origin, Terms};

/// Extents of received tensors begin at a multiple of this many bytes, which every element type
/// is content with.
const BASE_ALIGNMENT: usize = 16;

/// An array that a frame brought.
#[derive(Debug)]
pub(crate) enum Bound {
    /// Lent until the reply.
    Lent(Lent),
    /// Given.
    Given {
        /// Its bytes.
        extent: Arc<Extent>,
        /// Where in them its elements are.
        layout: CheckedLayout,
    },
    /// Given by an untrusted worker, which may go on writing: to be [copied](copy_out) before it is
    /// looked at.
    Theirs {
        /// Its bytes.
        extent: Arc<Extent>,
        /// Where in them its elements are.
        layout: CheckedLayout,
    },
    /// Shared, for atomics alone.
    Shared {
        /// Its bytes, which are marked.
        extent: Arc<Extent>,
        /// Where in them its elements are.
        layout: CheckedLayout,
    },
}

impl Bound {
    /// Copies what an untrusted worker gave to memory of this process's own; returns how many bytes
    /// that were.
    ///
    /// # Errors
    /// [`ShmExhausted`] if there is no memory for it; it is as before then.
    pub(crate) fn copy_out(&mut self) -> Result<u64, ShmExhausted> {
        let Self::Theirs { extent, layout } = self else {
            return Ok(0);
        };
        let size_bytes = layout.size_bytes() as u64;
        let (extent, layout) = exposed::copy_out(extent, layout)?;
        *self = Self::Given { extent, layout };
        Ok(size_bytes)
    }
}

/// Marks bytes of the peer's segment as in use.
struct BorrowedTheirs {
    leases: Arc<Leases>,
    key: u64,
}

impl Drop for BorrowedTheirs {
    fn drop(&mut self) {
        self.leases.end(self.key);
    }
}

/// Marks bytes of a tensor that was moved to the peer, and lent back, as in use.
struct BorrowedOurs {
    extent: Arc<Extent>,
    key: u64,
}

impl Drop for BorrowedOurs {
    fn drop(&mut self) {
        self.extent.leases().end(self.key);
    }
}

/// Why a frame's arrays can't be used.
#[derive(Debug)]
pub(crate) enum BindError {
    /// The peer broke the protocol.
    Violation(Violation),
    /// A segment was refused before, for lack of descriptors or memory.
    Refused(String),
}

impl From<Violation> for BindError {
    fn from(violation: Violation) -> Self {
        Self::Violation(violation)
    }
}

impl Channel {
    /// Finds the memory of all arrays of a frame, which brought `inline`.
    pub(crate) fn bind_all(
        &self,
        handles: &[Handle],
        inline: &[u8],
    ) -> Result<Vec<Bound>, BindError> {
        let n_handles = self.limits().n_handles as usize;
        if handles.len() > n_handles {
            let n = handles.len();
            return Err(
                Violation(format!("sent {n} arrays at once, more than {n_handles}")).into(),
            );
        }
        let mut refusal = None;
        let mut bound = Vec::new();
        let mut placed = Placed::new(inline);
        for handle in handles {
            match self.bind(handle, &mut placed) {
                Ok(array) => bound.push(array),
                // All are bound, so that what was given is given back.
                Err(refused @ BindError::Refused(_)) => refusal = Some(refused),
                Err(violation) => return Err(violation),
            }
        }
        refusal.map_or(Ok(bound), Err)
    }

    fn bind(&self, handle: &Handle, placed: &mut Placed<'_>) -> Result<Bound, BindError> {
        if self.stranger().is_some() {
            return self.bind_apart(handle, placed);
        }
        match (handle.origin, handle.terms) {
            (Origin::Sender, Terms::Read) => self.borrow_theirs(handle, Access::Read),
            (Origin::Sender, Terms::ReadWrite) => self.borrow_theirs(handle, Access::ReadWrite),
            (Origin::Sender, Terms::Moved { transfer }) => {
                let (extent, layout) = self.receive_theirs(handle, transfer, Access::ReadWrite)?;
                Ok(Bound::Given { extent, layout })
            }
            (Origin::Sender, Terms::Shared { transfer }) => {
                let (extent, layout) = self.receive_theirs(handle, transfer, Access::Shared)?;
                Ok(Bound::Shared { extent, layout })
            }
            (Origin::Receiver, Terms::Shared { transfer }) => self.share_ours(handle, transfer),
            (Origin::Receiver, Terms::Read) => self.borrow_ours(handle, Access::Read),
            (Origin::Receiver, Terms::ReadWrite) => self.borrow_ours(handle, Access::ReadWrite),
            (Origin::Receiver, Terms::Returned { transfer }) => {
                let (extent, layout) = self.take_back(handle, transfer)?;
                Ok(Bound::Given { extent, layout })
            }
            (Origin::Sender, Terms::Returned { .. }) | (Origin::Receiver, Terms::Moved { .. }) => {
                Err(refuse(
                    handle,
                    "is moved on terms that don't fit its origin",
                ))
            }
            (Origin::Frame, _) => placed.bind(handle),
        }
    }

    /// As [`bind`](Self::bind), of a worker that isn't trusted. It can't lend anything: what the host
    /// would look at may change.
    fn bind_apart(&self, handle: &Handle, placed: &mut Placed<'_>) -> Result<Bound, BindError> {
        match (handle.origin, handle.terms) {
            (Origin::Sender, Terms::Moved { transfer }) => {
                let (extent, layout) = self.receive_theirs(handle, transfer, Access::ReadWrite)?;
                Ok(Bound::Theirs { extent, layout })
            }
            (Origin::Receiver, Terms::Returned { transfer }) => {
                let (extent, layout) = self.take_back(handle, transfer)?;
                Ok(Bound::Theirs { extent, layout })
            }
            (Origin::Sender, Terms::Shared { transfer }) => {
                let (extent, layout) = self.receive_theirs(handle, transfer, Access::Shared)?;
                Ok(Bound::Shared { extent, layout })
            }
            (Origin::Receiver, Terms::Shared { transfer }) => self.share_ours(handle, transfer),
            (Origin::Frame, _) => placed.bind(handle),
            (Origin::Sender | Origin::Receiver, _) => Err(refuse(
                handle,
                "is handed over on terms that an untrusted worker has none for",
            )),
        }
    }

    /// Finds the pages of a segment that the peer announced.
    pub(super) fn find_theirs(
        &self,
        handle: &Handle,
        access: Access,
    ) -> Result<(Arc<Backing>, Arc<Leases>), BindError> {
        let imports = self.imports();
        let import = imports.find(handle.segment);
        let Some(pages) = import.and_then(|import| import.pages(access)) else {
            let refusal = imports.refusal(handle.segment).map(str::to_owned);
            return Err(match (refusal, import) {
                (Some(reason), _) => BindError::Refused(reason),
                (None, None) => refuse(handle, "was never announced"),
                (None, Some(_)) => refuse(handle, "wasn't announced for writing"),
            });
        };
        Ok((Arc::clone(&pages.backing), Arc::clone(&pages.leases)))
    }

    pub(super) fn borrow_theirs(
        &self,
        handle: &Handle,
        access: Access,
    ) -> Result<Bound, BindError> {
        let (backing, leases) = self.find_theirs(handle, access)?;
        let layout = place(handle, backing.mapping().len(), access)?;
        let key = leases
            .begin(&layout.bytes(), access, &BORROWER)
            .map_err(overlap(handle))?;
        lent(
            handle,
            backing,
            layout,
            access,
            BorrowedTheirs { leases, key },
        )
    }

    fn borrow_ours(&self, handle: &Handle, access: Access) -> Result<Bound, BindError> {
        let backing = self.find_ours(handle)?;
        let layout = place(handle, backing.mapping().len(), access)?;
        let (extent, key) = {
            // Locked until it is marked: the transfer may be taken back at any moment.
            let transfers = self.transfers();
            let extent = transfers
                .holding(&backing, &layout.bytes())
                .ok_or_else(|| refuse(handle, "lends what was never given"))?;
            let start = extent.range().start;
            let range = layout.bytes().start - start..layout.bytes().end - start;
            let key = extent.leases().begin(&range, access, &BORROWER);
            (extent, key)
        };
        let key = key.map_err(overlap(handle))?;
        lent(
            handle,
            backing,
            layout,
            access,
            BorrowedOurs { extent, key },
        )
    }

    /// Takes in what the peer moves here, or shares (`Access::Shared`).
    fn receive_theirs(
        &self,
        handle: &Handle,
        transfer: u64,
        access: Access,
    ) -> Result<(Arc<Extent>, CheckedLayout), BindError> {
        let found = self.find_theirs(handle, access);
        if let Err(BindError::Refused(_)) = found {
            // It can't be used here, so it goes back at once.
            self.send_or_close(&Frame::Ended { transfer });
        }
        let (backing, leases) = found?;
        let layout = place(handle, backing.mapping().len(), Access::ReadWrite)?;
        let cell_bytes = layout.dtype().size_bytes();
        let key = match access {
            Access::Shared => leases.begin_shared(&layout.bytes(), cell_bytes, &BORROWER),
            Access::Read | Access::ReadWrite => leases.begin(&layout.bytes(), access, &BORROWER),
        };
        let key = key.map_err(overlap(handle))?;
        let tenure = FromPeer {
            channel: Weak::clone(&self.this),
            channel_uid: self.uid(),
            transfer,
            leases,
            bytes: layout.bytes(),
            key: Mutex::new(Some(key)),
            _counted: self.account().note_result(layout.bytes().len()),
        };
        let start = layout.bytes().start / BASE_ALIGNMENT * BASE_ALIGNMENT;
        let extent = Arc::new(Extent::new(backing, start..layout.bytes().end, tenure));
        if access == Access::Shared && !shared::mark(&extent, cell_bytes) {
            unreachable!("a new extent is not leased");
        }
        let layout = within(handle, &extent, layout.dtype())?;
        Ok((extent, layout))
    }

    /// Finds a cell that this side made, and the peer shares.
    fn share_ours(&self, handle: &Handle, transfer: u64) -> Result<Bound, BindError> {
        let backing = self.find_ours(handle)?;
        let layout = place(handle, backing.mapping().len(), Access::Shared)?;
        let extent = self
            .transfers()
            .get(transfer)
            .filter(|extent| extent.leases().is_shared() && is_inside(&layout, &backing, extent))
            .ok_or_else(|| refuse(handle, "shares what was never shared with it"))?;
        let layout = within(handle, &extent, layout.dtype())?;
        Ok(Bound::Shared { extent, layout })
    }

    fn take_back(
        &self,
        handle: &Handle,
        transfer: u64,
    ) -> Result<(Arc<Extent>, CheckedLayout), BindError> {
        let backing = self.find_ours(handle)?;
        let layout = place(handle, backing.mapping().len(), Access::ReadWrite)?;
        let extent = self.transfers().remove(transfer);
        let extent = extent.ok_or_else(|| refuse(handle, "returns what was never given"))?;
        let all = 0..extent.len();
        if !is_inside(&layout, &backing, &extent)
            || extent
                .leases()
                .check_leases(&all, Access::ReadWrite)
                .is_err()
        {
            return Err(refuse(handle, "returns something else than was given"));
        }
        let layout = within(handle, &extent, layout.dtype())?;
        Ok((extent, layout))
    }

    fn find_ours(&self, handle: &Handle) -> Result<Arc<Backing>, BindError> {
        self.exports()
            .find(handle.segment)
            .ok_or_else(|| refuse(handle, "was never announced by this side"))
    }
}

/// The tenure of a tensor that a peer moved here.
struct FromPeer {
    channel: Weak<Channel>,
    channel_uid: u64,
    transfer: u64,
    leases: Arc<Leases>,
    bytes: Range<usize>,
    /// The mark on the bytes; none while they are on their way back.
    key: Mutex<Option<u64>>,
    _counted: ResultBytes,
}

impl FromPeer {
    fn key(&self) -> MutexGuard<'_, Option<u64>> {
        self.key.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tenure for FromPeer {
    fn end(&self, _: &Arc<Backing>, _: &Range<usize>) {
        let Some(key) = self.key().take() else { return };
        self.leases.end(key);
        if let Some(channel) = self.channel.upgrade() {
            // A peer that is gone has no use for it.
            let _ = channel.send(&Frame::Ended {
                transfer: self.transfer,
            });
        }
    }

    fn transfer(&self) -> Option<(u64, u64)> {
        Some((self.channel_uid, self.transfer))
    }

    fn give_back(&self) {
        // Before the frame is sent: the peer may lend the same bytes as soon as it has them.
        if let Some(key) = self.key().take() {
            self.leases.end(key);
        }
    }

    fn keep(&self) -> bool {
        let mut key = self.key();
        if key.is_none() {
            let begun = self.leases.begin(&self.bytes, Access::ReadWrite, &BORROWER);
            *key = begun.ok();
        }
        key.is_some()
    }
}

pub(super) fn refuse(handle: &Handle, what: &str) -> BindError {
    let place = match handle.origin {
        Origin::Sender | Origin::Receiver => format!("segment {}", handle.segment),
        Origin::Frame => "its frame".to_owned(),
    };
    BindError::Violation(Violation(format!("sent an array in {place}, which {what}")))
}

fn overlap(handle: &Handle) -> impl Fn(crate::AccessError) -> BindError {
    let segment = handle.segment;
    move |_| {
        BindError::Violation(Violation(format!(
            "sent an array in segment {segment} that overlaps another one in use"
        )))
    }
}

/// Checks a handle's numbers against the length of its segment, or of what its frame brought.
pub(super) fn place(
    handle: &Handle,
    len: usize,
    access: Access,
) -> Result<CheckedLayout, BindError> {
    let dtype = DType::from_number(handle.dtype)
        .ok_or_else(|| refuse(handle, &format!("has no element type {}", handle.dtype)))?;
    let claim = (&*handle.shape, &*handle.strides);
    let is_mutable = access != Access::Read;
    CheckedLayout::check(handle.offset_bytes, claim, dtype, len, is_mutable)
        .map_err(|error| refuse(handle, &format!("can't hold it: {error}")))
}

/// The same elements with the first one `offset_bytes` into other `len` bytes.
pub(super) fn move_to(
    handle: &Handle,
    dtype: DType,
    offset_bytes: u64,
    len: usize,
) -> Result<CheckedLayout, BindError> {
    let claim = (&*handle.shape, &*handle.strides);
    CheckedLayout::check(offset_bytes, claim, dtype, len, false)
        .map_err(|error| refuse(handle, &error.to_string()))
}

fn lent(
    handle: &Handle,
    backing: Arc<Backing>,
    layout: CheckedLayout,
    access: Access,
    loan: impl Send + Sync + 'static,
) -> Result<Bound, BindError> {
    Lent::new(backing, layout, access, loan)
        .map(Bound::Lent)
        .ok_or_else(|| {
            refuse(
                handle,
                "has a bool that is neither 0 nor 1, or more of them than bytes",
            )
        })
}

/// Whether the bytes of a handle lie in an extent.
fn is_inside(layout: &CheckedLayout, backing: &Backing, extent: &Extent) -> bool {
    let range = extent.range();
    extent.backing().uid() == backing.uid()
        && range.start <= layout.bytes().start
        && layout.bytes().end <= range.end
}

/// Locates an array in its extent.
fn within(handle: &Handle, extent: &Extent, dtype: DType) -> Result<CheckedLayout, BindError> {
    let offset_bytes = handle.offset_bytes - extent.range().start as u64;
    move_to(handle, dtype, offset_bytes, extent.len())
}
