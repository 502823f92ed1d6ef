//! From bytes to ndarray's views. ARCHITECTURE.md lists the other homes of unsafe code.
//!
//! # Invariants
//! 1. A [`Located`] keeps its extent (and so the mapping behind it) alive, and every element of its
//!    raw view lies aligned inside that extent: it was made by [`Located::new`] from a checked
//!    layout, or from another `Located` by ndarray's own slicing, which never leaves the original.
//!    So it is with a [`Lent`], its backing and the layout that was checked against its length.
//! 2. An extent has one tenant, and ranges of different extents are disjoint. Inside a process, who
//!    may read or write which elements follows from the borrows of the tensor that owns the extent.
//! 3. Another process reads or writes the bytes of an extent only under a lease that is listed in
//!    [`Leases`](crate::segment::lease::Leases) on the side that owns the tensor; on the side that
//!    borrows it, the sender's lease lasts until that side has said that it let go.
//! 4. Every byte of a segment is initialised (the kernel zeroes it), and every element type but
//!    `bool` is valid for all bytes; `bool`s are scanned whenever a peer could have written them.
//! 5. Element types are plain data without padding, a list that nobody else can add to
//!    ([`Element`] is sealed): all bytes of an element are initialised.
//! 6. No two indices of what may be written name one element. The layouts of tensors, and of what
//!    is lent for writing, were checked for that, and ndarray's slicing adds no second name; only
//!    what is for reading is ever broadcast.

use std::fmt;
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ndarray::{
    ArrayView, ArrayViewMut, Axis, Dimension, IxDyn, RawArrayView, RawArrayViewMut, ShapeBuilder,
    Slice,
};

use super::element::{DType, Element};
use super::layout::{CheckedLayout, Layout};
use crate::dims::Dims;
use crate::segment::backing::Backing;
use crate::segment::extent::Extent;
use crate::segment::lease::AccessError;
use crate::segment::mapping::Access;

/// Elements in an extent: ndarray's raw view and what keeps it valid (invariant 1).
pub(crate) struct Located<A, D> {
    raw: RawArrayView<A, D>,
    extent: Arc<Extent>,
}

// SAFETY: the elements are `Send + Sync`, the extent is too, and the raw pointer is only followed
// under the rules of invariants 2 and 3, which hold whatever the thread.
unsafe impl<A: Element, D: Send> Send for Located<A, D> {}
// SAFETY: as for `Send` (invariants 2 and 3); `&Located` only gives shared views.
unsafe impl<A: Element, D: Sync> Sync for Located<A, D> {}

impl<A: Element, D: Dimension> Located<A, D> {
    /// Locates the elements of `layout`, which was checked against the length of `extent`.
    ///
    /// `None` if the layout has another element type or another number of dimensions, or does not
    /// fit the extent after all.
    pub(crate) fn new(extent: Arc<Extent>, layout: &CheckedLayout) -> Option<Self> {
        if layout.bytes().end > extent.len() {
            return None;
        }
        let raw = raw_view(extent.base(), layout)?;
        Some(Self { raw, extent })
    }

    /// The extent.
    pub(crate) fn extent(&self) -> &Arc<Extent> {
        &self.extent
    }

    /// The raw view, for its shape and strides.
    pub(crate) fn raw(&self) -> &RawArrayView<A, D> {
        &self.raw
    }

    /// Changes the raw view by one of ndarray's methods that stay inside it.
    pub(crate) fn map<D2: Dimension>(
        self,
        narrow: impl FnOnce(RawArrayView<A, D>) -> RawArrayView<A, D2>,
    ) -> Located<A, D2> {
        Located {
            raw: narrow(self.raw),
            extent: self.extent,
        }
    }

    /// Another handle on the same elements. Its user upholds invariant 2 by a borrow of `self`.
    pub(crate) fn again(&self) -> Self {
        Self {
            raw: self.raw.clone(),
            extent: Arc::clone(&self.extent),
        }
    }

    /// The elements in the order of the last dimension, as one slice's worth of bytes, if they lie
    /// without gaps.
    pub(crate) fn is_contiguous(&self) -> bool {
        self.raw.is_standard_layout()
    }

    /// Where the elements are, for a handle.
    pub(crate) fn layout(&self) -> Layout {
        let address = self.raw.as_ptr().addr();
        let as_u64 = |n: &usize| *n as u64;
        Layout {
            offset_bytes: self.extent.offset_of(address) as u64,
            shape: self.raw.shape().iter().map(as_u64).collect(),
            strides: self
                .raw
                .strides()
                .iter()
                .map(|stride| *stride as i64)
                .collect(),
        }
    }

