//! A segment's pages in this process. No other file maps what a descriptor refers to.
//!
//! # Invariants
//! 1. `base` is the start of a live shared mapping of exactly `len` bytes, `len > 0`, made by this
//!    value and unmapped only by its `Drop`.
//! 2. The file behind it is a memfd whose length is sealed at `len` bytes or more, or a named segment
//!    that its maker, a process of this user's that is trusted, never shortens; its pages are
//!    reserved before anyone but their maker has a pointer into it, so no access in
//!    `base..base + len` faults.
//! 3. The mapping is readable, and writable if `access` is [`Access::ReadWrite`].
//! 4. A `Mapping` hands out raw pointers alone. Whoever makes a reference of one proves, by a lease
//!    or by the borrow checker, that nobody writes those bytes meanwhile.
//! 5. What is mapped already stays as it is: no call here says `MAP_FIXED`, and none unmaps anything
//!    but what was mapped here, and that once.

use std::ffi::c_int;
use std::io;
use std::ops::Range;
use std::os::fd::BorrowedFd;
use std::ptr::NonNull;
use std::time::Duration;

use rustix::mm::{Advice, MapFlags, ProtFlags};
use rustix::time::{ClockId, clock_gettime};

/// What one entry of the second level of page tables spans, with pages of 4 KiB: a *huge page*.
const HUGE_PAGE_BYTES: usize = 2 * 1024 * 1024;
/// Makes a huge page of small ones (`man 2 madvise`, since Linux 6.1). rustix has no name for it yet,
/// and libc none for all C libraries.
const MADV_COLLAPSE: c_int = 25;
/// Huge pages that are made at once, the first time: enough to share what the kernel does once for
/// each request (it waits for every core for a moment, which takes 10 ms where all are busy), and few
/// enough to find out what they cost.
const FIRST_HUGE_PAGES: usize = 8;
/// As many as are made at once after that.
const HUGE_PAGES_AT_ONCE: usize = 32;
/// What a huge page may take to make, on average, beyond [`PATIENCE`], of the processor's time. One
/// takes a tenth of a millisecond, and small pages in its place a whole one by the time that both sides
/// have touched them. Where memory is in pieces it may take much more, and then small ones are as good.
const PATIENCE_PER_HUGE_PAGE: Duration = Duration::from_millis(1);
/// What huge pages may take beyond that.
const PATIENCE: Duration = Duration::from_millis(4);

/// What a mapping (or a lease) allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Access {
    /// Reading.
    Read,
    /// Reading and writing.
    ReadWrite,
    /// Reading and writing, by atomics alone, while others do the same. Mapped as `ReadWrite`.
    Shared,
}

/// A segment's pages in this process, unmapped on drop.
#[derive(Debug)]
pub(crate) struct Mapping {
    base: NonNull<u8>,
    len: usize,
    access: Access,
    /// The process that made it: a forked child doesn't have the pages.
    owner: u32,
}

