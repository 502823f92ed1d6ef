//! Memory that is shared with programs which know nothing of this crate.
//!
//! The crate `shared_memory` makes, opens and maps the segments; what it doesn't do is done here:
//! pages are reserved when a segment is made, nobody unlinks what another owns, and bytes are
//! copied through the descriptor. This file has unsafe code.
//!
//! # Invariants
//! 1. `mapping` maps `len` bytes of the file, readable and writable, as long as the value lives.
//! 2. Other programs may write the bytes at any moment, so nothing here makes a reference to them
//!    but to atomics (which may change), or for a caller who vouches that nobody writes.
//! 3. No two atomics that were given out lie on each other, unless they are one: what comes of atomics of
//!    different sizes at one place, no model of memory says. (Another mapping of the file is another
//!    program's, as far as that goes.)
//! 4. Whoever owns the file may shorten it. An access behind its end is a signal (SIGBUS), which
//!    ends the process and reads or writes nothing.

mod place;

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, PoisonError};

use ndarray::{Dimension, IntoDimension, Ix1};
use shared_memory::{Shmem, ShmemConf};

use place::{identity_of, open_file, refusal, reserve, stat, system, valid};

use super::error::ForeignError;
use super::{new_name, path};
use crate::segment::atomic::Atomic;
use crate::segment::backing::SegmentIdentity;
use crate::segment::budget::Reservation;
use crate::tensor::{Element, Tensor, TensorView};

/// The size of the largest [`Atomic`].
const LARGEST_ATOMIC_BYTES: usize = 8;

/// A named segment of shared memory (`shm_open`, a file in `/dev/shm`) that a program which knows
/// nothing of Reedbed uses too, such as Python's `multiprocessing.shared_memory`.
///
/// Nobody leases its bytes to anybody: the other program reads and writes them when it likes. So
/// there are no slices of it in safe code. [`read_into`](Self::read_into) and
/// [`write_from`](Self::write_from) copy, [`to_tensor`](Self::to_tensor) and
/// [`export`](Self::export) copy whole arrays, and [`atomic`](Self::atomic) gives single values that
/// both programs use at once. What the bytes mean, and when they are complete, is for the two
/// programs to agree on.
///
/// Who makes a segment unlinks its name, by dropping it; who opens one never does.
///
/// ```
/// use reedbed::{ForeignSegment, Tensor, ndarray::{Ix1, array}};
///
/// // One program (Python: `SharedMemory(name)`, `numpy.ndarray((3,), float, shm.buf)`) ..
/// let exported = ForeignSegment::export(Tensor::from(array![1.0, 2.0, 4.0]).tensor_view())?;
/// // .. and another one.
/// let opened = ForeignSegment::open(exported.name())?;
/// let copy: Tensor<f64, Ix1> = opened.to_tensor(3)?;
/// assert_eq!(copy.view()?.sum(), 7.0);
///
/// drop(exported);
/// assert!(ForeignSegment::open(opened.name()).is_err(), "who made it has unlinked it");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Files that shrink
///
/// The other program may shorten the file, which can't be prevented. Copies go through the file's
/// descriptor and report that as an error. Access through the mapping (by `atomic` and the unsafe
/// methods) is ended by the signal SIGBUS then; only use it with a program that doesn't do that. The
/// same goes for pages that whoever made the file has not reserved (Python doesn't), where `/dev/shm`
/// is full.
pub struct ForeignSegment {
    name: String,
    file: File,
    mapping: Shmem,
    len: usize,
    identity: SegmentIdentity,
    /// The sizes of the atomics that were given out, by where they are.
    atomics: Mutex<BTreeMap<usize, usize>>,
    /// The process that unlinks the name when it drops this value; none for what others made.
    unlinker: Option<u32>,
    /// Counted only where the segment was made.
    _reservation: Option<Reservation>,
}

