//! From tensors to handles: what a call or a reply takes along.

use std::sync::Arc;

use ndarray::{ArrayRef, Dimension};

use super::exposed::Exposed;
use super::inline::{Inline, row_major};
use super::{Channel, SendError, Violation};
use crate::dims::Dims;
use crate::segment::backing::Backing;
use crate::segment::extent::Extent;
use crate::segment::lease::{Holder, Lease};
use crate::segment::mapping::Access;
use crate::segment::pool;
use crate::segment::shared::Shared;
use crate::segment::stranger::Reach;
use crate::segment::{AccessError, Atomic};
use crate::tensor::layout::{CheckedLayout, Layout};
use crate::tensor::pointer::Located;
use crate::tensor::{DType, Element, Home, Tensor, locate};
use crate::wire::handle::{Handle, Origin, Terms};

/// An array that is about to be sent.
#[derive(Debug)]
pub(crate) struct Loan {
    layout: Layout,
    dtype: DType,
    place: Place,
}

/// Where the elements of a loan are.
#[derive(Debug)]
enum Place {
    /// In a segment.
    Segment {
        extent: Arc<Extent>,
        /// `None` if it is given away, or shared.
        lease: Option<(Lease, Access)>,
        /// Whether it is lent, and so has a lease until a call has that.
        is_lent: bool,
        /// Whether both sides use it from now on.
        is_shared: bool,
    },
    /// In the frame: the receiver has a copy of its own.
    Frame(Terms),
}

impl Loan {
    /// Lends the elements, in the name of `holder`, until the lease is dropped.
    ///
    /// # Errors
    /// If another call holds them, or they are poisoned.
    pub(crate) fn lend<A: Element, D: Dimension>(
        located: &Located<A, D>,
        access: Access,
        holder: &Holder,
    ) -> Result<Self, AccessError> {
        let lease = Lease::begin(located.extent(), &located.bytes(), access, holder)?;
        Ok(Self::in_segment(located, Some((lease, access))))
    }

    /// Gives the elements away, in the name of `holder`.
    ///
    /// # Errors
    /// If a call holds them, or they are poisoned.
    pub(crate) fn give<A: Element, D: Dimension>(
        located: &Located<A, D>,
    ) -> Result<Self, AccessError> {
        let all = 0..located.extent().len();
        located.extent().leases().check(&all, Access::ReadWrite)?;
        Ok(Self::in_segment(located, None))
    }

    /// Lends a copy of the elements that travels in the frame.
    pub(crate) fn lend_copy<A: Element, D: Dimension>(
        array: &ArrayRef<A, D>,
        inline: &mut Inline,
    ) -> Self {
        Self::in_frame(array, inline, Terms::Read)
    }

    /// Gives a copy of the elements away that travels in the frame.
    pub(crate) fn give_copy<A: Element, D: Dimension>(
        array: &ArrayRef<A, D>,
        inline: &mut Inline,
    ) -> Self {
        Self::in_frame(array, inline, Terms::Moved { transfer: 0 })
    }

    /// Lends the copy of `array` that an untrusted worker may write, in the name of `holder`.
    ///
    /// # Errors
    /// If another call holds it.
    pub(crate) fn lend_exposed<A: Element, D: Dimension>(
        exposed: &Exposed,
        array: &ArrayRef<A, D>,
        holder: &Holder,
    ) -> Result<Self, AccessError> {
        let all = 0..exposed.extent().len();
        let lease = Lease::begin(exposed.extent(), &all, Access::ReadWrite, holder)?;
        Ok(Self::exposed(
            exposed,
            array,
            Some((lease, Access::ReadWrite)),
        ))
    }

    /// Gives the copy of `array` away that an untrusted worker may write.
    pub(crate) fn give_exposed<A: Element, D: Dimension>(
        exposed: &Exposed,
        array: &ArrayRef<A, D>,
    ) -> Self {
        Self::exposed(exposed, array, None)
    }

    fn exposed<A: Element, D: Dimension>(
        exposed: &Exposed,
        array: &ArrayRef<A, D>,
        lease: Option<(Lease, Access)>,
    ) -> Self {
        let shape: Dims<_> = array.shape().iter().map(|n| *n as u64).collect();
        let layout = Layout {
            offset_bytes: 0,
            strides: row_major(&shape),
            shape,
        };
        Self {
            layout,
            dtype: A::DTYPE,
            place: Place::Segment {
                extent: Arc::clone(exposed.extent()),
                is_lent: lease.is_some(),
                lease,
                is_shared: false,
            },
        }
    }

    fn in_frame<A: Element, D: Dimension>(
        array: &ArrayRef<A, D>,
        inline: &mut Inline,
        terms: Terms,
    ) -> Self {
        Self {
            layout: inline.push(array),
            dtype: A::DTYPE,
            place: Place::Frame(terms),
        }
    }

