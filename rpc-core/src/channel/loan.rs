//! From tensors to handles: what a call or a reply takes along.

use std::sync::Arc;

use ndarray::{ArrayRef, Dimension};

use super::exposed::Exposed;
use super::inline::{Inline, row_major};
use super::named::Named;
use super::{Channel, SendError};
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

impl Channel {
    /// Names arrays for the peer, announcing the segments that it doesn't know. Those that are named when
    /// another one can't be are in `named`, too.
    pub(crate) fn name_all(&self, loans: &[Loan], named: &mut Named) -> Result<(), SendError> {
        if loans.is_empty() {
            return Ok(());
        }
        named.channel = Some(self.this.upgrade().ok_or(SendError::Closed)?);
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
        Ok(())
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
