//! What a frame brought, taken apart: the arguments of a call, or what a call returned.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use ndarray::{ArrayView, ArrayViewMut, Dimension};
use serde::de::DeserializeOwned;

use super::argument::HandleArg;
use super::connection::Caller;
use super::instance::{Claim, Instance};
use super::pending::Expected;
use super::returned::{Give, RETURNED};
use crate::channel::bind::Bound;
use crate::dynamic::{AnyCells, AnyTensor};
use crate::segment::extent::Extent;
use crate::segment::mapping::Access;
use crate::segment::shared::Shared;
use crate::segment::{Atomic, SharedCell, ShmExhausted};
use crate::tensor::layout::CheckedLayout;
use crate::tensor::pointer::{Lent, Located};
use crate::tensor::{Element, Tensor};
use crate::wire::codec;
use crate::wire::frame::Failure;

/// The name of the argument that says whose method is called.
pub(crate) const SELF: &str = "self";

/// How many types that hold arrays may lie inside one another.
const DEEPEST: usize = 128;

/// The arrays and the bytes of one frame.
pub(crate) struct Parcel {
    arrays: Vec<Array>,
    body: Vec<u8>,
    /// The instance that a constructor's reply names.
    claim: Option<Claim>,
}

/// An array that a frame brought.
enum Array {
    Lent(Lent),
    /// None once somebody has taken it.
    Owned(Mutex<Option<Bound>>),
}

impl Array {
    fn take(&self) -> Option<Bound> {
        match self {
            Self::Lent(_) => None,
            Self::Owned(bound) => bound.lock().unwrap_or_else(PoisonError::into_inner).take(),
        }
    }
}

impl Parcel {
    pub(crate) fn new(bound: Vec<Bound>, body: Vec<u8>) -> Self {
        let arrays = bound.into_iter().map(|bound| match bound {
            Bound::Lent(lent) => Array::Lent(lent),
            owned => Array::Owned(Mutex::new(Some(owned))),
        });
        Self {
            arrays: arrays.collect(),
            body,
            claim: None,
        }
    }

    /// The bytes of all arrays that were given.
    pub(crate) fn size_bytes(&self) -> u64 {
        let size = |array: &Array| match array {
            Array::Lent(_) => 0,
            Array::Owned(bound) => match &*bound.lock().unwrap_or_else(PoisonError::into_inner) {
                Some(Bound::Given { layout, .. }) => layout.size_bytes() as u64,
                _ => 0,
            },
        };
        self.arrays.iter().map(size).sum()
    }

    /// Copies what an untrusted worker gave to memory of this process's own, which it can't write any
    /// more; returns how many bytes that were.
    ///
    /// # Errors
    /// [`ShmExhausted`] if there is no memory for it.
    pub(crate) fn copy_out(&mut self) -> Result<u64, ShmExhausted> {
        let mut n_copied = 0;
        for array in &mut self.arrays {
            let Array::Owned(bound) = array else { continue };
            let bound = bound.get_mut().unwrap_or_else(PoisonError::into_inner);
            n_copied += bound.as_mut().map_or(Ok(0), Bound::copy_out)?;
        }
        Ok(n_copied)
    }

    /// Makes the instance that it is expected to name this side's to drop.
    pub(crate) fn claim(&mut self, expected: Expected) {
        // What can't be read is told to whoever reads it.
        if let Ok(Some(number)) = (expected.find)(&mut self.open()) {
            self.claim = Some(Claim::new(&expected.channel, number));
        }
    }

    /// Begins to read it.
    pub(crate) fn open(&self) -> Incoming<'_> {
        Incoming {
            parcel: self,
            offset: 0,
            depth: 0,
            has_begun: None,
            made: None,
        }
    }

    /// Begins to read the arguments of a function, which follow the first `offset` bytes.
    pub(super) fn open_at<'a>(&'a self, offset: usize, has_begun: &'a AtomicBool) -> Incoming<'a> {
        Incoming {
            offset,
            has_begun: Some(has_begun),
            ..self.open()
        }
    }

    /// Begins to read what a function returned to `caller`.
    pub(crate) fn open_for(&mut self, caller: &Caller) -> Incoming<'_> {
        let claim = self.claim.take();
        Incoming {
            made: claim.map(|claim| Instance::new(claim, caller.clone())),
            ..self.open()
        }
    }
}

/// Reads the arguments of a call (or the parts of what was returned), one after another.
pub struct Incoming<'a> {
    parcel: &'a Parcel,
    offset: usize,
    /// How many types the one that is read lies in.
    depth: usize,
    has_begun: Option<&'a AtomicBool>,
    made: Option<Instance>,
}

