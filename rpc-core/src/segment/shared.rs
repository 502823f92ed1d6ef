//! Elements that two processes access at once, on purpose. Like `mapping` and `tensor::pointer`,
//! this file has unsafe code: it makes references to atomics.
//!
//! # Invariants
//! 1. The elements of a [`Shared`] lie in its extent, one after another, at a multiple of their
//!    size; the extent keeps their mapping alive, and the mapping is writable.
//! 2. The extent of a [`Shared`] is marked with [`Access::Shared`] for as long as it exists, so that
//!    nothing in this process makes a reference to plain data of it, and no handle lends or moves
//!    it; and with the size of its elements, so that no byte of it is ever a part of atomics of two
//!    sizes. The other side was told that the elements are shared, and accesses them atomically.
//! 3. std's atomics have the size of the values whose bits they hold, need no larger boundary than
//!    that, are valid for all bytes, and may be changed through a shared reference.

use std::marker::PhantomData;
use std::ops::Range;
use std::sync::Arc;

use super::atomic::Atomic;
use super::budget::ShmExhausted;
use super::extent::Extent;
use super::lease::Holder;
use super::mapping::Access;
use super::pool;
use crate::dims::Dims;
use crate::tensor::Home;
use crate::tensor::layout::{CheckedLayout, Layout};

/// A run of elements that two processes access at once. Clones are the same elements.
pub(crate) struct Shared<T> {
    extent: Arc<Extent>,
    /// Where in the extent the elements are.
    bytes: Range<usize>,
    element: PhantomData<T>,
}

impl<T: Atomic> Shared<T> {
    /// Takes memory for `n` elements that are all zero.
    pub(crate) fn zeroed_in(home: Home, n: usize) -> Result<Self, ShmExhausted> {
        let len = n.saturating_mul(size_of::<T>());
        let extent = match home {
            Home::Common(segments) => pool::allocate_in(segments, len, &[])?.extent,
            Home::For(stranger) => pool::allocate_exposed(stranger, len, &[])?.extent,
        };
        // The first ones here: nobody else has the extent.
        let marked = mark(&extent, size_of::<T>());
        debug_assert!(marked, "a new extent is not leased");
        let shared = Self {
            extent,
            bytes: 0..len,
            element: PhantomData,
        };
        for cell in shared.cells() {
            T::store(cell, T::ZERO, std::sync::atomic::Ordering::Relaxed);
        }
        Ok(shared)
    }

    /// Takes the elements of `layout`, which was checked against the length of `extent`, an extent
    /// that is marked. `None` if they are of another type or don't lie one after another.
    pub(crate) fn new(extent: Arc<Extent>, layout: &CheckedLayout) -> Option<Self> {
        let is_run = match (layout.shape(), layout.strides()) {
            ([], []) => true,
            ([n], [stride]) => *stride == 1 || *n <= 1,
            _ => false,
        };
        let bytes = layout.bytes();
        let is_fit = layout.dtype() == T::DTYPE
            && is_run
            && bytes.end <= extent.len()
            && is_aligned::<T>(extent.base().as_ptr().addr() + bytes.start)
            && extent.backing().mapping().access() == Access::ReadWrite
            && extent.leases().is_shared_in(size_of::<T>());
        is_fit.then_some(Self {
            extent,
            bytes,
            element: PhantomData,
        })
    }

    /// The extent that the elements lie in.
    pub(crate) fn extent(&self) -> &Arc<Extent> {
        &self.extent
    }

    /// The elements, as atomics.
    pub(crate) fn cells(&self) -> &[T::Cell] {
        let n = self.bytes.len() / size_of::<T>();
        let start = self.extent.range().start + self.bytes.start;
        let first = self.extent.backing().mapping().at(start);
        let Some(first) = first.filter(|_| n > 0) else {
            return &[];
        };
        // SAFETY: `n` elements lie here, aligned, in a mapping that is writable and lives as long
        // as `self` (invariant 1); they are accessed by nothing but atomics, here and in the other
        // process (invariant 2); an atomic has their size and is valid for their bytes, whatever
        // they are and however they change (invariant 3).
        unsafe { std::slice::from_raw_parts(first.cast::<T::Cell>().as_ptr(), n) }
    }

    /// One of the elements, alone.
    pub(crate) fn part(&self, index: usize) -> Option<Self> {
        let offset = index.checked_mul(size_of::<T>())?;
        let start = self.bytes.start.checked_add(offset)?;
        let end = start.checked_add(size_of::<T>())?;
        (end <= self.bytes.end).then(|| Self {
            extent: Arc::clone(&self.extent),
            bytes: start..end,
            element: PhantomData,
        })
    }

    /// Where the elements are in the extent, as a run (or, with `n_dimensions` 0, the only one).
    pub(crate) fn layout(&self, n_dimensions: usize) -> Layout {
        let n = (self.bytes.len() / size_of::<T>()) as u64;
        Layout {
            offset_bytes: self.bytes.start as u64,
            shape: Dims::from_elem(n, n_dimensions),
            strides: Dims::from_elem(1, n_dimensions),
        }
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self {
            extent: Arc::clone(&self.extent),
            bytes: self.bytes.clone(),
            element: PhantomData,
        }
    }
}

/// Marks an extent as shared in atomics of `cell_bytes` each, for as long as it exists; `false` if a
/// lease is in the way.
pub(crate) fn mark(extent: &Extent, cell_bytes: usize) -> bool {
    let (all, holder) = (0..extent.len(), Holder::Other("a shared cell"));
    let marked = extent.leases().begin_shared(&all, cell_bytes, &holder);
    marked.is_ok()
}

fn is_aligned<T>(address: usize) -> bool {
    address.is_multiple_of(size_of::<T>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::Segments;

    /// A peer may claim anything of what it was shown.
    #[test]
    fn cells_are_of_one_size_whatever_is_claimed_of_them() {
        use crate::tensor::DType;

        let shared = Shared::<u64>::zeroed_in(Home::Common(Segments::Memfd), 4).unwrap();
        let extent = shared.extent();
        let claimed = |dtype| {
            let layout = Layout {
                offset_bytes: 8,
                shape: [2].as_slice().into(),
                strides: [1].as_slice().into(),
            };
            CheckedLayout::new(&layout, dtype, extent.len(), true).unwrap()
        };
        let again = |dtype| (Arc::clone(extent), claimed(dtype));
        let (extent, layout) = again(DType::U64);
        assert!(Shared::<u64>::new(extent, &layout).is_some());
        let (extent, layout) = again(DType::F64);
        assert!(Shared::<f64>::new(extent, &layout).is_some(), "as large");
        let (extent, layout) = again(DType::U32);
        assert!(Shared::<u32>::new(extent, &layout).is_none(), "halves");
        let (extent, layout) = again(DType::Bool);
        assert!(Shared::<bool>::new(extent, &layout).is_none(), "bytes");
    }

    #[test]
    fn a_part_never_lies_outside() {
        let shared = Shared::<u16>::zeroed_in(Home::Common(Segments::Memfd), 3).unwrap();
        let second = shared.part(1).unwrap();
        assert!(second.part(0).is_some() && second.part(1).is_none());
        assert!(shared.part(3).is_none());
        // Indices whose bytes would wrap around, to before the second one.
        for index in [usize::MAX, usize::MAX / 2, usize::MAX / 2 + 1] {
            assert!(second.part(index).is_none(), "{index}");
        }
    }
}
