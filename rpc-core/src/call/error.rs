//! How a call can fail.

use std::any::Any;
use std::borrow::Cow;
use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::entrusted::Given;
use super::module::Method;
use crate::channel;
use crate::dynamic::Mismatch;
use crate::process::{GivenUp, StuckSign, WorkerEnd};
use crate::segment::{AccessError, ShmExhausted};
use crate::wire::frame::Failure;

/// Why a call has no result: the function returned its own error, or the call failed.
///
/// `E` is the error type of a function that returns `Result<_, E>`, and [`Infallible`] for others.
/// The `Debug` form of a failed call is for people as well, because that is what a `main` that
/// returns it prints.
pub enum CallError<E = Infallible> {
    /// The function ran and returned this error of its own.
    Returned(E),
    /// The call failed.
    Failed(Box<CallFailure>),
}

impl<E> CallError<E> {
    /// Tells whether the function has certainly not begun, so that repeating the call can't do
    /// anything twice.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Returned(_) => false,
            Self::Failed(failure) => failure.is_retryable(),
        }
    }

    /// Returns the failure of the call, if it isn't the function's own error.
    #[must_use]
    pub fn failure(&self) -> Option<&CallFailure> {
        match self {
            Self::Returned(_) => None,
            Self::Failed(failure) => Some(failure),
        }
    }

    /// Returns the function's own error, if it is one.
    pub fn into_returned(self) -> Result<E, Box<CallFailure>> {
        match self {
            Self::Returned(error) => Ok(error),
            Self::Failed(failure) => Err(failure),
        }
    }
}

impl<E: fmt::Display> fmt::Display for CallError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Returned(error) => error.fmt(f),
            Self::Failed(failure) => failure.fmt(f),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> std::error::Error for CallError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Returned(_) => None,
            Self::Failed(failure) => std::error::Error::source(failure),
        }
    }
}

impl<E: fmt::Debug> fmt::Debug for CallError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Returned(error) => error.fmt(f),
            Self::Failed(failure) => failure.fmt(f),
        }
    }
}