impl<'a> Incoming<'a> {
    /// Reads an argument that travels by handle, or a part of one.
    ///
    /// # Errors
    /// If the caller sent something else.
    pub fn handle<T: HandleArg<'a>>(&mut self, argument: &str) -> Result<T, Failure> {
        self.within(argument, |incoming| T::bind(argument, incoming))
    }

    /// Reads a part of what was returned.
    ///
    /// # Errors
    /// If the worker sent something else.
    pub fn part<T: Give<K>, K>(&mut self) -> Result<T::Received, Failure> {
        self.within(RETURNED, T::receive)
    }

    /// Reads something that may have parts, no deeper than the stack is.
    fn within<T>(
        &mut self,
        argument: &str,
        read: impl FnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        if self.depth == DEEPEST {
            let reason = format!("more than {DEEPEST} types lie inside one another");
            return Err(bad(argument, &reason));
        }
        self.depth += 1;
        let value = read(self);
        self.depth -= 1;
        value
    }

    /// Reads the number of parts that follow. Each has a byte at least.
    pub(crate) fn n_parts(&mut self, argument: &str) -> Result<usize, Failure> {
        let n: u64 = self.value(argument)?;
        let rest = self.n_bytes_left();
        usize::try_from(n)
            .ok()
            .filter(|n| *n <= rest)
            .ok_or_else(|| bad(argument, &format!("it has {n} parts in {rest} bytes")))
    }

    /// Reads an argument that travels as serde writes it.
    ///
    /// # Errors
    /// If the bytes don't spell one.
    pub fn value<T: DeserializeOwned>(&mut self, argument: &str) -> Result<T, Failure> {
        let (value, used) = codec::decode_prefix(&self.parcel.body[self.offset..])
            .map_err(|error| bad(argument, &error.to_string()))?;
        self.offset += used;
        Ok(value)
    }

    /// Checks that nothing is left; from here on the function counts as begun.
    ///
    /// # Errors
    /// If bytes are left over.
    pub fn finish(self) -> Result<(), Failure> {
        let rest = self.n_bytes_left();
        if rest > 0 {
            return Err(bad(
                "after the last",
                &format!("{rest} bytes are left over"),
            ));
        }
        if let Some(has_begun) = self.has_begun {
            #[cfg(feature = "failpoints")]
            crate::failpoint::reach(crate::failpoint::Point::Beginning);
            has_begun.store(true, Ordering::Release);
        }
        Ok(())
    }

    /// Reads the number of an instance.
    pub(crate) fn instance(&mut self, argument: &str) -> Result<Instance, Failure> {
        let number: u64 = self.value(argument)?;
        let made = self.made.take_if(|made| made.number() == number);
        made.ok_or_else(|| bad(argument, &format!("instance {number} is not a new one")))
    }

    fn index(&mut self, argument: &str) -> Result<usize, Failure> {
        let index: u32 = self.value(argument)?;
        let n_arrays = self.parcel.arrays.len();
        usize::try_from(index)
            .ok()
            .filter(|index| *index < n_arrays)
            .ok_or_else(|| bad(argument, &format!("it names array {index} of {n_arrays}")))
    }

    pub(crate) fn view<A: Element, D: Dimension>(
        &mut self,
        argument: &str,
    ) -> Result<ArrayView<'a, A, D>, Failure> {
        let lent = self.lent(argument, Access::Read)?;
        lent.view().ok_or_else(|| mismatch::<A, D>(argument, lent))
    }

    pub(crate) fn view_mut<A: Element, D: Dimension>(
        &mut self,
        argument: &str,
    ) -> Result<ArrayViewMut<'a, A, D>, Failure> {
        let lent = self.lent(argument, Access::ReadWrite)?;
        lent.view_mut()
            .ok_or_else(|| mismatch::<A, D>(argument, lent))
    }

    fn lent(&mut self, argument: &str, access: Access) -> Result<&'a Lent, Failure> {
        let index = self.index(argument)?;
        let wanted = match access {
            Access::Read => "the array must be lent for reading",
            Access::ReadWrite | Access::Shared => "the array must be lent for writing",
        };
        match &self.parcel.arrays[index] {
            Array::Lent(lent) if lent.access() == access => Ok(lent),
            Array::Lent(_) | Array::Owned(_) => Err(bad(argument, wanted)),
        }
    }

    pub(crate) fn tensor<A: Element, D: Dimension>(
        &mut self,
        argument: &str,
    ) -> Result<Tensor<A, D>, Failure> {
        let (extent, layout) = self.given(argument)?;
        let found = format!("{} of shape {:?}", layout.dtype(), layout.shape());
        let located = Located::new(extent, &layout)
            .ok_or_else(|| bad(argument, &expected::<A, D>(&found)))?;
        match located.are_elements_valid() {
            Ok(true) => Ok(Tensor::from_located(located)),
            _ => Err(bad(argument, BAD_BOOL)),
        }
    }

    /// Takes an array of any element type and any number of dimensions.
    pub(crate) fn any_tensor(&mut self, argument: &str) -> Result<AnyTensor, Failure> {
        let (extent, layout) = self.given(argument)?;
        AnyTensor::new(extent, layout).ok_or_else(|| bad(argument, BAD_BOOL))
    }

    fn given(&mut self, argument: &str) -> Result<(Arc<Extent>, CheckedLayout), Failure> {
        let index = self.index(argument)?;
        match self.parcel.arrays[index].take() {
            Some(Bound::Given { extent, layout }) => Ok((extent, layout)),
            _ => Err(bad(argument, "the array must be given, once, and not lent")),
        }
    }

    /// How many bytes were read.
    pub(super) fn offset(&self) -> usize {
        self.offset
    }

    /// The number of bytes that are left.
    pub(crate) fn n_bytes_left(&self) -> usize {
        self.parcel.body.len() - self.offset
    }

    /// Takes all bytes that are left.
    pub(crate) fn rest(&mut self) -> &'a [u8] {
        let rest = &self.parcel.body[self.offset..];
        self.offset = self.parcel.body.len();
        rest
    }

    /// Takes a single cell.
    pub(crate) fn cell<T: Atomic>(&mut self, argument: &str) -> Result<SharedCell<T>, Failure> {
        SharedCell::from_shared(self.shared(argument, 0)?)
            .ok_or_else(|| bad(argument, "a single cell is expected"))
    }

    /// Takes cells, as a run (or, with `n_dimensions` 0, a single one).
    pub(crate) fn shared<T: Atomic>(
        &mut self,
        argument: &str,
        n_dimensions: usize,
    ) -> Result<Shared<T>, Failure> {
        let (extent, layout) = self.shared_bytes(argument)?;
        let shared = Shared::new(extent, &layout);
        shared
            .filter(|_| layout.shape().len() == n_dimensions)
            .ok_or_else(|| {
                let (found, shape) = (layout.dtype(), layout.shape());
                let expected = format!("a cell of {} is expected, in {n_dimensions} dimensions, not one of {found} of shape {shape:?}", T::DTYPE);
                bad(argument, &expected)
            })
    }

    /// Takes cells of any type.
    pub(crate) fn any_cells(&mut self, argument: &str) -> Result<AnyCells, Failure> {
        let (extent, layout) = self.shared_bytes(argument)?;
        let found = format!("{} of shape {:?}", layout.dtype(), layout.shape());
        AnyCells::new(extent, layout)
            .ok_or_else(|| bad(argument, &format!("there are no shared cells of {found}")))
    }

    fn shared_bytes(&mut self, argument: &str) -> Result<(Arc<Extent>, CheckedLayout), Failure> {
        let index = self.index(argument)?;
        match self.parcel.arrays[index].take() {
            Some(Bound::Shared { extent, layout }) => Ok((extent, layout)),
            _ => Err(bad(argument, "the cell must be shared")),
        }
    }
}

