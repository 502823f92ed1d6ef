//! From tensors to handles: what a call or a reply takes along.

use std::sync::Arc;

use ndarray::Dimension;

use super::{Channel, SendError};
use crate::segment::AccessError;
use crate::segment::extent::Extent;
use crate::segment::lease::Lease;
use crate::segment::mapping::Access;
use crate::segment::pool;
use crate::tensor::layout::{CheckedLayout, Layout};
use crate::tensor::pointer::Located;
use crate::tensor::{DType, Element, Tensor};
use crate::wire::handle::{Handle, Origin, Terms};

/// An array that is about to be sent.
#[derive(Debug)]
pub(crate) struct Loan {
    extent: Arc<Extent>,
    layout: Layout,
    dtype: DType,
    /// `None` if it is given away.
    lease: Option<(Lease, Access)>,
}

impl Loan {
    /// Lends the elements, in the name of `holder`, until the lease is dropped.
    ///
    /// # Errors
    /// If another call holds them, or they are poisoned.
    pub(crate) fn lend<A: Element, D: Dimension>(
        located: &Located<A, D>,
        access: Access,
        holder: &Arc<str>,
    ) -> Result<Self, AccessError> {
        let lease = Lease::begin(located.extent(), &located.bytes(), access, holder)?;
        Ok(Self {
            lease: Some((lease, access)),
            ..Self::unleased(located)
        })
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
        Ok(Self::unleased(located))
    }

    fn unleased<A: Element, D: Dimension>(located: &Located<A, D>) -> Self {
        Self {
            extent: Arc::clone(located.extent()),
            layout: located.layout(),
            dtype: A::DTYPE,
            lease: None,
        }
    }

    /// The bytes of all elements.
    pub(crate) fn size_bytes(&self) -> u64 {
        let n_elements: u64 = self.layout.shape.iter().product();
        n_elements * self.dtype.size_bytes() as u64
    }

    /// The lease, which from now on ends with the call.
    pub(crate) fn take_lease(&mut self) -> Option<Lease> {
        self.lease.take().map(|(lease, _)| lease)
    }

    /// The elements once more, if they are bools that are lent for writing.
    pub(crate) fn lent_bools(&self) -> Option<Located<bool, ndarray::IxDyn>> {
        let is_lent_for_writing = matches!(self.lease, Some((_, Access::ReadWrite)));
        if self.dtype != DType::Bool || !is_lent_for_writing {
            return None;
        }
        let len = self.extent.len();
        let layout = CheckedLayout::new(&self.layout, DType::Bool, len, true).ok()?;
        Located::new(Arc::clone(&self.extent), &layout)
    }

    fn access(&self) -> Access {
        self.lease
            .as_ref()
            .map_or(Access::ReadWrite, |(_, access)| *access)
    }
}

/// Handles whose transfers are under way; they are taken back unless the frame is sent.
#[derive(Debug)]
pub(crate) struct Named<'a> {
    channel: &'a Channel,
    handles: Vec<Handle>,
    transfers: Vec<u64>,
    returned: Vec<Arc<Extent>>,
}

impl Named<'_> {
    /// The handles, once. The frame that takes them is sent next, and its fate told to
    /// [`settle`](Self::settle).
    pub(crate) fn take_handles(&mut self) -> Vec<Handle> {
        std::mem::take(&mut self.handles)
    }

    /// Keeps the transfers if the frame was sent.
    pub(crate) fn settle<T>(mut self, sent: &Result<T, SendError>) {
        if sent.is_ok() {
            self.transfers.clear();
            self.returned.clear();
        }
    }
}

impl Drop for Named<'_> {
    fn drop(&mut self) {
        for transfer in self.transfers.drain(..) {
            let extent = self.channel.transfers().remove(transfer);
            drop(extent);
        }
        for extent in self.returned.drain(..) {
            extent.tenure().keep();
        }
    }
}

impl Handle {
    /// The number of the transfer of a moved handle.
    pub(crate) fn transfer(&self) -> u64 {
        match self.terms {
            Terms::Moved { transfer } | Terms::Returned { transfer } => transfer,
            Terms::Read | Terms::ReadWrite => 0,
        }
    }
}

impl Channel {
    /// Names arrays for the peer, announcing the segments that it doesn't know.
    pub(crate) fn name_all(&self, loans: &[Loan]) -> Result<Named<'_>, SendError> {
        let (handles, transfers, returned) = (Vec::new(), Vec::new(), Vec::new());
        let mut named = Named {
            channel: self,
            handles,
            transfers,
            returned,
        };
        for loan in loans {
            let handle = self.name(loan)?;
            match handle.terms {
                Terms::Moved { transfer } => named.transfers.push(transfer),
                Terms::Returned { .. } => named.returned.push(Arc::clone(&loan.extent)),
                Terms::Read | Terms::ReadWrite => {}
            }
            named.handles.push(handle);
        }
        Ok(named)
    }

    fn name(&self, loan: &Loan) -> Result<Handle, SendError> {
        let backing = loan.extent.backing();
        let theirs = self.imports().number_of(backing);
        let (origin, segment) = match theirs {
            Some(segment) => (Origin::Receiver, segment),
            None => (Origin::Sender, self.announce(backing, loan.access())?),
        };
        let terms = match (&loan.lease, loan.extent.tenure().transfer()) {
            (Some((_, Access::Read)), _) => Terms::Read,
            (Some((_, Access::ReadWrite)), _) => Terms::ReadWrite,
            (None, Some((channel, transfer))) if channel == self.uid() => {
                loan.extent.tenure().give_back();
                Terms::Returned { transfer }
            }
            (None, _) => Terms::Moved {
                transfer: self.transfers().add(&loan.extent),
            },
        };
        Ok(Handle {
            origin,
            segment,
            terms,
            dtype: loan.dtype as u8,
            offset_bytes: loan.extent.range().start as u64 + loan.layout.offset_bytes,
            shape: loan.layout.shape.clone(),
            strides: loan.layout.strides.clone(),
        })
    }

    /// Puts a frame that is too long for a message into a segment.
    pub(super) fn place_long_frame(&self, bytes: &[u8]) -> Result<Handle, SendError> {
        let mut tensor = Tensor::<u8, ndarray::Ix1>::uninit(bytes.len())?;
        match tensor.located_mut().bytes_of_run_mut() {
            Ok(place) => place.copy_from_slice(bytes),
            Err(error) => unreachable!("a new tensor is not leased: {error}"),
        }
        let segment = self.announce(tensor.located().extent().backing(), Access::Read)?;
        let extent = tensor.located().extent();
        let transfer = self.transfers().add(extent);
        Ok(Handle {
            origin: Origin::Sender,
            segment,
            terms: Terms::Moved { transfer },
            dtype: DType::U8 as u8,
            offset_bytes: extent.range().start as u64,
            shape: vec![bytes.len() as u64],
            strides: vec![1],
        })
    }
}

/// Copies an array of the heap into a segment, to lend it from there.
pub(crate) fn stage<A: Element, D: Dimension>(
    array: &ndarray::ArrayRef<A, D>,
) -> Result<Tensor<A, D>, crate::segment::ShmExhausted> {
    Tensor::copy_of(array).or_else(|_| {
        pool::trim_pool();
        Tensor::copy_of(array)
    })
}
