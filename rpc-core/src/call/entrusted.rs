//! What is given away with a call, from when its arrays are named until the worker has them.
//!
//! The values and the transfers are kept together, so that nobody hands the former back without taking the
//! latter back first: see [`Named`] for what a worker could have done meanwhile.

use std::any::Any;
use std::fmt;

use crate::channel::Violation;
use crate::channel::named::{Named, Used};

/// What was passed by value, under the arguments' names.
pub(crate) type Given = Vec<(String, Box<dyn Any + Send + Sync>)>;

/// What is given away with a call that may or may not be sent, or read. Dropped, it is nobody's.
#[derive(Default)]
pub(crate) struct Entrusted {
    pub(crate) named: Named,
    given: Given,
}

impl Entrusted {
    /// Entrusts a call with `given`, nothing of which is named yet.
    pub(crate) fn new(given: Given) -> Self {
        Self {
            named: Named::default(),
            given,
        }
    }

    /// Lets go of it, because the worker has it, or may have it.
    pub(crate) fn sent(mut self) {
        self.named.sent();
    }

    /// Takes it back, because the call was not sent, or not read.
    ///
    /// # Errors
    /// If the worker has used some of it. All of it is let go of then.
    pub(crate) fn take_back(self) -> Result<Given, Used> {
        let Self { named, given } = self;
        named.take_back().map(|()| given)
    }
}

impl fmt::Debug for Entrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entrusted")
            .field("named", &self.named)
            .field("n_given", &self.given.len())
            .finish()
    }
}

impl Used {
    /// What the worker did, where the call was not sent.
    pub(crate) fn before_it_was_sent(self) -> Violation {
        Violation("used an array before the call that gives it was sent".to_owned())
    }

    /// What the worker did, where it says that it did not read the call.
    pub(crate) fn without_reading(self) -> Violation {
        Violation("could not read a long frame, but used what came with it".to_owned())
    }
}
