//! What a function returned, on its way to a frame.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use ndarray::{ArrayRef, Dimension};

use super::server::instances::{Instances, Unsent};
use crate::channel::inline::Inline;
use crate::channel::loan::Loan;
use crate::segment::Atomic;
use crate::segment::shared::Shared;
use crate::tensor::pointer::Located;
use crate::tensor::{Element, Tensor};
use crate::wire::codec;
use crate::wire::frame::Failure;

/// What a function returned, ready to be sent.
pub struct Reply {
    pub(crate) body: Vec<u8>,
    pub(crate) loans: Vec<Loan>,
    pub(crate) inline: Inline,
    pub(crate) copied_bytes: u64,
    instances: Arc<Instances>,
    pub(crate) made: Vec<Unsent>,
}

impl Reply {
    pub(super) fn new(instances: Arc<Instances>) -> Self {
        Self {
            body: Vec::new(),
            loans: Vec::new(),
            inline: Inline::default(),
            copied_bytes: 0,
            instances,
            made: Vec::new(),
        }
    }

    /// Adds an instance, which stays here.
    pub(crate) fn instance(&mut self, value: Box<dyn Any + Send + Sync>) -> Result<(), Failure> {
        let made = self.instances.keep(value)?;
        let number = made.number();
        self.made.push(made);
        self.value(&number)
    }

    /// Adds a value that travels as serde writes it.
    ///
    /// # Errors
    /// If it can't be encoded.
    pub fn value<T: serde::Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failure> {
        codec::encode_into(value, &mut self.body).map_err(|error| Failure::NotReturned {
            reason: error.to_string(),
        })
    }

    /// Adds cells.
    pub(crate) fn share<T: Atomic>(
        &mut self,
        shared: &Shared<T>,
        n_dimensions: usize,
    ) -> Result<(), Failure> {
        self.add(Loan::share(shared, n_dimensions))
    }

    /// Adds a tensor.
    pub(crate) fn give<A: Element, D: Dimension>(
        &mut self,
        located: &Located<A, D>,
    ) -> Result<(), Failure> {
        let loan = Loan::give(located).map_err(|error| Failure::NotReturned {
            reason: error.to_string(),
        })?;
        self.add(loan)
    }

    /// Adds a copy of an array of the heap.
    pub(crate) fn copy_out<A: Element, D: Dimension>(
        &mut self,
        array: &ArrayRef<A, D>,
    ) -> Result<(), Failure> {
        let size_bytes = array.len().saturating_mul(size_of::<A>());
        self.copied_bytes += size_bytes as u64;
        if self.inline.is_for_giving(size_bytes) {
            let loan = Loan::give_copy(array, &mut self.inline);
            return self.add(loan);
        }
        let tensor = Tensor::copy_of(array).map_err(|error| Failure::NotReturned {
            reason: error.to_string(),
        })?;
        self.give(tensor.located())
    }

    /// Writes the index of an array into the body.
    fn add(&mut self, loan: Loan) -> Result<(), Failure> {
        let index = u32::try_from(self.loans.len()).unwrap_or(u32::MAX);
        self.loans.push(loan);
        self.value(&index)
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply")
            .field("body", &self.body.len())
            .field("loans", &self.loans.len())
            .finish_non_exhaustive()
    }
}
