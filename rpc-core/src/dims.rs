//! A number for each dimension of an array.

use smallvec::SmallVec;

/// A number for each dimension. Most arrays have few of them, and a call makes several such lists: up to
/// four numbers take no memory of the heap.
pub(crate) type Dims<T> = SmallVec<[T; 4]>;
