//! How a call is received: its answer is read, and arrays are copied back.

use super::link::Link;
use super::{Call, InFlight, Receive};
use crate::call::copy_back::{INVALID_BOOL, Unfetched};
use crate::call::error::{CallError, FailureCause, Refusal};
use crate::call::pending::Answer;
use crate::call::report::{CopyReason, Report};
use crate::channel::Violation;
use crate::wire::frame::Failure;

impl<T, E> Call<'_, T, E> {
    pub(super) fn receive(
        &self,
        answer: Result<Answer, FailureCause>,
        mut in_flight: InFlight<'_>,
    ) -> Result<(T, Report), CallError<E>> {
        let (mut parcel, copied_bytes) = match answer {
            Ok(Answer::Returned {
                parcel,
                copied_bytes,
            }) => (parcel, copied_bytes),
            Ok(Answer::HandedBack { cause, given }) => return Err(self.failure(cause, given)),
            Err(cause) => return Err(self.failure(cause, Vec::new())),
        };
        let unfetched = |unfetched| self.unfetched(unfetched, &in_flight.connection);
        // Nothing of the caller's changes unless everything that came can be used.
        for array in &mut in_flight.sent.copies_back {
            array.fetch().map_err(unfetched)?;
        }
        let n_given = parcel.size_bytes();
        let n_copied = parcel
            .copy_out()
            .map_err(|source| self.failure(FailureCause::NoRoomForResult { source }, Vec::new()))?;
        let mut report = in_flight.sent.report;
        if copied_bytes > 0 {
            report.copied(None, copied_bytes, CopyReason::HeapReturned);
        }
        if n_copied > 0 {
            report.copied(None, n_copied, CopyReason::UntrustedResult);
        }
        report.shared_bytes += n_given.saturating_sub(copied_bytes);
        let mut incoming = parcel.open_for(&self.caller);
        let malformed = |failure: Failure| {
            let reason = Refusal(failure).to_string();
            self.failure(FailureCause::Protocol { reason }, Vec::new())
        };
        let returned = match &self.receive {
            Receive::Known(receive) => receive(&mut incoming),
            Receive::Described(receive) => receive(&mut incoming),
        };
        let returned = returned.map_err(malformed)?;
        incoming.finish().map_err(malformed)?;
        for array in &mut in_flight.sent.copies_back {
            array.copy_back().map_err(unfetched)?;
        }
        returned
            .map(|value| (value, report))
            .map_err(CallError::Returned)
    }

    fn unfetched(&self, unfetched: Unfetched, link: &Link) -> CallError<E> {
        if matches!(unfetched, Unfetched::Invalid)
            && let Some(connection) = link.find()
        {
            connection
                .exchange()
                .break_off(Violation(INVALID_BOOL.to_owned()));
        }
        self.failure(unfetched.into(), Vec::new())
    }
}