    /// Shares the elements with the peer, for as long as it likes.
    pub(crate) fn share<T: Atomic>(shared: &Shared<T>, n_dimensions: usize) -> Self {
        Self {
            layout: shared.layout(n_dimensions),
            dtype: T::DTYPE,
            place: Place::Segment {
                extent: Arc::clone(shared.extent()),
                lease: None,
                is_lent: false,
                is_shared: true,
            },
        }
    }

    fn in_segment<A: Element, D: Dimension>(
        located: &Located<A, D>,
        lease: Option<(Lease, Access)>,
    ) -> Self {
        let extent = Arc::clone(located.extent());
        Self {
            layout: located.layout(),
            dtype: A::DTYPE,
            place: Place::Segment {
                extent,
                is_lent: lease.is_some(),
                lease,
                is_shared: false,
            },
        }
    }

    /// Names the elements, whose place begins `start` bytes into the segment or the frame.
    fn handle(&self, origin: Origin, segment: u64, terms: Terms, start: u64) -> Handle {
        Handle {
            origin,
            segment,
            terms,
            dtype: self.dtype as u8,
            offset_bytes: start + self.layout.offset_bytes,
            shape: self.layout.shape.clone(),
            strides: self.layout.strides.clone(),
        }
    }

    /// The segment that it lies in.
    pub(crate) fn backing(&self) -> Option<&Arc<Backing>> {
        match &self.place {
            Place::Segment { extent, .. } => Some(extent.backing()),
            Place::Frame(_) => None,
        }
    }

    /// Tells whether it can travel over `channel` from where it lies.
    pub(crate) fn travels_over(&self, channel: &Channel) -> bool {
        match &self.place {
            Place::Segment { extent, .. } => channel.takes(extent.backing(), Access::ReadWrite),
            Place::Frame(_) => true,
        }
    }

    /// Sees to it that what is given away can travel over `channel`: copies it into a segment of the
    /// channel's kind, if it lies in one of another. Returns how many bytes were copied. (What is given
    /// to a worker that isn't trusted is [copied](Self::give_exposed) in any case.)
    pub(crate) fn adapt(&mut self, channel: &Channel) -> Result<u64, SendError> {
        let Place::Segment {
            extent,
            is_lent: false,
            is_shared: false,
            ..
        } = &mut self.place
        else {
            return Ok(0);
        };
        if channel.takes(extent.backing(), Access::ReadWrite) {
            return Ok(0);
        }
        let layout = CheckedLayout::new(&self.layout, self.dtype, extent.len(), true);
        let bytes = layout.map_or(0..0, |layout| layout.bytes());
        let run = locate(Arc::clone(extent), bytes.start, ndarray::Ix1(bytes.len()));
        let run: Located<u8, _> = run.ok_or(SendError::OtherSegments)?;
        let elements = run.view().map_err(|_| SendError::OtherSegments)?;
        let copy = stage(channel.home(), &elements)?;
        *extent = Arc::clone(copy.located().extent());
        self.layout.offset_bytes -= bytes.start as u64;
        Ok(bytes.len() as u64)
    }

    /// The bytes of all elements.
    pub(crate) fn size_bytes(&self) -> u64 {
        let n_elements: u64 = self.layout.shape.iter().product();
        n_elements * self.dtype.size_bytes() as u64
    }

    /// The lease, which from now on ends with the call.
    pub(crate) fn take_lease(&mut self) -> Option<Lease> {
        match &mut self.place {
            Place::Segment { lease, .. } => lease.take().map(|(lease, _)| lease),
            Place::Frame(_) => None,
        }
    }

    /// Tells whether what is lent has no lease any more, because a call has it.
    pub(crate) fn lacks_lease(&self) -> bool {
        matches!(
            &self.place,
            Place::Segment {
                lease: None,
                is_lent: true,
                ..
            }
        )
    }

    /// Takes the lease back of a call that was not sent.
    pub(crate) fn take_back(&mut self, returned: Lease) {
        if let Place::Segment { lease, .. } = &mut self.place {
            let access = returned.access();
            *lease = Some((returned, access));
        }
    }

    /// The bytes, if they are shared.
    pub(crate) fn shared(&self) -> Option<Arc<Extent>> {
        match &self.place {
            Place::Segment {
                extent,
                is_shared: true,
                ..
            } => Some(Arc::clone(extent)),
            Place::Segment { .. } | Place::Frame(_) => None,
        }
    }

    /// The elements once more, if they are bools that are lent for writing.
    pub(crate) fn lent_bools(&self) -> Option<Located<bool, ndarray::IxDyn>> {
        let Place::Segment {
            extent,
            lease: Some((_, Access::ReadWrite)),
            ..
        } = &self.place
        else {
            return None;
        };
        // What an untrusted worker could write is looked at when it has been copied.
        if self.dtype != DType::Bool || extent.backing().reach() == Reach::Exposed {
            return None;
        }
        let layout = CheckedLayout::new(&self.layout, DType::Bool, extent.len(), true).ok()?;
        Located::new(Arc::clone(extent), &layout)
    }
}

