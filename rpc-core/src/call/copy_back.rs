//! What comes back to the caller's own arrays when a function has returned.

use ndarray::Dimension;

use super::argument::ArgMut;
use super::error::FailureCause;
use crate::channel::exposed::Exposed;
use crate::segment::{ShmExhausted, Shortage};
use crate::tensor::{Element, Tensor, copy, pointer};

/// An array of the caller's that gets its contents when the function has returned.
pub(crate) trait CopyBack {
    /// Copies what has to be checked before the caller sees it, and checks it.
    ///
    /// # Errors
    /// If there is no memory for that, or an element isn't valid. No array of the caller's was changed.
    fn fetch(&mut self) -> Result<(), Unfetched> {
        Ok(())
    }

    /// Copies the contents.
    ///
    /// # Errors
    /// If they can't be read.
    fn copy_back(&mut self) -> Result<(), Unfetched>;
}

/// Why contents don't come back.
#[derive(Debug)]
pub(crate) enum Unfetched {
    /// There is no memory for a copy.
    Exhausted(ShmExhausted),
    /// The worker wrote bytes that are no element.
    Invalid,
}

/// What a worker did that filled a mutable array of `bool` with other bytes.
pub(super) const INVALID_BOOL: &str = "wrote a bool that is neither 0 nor 1";

impl From<Unfetched> for FailureCause {
    fn from(unfetched: Unfetched) -> Self {
        match unfetched {
            Unfetched::Exhausted(source) => Self::NoRoomForResult { source },
            Unfetched::Invalid => Self::Protocol {
                reason: INVALID_BOOL.to_owned(),
            },
        }
    }
}

/// A copy in a segment that a trusted worker wrote under a lease.
pub(super) struct Staged<'a, A, D> {
    pub(super) staged: Tensor<A, D>,
    pub(super) into: ArgMut<'a, A, D>,
}

impl<A: Element, D: Dimension> CopyBack for Staged<'_, A, D> {
    fn copy_back(&mut self) -> Result<(), Unfetched> {
        // Poisoned or leased, its contents are nobody's result.
        if let Ok(from) = self.staged.view() {
            write(&mut self.into, |into| copy(&from, into));
        }
        Ok(())
    }
}

/// A copy in a segment that an untrusted worker may go on writing.
pub(super) struct FromExposed<'a, A, D> {
    exposed: Exposed,
    into: ArgMut<'a, A, D>,
    /// The contents, where they couldn't be copied to their place at once.
    fetched: Option<Tensor<A, D>>,
}

impl<'a, A: Element, D: Dimension> FromExposed<'a, A, D> {
    pub(super) fn new(exposed: Exposed, into: ArgMut<'a, A, D>) -> Self {
        Self {
            exposed,
            into,
            fetched: None,
        }
    }
}

impl<A: Element, D: Dimension> CopyBack for FromExposed<'_, A, D> {
    fn fetch(&mut self) -> Result<(), Unfetched> {
        let mut shape = None;
        write(&mut self.into, |into| {
            let is_run = into.as_slice_mut().is_some_and(|elements| {
                // Any bytes are elements, so they needn't be looked at first.
                pointer::bytes_of_mut(elements).is_some()
            });
            shape = (!is_run).then(|| into.raw_dim());
        });
        let Some(shape) = shape else { return Ok(()) };
        let mut fetched = Tensor::<A, D>::uninit(shape).map_err(Unfetched::Exhausted)?;
        if let Ok(bytes) = fetched.located_mut().bytes_of_run_mut() {
            self.exposed.read(bytes).map_err(unread)?;
        }
        if !fetched.located().scan() {
            return Err(Unfetched::Invalid);
        }
        self.fetched = Some(fetched);
        Ok(())
    }

    fn copy_back(&mut self) -> Result<(), Unfetched> {
        let (exposed, fetched) = (&self.exposed, self.fetched.take());
        let mut read = Ok(());
        write(&mut self.into, |into| match fetched {
            Some(fetched) => {
                if let Ok(from) = fetched.view() {
                    copy(&from, into);
                }
            }
            None => {
                let bytes = into.as_slice_mut().and_then(pointer::bytes_of_mut);
                read = exposed.read(bytes.unwrap_or_default());
            }
        });
        read.map_err(unread)
    }
}

/// Writes an array of the caller's. No call holds it, as none did when this one borrowed it.
fn write<A: Element, D: Dimension>(
    into: &mut ArgMut<'_, A, D>,
    write: impl FnOnce(&mut ndarray::ArrayRef<A, D>),
) {
    match into {
        ArgMut::Array(array) => write(array),
        ArgMut::Tensor(view) => {
            if let Ok(mut view) = view.view_mut() {
                write(&mut view);
            }
        }
    }
}

fn unread(error: std::io::Error) -> Unfetched {
    Unfetched::Exhausted(ShmExhausted::new(0, Shortage::Reservation(error)))
}
