//! Rings: queues of frames in pages that both processes map, one for each direction.
//!
//! A ring is a row of [`N_SLOTS`] slots of 64 bytes, which is a cache line: a *header* and 56 bytes
//! of the frame. A frame takes as many slots as it needs, one after another, from the end of the row
//! to its beginning. The header of a slot holds the slot's *position* (counted from the first slot
//! ever written, plus one), so a slot that was not written yet can be told from one that was, and a
//! frame that was called out by its first slot's header is there as a whole. A call without arguments
//! takes one slot, so it costs one cache line on its way.
//!
//! # Invariants
//! 1. A ring has one producer and one consumer. Each keeps its own place here, in private memory, and
//!    only publishes it: what the peer writes changes nothing but what is read.
//! 2. The header of a frame's first slot is written last, with `Release`, and read first, with
//!    `Acquire`. So a producer that dies in the middle of a frame leaves nothing behind.
//! 3. The consumer publishes its place (`Release`) when it has copied a frame out, and the producer
//!    reads it (`Acquire`) before it writes those slots again.
//! 4. Everything the peer can write is checked before it is used: lengths against the longest frame,
//!    positions against each other.

#[cfg(feature = "internals")]
pub(super) mod hostile;

use std::sync::Arc;

use super::bell::Bell;
use crate::segment::words::{CONTROL_BYTES, Words};
use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::wire::handshake::MESSAGE_BYTES;

/// The slots of one ring, a power of two.
#[cfg(not(reedbed_loom))]
const N_SLOTS: usize = 2048;
/// In models, few enough to go round.
#[cfg(reedbed_loom)]
const N_SLOTS: usize = 4;
/// The words of a slot: a header, and what it carries.
const SLOT_WORDS: usize = 8;
/// The bytes of a frame that one slot carries.
const SLOT_BYTES: usize = (SLOT_WORDS - 1) * size_of::<u64>();
/// The half words of a cache line.
const LINE: usize = if cfg!(reedbed_loom) { 1 } else { 16 };
/// The cache lines of the first page that belong to one ring.
const CONTROL_LINES: usize = 4;

/// The length of a segment of two rings.
pub(crate) const RINGS_BYTES: usize = CONTROL_BYTES + 2 * N_SLOTS * SLOT_WORDS * size_of::<u64>();

/// How many bits of a header are the length of a frame, and how many the messages before it.
const LEN_BITS: u32 = 17;
const AFTER_BITS: u32 = 15;

const _: () = assert!(N_SLOTS.is_power_of_two());
const _: () = assert!(MESSAGE_BYTES < 1 << LEN_BITS);
const _: () = assert!(LEN_BITS + AFTER_BITS == u32::BITS);
const _: () = assert!(n_slots_of(MESSAGE_BYTES) <= N_SLOTS || cfg!(reedbed_loom));

/// Which way the frames of a ring go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// The ring that comes first in the segment.
    ToWorker = 0,
    /// The other one.
    ToHost = 1,
}

/// Messages on the socket, counted modulo what a header has room for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count(u16);

impl Count {
    /// One more.
    pub(crate) fn next(self) -> Self {
        Self((self.0 + 1) & ((1 << AFTER_BITS) - 1))
    }
}

/// A frame that is ready, before it is copied out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// How many messages had been sent over the socket before it.
    pub(crate) after: Count,
    len: usize,
}

/// A header: the position of the slot, the messages before the frame, and its length.
#[derive(Clone, Copy)]
struct Header(u64);

impl Header {
    /// That of a frame's first slot. `len` is at most [`MESSAGE_BYTES`].
    fn first(position: u32, len: usize, after: Count) -> Self {
        let low = len as u64 | u64::from(after.0) << LEN_BITS;
        Self(u64::from(position.wrapping_add(1)) << 32 | low)
    }

    /// That of a further slot.
    fn further(position: u32) -> Self {
        Self::first(position, 0, Count(0))
    }

    /// Tells whether the slot at `position` was written.
    fn is_at(self, position: u32) -> bool {
        self.0 >> 32 == u64::from(position.wrapping_add(1))
    }