// SAFETY: the mapping belongs to the process, not to a thread, and its bytes are reached by atomics,
// or by whoever vouches for more (invariants 1 and 2).
unsafe impl Send for ForeignSegment {}
// SAFETY: as for `Send`; what takes `&self` copies through the descriptor, which the kernel orders,
// or gives atomics (invariants 2 and 3).
unsafe impl Sync for ForeignSegment {}

impl ForeignSegment {
    /// Opens a segment that another program made. Its name stays that program's to unlink.
    ///
    /// Names are those of `shm_open`: one slash at the beginning may be there or not.
    ///
    /// # Errors
    /// `Name`, `Vanished`, `Denied`, `Empty` and `System` of [`ForeignError`].
    pub fn open(name: &str) -> Result<Self, ForeignError> {
        let name = valid(name)?;
        let file = open_file(name)?;
        let refused = |error| system(name, error);
        let (len, identity) = stat(&file).map_err(refused)?;
        if len == 0 {
            return Err(ForeignError::Empty {
                name: name.to_owned(),
            });
        }
        let mapping = ShmemConf::new().os_id(name).open();
        let mapping = mapping.map_err(|error| refusal(name, error))?;
        // Both were found by name: make sure that it named one file all the while.
        let is_same = identity_of(name).is_some_and(|now| now == identity);
        if !is_same || mapping.len() != len {
            return Err(ForeignError::Vanished {
                name: name.to_owned(),
            });
        }
        Ok(Self {
            name: name.to_owned(),
            file,
            mapping,
            len,
            identity,
            atomics: Mutex::default(),
            unlinker: None,
            _reservation: None,
        })
    }

    /// Makes a segment of `len_bytes` bytes, all zero, under a name that is made up for it. Its
    /// pages are reserved.
    ///
    /// The name is unlinked when the value is dropped, when the process exits, and, if it is
    /// killed, when the next process of this user makes one.
    ///
    /// # Errors
    /// `Empty` and `System` of [`ForeignError`], and `Exhausted` where the memory can't be had:
    /// beyond this process's budget, or the size of `/dev/shm`.
    pub fn create(len_bytes: usize) -> Result<Self, ForeignError> {
        let name = new_name().map_err(|error| system("", error))?;
        Self::create_named(&name, len_bytes)
    }

    /// As [`create`](Self::create), under a name of the caller's. If the process is killed, the name
    /// stays: nobody can tell whether another program still wants it.
    ///
    /// # Errors
    /// As [`create`](Self::create), and `Name` and `Exists`.
    pub fn create_named(name: &str, len_bytes: usize) -> Result<Self, ForeignError> {
        let name = valid(name)?;
        if len_bytes == 0 {
            return Err(ForeignError::Empty {
                name: name.to_owned(),
            });
        }
        let reservation = Reservation::new(len_bytes)?;
        let mapping = ShmemConf::new().os_id(name).size(len_bytes).create();
        let mut mapping = mapping.map_err(|error| refusal(name, error))?;
        let reserved = open_file(name).and_then(|file| {
            reserve(&file, len_bytes)?;
            let (_, identity) = stat(&file).map_err(|error| system(name, error))?;
            Ok((file, identity))
        });
        // On an error it is unlinked by its maker, the crate; later by ours, which looks twice.
        let (file, identity) = reserved?;
        mapping.set_owner(false);
        Ok(Self {
            name: name.to_owned(),
            file,
            mapping,
            len: len_bytes,
            identity,
            atomics: Mutex::default(),
            unlinker: Some(std::process::id()),
            _reservation: Some(reservation),
        })
    }

    /// Copies the elements of a tensor, or of a view of one, into a segment that is made for them,
    /// in row-major order.
    ///
    /// # Errors
    /// As [`create`](Self::create), and `Access` while the elements can't be read.
    pub fn export<A: Element, D: Dimension>(
        elements: TensorView<'_, A, D>,
    ) -> Result<Self, ForeignError> {
        let n_elements: usize = elements.shape().iter().product();
        elements.view()?;
        let segment = Self::create(n_elements * size_of::<A>())?;
        let place = At {
            segment: &segment,
            offset: 0,
        };
        elements
            .write_raw(place)
            .map_err(|error| system(&segment.name, error))?;
        Ok(segment)
    }

