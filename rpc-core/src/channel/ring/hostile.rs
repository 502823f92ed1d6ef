//! A ring whose other side writes what it likes, for fuzzers.

use std::io;

use super::{Consumer, Corrupt, Count, Lane, N_SLOTS, Producer, PushError, SLOT_WORDS};
use crate::channel::rings::Rings;
use crate::sync::atomic::Ordering;
use crate::wire::handshake::MESSAGE_BYTES;

/// What became of a frame that was put into a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// It is there.
    Done,
    /// There was no room.
    Full,
    /// The consumer claims to be where it can't be.
    Corrupt,
}

/// What was taken out of a ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Popped {
    /// Nothing is there.
    Nothing,
    /// A frame, and how many messages went before it.
    Frame(Vec<u8>, u16),
    /// Something that no producer writes.
    Corrupt,
}

/// Both ends of one ring, and the pages between them.
#[derive(Debug)]
pub struct HostileRing {
    producer: Producer,
    consumer: Consumer,
    lane: Lane,
    buffer: Vec<u8>,
    /// The positions of slots that are no longer zero.
    written: Vec<u32>,
}

impl HostileRing {
    /// The slots of a ring.
    pub const N_SLOTS: usize = N_SLOTS;

    /// Makes one.
    ///
    /// # Errors
    /// The kernel's, where there is no memory.
    pub fn new() -> io::Result<Self> {
        let (worker, _) = Rings::create()?;
        let lane = worker.outgoing;
        Ok(Self {
            producer: Producer::new(lane.clone()),
            consumer: Consumer::new(lane.clone()),
            lane,
            buffer: vec![0; MESSAGE_BYTES],
            written: Vec::new(),
        })
    }

    /// Empties it, with both ends at a position.
    pub fn restart(&mut self, position: u32) {
        for position in self.written.drain(..) {
            for word in self.lane.slot(position) {
                word.store(0, Ordering::Relaxed);
            }
        }
        self.lane.head().store(position, Ordering::Relaxed);
        self.producer.head = position;
        self.producer.tail = position;
        self.consumer.head = position;
    }

    /// Puts a frame of at most 64 KiB in.
    pub fn push(&mut self, frame: &[u8], after: u16) -> Pushed {
        let (first, after) = (self.producer.tail, Count(after & 0x7fff));
        let pushed = match self.producer.push(frame, after) {
            Ok(()) => Pushed::Done,
            Err(PushError::Full) => Pushed::Full,
            Err(PushError::Corrupt { .. }) => Pushed::Corrupt,
        };
        let n_slots = self.producer.tail.wrapping_sub(first);
        self.written
            .extend((0..n_slots).map(|slot| first.wrapping_add(slot)));
        pushed
    }

    /// Takes the next frame out.
    pub fn pop(&mut self) -> Popped {
        let Some(head) = self.consumer.peek() else {
            return Popped::Nothing;
        };
        match self.consumer.pop(head, &mut self.buffer) {
            Ok(len) => Popped::Frame(self.buffer[..len].to_vec(), head.after.0),
            Err(Corrupt(_)) => Popped::Corrupt,
        }
    }

    /// Where the producer is, and where the consumer is.
    #[must_use]
    pub fn positions(&self) -> (u32, u32) {
        (self.producer.tail, self.consumer.head)
    }

    /// The slots that the producer takes for used.
    #[must_use]
    pub fn n_used(&self) -> usize {
        self.producer.n_used()
    }

    /// What a slot holds.
    #[must_use]
    pub fn slot(&self, position: u32) -> [u64; SLOT_WORDS] {
        let words = self.lane.slot(position);
        std::array::from_fn(|word| words[word].load(Ordering::Relaxed))
    }

    /// Writes a word of a slot, as a producer that breaks the protocol does.
    pub fn write_slot(&mut self, position: u32, word: usize, value: u64) {
        self.lane.slot(position)[word % SLOT_WORDS].store(value, Ordering::Relaxed);
        self.written.push(position);
    }

    /// Writes the consumer's position, as a consumer that breaks the protocol does.
    pub fn write_head(&mut self, head: u32) {
        self.lane.head().store(head, Ordering::Relaxed);
    }
}