    fn head(self) -> Head {
        let after = (self.0 >> LEN_BITS) & ((1 << AFTER_BITS) - 1);
        Head {
            // As many bits as the type has.
            after: Count(u16::try_from(after).unwrap_or_default()),
            len: usize::try_from(self.0 & ((1 << LEN_BITS) - 1)).unwrap_or(usize::MAX),
        }
    }
}

/// The slots that a frame of so many bytes takes.
const fn n_slots_of(len: usize) -> usize {
    if len == 0 {
        1
    } else {
        len.div_ceil(SLOT_BYTES)
    }
}

/// The pages of one ring.
#[derive(Clone, Debug)]
pub(crate) struct Lane {
    pages: Arc<Words>,
    direction: usize,
}

impl Lane {
    /// One of the two rings in `pages`, which are [`RINGS_BYTES`] long.
    pub(crate) fn new(pages: &Arc<Words>, direction: Direction) -> Self {
        Self {
            pages: Arc::clone(pages),
            direction: direction as usize,
        }
    }

    fn control(&self, line: usize) -> &AtomicU32 {
        &self.pages.control()[(self.direction * CONTROL_LINES + line) * LINE]
    }

    /// The consumer's position.
    fn head(&self) -> &AtomicU32 {
        self.control(0)
    }

    /// How the consumer waits.
    pub(crate) fn bell(&self) -> Bell<'_> {
        Bell::new(self.control(1))
    }

    /// The processor that the producer ran on last, plus one.
    pub(crate) fn producer_cpu(&self) -> &AtomicU32 {
        self.control(2)
    }

    /// The slot at `position`.
    fn slot(&self, position: u32) -> &[AtomicU64] {
        let index = self.direction * N_SLOTS + position as usize % N_SLOTS;
        &self.pages.words()[index * SLOT_WORDS..][..SLOT_WORDS]
    }
}

/// Why a frame was not put into a ring.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum PushError {
    /// There is no room now.
    Full,
    /// The consumer claims to be where it can't be.
    Corrupt {
        /// Where it claims to be.
        head: u32,
        /// Where this side is.
        tail: u32,
    },
}

/// The writing end of a ring.
#[derive(Debug)]
pub(crate) struct Producer {
    lane: Lane,
    /// The position of the next slot.
    tail: u32,
    /// Where the consumer was when this side last looked.
    head: u32,
}

impl Producer {
    /// The writing end of a ring that nothing was written to.
    pub(crate) fn new(lane: Lane) -> Self {
        let (tail, head) = (0, 0);
        Self { lane, tail, head }
    }

    /// Puts a frame of at most [`MESSAGE_BYTES`] bytes into the ring, for the consumer to find. It is
    /// there as a whole or not at all.
    pub(crate) fn push(&mut self, frame: &[u8], after: Count) -> Result<(), PushError> {
        debug_assert!(frame.len() <= MESSAGE_BYTES, "{} bytes", frame.len());
        let n_slots = n_slots_of(frame.len());
        if self.n_used() + n_slots > N_SLOTS {
            self.look_at_head()?;
            if self.n_used() + n_slots > N_SLOTS {
                return Err(PushError::Full);
            }
        }
        let first = self.tail;
        let mut parts = frame.chunks(SLOT_BYTES);
        let part = parts.next().unwrap_or_default();
        fill(self.lane.slot(first), part);
        let mut position = first.wrapping_add(1);
        for part in parts {
            let slot = self.lane.slot(position);
            slot[0].store(Header::further(position).0, Ordering::Relaxed);
            fill(slot, part);
            position = position.wrapping_add(1);
        }
        let header = Header::first(first, frame.len(), after);
        // Release: what was written above is there when this is (invariant 2).
        self.lane.slot(first)[0].store(header.0, Ordering::Release);
        self.tail = position;
        Ok(())
    }

    fn n_used(&self) -> usize {
        self.tail.wrapping_sub(self.head) as usize
    }

    fn look_at_head(&mut self) -> Result<(), PushError> {
        // Acquire: the consumer has read what this side is about to overwrite (invariant 3).
        let head = self.lane.head().load(Ordering::Acquire);
        let n_freed = head.wrapping_sub(self.head) as usize;
        if n_freed > self.n_used() {
            let tail = self.tail;
            return Err(PushError::Corrupt { head, tail });
        }
        self.head = head;
        Ok(())
    }
}