// SAFETY: the mapping belongs to the process, not to a thread, and the value only hands out raw
// pointers (invariant 4).
unsafe impl Send for Mapping {}
// SAFETY: as for `Send` (invariant 4); all methods take `&self` and read plain fields.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps the first `len` bytes of a segment. Pages are mapped one by one when they are touched;
    /// see [`populate`](Self::populate).
    ///
    /// # Errors
    /// The kernel's: `ENOMEM` beyond RLIMIT_AS or the number of mappings, `EPERM` or `EACCES` where
    /// a seal or the descriptor forbids `access`; `EINVAL` for a length of zero.
    pub(crate) fn new(fd: BorrowedFd<'_>, len: usize, access: Access) -> io::Result<Self> {
        let protection = match access {
            Access::Read => ProtFlags::READ,
            Access::ReadWrite | Access::Shared => ProtFlags::READ | ProtFlags::WRITE,
        };
        // Where the kernel has given the place to somebody else meanwhile, it finds another one,
        // which may do without huge pages.
        let place = place_for_huge_pages(len).unwrap_or(std::ptr::null_mut());
        // SAFETY: without MAP_FIXED the address is a hint, and `mmap` touches no existing mapping
        // (invariant 5).
        let base = unsafe { rustix::mm::mmap(place, len, protection, MapFlags::SHARED, fd, 0) }?;
        let base = NonNull::new(base.cast::<u8>()).ok_or(io::ErrorKind::AddrNotAvailable)?;
        let mapping = Self {
            base,
            len,
            access,
            owner: std::process::id(),
        };
        // A forked child must not keep the pages alive. A kernel that refuses changes nothing else.
        // SAFETY: the range is the mapping just made (invariant 1); DONTFORK alters no contents.
        let _ = unsafe { rustix::mm::madvise(base.as_ptr().cast(), len, Advice::LinuxDontFork) };
        Ok(mapping)
    }

    /// Maps the pages of `range`, which exist, at once: a third of what it takes to do so one by one
    /// when they are written. (What is mapped for reading in shared memory may be written, too.)
    ///
    /// A kernel that can't (before Linux 5.14) leaves that to the first touch.
    pub(crate) fn populate(&self, range: Range<usize>) {
        let (Some(start), true) = (self.at(range.start), range.end <= self.len) else {
            return;
        };
        let start = start.as_ptr().cast();
        let advice = Advice::LinuxPopulateRead;
        // SAFETY: the range lies in the mapping (invariant 1); populating alters no contents.
        let _ = unsafe { rustix::mm::madvise(start, range.len(), advice) };
    }

    /// Fills a new segment with huge pages, from its start, as long as they are cheap to be had:
    /// an array is copied there in a fifth of the time that fresh small pages take, and read by a
    /// peer in a third.
    /// Returns how many bytes are reserved then; they are zero.
    ///
    /// Huge pages are made, not asked for: the kernel's settings for shared memory are `never` by
    /// default, and concern its own initiative alone.
    pub(crate) fn reserve_huge_pages(&self) -> usize {
        let began = processor_time();
        let (mut patience, mut at_once) = (PATIENCE, FIRST_HUGE_PAGES);
        let (mut reserved, wanted) = (0, self.len / HUGE_PAGE_BYTES * HUGE_PAGE_BYTES);
        while reserved < wanted && processor_time().saturating_sub(began) < patience {
            let end = wanted.min(reserved + at_once * HUGE_PAGE_BYTES);
            if !self.make_huge_pages(reserved..end) {
                break;
            }
            reserved = end;
            patience += PATIENCE_PER_HUGE_PAGE * u32::try_from(at_once).unwrap_or(u32::MAX);
            at_once = HUGE_PAGES_AT_ONCE;
        }
        if reserved < wanted {
            let spent = processor_time().saturating_sub(began);
            tracing::debug!(reserved, wanted, ?spent, "a segment has small pages");
        }
        reserved
    }

    /// Makes huge pages of `range`, where no page exists yet. What it couldn't make is as before, or
    /// has pages all the same.
    fn make_huge_pages(&self, range: Range<usize>) -> bool {
        let Some(start) = self.at(range.start) else {
            return false;
        };
        let is_whole = start.addr().get().is_multiple_of(HUGE_PAGE_BYTES)
            && range.len().is_multiple_of(HUGE_PAGE_BYTES)
            && range.end <= self.len;
        if !is_whole {
            return false;
        }
        for offset in range.clone().step_by(HUGE_PAGE_BYTES) {
            let Some(page) = self.at(offset) else {
                return false;
            };
            // A table of pages has to be there, so one page is; where there is no memory left, this
            // is an error and no signal.
            let (page, advice) = (page.as_ptr().cast(), Advice::LinuxPopulateWrite);
            // SAFETY: the page lies in the mapping (invariant 1); populating alters no contents.
            if unsafe { rustix::mm::madvise(page, 1, advice) }.is_err() {
                return false;
            }
        }
        let start = start.as_ptr().cast();
        // SAFETY: the range lies in the mapping (invariant 1); collapsing alters no contents.
        unsafe { libc::madvise(start, range.len(), MADV_COLLAPSE) == 0 }
    }

    /// The mapped bytes.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// What the mapping allows.
    pub(crate) fn access(&self) -> Access {
        self.access
    }

    /// A pointer to the byte at `offset`, for `offset <= len`; `None` beyond.
    pub(crate) fn at(&self, offset: usize) -> Option<NonNull<u8>> {
        if offset > self.len {
            return None;
        }
        // SAFETY: `offset <= len`, so the result is inside the mapping or one past it (invariant 1).
        Some(unsafe { self.base.add(offset) })
    }
}