    /// Returns the name, without a slash: what Python's `SharedMemory(name)` takes.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the number of bytes that there were when it was opened.
    #[must_use]
    pub fn len_bytes(&self) -> usize {
        self.len
    }

    /// Returns the device and inode of the shared memory, equal in every process.
    #[must_use]
    pub fn identity(&self) -> SegmentIdentity {
        self.identity
    }

    /// Copies bytes out of the segment, from `offset_bytes` on. What another program writes
    /// meanwhile may be among them in part.
    ///
    /// # Errors
    /// `OutOfRange`, `Shortened` and `System` of [`ForeignError`].
    pub fn read_into(&self, offset_bytes: usize, target: &mut [u8]) -> Result<(), ForeignError> {
        self.check_range(offset_bytes, target.len())?;
        // By the descriptor, not by the mapping: where the file ends too early it is an error.
        self.file
            .read_exact_at(target, offset_bytes as u64)
            .map_err(|error| self.copy_error(error))
    }

    /// Copies bytes into the segment, from `offset_bytes` on.
    ///
    /// # Errors
    /// `OutOfRange`, `Shortened` and `System` of [`ForeignError`].
    pub fn write_from(&self, offset_bytes: usize, source: &[u8]) -> Result<(), ForeignError> {
        self.check_range(offset_bytes, source.len())?;
        // The kernel would make the file longer again, where its owner has shortened it.
        self.check_length()?;
        self.file
            .write_all_at(source, offset_bytes as u64)
            .map_err(|error| self.copy_error(error))
    }

    /// Copies the elements at the beginning of the segment into a tensor, which can be lent to
    /// workers. They are those of a row-major array of `shape`.
    ///
    /// # Errors
    /// `OutOfRange`, `Shortened`, `Invalid`, `Exhausted` and `System` of [`ForeignError`].
    pub fn to_tensor<A: Element, S: IntoDimension>(
        &self,
        shape: S,
    ) -> Result<Tensor<A, S::Dim>, ForeignError> {
        let shape = shape.into_dimension();
        let n_elements = shape.size_checked();
        let len = n_elements.and_then(|n| n.checked_mul(size_of::<A>()));
        let len = len.unwrap_or(usize::MAX);
        self.check_range(0, len)?;
        let mut bytes = Tensor::<u8, Ix1>::uninit(len)?;
        self.read_into(0, bytes.located_mut().bytes_of_run_mut()?)?;
        let invalid = || ForeignError::Invalid {
            name: self.name.clone(),
        };
        crate::Segment::from_bytes(bytes)
            .into_tensor(shape)
            .map_err(|_| invalid())
    }

    /// Returns a value in the segment that both programs read and write at once, as std's atomic.
    ///
    /// From then on, its bytes are for values of that size, as long as the segment is open here: one
    /// that lies on them and is larger or smaller is refused. The other program should keep to that,
    /// too: what is read of such a value, while another one is written, is up to the processor.
    ///
    /// # Errors
    /// `OutOfRange`, `NotAligned`, `OtherSize` and `Shortened` of [`ForeignError`].
    pub fn atomic<T: Atomic>(&self, offset_bytes: usize) -> Result<&T::Cell, ForeignError> {
        self.check_range(offset_bytes, size_of::<T>())?;
        self.check_length()?;
        if !offset_bytes.is_multiple_of(size_of::<T>()) {
            return Err(ForeignError::NotAligned {
                name: self.name.clone(),
                offset_bytes,
                dtype: T::DTYPE,
            });
        }
        self.note_atomic(offset_bytes, size_of::<T>())?;
        let place = self.mapping.as_ptr().wrapping_add(offset_bytes);
        // SAFETY: the value lies in the mapping, which lives as long as `self` (invariant 1), at a
        // multiple of its size, counted from the start of a page; an atomic is valid for any bytes,
        // however they change (invariant 2); and no other one has a part of them (invariant 3).
        Ok(unsafe { &*place.cast::<T::Cell>() })
    }