/// Copies a part of a frame behind the header of a slot.
fn fill(slot: &[AtomicU64], part: &[u8]) {
    let (words, rest) = part.as_chunks();
    for (place, word) in slot[1..].iter().zip(words) {
        place.store(u64::from_ne_bytes(*word), Ordering::Relaxed);
    }
    if !rest.is_empty() {
        let mut word = [0; size_of::<u64>()];
        word[..rest.len()].copy_from_slice(rest);
        slot[1 + words.len()].store(u64::from_ne_bytes(word), Ordering::Relaxed);
    }
}

/// The peer wrote into a ring what no producer writes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Corrupt(pub(crate) String);

/// The reading end of a ring.
#[derive(Debug)]
pub(crate) struct Consumer {
    lane: Lane,
    /// The position of the next slot.
    head: u32,
}

impl Consumer {
    /// The reading end of a ring that nothing was read from.
    pub(crate) fn new(lane: Lane) -> Self {
        Self { lane, head: 0 }
    }

    /// What the next frame says of itself, if there is one.
    pub(crate) fn peek(&self) -> Option<Head> {
        // Acquire: see invariant 2.
        let header = Header(self.lane.slot(self.head)[0].load(Ordering::Acquire));
        header.is_at(self.head).then(|| header.head())
    }

    /// Copies the frame that [`peek`](Self::peek) returned out, to the beginning of `buffer`, which
    /// is [`MESSAGE_BYTES`] long; returns its length.
    pub(crate) fn pop(&mut self, head: Head, buffer: &mut [u8]) -> Result<usize, Corrupt> {
        let len = head.len;
        let Some(frame) = buffer.get_mut(..len).filter(|frame| !frame.is_empty()) else {
            let what = format!("put a frame of {len} bytes into the ring");
            return Err(Corrupt(what));
        };
        for (index, part) in frame.chunks_mut(SLOT_BYTES).enumerate() {
            let slot = self.lane.slot(self.head);
            // The first one was seen by `peek`.
            if index > 0 && !Header(slot[0].load(Ordering::Relaxed)).is_at(self.head) {
                let what = format!("left slot {} out of a frame of {len} bytes", self.head);
                return Err(Corrupt(what));
            }
            empty(slot, part);
            self.head = self.head.wrapping_add(1);
        }
        // Release: see invariant 3.
        self.lane.head().store(self.head, Ordering::Release);
        Ok(len)
    }
}

/// Copies a part of a frame from behind the header of a slot.
fn empty(slot: &[AtomicU64], part: &mut [u8]) {
    let (words, rest) = part.as_chunks_mut();
    for (word, place) in words.iter_mut().zip(&slot[1..]) {
        *word = place.load(Ordering::Relaxed).to_ne_bytes();
    }
    if !rest.is_empty() {
        let word = slot[1 + words.len()].load(Ordering::Relaxed).to_ne_bytes();
        rest.copy_from_slice(&word[..rest.len()]);
    }
}

#[cfg(test)]
#[cfg(not(reedbed_loom))]
mod tests {
    use std::os::fd::AsFd;
    use std::thread;

    use super::*;
    use crate::segment::memfd;

    fn ring() -> (Producer, Consumer) {
        let fd = memfd::create(RINGS_BYTES).unwrap();
        memfd::reserve(&fd, 0..RINGS_BYTES).unwrap();
        let map = || Arc::new(Words::map(fd.as_fd(), RINGS_BYTES).unwrap());
        let lane = || Lane::new(&map(), Direction::ToHost);
        (Producer::new(lane()), Consumer::new(lane()))
    }

    fn pop(consumer: &mut Consumer) -> Option<(Vec<u8>, Count)> {
        let head = consumer.peek()?;
        let mut buffer = vec![0; MESSAGE_BYTES];
        let len = consumer.pop(head, &mut buffer).unwrap();
        buffer.truncate(len);
        Some((buffer, head.after))
    }