impl fmt::Debug for Incoming<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming")
            .field("offset", &self.offset)
            .finish_non_exhaustive()
    }
}

const BAD_BOOL: &str = "a bool is neither 0 nor 1";

pub(super) fn bad(argument: &str, reason: &str) -> Failure {
    Failure::BadArgument {
        argument: argument.to_owned(),
        reason: reason.to_owned(),
    }
}

fn expected<A: Element, D: Dimension>(found: &str) -> String {
    let rank = D::NDIM.map_or_else(String::new, |rank| format!(" with {rank} dimensions"));
    format!(
        "an array of {}{rank} is expected, not one of {found}",
        A::DTYPE
    )
}

fn mismatch<A: Element, D: Dimension>(argument: &str, lent: &Lent) -> Failure {
    let layout = lent.layout();
    let found = format!("{} of shape {:?}", layout.dtype(), layout.shape());
    if layout.dtype() == A::DTYPE && D::NDIM.is_none_or(|rank| rank == layout.shape().len()) {
        return bad(argument, "the array was taken by another argument already");
    }
    bad(argument, &expected::<A, D>(&found))
}

/// The name of a part of an argument.
#[must_use]
pub fn part(argument: &str, name: &str) -> String {
    [argument, ".", name].concat()
}

/// Says that an enum has no variant of a number.
#[must_use]
pub fn no_variant(argument: &str, variant: u32) -> Failure {
    bad(argument, &format!("there is no variant {variant}"))
}
