//! Rings: as long as both sides keep to the protocol, frames come out as they went in; whatever a
//! side writes that doesn't, the other one notices, or reads what is there and no more.

use std::cell::RefCell;
use std::collections::VecDeque;

use arbitrary::{Result, Unstructured};
use reedbed::__private::parts::{HostileRing, Popped, Pushed};

use crate::Verdict;

/// The bytes of a frame that a slot carries, and of the longest frame.
const SLOT_BYTES: usize = 56;
const LONGEST_BYTES: usize = 64 * 1024;

thread_local! {
    /// Frames are pieces of it, so that none looks like another one.
    static CONTENTS: Vec<u8> = (0..LONGEST_BYTES + 256)
        .map(|at| (at ^ at >> 8).to_le_bytes()[0])
        .collect();
    static RING: RefCell<HostileRing> = RefCell::new(HostileRing::new().unwrap());
}

pub(crate) fn check(bytes: &[u8]) -> Verdict {
    let mut source = Unstructured::new(bytes);
    RING.with_borrow_mut(|ring| {
        let position = source.arbitrary().unwrap_or_default();
        // Long frames take time, so few sessions have any: as many as fill the ring.
        let n_long_frames = match source.ratio(1u8, 32u8) {
            Ok(true) => 3,
            Ok(false) | Err(_) => 0,
        };
        ring.restart(position);
        let mut session = Session {
            ring,
            expected: VecDeque::new(),
            is_honest: true,
            n_popped: 0,
            n_long_frames,
        };
        // The session ends with the bytes.
        while !source.is_empty() && session.step(&mut source).is_ok() {}
        Verdict::of(session.n_popped > 0)
    })
}

struct Session<'r> {
    ring: &'r mut HostileRing,
    /// What was put in and not taken out.
    expected: VecDeque<(Vec<u8>, u16)>,
    /// Whether nobody broke the protocol yet.
    is_honest: bool,
    n_popped: usize,
    /// How many more of the frames may be long.
    n_long_frames: u8,
}

impl Session<'_> {
    fn step(&mut self, source: &mut Unstructured<'_>) -> Result<()> {
        match source.int_in_range(0..=7u8)? {
            0..=2 => {
                let frame = self.frame(source)?;
                let after = source.int_in_range(0..=0x7fffu16)?;
                self.push(frame, after);
            }
            3..=5 => self.pop(),
            6 => {
                let (tail, head) = self.ring.positions();
                let position = near(source, head)?;
                let value = self.header(source, position)?;
                let word = if source.ratio(3u8, 4u8)? {
                    0
                } else {
                    source.int_in_range(0..=7u8)?
                };
                self.ring.write_slot(position, word.into(), value);
                self.is_honest = false;
                assert_eq!(self.ring.positions(), (tail, head), "nobody moved");
            }
            _ => {
                let head = near(source, self.ring.positions().1)?;
                self.ring.write_head(head);
                self.is_honest = false;
            }
        }
        assert!(
            self.ring.n_used() <= HostileRing::N_SLOTS,
            "more is used than there is"
        );
        Ok(())
    }

    /// A frame of any length, mostly a short one.
    fn frame(&mut self, source: &mut Unstructured<'_>) -> Result<Vec<u8>> {
        let is_long = self.n_long_frames > 0 && source.arbitrary()?;
        self.n_long_frames -= u8::from(is_long);
        let len = match is_long {
            true if source.arbitrary()? => LONGEST_BYTES,
            true => source.int_in_range(1..=LONGEST_BYTES)?,
            false => source.int_in_range(1..=200usize)?,
        };
        let first = usize::from(source.arbitrary::<u8>()?);
        Ok(CONTENTS.with(|contents| contents[first..][..len].to_vec()))
    }

    /// A header for the slot at a position, or any word.
    fn header(&self, source: &mut Unstructured<'_>, position: u32) -> Result<u64> {
        if source.ratio(1u8, 8u8)? {
            return source.arbitrary();
        }
        let len = match source.int_in_range(0..=3u8)? {
            0 => 0,
            1 => source.int_in_range(1..=200u64)?,
            2 => LONGEST_BYTES as u64,
            _ => source.int_in_range(0..=0x1_ffffu64)?,
        };
        let after = source.int_in_range(0..=0x7fffu64)?;
        Ok(u64::from(position.wrapping_add(1)) << 32 | after << 17 | len)
    }

    fn push(&mut self, frame: Vec<u8>, after: u16) {
        let (before, head) = self.ring.positions();
        let pushed = self.ring.push(&frame, after);
        let n_slots = frame.len().div_ceil(SLOT_BYTES);
        let (tail, _) = self.ring.positions();
        let n_taken = tail.wrapping_sub(before) as usize;
        assert_eq!(n_taken, if pushed == Pushed::Done { n_slots } else { 0 });
        if self.is_honest {
            let n_free = HostileRing::N_SLOTS - before.wrapping_sub(head) as usize;
            let expected = if n_slots <= n_free {
                Pushed::Done
            } else {
                Pushed::Full
            };
            assert_eq!(pushed, expected);
            if pushed == Pushed::Done {
                self.expected.push_back((frame, after));
            }
        }
    }

    fn pop(&mut self) {
        let (tail, before) = self.ring.positions();
        let in_place = self.in_place(before);
        let popped = self.ring.pop();
        let (_, head) = self.ring.positions();
        self.n_popped += usize::from(matches!(popped, Popped::Frame(..)));
        match &popped {
            Popped::Frame(frame, _) => {
                let n_slots = frame.len().div_ceil(SLOT_BYTES);
                assert_eq!(head.wrapping_sub(before) as usize, n_slots);
                assert_eq!(self.ring.positions().0, tail);
                assert_eq!(Some(frame), in_place.as_ref(), "what is there, and no more");
            }
            Popped::Nothing => assert_eq!(head, before),
            // The channel is closed.
            Popped::Corrupt => {
                assert_eq!(in_place, None);
                self.ring.restart(head);
                self.expected.clear();
                self.is_honest = true;
                return;
            }
        }
        if self.is_honest {
            let expected = match self.expected.pop_front() {
                Some((frame, after)) => Popped::Frame(frame, after),
                None => Popped::Nothing,
            };
            assert_eq!(popped, expected);
        }
    }

    /// The frame that the slots from a position on hold, by the text of docs/wire.md.
    fn in_place(&self, position: u32) -> Option<Vec<u8>> {
        let header = self.ring.slot(position)[0];
        let len = usize::try_from(header & 0x1_ffff).unwrap();
        if !(1..=LONGEST_BYTES).contains(&len) {
            return None;
        }
        let mut frame = Vec::with_capacity(len);
        for index in 0..u32::try_from(len.div_ceil(SLOT_BYTES)).unwrap() {
            let position = position.wrapping_add(index);
            let [header, words @ ..] = self.ring.slot(position);
            if header >> 32 != u64::from(position.wrapping_add(1)) {
                return None;
            }
            for word in words {
                frame.extend_from_slice(&word.to_ne_bytes());
            }
        }
        frame.truncate(len);
        Some(frame)
    }
}

/// A position close to another one, mostly.
fn near(source: &mut Unstructured<'_>, position: u32) -> Result<u32> {
    Ok(match source.int_in_range(0..=7u8)? {
        0 => source.arbitrary()?,
        1 => position.wrapping_add(2048),
        _ => position
            .wrapping_add(source.int_in_range(0..=8u32)?)
            .wrapping_sub(2),
    })
}
