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
//!    for bare memory; [`SharedCell`] for values that both sides use at once.
//! 2. [`remote_module`] and [`Schema`]: what can be called, and what can travel.
//! 3. [`Worker`] (and [`blocking::Worker`]): how a worker starts and ends; [`RestartPolicy`] and
//!    [`Heartbeat`]: who looks after it; [`Crew`]: several of them.
//! 4. [`Call`], [`CallError`] and [`Report`]: what a call is, how it fails, what it copied;
//!    [`TraceContext`]: how logs of both sides are joined.
//! 5. [`Request`] and [`TarpcStub`]: calls that tarpc's stubs repeat and spread.
//!
//! The crate `reedbed-worker` has the macros that make a program a worker.

#[cfg(not(all(
    target_os = "linux",
    target_pointer_width = "64",
    target_endian = "little"
)))]
compile_error!(
    "reedbed runs on 64-bit little-endian Linux only: it shares memory through memfds, seals and \
     pidfds, which other systems don't have"
);

mod call;
mod cgroup;
mod channel;
mod dims;
pub mod dynamic;
#[cfg(feature = "failpoints")]
pub mod failpoint;
mod guarded;
mod numbered;
mod process;
mod readable;
mod segment;
mod sync;
mod tensor;
mod wire;

pub use ndarray;
/// Makes functions callable from another process: the public ones of an inline module, those of an
/// `impl` block (a [service](#services)), or those that a trait declares (an
/// [interface](#interfaces)).
///
/// ```
/// use reedbed::{Schema, remote_module};
/// use serde::{Deserialize, Serialize};
///
/// #[remote_module]
/// pub mod segmentation {
///     use reedbed::Tensor;
///     use reedbed::ndarray::{Array2, ArrayView2, ArrayViewMut2, Ix2};
///
///     use super::{Options, SegmentError};
///
///     /// Labels the nuclei of an image. (The stub has the same documentation.)
///     pub fn segment(
///         #[ndarray] image: ArrayView2<'_, u16>,
///         options: Options,
///     ) -> Result<Array2<u32>, SegmentError> {
///         Ok(image.mapv(|value| u32::from(value > options.threshold)))
///     }
///
///     /// Fills `labels` in place.
///     pub fn segment_into(
///         #[ndarray] image: ArrayView2<'_, u16>,
///         #[ndarray] mut labels: ArrayViewMut2<'_, u32>,
///     ) {
///         labels.zip_mut_with(&image, |label, &value| *label = value.into());
///     }
///
///     /// Takes an array for good, and hands it back; asynchronously.
///     pub async fn crop(#[ndarray] image: Tensor<u16, Ix2>, name: &str) -> Option<Tensor<u16, Ix2>> {
///         (name != "background").then_some(image)
///     }
/// }
///
/// #[derive(Serialize, Deserialize, Schema)]
/// pub struct Options {
///     threshold: u16,
/// }
///
/// #[derive(Debug, Serialize, Deserialize, Schema)]
/// pub enum SegmentError {
///     Empty,
/// }
/// # fn main() {}
/// ```
///
/// # What is added
///
/// `Client`, whose methods return a [`Call`]; `BlockingClient`, whose methods wait; `MODULE`, which
/// a worker serves. The rest of the module stays as it is: functions that are not `pub` are nobody
/// else's, and the public ones can still be called directly.
///
/// # Arguments
///
/// | the function takes | the stub takes | copied |
/// |---|---|---|
/// | `#[ndarray] x: ArrayView2<'_, A>` (any rank) | `impl Into<Arg<A, Ix2>>`: `&Tensor`, a `TensorView`; or `&Array`, an `ArrayView` | nothing; or once |
/// | `#[ndarray] x: ArrayViewMut2<'_, A>` | `impl Into<ArgMut<A, Ix2>>`: `&mut Tensor`, a `TensorViewMut`; or `&mut Array`, an `ArrayViewMut` | nothing; or there and back |
/// | `#[ndarray] x: Tensor<A, D>` | `impl Into<Tensor<A, D>>`: a `Tensor`; or an `Array` | nothing; or once |
/// | `#[ndarray] x: Option<..>`, a tuple of these | the same, where each array says `.into()`: `None`, `Some((&mask).into())`, `((&a).into(), (&b).into())` | as each part |
/// | `#[ndarray] x: Vec<ArrayView2<'_, A>>`, `[..; N]`, `Box<..>`, `HashMap<K, ..>`, `BTreeMap<K, ..>` | the same of what stands for each part: `Vec<Arg<A, Ix2>>`, `HashMap<K, Tensor<A, D>>` | as each part |
/// | `#[ndarray] x: Pair<'_>`, with [`#[derive(Bundle)]`](derive@Bundle) | `PairArg`, with an `Arg` or an `ArgMut` in each field; a bundle that owns its arrays, itself | as each field |
/// | `#[segment] x: SegmentView<'_>`, `SegmentViewMut<'_>`, `Segment` | `&Segment`, `&mut Segment`, `Segment` | nothing |
/// | `#[segment] x: SharedCell<T>`, `SharedCells<T>` | `&SharedCell<T>`, `&SharedCells<T>` | nothing: both use it at once |
/// | `x: T` | `T` | as serde writes it |
/// | `x: &T`, `&str`, `&[T]`, `&Path` | the same; the worker decodes the owned form and lends it | as serde writes it |
///
/// All of these may lie inside one another. An `&Array` of 2 KiB at most, and an `Array` of 4 KiB
/// that is returned, travel in the message itself, as long as all of a message have 16 KiB at most;
/// larger ones are copied into a segment.
///
/// An alias of an array type is marked like the array. Whatever isn't an array implements
/// `Serialize`, `Deserialize` and [`Schema`]: derive all three.
///
/// # What is returned
///
/// An `Array` or a `Tensor` reaches the caller as a `Tensor`, a `Segment` as a `Segment`, also inside
/// options, tuples, lists, maps and boxes; anything else as itself, a bundle that owns its arrays
/// among it. `Result<T, E>` around that becomes `Result<T, CallError<E>>`, any other `T`
/// `Result<T, CallError>`; `E` may be a bundle as well. Types are known by their names: where a name
/// is an alias of an array's, or a bundle lies inside an option, a tuple, a list or a map, the
/// function says `#[returns(ndarray)]`.
///
/// # Documentation, `#[cfg]` and `#[deprecated]`
///
/// Those of a function are those of its stub. A function under `#[cfg]` is missing from the stub,
/// the schema and the server where it is missing from the module.
///
/// # How functions run
///
/// Calls run at the same time, up to 1,024 of them. The thread that reads calls runs a function
/// itself, and another one reads meanwhile; where more calls wait, only short functions stay there, and
/// others go to a thread of tokio's pool for blocking work. An asynchronous function begins in the same
/// way, and from its first pause on is a task on a tokio runtime with a thread for each processor and
/// with its timers enabled, so it should not block. Over the socket, or under tarpc's dispatcher,
/// functions begin in the pool or the runtime. Statics live as long as the worker; guard what functions
/// share with a `Mutex`.
///
/// A synchronous function that waits (for a disk, a device, a call of its own) or computes for long
/// says so, in all three forms of the macro, so that a worker never runs it where others would have
/// to wait for it:
///
/// ```
/// # use reedbed::remote_module;
/// #[remote_module]
/// pub mod plates {
///     /// Moves the next plate under the microscope.
///     #[reedbed(blocking)]
///     pub fn next_plate() -> Result<u32, String> {
///         // talks to a robot for a minute
/// #       Ok(1)
///     }
/// }
/// # fn main() {}
/// ```
///
/// Nothing else changes: neither the stub nor the schema tells. A synchronous function that may
/// take long asks [`cancelled`] now and then whether anyone still waits; an asynchronous one is
/// dropped.
///
/// What a function has written before it returns its own `Err` stays written, and isn't poisoned.
/// What it has written before it panicked, or stopped because it was cancelled, is.
///
/// # Services
///
/// On an `impl` block: what is made once and used many times stays in the worker.
///
/// ```
/// use reedbed::ndarray::{Array2, ArrayView2, array};
/// use reedbed::{Tensor, Worker, remote_module};
///
/// pub struct Detector {
///     threshold: u16,
/// }
///
/// #[remote_module]
/// impl Detector {
///     /// Loads the parameters once.
///     pub fn new(threshold: u16) -> Result<Self, String> {
///         if threshold == 0 {
///             return Err("everything would be detected".to_owned());
///         }
///         Ok(Self { threshold })
///     }
///
///     /// Marks what is bright.
///     pub fn detect(&self, #[ndarray] image: ArrayView2<'_, u16>) -> Array2<u32> {
///         image.mapv(|value| u32::from(value >= self.threshold))
///     }
///
///     /// Needs no detector.
///     pub fn version() -> String {
///         "1".to_owned()
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> { futures::executor::block_on(async {
/// let worker = Worker::in_process(&[Detector::MODULE]).await?; // or `worker_main![Detector]`
/// let client = worker.import::<DetectorClient>().await?;
/// let detector: DetectorInstance = client.new(100).await?;
///
/// let image = Tensor::from(array![[7, 300]]);
/// assert_eq!(detector.detect(&image).await?.view()?, array![[0u32, 1]]);
/// assert_eq!(client.version().await?, "1");
/// # Ok(()) }) }
/// ```
///
/// Beside the type `T` stand `TClient`, which has the constructors and the functions without `self`;
/// `TInstance`, which a constructor's caller receives and which has the methods; `BlockingTClient`
/// and `BlockingTInstance`, their twins; and `T::MODULE`. A *constructor* is a function that returns
/// `Self` or `Result<Self, E>`; there may be several, of any names. Other items of the `impl`, and
/// functions that aren't `pub`, stay what they are. The module's name on the wire is the type's in
/// snake case, `detector`; `#[remote_module(name = "..")]` gives another one, here and on modules and
/// traits.
///
/// Methods take `&self` and run at the same time, so the type is `Send + Sync + 'static`, and what
/// changes is in a `Mutex`: a tensor that was passed by value, for example, is kept from one call to
/// the next in a `Mutex<Option<Tensor<..>>>`.
///
/// Clones of a handle share the instance. When the last of them is gone, and the calls of its methods
/// have ended, the worker drops it; so it does when the connection ends. The instance of a
/// constructor's call that was dropped or came too late is dropped as well. Instances are dropped one
/// after another on a thread of their own, where a `Drop` that takes its time holds up no call, only
/// the `Drop`s after it. A worker keeps at most 65,536 instances. After a [restart](Worker::restart) they are
/// [lost](FailureCause::InstanceLost), while the client goes on working and constructs new ones.
///
/// # Interfaces
///
/// On a trait: what can be called, without what it takes to do it. A host compiles the trait alone,
/// and none of its worker's dependencies.
///
/// ```
/// use reedbed::ndarray::{Array2, ArrayView2};
/// use reedbed::{Worker, remote_module};
///
/// // In a crate that both sides depend on.
/// #[remote_module]
/// pub trait Nuclei {
///     /// Labels the nuclei.
///     fn segment(#[ndarray] image: ArrayView2<'_, u16>) -> Result<Array2<u32>, String>;
///
///     /// Tells which version segments.
///     async fn version() -> String;
/// }
///
/// // In the worker's crate.
/// struct Threshold;
///
/// impl Nuclei for Threshold {
///     fn segment(image: ArrayView2<'_, u16>) -> Result<Array2<u32>, String> {
///         Ok(image.mapv(|value| u32::from(value > 100)))
///     }
///
///     async fn version() -> String {
///         "1".to_owned()
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> { futures::executor::block_on(async {
/// let worker = Worker::in_process(&[Threshold::MODULE]).await?; // or `worker_main![Threshold]`
/// let nuclei = worker.import::<NucleiClient>().await?;
/// assert_eq!(nuclei.version().await?, "1");
/// # Ok(()) }) }
/// ```
///
/// Beside the trait stand its clients, `NucleiClient` and `BlockingNucleiClient`; with a constructor
/// and `&self` methods it is the interface of a service, and handles stand there too, as above. A
/// type that implements the trait is served as `Threshold::MODULE` (a constant of the trait, which
/// has to be in scope). A worker need not implement it, though: `mod nuclei`, or an `impl Nuclei` of
/// another type, with the same functions serves the same module. What counts are the signatures,
/// compared when the client is imported.
///
/// Whatever implements it is `Send + Sync + 'static`, and the future of an `async fn` is `Send`.
///
/// # What cannot be served
///
/// Functions with generics, `impl Trait`, patterns as arguments, `self` in a module, `&mut` to
/// anything but arrays, references or views in what they return, `unsafe` and `extern` functions;
/// modules in a file of their own; methods that take `&mut self` or `self`, generic services, `impl`s
/// of traits; interfaces with bodies, supertraits, or anything but functions. The error says what to
/// do instead.
pub use reedbed_macros::remote_module;
/// tarpc 0.38, whose stubs go on top of a [`TarpcStub`]. The version is part of the interface.
pub use tarpc;

/// Describes what serde writes for a struct or an enum: the derive of the trait
/// [`Schema`].
///
/// The description is part of what a host and a worker compare before the first call, because the
/// bytes themselves carry neither names nor types. Attributes of serde that change the bytes are
/// followed (`skip`) or refused (`flatten`, `tag`, `untagged`, `skip_serializing_if`, skipping in one
/// direction only). A type with a form of its own (`with`, `from`, `into`, ..) says so and carries a
/// version:
///
/// ```
/// use reedbed::Schema;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Clone, Serialize, Deserialize, Schema)]
/// #[serde(from = "u64", into = "u64")]
/// #[schema(opaque = "1")] // another version whenever the form changes
/// struct Seconds(f64);
/// # impl From<u64> for Seconds { fn from(n: u64) -> Self { Self(n as f64) } }
/// # impl From<Seconds> for u64 { fn from(s: Seconds) -> Self { s.0 as u64 } }
/// ```
pub use reedbed_macros::Schema;

/// Lets a struct or an enum with arrays among its fields travel: a *bundle*.
///
/// Fields that are arrays, hold arrays or are bundles themselves are marked `#[ndarray]` (or
/// `#[segment]`), as arguments are; the others travel as serde writes them and implement [`Schema`].
///
/// ```
/// use reedbed::ndarray::{ArrayView2, ArrayViewMut2, Ix2};
/// use reedbed::{Bundle, Tensor, remote_module};
///
/// /// Lent for a call: a caller passes a `PairArg`.
/// #[derive(Bundle)]
/// pub struct Pair<'a> {
///     #[ndarray]
///     image: ArrayView2<'a, u16>,
///     #[ndarray]
///     labels: ArrayViewMut2<'a, u32>,
///     threshold: u16,
/// }
///
/// /// Owned: the same type on both sides.
/// #[derive(Debug, Bundle)]
/// pub enum SegmentError {
///     Empty,
///     Ambiguous {
///         #[ndarray]
///         candidates: Tensor<u32, Ix2>,
///         n_objects: usize,
///     },
/// }
///
/// #[remote_module]
/// pub mod segmentation {
///     use super::*;
///
///     pub fn segment(#[ndarray] pair: Pair<'_>) -> Result<usize, SegmentError> {
///         let Pair { image, mut labels, threshold } = pair;
///         labels.zip_mut_with(&image, |label, &value| *label = (value > threshold).into());
///         if image.is_empty() { Err(SegmentError::Empty) } else { Ok(labels.len()) }
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> { futures::executor::block_on(async {
/// let worker = reedbed::Worker::in_process(&[segmentation::MODULE]).await?;
/// let client = worker.import::<segmentation::Client>().await?;
/// let image = Tensor::<u16, Ix2>::from_elem((3, 4), 9)?;
/// let mut labels = Tensor::<u32, Ix2>::zeros((3, 4))?;
/// let pair = PairArg {
///     image: (&image).into(),
///     labels: (&mut labels).into(), // filled in place
///     threshold: 5,
/// };
/// assert_eq!(client.segment(pair).await.map_err(|error| format!("{error:?}"))?, 12);
/// assert_eq!(labels.view()?.sum(), 12);
/// # Ok(()) }) }
/// ```
///
/// A bundle with a lifetime lends its views. It is an argument, and what the stub takes for it is a
/// type of the same form with `Arg` behind its name: [`Arg`] for an `ArrayView`, [`ArgMut`] for an
/// `ArrayViewMut`. A bundle without one owns a [`Tensor`] or a [`Segment`] in each marked field. It
/// is an argument by value, a result, and, in a `Result`, an error. An `Array` would be another
/// type at the caller, so a bundle has none: `Tensor::from(array)` makes one a `Tensor`.
///
/// Errors name the field: `pair.image`, or `error.Ambiguous.candidates` in an enum. What was passed
/// by value and not sent is [reclaimed](CallFailure::reclaim) field by field under these names.
///
/// A bundle has no type parameters and no attributes of serde's. Bundles may lie inside one another
/// up to 128 deep.
pub use reedbed_macros::Bundle;

pub use call::any_error::AnyError;
pub use call::argument::{Arg, ArgMut, SegmentArg, SegmentArgMut};
pub use call::connection::Caller;
pub use call::current::{cancelled, deadline, trace_context};
pub use call::error::{CallError, CallFailure, FailureCause, Refusal};
pub use call::future::{Call, Reported};
pub use call::instance::{Instance, InstanceStub};
pub use call::module::{BlockingStub, Module, Stub};
pub use call::repeat::Repeated;
pub use call::report::{Copy, CopyReason, Report};
pub use call::request::{AsRequest, Request};
pub use call::stub::{TarpcStub, not_begun};
pub use channel::wait::WaitPolicy;
pub use process::blocking;
pub use process::{
    Backoff, CANNOT_SERVE, Crew, EndReason, GivenUp, Heartbeat, ImportError, LimitError, LimitName,
    LogLine, LogStream, RestartError, RestartPolicy, ServeError, ServeOptions, SpawnError,
    StuckSign, StuckStep, Traffic, Worker, WorkerBuilder, WorkerEnd, WorkerLimits,
    inherited_channel, is_started_as_worker, library_beside, program_beside, serve_channel,
    serve_inherited,
};
#[cfg(feature = "sandbox")]
pub use process::{Sandbox, SandboxError, launch_if_asked};
pub use segment::{
    AccessError, Atomic, AtomicInteger, NotAligned, OnExhausted, PoolUsage, Segment,
    SegmentIdentity, SegmentView, SegmentViewMut, Segments, SharedCell, SharedCells, ShmExhausted,
    Shortage, memory_budget, pool_usage, segments, set_memory_budget, set_pool_capacity, trim_pool,
};
#[cfg(feature = "posix-shm")]
pub use segment::{ForeignError, ForeignSegment, set_segments};
pub use tensor::{
    CopyError, DType, Element, FrozenTensor, NotContiguous, NpyError, RecoverError, Tensor,
    Tensor0, Tensor1, Tensor2, Tensor3, Tensor4, Tensor5, Tensor6, TensorD, TensorView,
    TensorViewMut,
};
pub use wire::frame::Failure;
pub use wire::handshake::{ChannelKind, Dispatcher, Trust, WIRE_VERSION};
pub use wire::schema;
#[doc(no_inline)]
pub use wire::schema::Schema;
pub use wire::trace::TraceContext;

/// What the macros' code names. Nothing here is for people.
#[doc(hidden)]
pub mod __private {
    pub use serde;

    #[cfg(feature = "internals")]
    pub use crate::segment::internals;

    #[cfg(feature = "internals")]
    pub use crate::channel::parts;

    pub use crate::call::argument::{HandleArg, SendArg};
    pub use crate::call::error::SendError;
    pub use crate::call::future::{call, call_of};
    pub use crate::call::incoming::{Incoming, no_variant, part};
    pub use crate::call::module::{BoxFuture, Function, Handler, Method, Served};
    pub use crate::call::outgoing::Outgoing;
    pub use crate::call::reply::Reply;
    pub use crate::call::returned::{Give, Made, Return, kind};
    pub use crate::call::server_call::ServerCall;
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