/// What this thread has had of the processor. On a busy machine it waits for its turn, which says
/// nothing about the memory.
fn processor_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

/// Finds an address at a boundary of huge pages with room for `len` bytes, free for the moment.
fn place_for_huge_pages(len: usize) -> Option<*mut std::ffi::c_void> {
    if len < HUGE_PAGE_BYTES {
        return None;
    }
    let room = len.checked_add(HUGE_PAGE_BYTES)?;
    let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
    // SAFETY: with a null hint and without MAP_FIXED, `mmap` touches no existing mapping (invariant
    // 5).
    let found = unsafe {
        rustix::mm::mmap_anonymous(std::ptr::null_mut(), room, ProtFlags::empty(), flags)
    };
    let found = found.ok()?;
    // SAFETY: the range was mapped just now, nobody knows of it, and it is unmapped once (invariant
    // 5).
    unsafe { rustix::mm::munmap(found, room) }.ok()?;
    let boundary = found.addr().next_multiple_of(HUGE_PAGE_BYTES);
    Some(found.with_addr(boundary))
}

impl Drop for Mapping {
    fn drop(&mut self) {
        if std::process::id() != self.owner {
            // The range may be something else by now.
            return;
        }
        // SAFETY: the range was mapped by `new` and is unmapped once, here (invariant 1). Pointers
        // into it are kept only beside an `Arc` of what owns this value.
        let unmapped = unsafe { rustix::mm::munmap(self.base.as_ptr().cast(), self.len) };
        debug_assert!(
            unmapped.is_ok(),
            "unmapping our own range can't fail: {unmapped:?}"
        );
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;
    use crate::segment::memfd;

    /// The huge pages that back the mapping at `address`, as the kernel counts them.
    fn huge_bytes_at(address: usize) -> usize {
        let smaps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let mapping = format!("{address:x}-");
        let lines = smaps.lines().skip_while(|line| !line.starts_with(&mapping));
        let mut counts = lines.filter_map(|line| line.strip_prefix("ShmemPmdMapped:"));
        let count = counts.next().unwrap().trim().strip_suffix("kB").unwrap();
        count.trim().parse::<usize>().unwrap() * 1024
    }

    #[test]
    fn large_mappings_begin_at_a_huge_page() {
        let len = HUGE_PAGE_BYTES + 4096;
        let fd = memfd::create(len).unwrap();
        for access in [Access::Read, Access::ReadWrite, Access::Read] {
            let mapping = Mapping::new(fd.as_fd(), len, access).unwrap();
            let base = mapping.at(0).unwrap().addr().get();
            assert!(base.is_multiple_of(HUGE_PAGE_BYTES), "{base:x}");
        }
    }

    #[test]
    fn huge_pages_are_reserved_and_zero() {
        let len = 3 * HUGE_PAGE_BYTES + 4096;
        let fd = memfd::create(len).unwrap();
        let mapping = Mapping::new(fd.as_fd(), len, Access::ReadWrite).unwrap();
        let reserved = mapping.reserve_huge_pages();
        let base = mapping.at(0).unwrap().addr().get();
        assert_eq!(huge_bytes_at(base), reserved);
        assert!(
            memfd::check(fd.as_fd(), len).is_err(),
            "the rest has no pages yet"
        );
        memfd::reserve(&fd, reserved..len).unwrap();
        memfd::check(fd.as_fd(), len).unwrap();
        let mut contents = vec![1; len];
        rustix::io::pread(&fd, &mut contents, 0).unwrap();
        assert!(contents.iter().all(|byte| *byte == 0));
    }
}
