//! Calls functions in other processes as if they were local. Arrays cross by handle, not by copy.
//!
//! A module marked [`#[remote_module]`](remote_module) is served by a *worker*, another process,
//! and called by a *host* through a generated client. Array arguments live in shared memory as
//! [`Tensor`]s; what travels is a handle of a few dozen bytes. The borrow checker's rules hold on
//! both sides: a view is a shared read until the reply, a mutable view an exclusive lease, a value a
//! transfer.
//!
//! ```
//! use reedbed::ndarray::{ArrayView1, ArrayViewMut1, array};
//! use reedbed::{Tensor, Worker, remote_module};
//!
//! #[remote_module]
//! mod arithmetic {
//!     use super::*;
//!
//!     /// Adds the elements up.
//!     pub fn sum(#[ndarray] values: ArrayView1<'_, i64>) -> i64 {
//!         values.sum()
//!     }
//!
//!     /// Doubles the elements in place.
//!     pub fn double(#[ndarray] mut values: ArrayViewMut1<'_, i64>) {
//!         values *= 2;
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> { futures::executor::block_on(async {
//! // In a thread of this process, for tests; `Worker::spawn("path/to/worker")` starts a process.
//! let worker = Worker::in_process(&[arithmetic::MODULE]).await?;
//! let arithmetic = worker.import::<arithmetic::Client>().await?;
//!
//! let mut values = Tensor::from(array![1, 2, 3]);
//! arithmetic.double(&mut values).await?;           // no element is copied
//! assert_eq!(arithmetic.sum(&values).await?, 12);
//! # Ok(()) }) }
//! ```
//!
//! # Reading order
//!
//! 1. [`Tensor`], its borrows [`TensorView`] and [`TensorViewMut`], and [`FrozenTensor`]; [`Segment`]
//!    for bare memory.
//! 2. [`remote_module`] and [`Schema`](schema::Schema): what can be called, and what can travel.
//! 3. [`Worker`] (and [`blocking::Worker`]): how a worker starts and ends.
//! 4. [`Call`], [`CallError`] and [`Report`]: what a call is, how it fails, what it copied.
//!
//! The crate `reedbed-worker` has the macros that make a program a worker.

#[cfg(not(all(target_os = "linux", target_pointer_width = "64", target_endian = "little")))]
compile_error!(
    "reedbed runs on 64-bit little-endian Linux only: it shares memory through memfds, seals and \
     pidfds, which other systems don't have"
);

mod call;
mod channel;
mod process;
mod segment;
mod tensor;
mod wire;

pub use ndarray;
pub use reedbed_macros::{Schema, remote_module};

pub use call::argument::{Arg, ArgMut, SegmentArg, SegmentArgMut};
pub use call::connection::Caller;
pub use call::current::{cancelled, deadline};
pub use call::error::{CallError, CallFailure, FailureCause, Refusal};
pub use call::future::{Call, Reported};
pub use call::module::{BlockingStub, Module, Stub};
pub use call::report::{Copy, CopyReason, Report};
pub use process::blocking;
pub use process::{
    EndReason, ImportError, LogLine, LogStream, ServeError, ServeOptions, SpawnError, Traffic,
    Worker, WorkerBuilder, WorkerEnd, is_started_as_worker, serve_inherited,
};
pub use segment::{
    AccessError, NotAligned, PoolUsage, Segment, SegmentIdentity, SegmentView, SegmentViewMut,
    ShmExhausted, Shortage, memory_budget, pool_usage, set_memory_budget, set_pool_capacity,
    trim_pool,
};
pub use tensor::{
    CopyError, DType, Element, FrozenTensor, NotContiguous, NpyError, RecoverError, Tensor,
    TensorView, TensorViewMut,
};
pub use wire::frame::Failure;
pub use wire::handshake::{Dispatcher, Trust, WIRE_VERSION};
pub use wire::schema;

/// What the macros' code names. Nothing here is for people.
#[doc(hidden)]
pub mod __private {
    pub use serde;

    pub use crate::call::argument::{HandleArg, SendArg};
    pub use crate::call::error::SendError;
    pub use crate::call::future::call;
    pub use crate::call::incoming::{Incoming, Reply, ServerCall};
    pub use crate::call::module::{BoxFuture, Function, Handler, Method, Served};
    pub use crate::call::outgoing::Outgoing;
    pub use crate::call::returned::{Give, Return, kind};
    pub use crate::wire::frame::Failure;
    pub use crate::wire::schema::method_id;

    /// Fails to compile, at the type, unless it can travel as serde writes it.
    pub fn assert_value<T>()
    where
        T: crate::schema::Schema + serde::Serialize + serde::de::DeserializeOwned + Send + 'static,
    {
    }

    /// Fails to compile, at the type, unless it is an array argument.
    pub fn assert_handle<'a, T: HandleArg<'a>>() {}
}
