//! A call that is about to be sent: its arguments become bytes and loans.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use ndarray::{ArrayRef, ArrayViewMut, Dimension};
use serde::Serialize;

use super::argument::SendArg;
use super::error::{FailureCause, SendError};
use super::pending::FindInstance;
use super::report::{CopyReason, Report};
use crate::channel::Channel;
use crate::channel::inline::Inline;
use crate::channel::loan::{self, Loan};
use crate::channel::wait::COPIED_SOON_BYTES;
use crate::segment::lease::{Holder, Lease};
use crate::segment::mapping::Access;
use crate::segment::shared::Shared;
use crate::segment::{AccessError, Atomic, ShmExhausted};
use crate::tensor::pointer::Located;
use crate::tensor::{Element, Tensor, TensorViewMut, copy};
use crate::wire::codec;
use crate::wire::trace::TraceContext;

/// Collects the arguments of a call.
pub struct Outgoing<'a> {
    /// Whom leases are held by: worker, module and function.
    holder: Holder,
    forbids_copies: bool,
    channel: Arc<Channel>,
    pub(crate) body: Vec<u8>,
    pub(crate) trace: Option<TraceContext>,
    pub(crate) loans: Vec<Loan>,
    pub(crate) inline: Inline,
    pub(crate) report: Report,
    /// What is copied back into the caller's arrays when the function has returned.
    pub(crate) copies_back: Vec<Box<dyn CopyBack + Send + 'a>>,
    /// Why an argument can't be sent: the first one's reason.
    failure: Option<SendError>,
    /// What was passed by value, until it is sent.
    pub(crate) given: Vec<(String, Box<dyn Any + Send + Sync>)>,
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
            failure: None,
            given: Vec::new(),
            expects: None,
        }
    }

    /// Makes it ready for another worker, after one that was gone before it was sent.
    pub(crate) fn readdress(&mut self, channel: &Arc<Channel>) {
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
        if self.channel.takes(located.extent().backing()) {
            return self.lend_for(argument, located, Access::Read);
        }
        let elements = located
            .view()
            .map_err(|source| inaccessible(argument, source))?;
        self.copy_for(argument, &elements, CopyReason::OtherSegments)
    }

    pub(crate) fn lend_mut<A: Element, D: Dimension + 'a>(
        &mut self,
        argument: &str,
        mut view: TensorViewMut<'a, A, D>,
    ) -> Result<(), SendError> {
        let located = view.located();
        if self.channel.takes(located.extent().backing()) {
            return self.lend_for(argument, located, Access::ReadWrite);
        }
        // For writing already now: a call that reads it would keep the result from being copied back.
        let elements = view
            .view_mut()
            .map_err(|source| inaccessible(argument, source))?;
        let reason = CopyReason::OtherSegments;
        let staged = self.stage(argument, &elements, Access::ReadWrite, reason.clone())?;
        self.copied(argument, size_bytes(&elements), reason);
        self.copies_back
            .push(Box::new(StagedTensor { staged, view }));
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
        let loan = Loan::give(located(&value));
        self.give_as(argument, value, loan)
    }

    /// Gives `value` away, whose elements `loan` names.
    pub(crate) fn give_as<T: Any + Send + Sync>(
        &mut self,
        argument: &str,
        value: T,
        loan: Result<Loan, AccessError>,
    ) -> Result<(), SendError> {
        // Kept in either case, so that an error hands it back.
        self.given.push((argument.to_owned(), Box::new(value)));
        let mut loan = loan.map_err(|source| inaccessible(argument, source))?;
        let reason = CopyReason::OtherSegments;
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
        if !self.inline.has_room_for(size_bytes) {
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
        let reason = CopyReason::HeapArgument;
        let staged = self.stage(argument, &array, Access::ReadWrite, reason)?;
        self.copied(argument, size_bytes(&array), CopyReason::HeapResult);
        self.copies_back.push(Box::new(Staged { staged, array }));
        Ok(())
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
            self.channel.wake_peer();
        }
        let staged = loan::stage(self.channel.segments(), array)
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

fn size_bytes<A, D: Dimension>(array: &ArrayRef<A, D>) -> usize {
    array.len().saturating_mul(size_of::<A>())
}

/// An array of the caller's that gets its contents when the function has returned.
pub(crate) trait CopyBack {
    /// Copies the contents.
    fn copy_back(&mut self);
}

struct Staged<'a, A, D> {
    staged: Tensor<A, D>,
    array: ArrayViewMut<'a, A, D>,
}

impl<A: Element, D: Dimension> CopyBack for Staged<'_, A, D> {
    fn copy_back(&mut self) {
        // Poisoned or leased, its contents are nobody's result.
        if let Ok(view) = self.staged.view() {
            copy(&view, &mut self.array);
        }
    }
}

struct StagedTensor<'a, A, D> {
    staged: Tensor<A, D>,
    view: TensorViewMut<'a, A, D>,
}

impl<A: Element, D: Dimension> CopyBack for StagedTensor<'_, A, D> {
    fn copy_back(&mut self) {
        // As above; and no call holds the tensor, as none did when this one borrowed it.
        if let (Ok(from), Ok(mut to)) = (self.staged.view(), self.view.view_mut()) {
            copy(&from, &mut to);
        }
    }
}
