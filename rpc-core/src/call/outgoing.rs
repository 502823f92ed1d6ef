//! A call that is about to be sent: its arguments become bytes and loans.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use ndarray::{ArrayRef, ArrayViewMut, Dimension};
use serde::Serialize;

use super::argument::{ArgMut, SendArg};
use super::copy_back::{CopyBack, FromExposed, Staged};
use super::entrusted::Given;
use super::error::{FailureCause, SendError};
use super::later::Later;
use super::pending::FindInstance;
use super::report::{CopyReason, Report};
use crate::channel::Channel;
use crate::channel::exposed::Exposed;
use crate::channel::inline::Inline;
use crate::channel::loan::{self, Loan};
use crate::channel::wait::COPIED_SOON_BYTES;
use crate::segment::account::Copies;
use crate::segment::backing::Backing;
use crate::segment::lease::{Holder, Lease};
use crate::segment::mapping::Access;
use crate::segment::shared::Shared;
use crate::segment::stranger::{Reach, Stranger};
use crate::segment::{AccessError, Atomic, ShmExhausted};
use crate::tensor::pointer::Located;
use crate::tensor::{Element, Tensor, TensorViewMut};
use crate::wire::codec;
use crate::wire::trace::TraceContext;

/// Collects the arguments of a call.
pub struct Outgoing<'a> {
    /// Whom leases are held by: worker, module and function.
    holder: Holder,
    pub(super) forbids_copies: bool,
    pub(super) channel: Arc<Channel>,
    pub(crate) body: Vec<u8>,
    pub(crate) trace: Option<Box<TraceContext>>,
    pub(crate) loans: Vec<Loan>,
    pub(crate) inline: Inline,
    pub(crate) report: Report,
    /// What is copied back into the caller's arrays when the function has returned.
    pub(crate) copies_back: Vec<Box<dyn CopyBack + Send + 'a>>,
    /// Arguments that wait for memory, if they do that.
    pub(super) later: Option<Later<'a>>,
    /// What was counted for copies.
    pub(crate) copies: Option<Copies>,
    /// Why an argument can't be sent: the first one's reason.
    failure: Option<SendError>,
    /// What was passed by value, until it is sent.
    pub(crate) given: Given,
    /// Finds the instance in the reply of a constructor.
    pub(crate) expects: Option<FindInstance>,
}

impl<'a> Outgoing<'a> {
    pub(crate) fn new(holder: Holder, forbids_copies: bool, channel: &Arc<Channel>) -> Self {
        Self {
            holder,
            forbids_copies,
            channel: Arc::clone(channel),
            body: Vec::new(),
            trace: None,
            loans: Vec::new(),
            inline: Inline::default(),
            report: Report::default(),
            copies_back: Vec::new(),
            later: None,
            copies: None,
            failure: None,
            given: Vec::new(),
            expects: None,
        }
    }

    /// Makes it ready for another worker, after one that was gone before it was sent.
    pub(crate) fn readdress(&mut self, channel: &Arc<Channel>) {
        if !Arc::ptr_eq(&self.channel, channel) {
            // They count for the worker that they are copied for.
            self.copies = None;
        }
        self.channel = Arc::clone(channel);
    }

    /// Takes back the leases, in the order in which they were given, of a call that was not sent.
    pub(crate) fn take_back(&mut self, leases: Vec<Lease>) {
        let lent = self.loans.iter_mut().filter(|loan| loan.lacks_lease());
        lent.zip(leases)
            .for_each(|(loan, lease)| loan.take_back(lease));
    }

    /// Tells whether it has all leases, so that it can be sent.
    pub(crate) fn is_whole(&self) -> bool {
        !self.loans.iter().any(Loan::lacks_lease)
    }

