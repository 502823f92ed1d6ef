//! Shareable memory: memfds, their mappings, and who may use which bytes.
//!
//! - [`budget`] decides whether memory may be reserved at all, [`account`] whether for one worker;
//! - [`kind`] says what segments are made of: [`memfd`]s or [`named`] files; [`mapping`] maps their pages (the home of `mmap`);
//! - [`backing`] joins a descriptor and its mapping into a segment;
//! - [`extent`] is a range of a segment with one tenant; [`lease`] lends parts of it;
//! - [`pool`] hands out extents and recycles them: [`shelf`] keeps large segments between their
//!   tenants, [`arena`] packs small extents into one segment;
//! - [`stranger`] is about memory that untrusted workers reach;
//! - [`raw`] is the public [`Segment`]: bare bytes, without shape or element type;
//! - [`cell`] is for values that two processes use at once: [`atomic`] says what they may be,
//!   [`shared`] makes them of memory (with `mapping`, a home of unsafe code).

pub(crate) mod account;
pub(crate) mod arena;
mod atomic;
pub(crate) mod backing;
pub(crate) mod budget;
mod cell;
pub(crate) mod extent;
pub(crate) mod fork;
#[cfg(feature = "internals")]
pub mod internals;
pub(crate) mod kind;
pub(crate) mod lease;
pub(crate) mod mapping;
pub(crate) mod memfd;
#[cfg(feature = "posix-shm")]
pub(crate) mod named;
pub(crate) mod pool;
mod raw;
pub(crate) mod shared;
mod shelf;
pub(crate) mod stranger;
#[cfg(not(reedbed_loom))]
pub(crate) mod words;
#[cfg(reedbed_loom)]
#[path = "words_model.rs"]
pub(crate) mod words;

pub use account::OnExhausted;
pub use atomic::{Atomic, AtomicInteger};
pub use backing::SegmentIdentity;
pub use budget::{ShmExhausted, Shortage, memory_budget, set_memory_budget};
pub use cell::{SharedCell, SharedCells};
#[cfg(feature = "posix-shm")]
pub use kind::set_segments;
pub use kind::{Segments, segments};
pub use lease::AccessError;
#[cfg(feature = "posix-shm")]
pub use named::{ForeignError, ForeignSegment};
pub use pool::{PoolUsage, pool_usage, set_pool_capacity, trim_pool};
pub use raw::{NotAligned, Segment, SegmentView, SegmentViewMut};