/// Handles whose transfers are under way; they are taken back unless the frame is sent.
#[derive(Debug, Default)]
pub(crate) struct Named {
    /// None if there is nothing to take back.
    channel: Option<Arc<Channel>>,
    handles: Vec<Handle>,
    transfers: Vec<u64>,
    returned: Vec<Arc<Extent>>,
}

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

    /// Takes everything back, because the peer says that it never read the frame.
    ///
    /// # Errors
    /// If it has ended one of the transfers, or given something of what was returned away again: it
    /// has read the frame, and what it had from it is not this side's any more.
    pub(crate) fn take_back(mut self) -> Result<(), Violation> {
        let mut was_used = false;
        for transfer in std::mem::take(&mut self.transfers) {
            let channel = self.channel.as_ref();
            let extent = channel.and_then(|channel| channel.transfers().remove(transfer));
            let is_whole = extent.is_some_and(|extent| {
                let (leases, all) = (extent.leases(), 0..extent.len());
                leases.is_shared() || leases.check_leases(&all, Access::ReadWrite).is_ok()
            });
            was_used |= !is_whole;
        }
        for extent in std::mem::take(&mut self.returned) {
            was_used |= !extent.tenure().keep();
        }
        if was_used {
            let what = "could not read a long frame, but used what came with it";
            return Err(Violation(what.to_owned()));
        }
        Ok(())
    }

    /// Notes that the frame was sent: from now on the transfers end with the peer's word.
    pub(crate) fn sent(&mut self) {
        self.transfers.clear();
        self.returned.clear();
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        for transfer in self.transfers.drain(..) {
            let channel = self.channel.as_ref();
            let extent = channel.and_then(|channel| channel.transfers().remove(transfer));
            drop(extent);
        }
        for extent in self.returned.drain(..) {
            extent.tenure().keep();
        }
    }
}

impl Channel {
    /// Names arrays for the peer, announcing the segments that it doesn't know.
    pub(crate) fn name_all(&self, loans: &[Loan]) -> Result<Named, SendError> {
        let (handles, transfers, returned) = (Vec::new(), Vec::new(), Vec::new());
        let mut named = Named {
            channel: None,
            handles,
            transfers,
            returned,
        };
        if !loans.is_empty() {
            named.channel = Some(self.this.upgrade().ok_or(SendError::Closed)?);
        }
        for loan in loans {
            let handle = match &loan.place {
                Place::Segment {
                    extent,
                    lease,
                    is_shared,
                    ..
                } => {
                    let lent = lease.as_ref().map(|(_, access)| *access);
                    let access = is_shared.then_some(Access::Shared).or(lent);
                    let handle = self.name(loan, extent, access)?;
                    match (handle.terms, handle.origin) {
                        (Terms::Moved { transfer }, _)
                        | (Terms::Shared { transfer }, Origin::Sender) => {
                            named.transfers.push(transfer);
                        }
                        (Terms::Returned { .. }, _) => named.returned.push(Arc::clone(extent)),
                        (Terms::Read | Terms::ReadWrite | Terms::Shared { .. }, _) => {}
                    }
                    handle
                }
                Place::Frame(terms) => loan.handle(Origin::Frame, 0, *terms, 0),
            };
            named.handles.push(handle);
        }
        Ok(named)
    }

    /// Names an array in a segment, lent or shared for `access`, or given away.
    fn name(
        &self,
        loan: &Loan,
        extent: &Arc<Extent>,
        access: Option<Access>,
    ) -> Result<Handle, SendError> {
        let backing = extent.backing();
        let theirs = self.imports().number_of(backing);
        let (origin, segment) = match theirs {
            Some(segment) => (Origin::Receiver, segment),
            None => {
                let access = access.unwrap_or(Access::ReadWrite);
                (Origin::Sender, self.announce(backing, access)?)
            }
        };
        let terms = match (access, extent.tenure().transfer()) {
            (Some(Access::Read), _) => Terms::Read,
            (Some(Access::ReadWrite), _) => Terms::ReadWrite,
            (Some(Access::Shared), Some((channel, transfer))) if channel == self.uid() => {
                Terms::Shared { transfer }
            }
            (Some(Access::Shared), _) => Terms::Shared {
                transfer: self.transfers().add(extent),
            },
            (None, Some((channel, transfer))) if channel == self.uid() => {
                extent.tenure().give_back();
                Terms::Returned { transfer }
            }
            (None, _) => Terms::Moved {
                transfer: self.transfers().add(extent),
            },
        };
        Ok(loan.handle(origin, segment, terms, extent.range().start as u64))
    }
}

/// Copies an array of the heap into a segment, to lend it from there for reading; or for writing, to
/// a peer that is trusted.
pub(crate) fn stage<A: Element, D: Dimension>(
    home: Home,
    array: &ArrayRef<A, D>,
) -> Result<Tensor<A, D>, crate::segment::ShmExhausted> {
    Tensor::copy_in(home, array).or_else(|_| {
        pool::trim_pool();
        Tensor::copy_in(home, array)
    })
}