    /// Adds an argument that travels by handle, or a part of one.
    ///
    /// If it can't be sent (it is leased, poisoned, or finds no memory), that is noted for
    /// [`finish`](Self::finish); those behind it are added all the same, so that whatever was
    /// passed by value can be handed back.
    pub fn handle<T: SendArg<'a>>(&mut self, argument: &str, value: T) {
        let sent = value.send(argument, self);
        self.note(sent);
    }

    /// Adds an argument that travels as serde writes it, or a part of one. What can't be encoded
    /// is noted, as in [`handle`](Self::handle).
    pub fn value<T: Serialize + ?Sized>(&mut self, argument: &str, value: &T) {
        let encoded = self.encode(argument, value);
        self.note(encoded);
    }

    /// Ends the arguments.
    ///
    /// # Errors
    /// If one of them can't be sent.
    pub fn finish(&mut self) -> Result<(), SendError> {
        self.failure.take().map_or(Ok(()), Err)
    }

    /// Keeps why a part can't be sent, for [`finish`](Self::finish), unless another one can't.
    pub(crate) fn note(&mut self, sent: Result<(), SendError>) {
        if let Err(error) = sent {
            self.failure.get_or_insert(error);
        }
    }

    /// Writes a value into the body.
    ///
    /// # Errors
    /// If it can't be encoded.
    pub(crate) fn encode<T: Serialize + ?Sized>(
        &mut self,
        argument: &str,
        value: &T,
    ) -> Result<(), SendError> {
        codec::encode_into(value, &mut self.body).map_err(|error| {
            SendError(FailureCause::Encode {
                argument: argument.to_owned(),
                reason: error.to_string(),
            })
        })
    }

    pub(crate) fn lend<A: Element, D: Dimension>(
        &mut self,
        argument: &str,
        located: &Located<A, D>,
    ) -> Result<(), SendError> {
        let backing = located.extent().backing();
        if self.channel.takes(backing, Access::Read) {
            return self.lend_for(argument, located, Access::Read);
        }
        let elements = located
            .view()
            .map_err(|source| inaccessible(argument, source))?;
        self.copy_for(argument, &elements, self.reason(backing, Access::Read))
    }

    /// Why what lies there is copied first.
    fn reason(&self, backing: &Backing, access: Access) -> CopyReason {
        match (self.channel.stranger(), access) {
            (Some(_), Access::Read) => CopyReason::UntrustedReader,
            (Some(_), _) => CopyReason::UntrustedWriter,
            (None, _) if backing.reach() == Reach::Guarded => CopyReason::Guarded,
            (None, _) => CopyReason::OtherSegments,
        }
    }

    pub(crate) fn lend_mut<A: Element, D: Dimension + 'a>(
        &mut self,
        argument: &str,
        mut view: TensorViewMut<'a, A, D>,
    ) -> Result<(), SendError> {
        let located = view.located();
        let backing = located.extent().backing();
        if self.channel.takes(backing, Access::ReadWrite) {
            return self.lend_for(argument, located, Access::ReadWrite);
        }
        let reason = self.reason(backing, Access::ReadWrite);
        // For writing already now: a call that reads it would keep the result from being copied back.
        let elements = view
            .view_mut()
            .map_err(|source| inaccessible(argument, source))?;
        let reasons = [reason.clone(), reason];
        let copy = self.copy_for_writing(argument, &elements, reasons)?;
        drop(elements);
        self.copies_back.push(copy.back_into(ArgMut::Tensor(view)));
        Ok(())
    }

    fn lend_for<A: Element, D: Dimension>(
        &mut self,
        argument: &str,
        located: &Located<A, D>,
        access: Access,
    ) -> Result<(), SendError> {
        let loan = Loan::lend(located, access, &self.holder)
            .map_err(|source| inaccessible(argument, source))?;
        self.report.shared_bytes += loan.size_bytes();
        self.add(argument, loan)
    }

    pub(crate) fn give<T: Any + Send + Sync, A: Element, D: Dimension>(
        &mut self,
        argument: &str,
        value: T,
        located: impl FnOnce(&T) -> &Located<A, D>,
    ) -> Result<(), SendError> {
        let loan = self.offer(argument, located(&value));
        self.give_as(argument, value, loan)
    }

    /// Names elements that are given away.
    ///
    /// # Errors
    /// If a call holds them, they are poisoned, or would have to be copied and there is no memory.
    pub(crate) fn offer<A: Element, D: Dimension>(
        &mut self,
        argument: &str,
        located: &Located<A, D>,
    ) -> Result<Loan, SendError> {
        let loan = Loan::give(located).map_err(|source| inaccessible(argument, source))?;
        let Some(stranger) = self.channel.stranger() else {
            return Ok(loan);
        };
        // The elements alone: what lies between them stays here.
        let elements = located
            .view()
            .map_err(|source| inaccessible(argument, source))?;
        let (size_bytes, reason) = (size_bytes(&elements), CopyReason::UntrustedWriter);
        if self.inline.is_for_giving(size_bytes) {
            self.check_copy(argument, size_bytes as u64, &reason)?;
            self.copied(argument, size_bytes, reason);
            return Ok(Loan::give_copy(&elements, &mut self.inline));
        }
        let exposed = self.expose(argument, &elements, stranger, reason)?;
        Ok(Loan::give_exposed(&exposed, &elements))
    }

    /// Gives `value` away, whose elements `loan` names.
    pub(crate) fn give_as<T: Any + Send + Sync>(
        &mut self,
        argument: &str,
        value: T,
        loan: Result<Loan, SendError>,
    ) -> Result<(), SendError> {
        // Kept in either case, so that an error hands it back.
        self.given.push((argument.to_owned(), Box::new(value)));
        let mut loan = loan?;
        if self.channel.stranger().is_some() {
            return self.add(argument, loan);
        }
        let reason = loan
            .backing()
            .map(|backing| self.reason(backing, Access::ReadWrite));
        let reason = reason.unwrap_or(CopyReason::OtherSegments);
        if !loan.travels_over(&self.channel) {
            self.check_copy(argument, loan.size_bytes(), &reason)?;
        }
        let n_copied = loan
            .adapt(&self.channel)
            .map_err(|error| SendError(error.into()))?;
        if n_copied > 0 {
            self.report.copied(Some(argument), n_copied, reason);
        } else {
            self.report.shared_bytes += loan.size_bytes();
        }
        self.add(argument, loan)
    }

    /// Adds cells, as a run (or, with `n_dimensions` 0, a single one).
    pub(crate) fn share<T: Atomic>(
        &mut self,
        argument: &str,
        shared: &Shared<T>,
        n_dimensions: usize,
    ) -> Result<(), SendError> {
        if !self.channel.may_share(shared.extent().backing()) {
            return Err(SendError(FailureCause::NotForUntrusted {
                argument: argument.to_owned(),
            }));
        }
        self.add(argument, Loan::share(shared, n_dimensions))
    }

    pub(crate) fn copy_in<A: Element, D: Dimension>(
        &mut self,
        argument: &str,
        array: &ArrayRef<A, D>,
    ) -> Result<(), SendError> {
        self.copy_for(argument, array, CopyReason::HeapArgument)
    }

    /// Copies an array, to lend the copy for reading.
    fn copy_for<A: Element, D: Dimension>(
        &mut self,
        argument: &str,
        array: &ArrayRef<A, D>,
        reason: CopyReason,
    ) -> Result<(), SendError> {
        let size_bytes = size_bytes(array);
        if !self.inline.is_for_lending(size_bytes) {
            return self.stage(argument, array, Access::Read, reason).map(drop);
        }
        self.check_copy(argument, size_bytes as u64, &reason)?;
        self.copied(argument, size_bytes, reason);
        let loan = Loan::lend_copy(array, &mut self.inline);
        self.add(argument, loan)
    }

    pub(crate) fn copy_in_and_back<A: Element, D: Dimension + 'a>(
        &mut self,
        argument: &str,
        array: ArrayViewMut<'a, A, D>,
    ) -> Result<(), SendError> {
        let reasons = [CopyReason::HeapArgument, CopyReason::HeapResult];
        let copy = self.copy_for_writing(argument, &array, reasons)?;
        self.copies_back.push(copy.back_into(ArgMut::Array(array)));
        Ok(())
    }

    /// Copies an array, to lend the copy for writing and to copy it back; `reasons` for the one and for
    /// the other.
    fn copy_for_writing<A: Element, D: Dimension>(
        &mut self,
        argument: &str,
        array: &ArrayRef<A, D>,
        [there, back]: [CopyReason; 2],
    ) -> Result<Written<A, D>, SendError> {
        let copy = match self.channel.stranger() {
            None => Written::Staged(self.stage(argument, array, Access::ReadWrite, there)?),
            Some(stranger) => {
                let exposed = self.expose(argument, array, stranger, there)?;
                let loan = Loan::lend_exposed(&exposed, array, &self.holder)
                    .map_err(|source| inaccessible(argument, source))?;
                self.add(argument, loan)?;
                Written::Exposed(exposed)
            }
        };
        self.copied(argument, size_bytes(array), back);
        Ok(copy)
    }

    /// Copies an array for an untrusted worker to write.
    fn expose<A: Element, D: Dimension>(
        &mut self,
        argument: &str,
        array: &ArrayRef<A, D>,
        stranger: Stranger,
        reason: CopyReason,
    ) -> Result<Exposed, SendError> {
        let size_bytes = size_bytes(array);
        self.check_copy(argument, size_bytes as u64, &reason)?;
        if size_bytes <= COPIED_SOON_BYTES {
            self.channel.wake_ahead();
        }
        let exposed =
            Exposed::copy_of(array, stranger).map_err(|source| exhausted(argument, source))?;
        self.copied(argument, size_bytes, reason);
        Ok(exposed)
    }

    /// Copies an array into a segment and lends it from there.
    fn stage<A: Element, D: Dimension>(
        &mut self,
        argument: &str,
        array: &ArrayRef<A, D>,
        access: Access,
        reason: CopyReason,
    ) -> Result<Tensor<A, D>, SendError> {
        let size_bytes = size_bytes(array);
        self.check_copy(argument, size_bytes as u64, &reason)?;
        if size_bytes <= COPIED_SOON_BYTES {
            self.channel.wake_ahead();
        }
        let staged = loan::stage(self.channel.home(), array)
            .map_err(|source| exhausted(argument, source))?;
        let loan = Loan::lend(staged.located(), access, &self.holder)
            .map_err(|source| inaccessible(argument, source))?;
        self.copied(argument, size_bytes, reason);
        self.add(argument, loan)?;
        Ok(staged)
    }

    /// Checks that an array may be copied.
    fn check_copy(
        &self,
        argument: &str,
        size_bytes: u64,
        reason: &CopyReason,
    ) -> Result<(), SendError> {
        if !self.forbids_copies {
            return Ok(());
        }
        Err(SendError(FailureCause::CopyForbidden {
            argument: argument.to_owned(),
            size_bytes,
            reason: reason.clone(),
        }))
    }

    fn copied(&mut self, argument: &str, size_bytes: usize, reason: CopyReason) {
        self.report
            .copied(Some(argument), size_bytes as u64, reason);
    }

    /// Writes the index of an array into the body.
    fn add(&mut self, argument: &str, loan: Loan) -> Result<(), SendError> {
        let index = u32::try_from(self.loans.len()).unwrap_or(u32::MAX);
        self.loans.push(loan);
        self.encode(argument, &index)
    }
}