    /// The bytes from the lowest to the highest element, from the start of the extent.
    pub(crate) fn bytes(&self) -> Range<usize> {
        let start = self.extent.offset_of(self.raw.as_ptr().addr());
        if self.raw.is_empty() {
            return start..start;
        }
        let (mut first, mut end) = (start, start + size_of::<A>());
        for (n, stride) in self.raw.shape().iter().zip(self.raw.strides()) {
            let span = stride.unsigned_abs() * (n - 1) * size_of::<A>();
            if *stride < 0 {
                first -= span;
            } else {
                end += span;
            }
        }
        first..end
    }

    /// A shared view, if no call can write the elements.
    pub(crate) fn view(&self) -> Result<ArrayView<'_, A, D>, AccessError> {
        self.extent.leases().check(&self.bytes(), Access::Read)?;
        // SAFETY: the elements are inside a live mapping and valid (invariants 1 and 4). No call
        // writes them now (checked), and none can begin to while the result borrows `self`, since
        // that takes the tensor by `&mut` (invariants 2 and 3).
        Ok(unsafe { self.raw.clone().deref_into_view() })
    }

    /// An exclusive view, if no call holds the elements.
    pub(crate) fn view_mut(&mut self) -> Result<ArrayViewMut<'_, A, D>, AccessError> {
        self.extent
            .leases()
            .check(&self.bytes(), Access::ReadWrite)?;
        if self.extent.backing().mapping().access() == Access::Read {
            unreachable!("a tensor's own mapping is writable");
        }
        // SAFETY: the elements are inside a live mapping, writable (checked), and valid (invariants
        // 1 and 4). No call holds them (checked), none can begin while the result borrows `self`
        // exclusively (invariants 2 and 3), and no two indices name one of them (invariant 6).
        Ok(unsafe { mutable(&self.raw).deref_into_view_mut() })
    }

    /// The elements as bytes.
    ///
    /// # Errors
    /// As [`Self::view`].
    ///
    /// # Panics
    /// Unless [`Self::is_contiguous`].
    pub(crate) fn bytes_of_run(&self) -> Result<&[u8], AccessError> {
        assert!(
            self.is_contiguous(),
            "only a row-major run is one slice of bytes"
        );
        self.extent.leases().check(&self.bytes(), Access::Read)?;
        let len = self.raw.len() * size_of::<A>();
        // SAFETY: as in `view` (invariants 1 to 3); the elements lie in one run, without padding
        // (invariant 5).
        Ok(unsafe { std::slice::from_raw_parts(self.raw.as_ptr().cast(), len) })
    }

    /// The elements as bytes, for as long as the borrow that the caller gave `self` for.
    ///
    /// # Errors
    /// As [`Self::view`].
    ///
    /// # Panics
    /// Unless [`Self::is_contiguous`].
    pub(crate) fn bytes_of_run_mut(&mut self) -> Result<&mut [u8], AccessError> {
        assert!(
            self.is_contiguous(),
            "only a row-major run is one slice of bytes"
        );
        self.extent
            .leases()
            .check(&self.bytes(), Access::ReadWrite)?;
        let len = self.raw.len() * size_of::<A>();
        let first = self.raw.as_ptr().cast_mut().cast();
        // SAFETY: as in `view_mut` (invariants 1 to 3); the elements lie in one run, without padding
        // (invariant 5). Whoever writes bytes into a `bool` tensor scans them before anyone else
        // sees it (invariant 4).
        Ok(unsafe { std::slice::from_raw_parts_mut(first, len) })
    }

    /// Fills the bytes from the lowest to the highest element with zero.
    ///
    /// The caller owns the whole extent and has just taken it, so there is no lease.
    pub(crate) fn zero(&mut self) {
        let range = self.bytes();
        let Some(first) = self
            .extent
            .backing()
            .mapping()
            .at(self.extent.range().start + range.start)
        else {
            return;
        };
        // SAFETY: the range lies inside a writable mapping (invariant 1), `self` is the only
        // tenant and is borrowed exclusively (invariant 2).
        unsafe { first.as_ptr().write_bytes(0, range.len()) };
    }

    /// Tells whether all elements are valid for their type: only `bool` can say no.
    ///
    /// # Errors
    /// As [`Self::view`], but for poisoned elements, which it is there to look at.
    pub(crate) fn are_elements_valid(&self) -> Result<bool, AccessError> {
        self.extent
            .leases()
            .check_leases(&self.bytes(), Access::Read)?;
        Ok(self.scan())
    }

    /// As [`Self::are_elements_valid`], for elements that nobody else can reach: the caller holds
    /// the only lease on them, and the peer it was for has let go; or has them by `&mut`.
    pub(crate) fn scan(&self) -> bool {
        if A::DTYPE != DType::Bool {
            return true;
        }
        // SAFETY: as in `view` (invariant 1), read as bytes, of which every value is valid and
        // initialised (invariants 4 and 5); nobody writes them, as the caller vouches.
        let bytes = unsafe { self.raw.clone().cast::<u8>().deref_into_view() };
        bytes.iter().all(|byte| *byte <= 1)
    }
}

