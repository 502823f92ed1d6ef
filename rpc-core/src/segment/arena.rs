//! Many small extents in one segment, so that ten thousand tensors need few descriptors.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, PoisonError, Weak};

use super::backing::Backing;
use super::extent::{Extent, Tenure};
use super::kind::Segments;
use super::pool;
use crate::sync::{Mutex, MutexGuard};

/// Extents begin at multiples of this many bytes: a cache line, and enough for every element type.
pub(crate) const ALIGNMENT: usize = 64;

/// A segment that is given out piece by piece.
#[derive(Debug)]
pub(crate) struct Arena {
    backing: Arc<Backing>,
    /// The free ranges: start to end, neither empty nor adjacent to one another.
    free: Mutex<BTreeMap<usize, usize>>,
}

impl Arena {
    /// Gives out a segment that has no tenant.
    pub(crate) fn new(backing: Arc<Backing>) -> Arc<Self> {
        let len = backing.mapping().len();
        Arc::new(Self {
            backing,
            free: Mutex::new(BTreeMap::from([(0, len)])),
        })
    }

    /// Takes the first free range of `len` bytes (a multiple of [`ALIGNMENT`]), if there is one.
    pub(crate) fn take(self: &Arc<Self>, len: usize) -> Option<Extent> {
        let mut free = self.free();
        let (start, end) = free.iter().find(|(start, end)| **end - **start >= len)?;
        let (start, end) = (*start, *end);
        free.remove(&start);
        if start + len < end {
            free.insert(start + len, end);
        }
        let tenure = InArena {
            arena: Arc::downgrade(self),
        };
        Some(Extent::new(
            Arc::clone(&self.backing),
            start..start + len,
            tenure,
        ))
    }

    /// The segment.
    pub(crate) fn backing(&self) -> &Arc<Backing> {
        &self.backing
    }

    /// What it is made of.
    pub(crate) fn segments(&self) -> Segments {
        self.backing.segments()
    }

    /// Tells whether no extent is taken.
    pub(crate) fn is_free(&self) -> bool {
        let free = self.free();
        free.len() == 1 && free.get(&0) == Some(&self.backing.mapping().len())
    }

    fn give_back(&self, range: &Range<usize>) {
        let mut free = self.free();
        let (mut start, mut end) = (range.start, range.end);
        if let Some((&before, &before_end)) = free.range(..start).next_back()
            && before_end == start
        {
            free.remove(&before);
            start = before;
        }
        if let Some(after_end) = free.remove(&end) {
            end = after_end;
        }
        free.insert(start, end);
    }

    fn free(&self) -> MutexGuard<'_, BTreeMap<usize, usize>> {
        // No critical section can panic half way: the map is whole.
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The tenure of an extent in an arena.
struct InArena {
    arena: Weak<Arena>,
}

impl Tenure for InArena {
    fn end(&self, _: &Arc<Backing>, range: &Range<usize>) {
        // The pool may have let the arena go; its memory lives on in the extents alone.
        if let Some(arena) = self.arena.upgrade() {
            arena.give_back(range);
            if arena.is_free() {
                drop(arena);
                pool::shelve_free_arenas();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn freed_neighbours_become_one_range_again() {
        let backing = Backing::create(4096, Segments::Memfd).unwrap();
        let arena = Arena::new(Arc::new(backing));
        let mut extents: Vec<_> = (0..4).map(|_| arena.take(1024)).collect();
        assert!(extents.iter().all(Option::is_some));
        assert!(arena.take(64).is_none());
        let ranges: Vec<_> = extents.iter().flatten().map(Extent::range).collect();
        assert_eq!(ranges, [0..1024, 1024..2048, 2048..3072, 3072..4096]);
        for index in [1, 3, 2, 0] {
            extents[index] = None;
        }
        assert!(arena.is_free());
        assert!(arena.take(4096).is_some());
    }
}

#[cfg(all(test, reedbed_loom))]
mod models {
    use loom::cell::UnsafeCell;
    use loom::thread;

    use super::*;

    /// Threads take extents, write them and give them back: no two have the same bytes, and what one
    /// wrote happens before the next tenant's writing.
    #[test]
    fn loom_extents_of_an_arena_have_one_tenant() {
        loom::model(|| {
            let backing = Backing::create(2 * ALIGNMENT, Segments::Memfd).unwrap();
            let arena = Arena::new(Arc::new(backing));
            let bytes = loom::sync::Arc::new([UnsafeCell::new(0), UnsafeCell::new(0)]);
            let tenant = |arena: &Arc<Arena>, bytes: &[UnsafeCell<i32>; 2]| {
                for _ in 0..2 {
                    let extent = arena.take(ALIGNMENT).expect("there is room for two");
                    bytes[extent.range().start / ALIGNMENT].with_mut(|_| {});
                }
            };
            let other = thread::spawn({
                let (arena, bytes) = (Arc::clone(&arena), loom::sync::Arc::clone(&bytes));
                move || tenant(&arena, &bytes)
            });
            tenant(&arena, &bytes);
            other.join().unwrap();
            assert!(arena.is_free());
        });
    }
}