impl fmt::Debug for Outgoing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing")
            .field("holder", &self.holder)
            .field("body", &self.body.len())
            .field("loans", &self.loans.len())
            .finish_non_exhaustive()
    }
}

fn inaccessible(argument: &str, source: AccessError) -> SendError {
    let argument = argument.to_owned();
    SendError(FailureCause::Access { argument, source })
}

fn exhausted(argument: &str, source: ShmExhausted) -> SendError {
    let argument = argument.to_owned();
    SendError(FailureCause::Exhausted { argument, source })
}

/// The bytes of all elements.
pub(crate) fn size_bytes<A, D: Dimension>(array: &ArrayRef<A, D>) -> usize {
    array.len().saturating_mul(size_of::<A>())
}

/// A copy that is lent for writing.
enum Written<A, D> {
    /// Under a lease.
    Staged(Tensor<A, D>),
    /// To a worker that isn't trusted.
    Exposed(Exposed),
}

impl<A: Element, D: Dimension> Written<A, D> {
    fn back_into<'a>(self, into: ArgMut<'a, A, D>) -> Box<dyn CopyBack + Send + 'a>
    where
        D: 'a,
    {
        match self {
            Self::Staged(staged) => Box::new(Staged { staged, into }),
            Self::Exposed(exposed) => Box::new(FromExposed::new(exposed, into)),
        }
    }
}