    #[test]
    fn frames_of_all_lengths_come_out_in_order_many_times_round() {
        let (mut producer, mut consumer) = ring();
        let lengths = [1, 7, 8, 55, 56, 57, 64, 112, 113, 1000, 4096, MESSAGE_BYTES];
        let mut after = Count::default();
        for round in 0..20_u8 {
            for len in lengths {
                let frame: Vec<u8> = (0..=u8::MAX).cycle().map(|n| n ^ round).take(len).collect();
                producer.push(&frame, after).unwrap();
                assert_eq!(pop(&mut consumer), Some((frame, after)));
                after = after.next();
            }
        }
        assert_eq!(pop(&mut consumer), None);
    }

    /// The pages are mapped once, so that the thread sanitizer takes both ends for the same memory.
    #[test]
    fn frames_come_out_in_order_while_others_are_pushed() {
        const N_FRAMES: usize = 10_000;
        let fd = memfd::create(RINGS_BYTES).unwrap();
        memfd::reserve(&fd, 0..RINGS_BYTES).unwrap();
        let pages = Arc::new(Words::map(fd.as_fd(), RINGS_BYTES).unwrap());
        let lane = Lane::new(&pages, Direction::ToWorker);
        let (mut producer, mut consumer) = (Producer::new(lane.clone()), Consumer::new(lane));
        let frame = |n: usize| vec![n.to_ne_bytes()[0]; 1 + n % 300];
        thread::scope(|scope| {
            scope.spawn(move || {
                for n in 0..N_FRAMES {
                    while producer.push(&frame(n), Count::default()) == Err(PushError::Full) {
                        thread::yield_now();
                    }
                }
            });
            for n in 0..N_FRAMES {
                let (found, _) = loop {
                    match pop(&mut consumer) {
                        Some(found) => break found,
                        None => thread::yield_now(),
                    }
                };
                assert_eq!(found, frame(n));
            }
        });
        assert_eq!(pop(&mut consumer), None);
    }

    #[test]
    fn a_full_ring_takes_nothing_until_something_is_read() {
        let (mut producer, mut consumer) = ring();
        let pushed = (0..).take_while(|_| producer.push(&[1; 100], Count(3)).is_ok());
        assert_eq!(pushed.count(), N_SLOTS / 2);
        assert_eq!(producer.push(&[2], Count(3)), Err(PushError::Full));
        assert!(pop(&mut consumer).is_some());
        assert_eq!(producer.push(&[2], Count(3)), Ok(()));
        assert_eq!(producer.push(&[2], Count(3)), Ok(()));
        assert_eq!(producer.push(&[2], Count(3)), Err(PushError::Full));
    }

    #[test]
    fn what_only_a_peer_that_breaks_the_protocol_writes_is_noticed() {
        let (mut producer, mut consumer) = ring();
        // A consumer that is ahead of its producer.
        producer.push(&[1; 56 * N_SLOTS / 2], Count(0)).unwrap();
        producer.lane.head().store(5000, Ordering::Relaxed);
        let error = producer.push(&[1; 56 * N_SLOTS / 2 + 1], Count(0));
        assert!(matches!(
            error,
            Err(PushError::Corrupt {
                head: 5000,
                tail: 1024
            })
        ));
        // A frame that is longer than any, and one of no bytes.
        for len in [MESSAGE_BYTES + 1, (1 << LEN_BITS) - 1, 0] {
            let header = Header::first(0, len, Count(0));
            producer.lane.slot(0)[0].store(header.0, Ordering::Relaxed);
            let head = consumer.peek().unwrap();
            let error = consumer.pop(head, &mut [0; MESSAGE_BYTES]).unwrap_err();
            assert!(error.0.contains(&format!("{len} bytes")), "{error:?}");
        }
        // A frame whose second slot was never written.
        let header = Header::first(0, 100, Count(0));
        producer.lane.slot(0)[0].store(header.0, Ordering::Relaxed);
        producer.lane.slot(1)[0].store(0, Ordering::Relaxed);
        let head = consumer.peek().unwrap();
        let error = consumer.pop(head, &mut [0; MESSAGE_BYTES]).unwrap_err();
        assert_eq!(error.0, "left slot 1 out of a frame of 100 bytes");
    }
}