/// Sees bytes as elements, if they are a whole number of aligned and valid ones.
pub(crate) fn elements_of<A: Element>(bytes: &[u8]) -> Option<&[A]> {
    if A::DTYPE == DType::Bool && bytes.iter().any(|byte| *byte > 1) {
        return None;
    }
    // SAFETY: elements are valid for all bytes, and bools were just scanned (invariant 4).
    let (before, elements, after) = unsafe { bytes.align_to::<A>() };
    (before.is_empty() && after.is_empty()).then_some(elements)
}

/// As [`elements_of`], for writing: elements have no padding, so every element is valid bytes.
pub(crate) fn elements_of_mut<A: Element>(bytes: &mut [u8]) -> Option<&mut [A]> {
    if A::DTYPE == DType::Bool && bytes.iter().any(|byte| *byte > 1) {
        return None;
    }
    // SAFETY: as in `elements_of` (invariant 4); whatever element is written is initialised bytes
    // (invariant 5).
    let (before, elements, after) = unsafe { bytes.align_to_mut::<A>() };
    (before.is_empty() && after.is_empty()).then_some(elements)
}

/// Sees elements as bytes, little-endian.
pub(crate) fn bytes_of<A: Element>(elements: &[A]) -> &[u8] {
    let first = elements.as_ptr().cast::<u8>();
    let len = size_of_val(elements);
    // SAFETY: all bytes of the elements are initialised (invariant 5), and borrowed with them.
    unsafe { std::slice::from_raw_parts(first, len) }
}

/// As [`bytes_of`], for writing; `None` unless any bytes are valid elements.
pub(crate) fn bytes_of_mut<A: Element>(elements: &mut [A]) -> Option<&mut [u8]> {
    if A::DTYPE == DType::Bool {
        return None;
    }
    let len = size_of_val(elements);
    let first = elements.as_mut_ptr().cast::<u8>();
    // SAFETY: as in `bytes_of` (invariant 5), borrowed exclusively; whatever is written is an
    // element (invariant 4), since no `bool`s are among them.
    Some(unsafe { std::slice::from_raw_parts_mut(first, len) })
}

impl<A, D: Dimension> fmt::Debug for Located<A, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Located")
            .field("shape", &self.raw.shape())
            .field("strides", &self.raw.strides())
            .field("extent", &self.extent)
            .finish()
    }
}

/// Elements that a peer lent to this process for one call (invariant 3).
///
/// Lent for reading, they are seen by any number of views; lent for writing, by one, once.
pub(crate) struct Lent {
    layout: CheckedLayout,
    access: Access,
    is_taken: AtomicBool,
    backing: Arc<Backing>,
    /// Ends the loan on this side when it is dropped, after which the peer may be told.
    _loan: Box<dyn Send + Sync>,
}

impl Lent {
    /// Notes that a peer lent the elements of `layout`, which was checked against the length of
    /// `backing`, until `loan` is dropped. `None` if the mapping doesn't allow `access`, or if an
    /// element isn't valid for its type: a `bool` that is neither 0 nor 1, or one of more `bool`s than
    /// there are bytes for.
    pub(crate) fn new(
        backing: Arc<Backing>,
        layout: CheckedLayout,
        access: Access,
        loan: impl Send + Sync + 'static,
    ) -> Option<Self> {
        let mapping = backing.mapping();
        let is_allowed = mapping.access() == Access::ReadWrite || access == Access::Read;
        if !is_allowed || layout.bytes().end > mapping.len() {
            return None;
        }
        let is_taken = AtomicBool::new(false);
        let lent = Self {
            layout,
            access,
            is_taken,
            backing,
            _loan: Box::new(loan),
        };
        lent.are_elements_valid().then_some(lent)
    }

    /// What they were lent for.
    pub(crate) fn access(&self) -> Access {
        self.access
    }

    /// Their layout.
    pub(crate) fn layout(&self) -> &CheckedLayout {
        &self.layout
    }

    fn raw<A: Element, D: Dimension>(&self) -> Option<RawArrayView<A, D>> {
        raw_view(self.backing.mapping().at(0)?, &self.layout)
    }

    fn are_elements_valid(&self) -> bool {
        if self.layout.dtype() != DType::Bool {
            return true;
        }
        let Some(mut raw) = self.raw::<bool, IxDyn>() else {
            return false;
        };
        // An element that is repeated is looked at once. Where as many are left as there are bytes, or
        // fewer, looking takes no longer than the segment is; more make a layout that no array has.
        for (axis, stride) in self.layout.strides().iter().enumerate() {
            if *stride == 0 && raw.len_of(Axis(axis)) > 1 {
                raw.slice_axis_inplace(Axis(axis), Slice::new(0, Some(1), 1));
            }
        }
        if raw.len() > self.layout.bytes().len() {
            return false;
        }
        // SAFETY: `self` keeps the mapping alive (invariant 1) and the loan lasts (invariant 3);
        // read as bytes, of which every value is valid. No mutable view was given out yet.
        let bytes = unsafe { raw.cast::<u8>().deref_into_view() };
        bytes.iter().all(|byte| *byte <= 1)
    }

