//! The floor itself, by hand: words through shared memory, and the arrays beside them.
//!
//! One memfd, mapped by both processes: a lane of words each way, then two arrays. Sending is
//! storing a word and then its number; receiving is waiting for the number.
//!
//! 1. Both processes map the same memfd of [`length`] bytes for as long as they run.
//! 2. The lanes are read and written through atomics alone; zeroes are empty lanes.
//! 3. The arrays belong to the worker from the caller's `send` to its own, and to the caller the
//!    rest of the time: release and acquire of the numbers order the two.
#![expect(unsafe_code, reason = "memory that is shared by hand")]

use std::os::fd::{FromRawFd, OwnedFd};
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst};
use std::sync::atomic::{AtomicU32, AtomicU64, fence};
use std::time::{Duration, Instant};
use std::{hint, io, ptr, slice};

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

use super::bell::Bell;

/// The lanes come before the arrays.
const HEADER: usize = 256 << 10;
pub(super) const DEPTH: usize = 1024;

#[repr(C, align(64))]
struct Slot {
    number: AtomicU64,
    word: AtomicU64,
}

#[repr(C, align(64))]
struct Lane {
    /// Whether its receiver sleeps.
    parked: AtomicU32,
    slots: [Slot; DEPTH],
}

/// Shared memory, until it is dropped.
pub(super) struct Map(*mut u8, usize);

impl Map {
    pub(super) fn new(memfd: &OwnedFd, length: usize) -> io::Result<Self> {
        let access = ProtFlags::READ | ProtFlags::WRITE;
        let flags = MapFlags::SHARED | MapFlags::POPULATE;
        // SAFETY: a new mapping, at no address in particular.
        let address = unsafe { mmap(ptr::null_mut(), length, access, flags, memfd, 0) }?;
        Ok(Self(address.cast(), length))
    }

    /// Numbers from `offset` bytes on, which whoever calls has to itself for now (3).
    #[expect(clippy::mut_from_ref, reason = "whose turn it is, the ring says")]
    pub(super) fn numbers(&self, offset: usize, n_bytes: usize) -> &mut [u64] {
        assert!(offset.is_multiple_of(8) && offset + n_bytes <= self.1);
        // SAFETY: inside the mapping and aligned, as just checked.
        let first = unsafe { self.0.add(offset) }.cast();
        // SAFETY: any bytes are numbers; 3.
        unsafe { slice::from_raw_parts_mut(first, n_bytes / 8) }
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        // SAFETY: what `numbers` lent ended before `self`.
        let _ = unsafe { munmap(self.0.cast(), self.1) };
    }
}

/// How long the memfd is.
pub(super) fn length(n_bytes: usize) -> usize {
    HEADER + 2 * n_bytes
}

/// One process's end. The caller's side is 0, the worker's 1.
pub(super) struct End {
    pub(super) map: Map,
    pub(super) side: usize,
    /// How long to spin before sleeping; without a bell, for ever.
    pub(super) spin: Duration,
    pub(super) bell: Option<Bell>,
}

impl End {
    fn lane(&self, side: usize) -> &Lane {
        // SAFETY: 1 and 2; the two lanes fit in the header, at the beginning of a page.
        let lanes: &[Lane; 2] = unsafe { &*self.map.0.cast() };
        &lanes[side]
    }

    /// One of the two arrays.
    pub(super) fn array(&self, index: usize) -> &mut [u64] {
        let n_bytes = (self.map.1 - HEADER) / 2;
        self.map.numbers(HEADER + index * n_bytes, n_bytes)
    }

    /// Sends a word in a slot; whether the other side had to be woken.
    pub(super) fn send(&self, number: u64, slot: usize, word: u64) -> io::Result<bool> {
        let lane = self.lane(self.side);
        lane.slots[slot].word.store(word, Relaxed);
        lane.slots[slot].number.store(number, Release);
        let Some(bell) = &self.bell else {
            return Ok(false);
        };
        fence(SeqCst);
        if lane.parked.load(Relaxed) == 0 || lane.parked.swap(0, AcqRel) == 0 {
            return Ok(false);
        }
        bell.wake(&lane.parked)?;
        Ok(true)
    }

    /// Waits for the word of that number.
    pub(super) fn receive(&self, number: u64, slot: usize, has_woken: bool) -> io::Result<u64> {
        let lane = self.lane(1 - self.side);
        let slot = &lane.slots[slot];
        let is_there = || slot.number.load(Acquire) == number;
        // The side that has just woken the other would only hold the core it needs.
        let spin = if has_woken { Duration::ZERO } else { self.spin };
        let mut began = None;
        while !is_there() {
            let mut elapsed = || began.get_or_insert_with(Instant::now).elapsed();
            match &self.bell {
                Some(bell) if spin.is_zero() || elapsed() >= spin => {
                    lane.parked.store(1, Relaxed);
                    fence(SeqCst);
                    if is_there() {
                        lane.parked.store(0, Relaxed);
                    } else {
                        bell.sleep(&lane.parked)?;
                    }
                }
                _ => hint::spin_loop(),
            }
        }
        Ok(slot.word.load(Relaxed))
    }
}

/// A descriptor that was inherited under this number.
pub(super) fn inherited(number: &str) -> crate::Outcome<OwnedFd> {
    let number = number.parse()?;
    // SAFETY: the caller left it open for this process alone, which asks for it once.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}
