//! Rings, as section 16 of `docs/wire.md` has them, read and written through the descriptor.
//!
//! Nobody sleeps here: a test looks at its ring again and again, and sends `Bell` for each frame that
//! it has put into the other, which wakes a peer however it sleeps.

use super::memory::Memory;

/// The length of the segment.
pub const LEN_BYTES: u64 = 266_240;
/// The slots of a ring.
pub const N_SLOTS: u32 = 2048;

const SLOT_BYTES: u64 = 64;
const PART_BYTES: usize = 56;

/// One of the two rings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ring {
    /// That for frames to the worker.
    ToWorker,
    /// That for frames to the host.
    ToHost,
}

impl Ring {
    /// Where the word of a ring is: 0, its consumer's position; 1, its bell.
    #[must_use]
    pub fn word(self, number: u64) -> u64 {
        let first = match self {
            Self::ToWorker => 0,
            Self::ToHost => 256,
        };
        first + 64 * number
    }

    /// Where the slot at a position is.
    #[must_use]
    pub fn slot(self, position: u32) -> u64 {
        let first = match self {
            Self::ToWorker => 4096,
            Self::ToHost => 135_168,
        };
        first + SLOT_BYTES * u64::from(position % N_SLOTS)
    }
}

/// The header of a slot.
#[must_use]
pub fn header(position: u32, after: u32, len: u64) -> [u8; 8] {
    let after = u64::from(after % (1 << 15));
    (u64::from(position.wrapping_add(1)) << 32 | after << 17 | len).to_le_bytes()
}

/// Both rings, and this side's places in them.
#[derive(Debug)]
pub struct Rings {
    memory: Memory,
    outgoing: Ring,
    incoming: Ring,
    tail: u32,
    head: u32,
}

impl Rings {
    /// Uses rings as a host.
    #[must_use]
    pub fn of_host(memory: Memory) -> Self {
        Self::new(memory, Ring::ToWorker, Ring::ToHost)
    }

    /// Uses rings as a worker.
    #[must_use]
    pub fn of_worker(memory: Memory) -> Self {
        Self::new(memory, Ring::ToHost, Ring::ToWorker)
    }

    fn new(memory: Memory, outgoing: Ring, incoming: Ring) -> Self {
        let (tail, head) = (0, 0);
        Self {
            memory,
            outgoing,
            incoming,
            tail,
            head,
        }
    }

    /// The segment.
    #[must_use]
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// The ring that this side writes.
    #[must_use]
    pub fn outgoing(&self) -> Ring {
        self.outgoing
    }

    /// The ring that this side reads.
    #[must_use]
    pub fn incoming(&self) -> Ring {
        self.incoming
    }

    /// Tells whether a frame of so many bytes finds room, as the peer says.
    #[must_use]
    pub fn has_room(&self, len: usize) -> bool {
        let head = u32::from_le_bytes(self.memory.read(self.outgoing.word(0)));
        let used = self.tail.wrapping_sub(head) as usize;
        used + len.div_ceil(PART_BYTES) <= N_SLOTS as usize
    }

    /// Puts a frame into the ring, after so many messages, whether there is room or not.
    pub fn push(&mut self, frame: &[u8], after: u32) {
        let first = self.tail;
        self.write_slots(frame);
        let header = header(first, after, frame.len() as u64);
        self.memory.write(self.outgoing.slot(first), &header);
    }

    /// Writes a frame but for the header of its first slot, which would have it be there.
    pub fn write_slots(&mut self, frame: &[u8]) {
        let first = self.tail;
        for part in frame.chunks(PART_BYTES) {
            let slot = self.outgoing.slot(self.tail);
            if self.tail != first {
                self.memory.write(slot, &header(self.tail, 0, 0));
            }
            self.memory.write(slot + 8, part);
            self.tail = self.tail.wrapping_add(1);
        }
    }

    /// The messages that the peer had sent before the next frame, if there is one.
    #[must_use]
    pub fn peek(&self) -> Option<u32> {
        let header = self.next_header();
        let is_there = header >> 32 == u64::from(self.head.wrapping_add(1));
        is_there.then(|| u32::try_from(header >> 17 & 0x7fff).unwrap_or_default())
    }

    /// Takes the next frame.
    ///
    /// # Panics
    /// If there is none, or the peer has left something out of it.
    pub fn pop(&mut self) -> Vec<u8> {
        assert!(self.peek().is_some(), "there is no frame");
        let len = usize::try_from(self.next_header() & 0x1_ffff).expect("17 bits");
        assert!((1..=65536).contains(&len), "a frame of {len} bytes");
        let mut frame = Vec::new();
        while frame.len() < len {
            assert!(self.peek().is_some(), "slot {} is left out", self.head);
            let part: [u8; PART_BYTES] = self.memory.read(self.incoming.slot(self.head) + 8);
            frame.extend_from_slice(&part[..PART_BYTES.min(len - frame.len())]);
            self.head = self.head.wrapping_add(1);
        }
        let position = self.incoming.word(0);
        self.memory.write(position, &self.head.to_le_bytes());
        frame
    }

    fn next_header(&self) -> u64 {
        u64::from_le_bytes(self.memory.read(self.incoming.slot(self.head)))
    }
}