/// A call that failed: which one, and why.
pub struct CallFailure {
    pub(crate) worker: Arc<str>,
    pub(crate) method: Cow<'static, Method>,
    pub(crate) cause: FailureCause,
    pub(crate) unsent: Given,
}

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FailureCause {
    /// An argument can't be reached now: it is leased or poisoned. Nothing was sent.
    #[error("argument `{argument}` can't be lent")]
    Access {
        /// The argument.
        argument: String,
        /// Why.
        #[source]
        source: AccessError,
    },
    /// There is no shared memory for a copy of an argument. Nothing was sent.
    #[error("argument `{argument}` finds no room")]
    Exhausted {
        /// The argument.
        argument: String,
        /// Why.
        #[source]
        source: ShmExhausted,
    },
    /// An argument would have been copied, and copies were forbidden. Nothing was sent.
    #[error("argument `{argument}` would be copied ({size_bytes} bytes): {reason}")]
    CopyForbidden {
        /// The argument.
        argument: String,
        /// Its bytes.
        size_bytes: u64,
        /// Why it would be copied.
        reason: super::report::CopyReason,
    },
    /// A cell was passed to a worker that isn't [trusted](crate::Trust), and lies in memory that it must
    /// not see. Nothing was sent.
    #[error(
        "argument `{argument}` can't be shared with an untrusted worker, which would see what lies \
         beside it; make it with `Worker::cell` or `Worker::cells`"
    )]
    NotForUntrusted {
        /// The argument.
        argument: String,
    },
    /// The function returned, and there is no memory for a copy of what it returned or wrote, which
    /// the host makes where the worker isn't [trusted](crate::Trust).
    #[error("the function returned, but there is no room for a copy of its result")]
    NoRoomForResult {
        /// Why.
        #[source]
        source: ShmExhausted,
    },
    /// A serde argument can't be encoded. Nothing was sent.
    #[error("argument `{argument}` can't be encoded: {reason}")]
    Encode {
        /// The argument.
        argument: String,
        /// What serde says.
        reason: String,
    },
    /// A call without a stub doesn't fit what the worker described. Nothing was sent.
    #[error("{}", .0)]
    Mismatch(Mismatch),
    /// The call could not be handed to the channel. Nothing was sent.
    #[error("it could not be sent: {reason}")]
    NotSent {
        /// Why.
        reason: String,
    },
    /// The worker was gone before the call was sent.
    #[error("it was not sent: the worker is gone: {end}")]
    WorkerGone {
        /// How the worker ended.
        end: WorkerEnd,
    },
    /// The worker was started again too often within its policy's window, and has ended once more.
    /// Nothing was sent.
    #[error("it was not sent: {given_up}")]
    GivenUp {
        /// How often it was started again, and how it ended.
        given_up: GivenUp,
    },
    /// The instance was made by a process that was restarted since. Nothing was sent.
    #[error(
        "it was not sent: instance {instance} was lost when the worker was restarted; construct it again"
    )]
    InstanceLost {
        /// The instance's number.
        instance: u64,
    },
    /// The worker ended while the call was in flight. Whether the function ran is unknown.
    #[error("the worker ended with the call in flight: {end}")]
    WorkerDied {
        /// How the worker ended.
        end: WorkerEnd,
    },
    /// The worker was stuck, so the call was cancelled, and the worker has let go of it.
    #[error("it was cancelled, because the worker was stuck: {sign}")]
    Cancelled {
        /// By what the worker was found to be stuck.
        sign: StuckSign,
        /// Whether the function had begun.
        has_begun: bool,
    },
    /// The worker did not begin the function, or the function did not return.
    #[error("{}", .0)]
    Remote(Refusal),
    /// No answer came in time. If the call was sent, the function may still be running, and its leases last
    /// until it ends. Otherwise it was still waiting for its turn: for room, for memory, or for a process.
    #[error("{}", late(*limit, *was_sent))]
    DeadlineExceeded {
        /// The deadline that was set.
        limit: Duration,
        /// Whether it was, or may have been, sent.
        was_sent: bool,
    },
    /// A call without a stub, and the worker did not say in time what its module consists of. Nothing but
    /// that question was sent.
    #[error(
        "it was not sent: its module was not described within {limit:?}; the worker is stuck, or runs a \
         long function: give it more time with `deadline` or `call_deadline`, or restart it"
    )]
    NotDescribed {
        /// The call's deadline; without one, the worker's
        /// [startup timeout](crate::WorkerBuilder::startup_timeout).
        limit: Duration,
    },
    /// The worker's answer can't be understood.
    #[error("the answer can't be understood: {reason}")]
    Protocol {
        /// What is wrong with it.
        reason: String,
    },
}

fn late(limit: Duration, was_sent: bool) -> String {
    match was_sent {
        true => format!("no answer came within {limit:?}; the function may still be running"),
        false => format!("it was not sent: its turn did not come within {limit:?}"),
    }
}

/// What the worker says of a call that it did not complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(pub(crate) Failure);

impl Refusal {
    /// Returns the worker's words in a form to match on.
    #[must_use]
    pub fn reason(&self) -> &Failure {
        &self.0
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Failure::UnknownFunction => f.write_str("the worker serves no such function"),
            Failure::BadArgument { argument, reason } => {
                write!(
                    f,
                    "argument `{argument}` isn't what the function takes: {reason}"
                )
            }
            Failure::SegmentRefused { reason } => write!(
                f,
                "the worker could not map an argument: {reason}; raise its `ulimit -n` or `ulimit -v`, \
                 or drop tensors that were sent to it, and call again"
            ),
            Failure::ShuttingDown => f.write_str("the worker is shutting down"),
            Failure::Panicked { message, location } => {
                write!(f, "it panicked: {message}")?;
                location
                    .as_ref()
                    .map_or(Ok(()), |location| write!(f, " (at {location})"))
            }
            Failure::NotReturned { reason } => {
                write!(f, "it returned, but the result could not be sent: {reason}")
            }
            Failure::UnknownInstance { instance } => write!(
                f,
                "the worker has no instance {instance} of this service: construct it again"
            ),
            Failure::Busy { n_functions } => write!(
                f,
                "the worker still runs {n_functions} functions, whose calls were cancelled, and takes no \
                 more; have long ones look at `reedbed::cancelled()`, or restart it"
            ),
        }
    }
}

