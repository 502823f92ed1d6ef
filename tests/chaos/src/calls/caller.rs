//! Who makes calls: a task or a thread of the host.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::services::Book;
use super::{Kept, Run, given, lent, services, shared, untyped, values};
use crate::attempt::Attempt;
use crate::contents::random_shape;
use crate::mode::Mode;
use crate::slot::Slot;
use crate::{Found, found};

/// Tensors that a caller keeps at most.
const MOST_KEPT: usize = 4;

/// A task or a thread that makes one call after another.
#[derive(Debug)]
pub struct Caller {
    pub(super) rng: fastrand::Rng,
    place: usize,
    is_blocking: bool,
    stock: Vec<Kept>,
    /// The instances that it uses, by worker.
    pub(super) books: HashMap<usize, Book>,
}

impl Caller {
    /// Makes one that notes at this place of the board what it does.
    #[must_use]
    pub fn new(rng: fastrand::Rng, place: usize, is_blocking: bool) -> Self {
        Self {
            rng,
            place,
            is_blocking,
            stock: Vec::new(),
            books: HashMap::new(),
        }
    }

    /// Makes calls until the run is over, or `n` of them.
    pub async fn call(mut self, run: Arc<Run>, n: u64) {
        for _ in 0..n {
            if run.tally.is_over() {
                break;
            }
            if let Err(finding) = self.call_once(&run).await {
                run.tally.found(finding);
            }
            if run
                .slots
                .iter()
                .all(|slot| slot.is_down.load(Ordering::Relaxed))
            {
                tokio::time::sleep(Duration::from_micros(500)).await;
            }
        }
        for kept in &self.stock {
            if let Err(finding) = kept.check("at the end, a tensor that no call was lent") {
                run.tally.found(finding);
            }
        }
        run.board.clear(self.place);
    }

    async fn call_once(&mut self, run: &Run) -> Found {
        match self.rng.u8(0..100) {
            0..10 => values::echo(self, run).await,
            10..16 => values::wait(self, run).await,
            16..30 => lent::read(self, run).await,
            30..34 => lent::read_several(self, run).await,
            34..54 => lent::write(self, run).await,
            54..58 => lent::write_on_heap(self, run).await,
            58..62 => lent::assign(self, run).await,
            62..66 => lent::flip(self, run).await,
            66..72 => given::take(self, run).await,
            72..80 => given::pass_on(self, run).await,
            80..86 => given::make(self, run).await,
            86..89 => given::forward(self, run).await,
            89..94 => services::book(self, run).await,
            94..97 => untyped::call(self, run).await,
            _ => shared::count(self, run).await,
        }
    }

    /// Some worker, and rarely a dead one.
    pub(super) fn slot<'a>(&mut self, run: &'a Run) -> &'a Slot {
        let mut slot = &run.slots[self.rng.usize(0..run.slots.len())];
        for _ in 0..8 {
            if slot.is_down.load(Ordering::Relaxed) {
                slot = &run.slots[self.rng.usize(0..run.slots.len())];
            }
        }
        slot
    }

    /// A call of some worker, in some way.
    pub(super) fn attempt<'a>(&mut self, run: &'a Run, shape: &'static str) -> Attempt<'a> {
        let slot = self.slot(run);
        self.attempt_of(run, slot, shape)
    }

    /// A call of this worker, in some way.
    pub(super) fn attempt_of<'a>(
        &mut self,
        run: &'a Run,
        slot: &'a Slot,
        shape: &'static str,
    ) -> Attempt<'a> {
        let mode = match run.rough {
            Some(forgotten) => Mode::random(&mut self.rng, forgotten),
            None => Mode::Wait,
        };
        let uses_blocking_stub = self.rng.bool();
        Attempt::new(
            run,
            slot,
            shape,
            self.place,
            self.is_blocking,
            mode,
            uses_blocking_stub,
        )
    }

    /// As [`attempt`](Self::attempt), of a call that owns something, or returns it.
    pub(super) fn attempt_to_own<'a>(&mut self, run: &'a Run, shape: &'static str) -> Attempt<'a> {
        let mut attempt = self.attempt(run, shape);
        attempt.mode = attempt.mode.of_owner();
        attempt
    }

    /// As [`attempt`](Self::attempt), of a call that is lent an array for writing. Of an untrusted
    /// worker, it owns a copy.
    pub(super) fn attempt_to_write<'a>(
        &mut self,
        run: &'a Run,
        shape: &'static str,
    ) -> Attempt<'a> {
        let mut attempt = self.attempt(run, shape);
        if attempt.slot.kind.copies() {
            attempt.mode = attempt.mode.of_owner();
        }
        attempt
    }

    /// A tensor: one that is kept, or a new one. There is none where descriptors are scarce.
    pub(super) fn tensor(&mut self, attempt: &Attempt<'_>) -> Found<Option<Kept>> {
        if !self.stock.is_empty() && (self.stock.len() == MOST_KEPT || self.rng.u8(0..4) > 0) {
            let index = self.rng.usize(0..self.stock.len());
            return Ok(Some(self.stock.swap_remove(index)));
        }
        let shape = random_shape(&mut self.rng);
        match Kept::make(self.rng.u64(..), shape) {
            Ok(kept) => Ok(Some(kept)),
            Err(_) if attempt.was_squeezed() => Ok(None),
            Err(error) => found!("no memory for an array of {shape:?}: {error}"),
        }
    }

    /// Keeps a tensor for another call.
    pub(super) fn keep(&mut self, kept: Kept) {
        if self.stock.len() < MOST_KEPT {
            self.stock.push(kept);
        }
    }
}