    /// The elements, lent for reading; `None` if they were lent for writing, or have another
    /// element type or number of dimensions.
    pub(crate) fn view<A: Element, D: Dimension>(&self) -> Option<ArrayView<'_, A, D>> {
        let raw = self.raw()?;
        // SAFETY: the layout was checked against the mapping, which `self` keeps alive (invariant
        // 1); the elements were validated (invariant 4); the loan lasts as long as `self`, and
        // nobody writes what was lent for reading (invariant 3), this side included: it gives out
        // no mutable view.
        (self.access == Access::Read).then(|| unsafe { raw.deref_into_view() })
    }

    /// The elements, lent for writing; `None` the second time, and as for [`Self::view`].
    pub(crate) fn view_mut<A: Element, D: Dimension>(&self) -> Option<ArrayViewMut<'_, A, D>> {
        let raw = self.raw()?;
        if self.access != Access::ReadWrite || self.is_taken.swap(true, Ordering::AcqRel) {
            return None;
        }
        // SAFETY: as in `view` (invariants 1 and 4), and the layout names no element twice
        // (invariant 6); nobody else reads or writes what was lent for writing (invariant 3), and
        // this side gives it out once.
        Some(unsafe { mutable(&raw).deref_into_view_mut() })
    }
}

impl fmt::Debug for Lent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lent")
            .field("layout", &self.layout)
            .field("access", &self.access)
            .finish_non_exhaustive()
    }
}

/// Builds ndarray's raw view; `None` for another element type or number of dimensions.
fn raw_view<A: Element, D: Dimension>(
    base: NonNull<u8>,
    layout: &CheckedLayout,
) -> Option<RawArrayView<A, D>> {
    if layout.dtype() != A::DTYPE {
        return None;
    }
    let shape = D::from_dimension(&IxDyn(layout.shape()))?;
    let steps: Dims<usize> = layout
        .strides()
        .iter()
        .map(|stride| stride.unsigned_abs())
        .collect();
    let steps = D::from_dimension(&IxDyn(&steps))?;
    // ndarray starts at the lowest address with steps upwards, and then turns dimensions round.
    let lowest = base.as_ptr().wrapping_add(layout.bytes().start).cast::<A>();
    // SAFETY: the pointer isn't null; shape and strides were checked: all elements lie within the
    // bytes that begin at `base`, aligned (`base` is at a boundary of every element type), which is
    // what invariant 1 begins with; and the products fit `isize`.
    let mut raw = unsafe { RawArrayView::from_shape_ptr(shape.strides(steps), lowest) };
    for (axis, stride) in layout.strides().iter().enumerate() {
        if *stride < 0 {
            raw.slice_axis_inplace(Axis(axis), Slice::new(0, None, -1));
        }
    }
    Some(raw)
}

/// The same elements, for writing. The caller sees to it that no two indices name one element.
fn mutable<A: Element, D: Dimension>(raw: &RawArrayView<A, D>) -> RawArrayViewMut<A, D> {
    if raw.is_empty() {
        let nowhere = raw.as_ptr().cast_mut();
        // SAFETY: the pointer is that of a raw view that was built (invariant 1); there is no
        // element behind it.
        return unsafe { RawArrayViewMut::from_shape_ptr(raw.raw_dim(), nowhere) };
    }
    let mut upwards = raw.clone();
    let is_turned: Dims<bool> = raw.strides().iter().map(|stride| *stride < 0).collect();
    let turn = Slice::new(0, None, -1);
    for axis in (0..is_turned.len()).filter(|axis| is_turned[*axis]) {
        upwards.slice_axis_inplace(Axis(axis), turn);
    }
    let steps: Dims<usize> = upwards
        .strides()
        .iter()
        .map(|stride| stride.unsigned_abs())
        .collect();
    let steps = D::from_dimension(&IxDyn(&steps)).unwrap_or_default();
    // The pointer came from a mapping, not from a reference, so it may be written through.
    let lowest = upwards.as_ptr().cast_mut();
    // SAFETY: shape, strides and pointer are those of a raw view that was built (invariant 1), with
    // all strides turned upwards.
    let mut raw =
        unsafe { RawArrayViewMut::from_shape_ptr(upwards.raw_dim().strides(steps), lowest) };
    for axis in (0..is_turned.len()).filter(|axis| is_turned[*axis]) {
        raw.slice_axis_inplace(Axis(axis), turn);
    }
    raw
}