impl CallFailure {
    /// Returns why the call failed.
    #[must_use]
    pub fn cause(&self) -> &FailureCause {
        &self.cause
    }

    /// Returns the worker's name.
    #[must_use]
    pub fn worker(&self) -> &str {
        &self.worker
    }

    /// Returns the module and the function that were called.
    #[must_use]
    pub fn function(&self) -> (&str, &str) {
        (&self.method.module, &self.method.function)
    }

    /// Tells whether the function has certainly not begun. What stood in its way may still be there:
    /// a lost instance has to be constructed again, for example.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match &self.cause {
            FailureCause::Access { .. }
            | FailureCause::Exhausted { .. }
            | FailureCause::CopyForbidden { .. }
            | FailureCause::NotForUntrusted { .. }
            | FailureCause::Encode { .. }
            | FailureCause::Mismatch(_)
            | FailureCause::NotSent { .. }
            | FailureCause::WorkerGone { .. }
            | FailureCause::GivenUp { .. }
            | FailureCause::InstanceLost { .. }
            | FailureCause::NotDescribed { .. } => true,
            FailureCause::Remote(refusal) => refusal.0.is_before_begin(),
            FailureCause::Cancelled { has_begun, .. } => !has_begun,
            FailureCause::DeadlineExceeded { was_sent, .. } => !was_sent,
            FailureCause::WorkerDied { .. }
            | FailureCause::NoRoomForResult { .. }
            | FailureCause::Protocol { .. } => false,
        }
    }

    /// Takes back a value of type `T` (a [`Tensor`](crate::Tensor) or a
    /// [`Segment`](crate::Segment); without a stub, an [`AnyTensor`](crate::dynamic::AnyTensor) or
    /// a `Segment`) that was passed by value as `argument`. It comes back when
    /// nothing was sent, or the worker had no room to read it, and is gone once the outcome is unknown. (A
    /// worker that has used it before that was sent is ended, and the call with it.)
    ///
    /// Parts come back one by one: `stack[3]` of a list or an array, `masks["left"]` of a map,
    /// `pair.0` of a tuple, `labelled.labels` of a bundle.
    pub fn reclaim<T: 'static>(&mut self, argument: &str) -> Option<T> {
        let is_wanted = |(name, value): &(String, Box<dyn Any + Send + Sync>)| {
            name == argument && value.is::<T>()
        };
        let index = self.unsent.iter().position(is_wanted)?;
        let (_, value) = self.unsent.swap_remove(index);
        value.downcast().ok().map(|value| *value)
    }
}

impl fmt::Display for CallFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (worker, cause) = (&self.worker, &self.cause);
        let (module, function) = self.function();
        write!(
            f,
            "calling `{module}::{function}` in worker `{worker}` failed: {cause}"
        )
    }
}

crate::readable::debug_as_message!(CallFailure);

impl std::error::Error for CallFailure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.source()
    }
}

impl Failure {
    /// Tells whether the function has not begun, so that nothing was written.
    pub(crate) fn is_before_begin(&self) -> bool {
        match self {
            Self::UnknownFunction
            | Self::BadArgument { .. }
            | Self::SegmentRefused { .. }
            | Self::ShuttingDown
            | Self::UnknownInstance { .. }
            | Self::Busy { .. } => true,
            Self::Panicked { .. } | Self::NotReturned { .. } => false,
        }
    }
}

/// Why an argument can't be sent. What the macro's code passes on with `?`.
#[derive(Debug)]
pub struct SendError(pub(crate) FailureCause);

impl From<channel::SendError> for FailureCause {
    fn from(error: channel::SendError) -> Self {
        Self::NotSent {
            reason: error.to_string(),
        }
    }
}