    /// Borrows the bytes.
    ///
    /// # Safety
    /// As long as the result lives, no program writes the segment, and none shortens it.
    #[must_use]
    pub unsafe fn as_bytes(&self) -> &[u8] {
        // SAFETY: the mapping has these bytes (invariant 1), and the caller vouches that nobody
        // writes them.
        unsafe { self.mapping.as_slice() }
    }

    /// Borrows the bytes for writing.
    ///
    /// # Safety
    /// As long as the result lives, no other program reads or writes the segment, none shortens it,
    /// and no other value of this process that was opened by its name is used.
    #[must_use]
    pub unsafe fn as_bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: the mapping has these bytes (invariant 1), and the caller vouches that nobody else
        // reads or writes them.
        unsafe { self.mapping.as_slice_mut() }
    }

    /// Leaves the name to others: dropping the value no longer unlinks it. (A name that was made up
    /// is unlinked all the same when this process has ended.)
    #[must_use]
    pub fn leave(mut self) -> String {
        self.unlinker = None;
        self.name.clone()
    }

    /// Notes that an atomic is given out, which lies at a multiple of its size.
    fn note_atomic(&self, offset_bytes: usize, size_bytes: usize) -> Result<(), ForeignError> {
        let mut atomics = self.atomics.lock().unwrap_or_else(PoisonError::into_inner);
        // None is larger than this, so none reaches beyond a multiple of it.
        let first = offset_bytes - offset_bytes % LARGEST_ATOMIC_BYTES;
        let end_bytes = offset_bytes + size_bytes;
        let mut near = atomics.range(first..end_bytes);
        let other = near.find(|(at, size)| **at + **size > offset_bytes && **size != size_bytes);
        if let Some((_, other_bytes)) = other {
            return Err(ForeignError::OtherSize {
                name: self.name.clone(),
                offset_bytes,
                size_bytes,
                other_bytes: *other_bytes,
            });
        }
        atomics.insert(offset_bytes, size_bytes);
        Ok(())
    }

    fn check_range(&self, offset_bytes: usize, len: usize) -> Result<(), ForeignError> {
        let end_bytes = offset_bytes.saturating_add(len);
        if end_bytes <= self.len {
            return Ok(());
        }
        Err(ForeignError::OutOfRange {
            name: self.name.clone(),
            offset_bytes,
            end_bytes,
            len_bytes: self.len,
        })
    }

    /// Checks that the file is as long as it was. It may be shortened a moment later.
    fn check_length(&self) -> Result<(), ForeignError> {
        let (now, _) = stat(&self.file).map_err(|error| system(&self.name, error))?;
        if now >= self.len {
            return Ok(());
        }
        Err(ForeignError::Shortened {
            name: self.name.clone(),
            len_bytes: self.len,
            end_bytes: now,
        })
    }

    fn copy_error(&self, error: io::Error) -> ForeignError {
        match (error.kind(), self.check_length()) {
            (io::ErrorKind::UnexpectedEof, Err(shortened)) => shortened,
            _ => system(&self.name, error),
        }
    }
}

impl Drop for ForeignSegment {
    fn drop(&mut self) {
        // A forked child doesn't unlink what is its parent's; and what has the name now may be
        // another program's.
        let is_ours = self.unlinker == Some(std::process::id())
            && identity_of(&self.name) == Some(self.identity);
        if is_ours {
            let _ = fs::remove_file(path(&self.name));
        }
    }
}

impl fmt::Debug for ForeignSegment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ForeignSegment")
            .field("name", &self.name)
            .field("len_bytes", &self.len)
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}

/// Writes from a place in a segment on.
struct At<'a> {
    segment: &'a ForeignSegment,
    offset: usize,
}

impl Write for At<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.segment
            .write_from(self.offset, bytes)
            .map_err(io::Error::other)?;
        self.offset += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
