//! Hands out extents and recycles them.
//!
//! First touch of fresh pages costs about ten times a copy into pages that are already there, so a
//! large segment that is no longer used is kept for the next tenant, with its pages, its mapping
//! and the mappings of peers that know it.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use super::arena::{ALIGNMENT, Arena};
use super::backing::{Backing, descriptors_are_scarce};
use super::budget::{ShmExhausted, Shortage};
use super::extent::{Extent, Tenure};
use super::kind::Segments;
use super::shelf::Shelf;
use super::stranger::{Reach, Stranger};

/// Extents up to this length share an arena; longer ones have a segment of their own.
const SMALL_BYTES: usize = 64 * 1024;
/// The length of an arena of small extents. In small pages: a huge one is quicker as a rule, but on a
/// busy machine the first small tensor of a process would wait 10 ms for it.
const ARENA_BYTES: usize = 1024 * 1024;
/// How many extents of a kind an arena has room for where descriptors are scarce.
const PACKED_EXTENTS: usize = 16;
/// Bytes of idle segments that are kept at most, unless [`set_pool_capacity`] says otherwise.
const DEFAULT_CAPACITY_BYTES: usize = 256 * 1024 * 1024;
/// The thread that lets idle segments go. It is there only while there are some.
const WATCHER: &str = "reedbed pool";

static CAPACITY: AtomicUsize = AtomicUsize::new(DEFAULT_CAPACITY_BYTES);
static POOL: Mutex<Pool> = Mutex::new(Pool {
    idle: Shelf::new(),
    arenas: Vec::new(),
});

struct Pool {
    /// Segments without a tenant.
    idle: Shelf<Arc<Backing>>,
    /// Segments shared by small tenants.
    arenas: Vec<Arc<Arena>>,
}

/// How much memory the pool keeps for the next tenants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolUsage {
    /// Segments without a tenant.
    pub n_idle_segments: usize,
    /// Their bytes.
    pub idle_bytes: usize,
    /// Segments that small tensors share.
    pub n_arenas: usize,
}

/// Returns how much memory the pool of this process keeps.
#[must_use]
pub fn pool_usage() -> PoolUsage {
    let pool = lock();
    PoolUsage {
        n_idle_segments: pool.idle.len(),
        idle_bytes: pool.idle.size_bytes(),
        n_arenas: pool.arenas.len(),
    }
}

/// Sets how many bytes of idle segments the pool keeps at most (256 MiB, unless it is told otherwise),
/// and gives the surplus back.
///
/// It concerns this process; a worker has a pool of its own. What lies idle for 30 seconds is given
/// back in any case.
pub fn set_pool_capacity(bytes: usize) {
    CAPACITY.store(bytes, Ordering::Relaxed);
    let surplus = lock().idle.take_surplus(bytes, Instant::now());
    // Unmapped here, without the lock: farewells send messages.
    drop(surplus);
}

/// Gives all idle memory back to the system. What another thread is about to give back is back, too, when
/// this returns.
pub fn trim_pool() {
    // Unmapping takes its time. Whoever finds nothing idle meanwhile must not take it that there is no
    // memory.
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let (idle, arenas) = {
        let mut pool = lock();
        let free: Vec<_> = pool
            .arenas
            .extract_if(.., |arena| arena.is_free())
            .collect();
        (pool.idle.take_all(), free)
    };
    drop((idle, arenas));
}

/// An extent, and what is known of its bytes.
pub(crate) struct Allocation {
    pub(crate) extent: Arc<Extent>,
    pub(crate) bytes: Bytes,
}

/// What is known of the bytes of an extent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bytes {
    /// Nothing: an earlier tenant left them.
    Unknown,
    /// They are zero.
    Zero,
    /// They are what the tenant asked for.
    Written,
}

/// Finds `len` bytes for a new tenant, in a segment of this kind, for `contents` (or none), which the
/// tenant is going to write at the start, unless that is done already.
///
/// # Errors
/// [`ShmExhausted`] when neither the pool nor the system has them.
pub(crate) fn allocate_in(
    segments: Segments,
    len: usize,
    contents: &[u8],
) -> Result<Allocation, ShmExhausted> {
    if len <= SMALL_BYTES {
        return allocate_packed(segments, len, ARENA_BYTES);
    }
    let capacity = size_class(len).ok_or_else(|| ShmExhausted::new(len, Shortage::Budget))?;
    if let Some(backing) = take_idle(segments, capacity) {
        return Ok(own_segment(backing, len, Bytes::Unknown));
    }
    if descriptors_are_scarce() {
        return allocate_packed(segments, len, capacity.saturating_mul(PACKED_EXTENTS))
            .or_else(|_| allocate_packed(segments, len, capacity));
    }
    let create = || Backing::create_for(capacity, segments, contents);
    let (backing, is_written) = create().or_else(|_| {
        // Idle memory must not be the reason why a tenant finds none.
        trim_pool();
        create()
    })?;
    let bytes = if is_written {
        Bytes::Written
    } else {
        Bytes::Zero
    };
    Ok(own_segment(Arc::new(backing), len, bytes))
}

/// Finds the first `len` bytes of a segment that an untrusted worker may reach, and nobody else who
/// is; the extent is all of it. `contents` as in [`allocate_in`].
///
/// Also returns which bytes behind the first `len` an earlier tenant, made for the same worker, has
/// left: the caller sets them to zero before the worker sees them.
pub(crate) fn allocate_apart(
    stranger: Stranger,
    reach: Reach,
    len: usize,
    contents: &[u8],
) -> Result<(Allocation, Range<usize>), ShmExhausted> {
    let capacity = size_class(len.max(1));
    let capacity = capacity.ok_or_else(|| ShmExhausted::new(len, Shortage::Budget))?;
    let is_fit = |backing: &Arc<Backing>| {
        backing.mapping().len() == capacity
            && backing.reach() == reach
            && backing.audience().is_only(stranger)
    };
    let idle = lock().idle.take(is_fit);
    if let Some(backing) = idle {
        let stale = len..backing.use_bytes(len).max(len);
        return Ok((own_segment(backing, capacity, Bytes::Unknown), stale));
    }
    let create = || Backing::create_apart(capacity, contents, reach, stranger);
    let (backing, is_written) = create().or_else(|_| {
        trim_pool();
        create()
    })?;
    backing.use_bytes(len);
    let bytes = if is_written {
        Bytes::Written
    } else {
        Bytes::Zero
    };
    Ok((own_segment(Arc::new(backing), capacity, bytes), len..len))
}

/// As [`allocate_apart`], for the worker to write; what an earlier tenant has left is zero already.
pub(crate) fn allocate_exposed(
    stranger: Stranger,
    len: usize,
    contents: &[u8],
) -> Result<Allocation, ShmExhausted> {
    let (allocation, stale) = allocate_apart(stranger, Reach::Exposed, len, contents)?;
    let backing = allocation.extent.backing();
    let cleared = backing.write(stale.start, &vec![0; stale.len()]);
    let unwritten = |error| ShmExhausted::new(len, Shortage::Reservation(error));
    cleared.map(|()| allocation).map_err(unwritten)
}

/// Gives idle segments back that only this untrusted worker could use: it is gone.
pub(crate) fn forget(stranger: Stranger) {
    let its = |backing: &Arc<Backing>| backing.audience().is_only(stranger);
    let idle = lock().idle.take_those(its);
    drop(idle);
}

fn own_segment(backing: Arc<Backing>, len: usize, bytes: Bytes) -> Allocation {
    let extent = Extent::new(backing, 0..len, Pooled);
    Allocation {
        extent: Arc::new(extent),
        bytes,
    }
}

/// Finds `len` bytes in an arena, making one of `arena_bytes` where none has room.
fn allocate_packed(
    segments: Segments,
    len: usize,
    arena_bytes: usize,
) -> Result<Allocation, ShmExhausted> {
    // An extent of no elements still gets a line, so that every extent has an address.
    let len = len.max(1).next_multiple_of(ALIGNMENT);
    if let Some(extent) = take_packed(segments, len) {
        return Ok(packed(extent));
    }
    // Found without the lock, which reserving pages would hold for long. Two threads may each make
    // one; both are used.
    let backing = match take_idle(segments, arena_bytes) {
        Some(backing) => backing,
        None => {
            let create = || Backing::create(arena_bytes, segments);
            let created = create().or_else(|_| {
                trim_pool();
                create()
            });
            Arc::new(created?)
        }
    };
    let arena = Arena::new(backing);
    let extent = arena
        .take(len)
        .ok_or_else(|| ShmExhausted::new(len, Shortage::Budget))?;
    lock().arenas.push(arena);
    Ok(packed(extent))
}

fn take_packed(segments: Segments, len: usize) -> Option<Extent> {
    let pool = lock();
    let mut arenas = pool.arenas.iter();
    arenas.find_map(|arena| (arena.segments() == segments).then(|| arena.take(len))?)
}

fn packed(extent: Extent) -> Allocation {
    Allocation {
        extent: Arc::new(extent),
        bytes: Bytes::Unknown,
    }
}

/// Rounds a length up to one of eight per power of two, so that similar tenants fit each other's
/// segments and at most an eighth is wasted.
fn size_class(len: usize) -> Option<usize> {
    let step = (len.checked_next_power_of_two()? / 16).max(4096);
    len.checked_next_multiple_of(step)
}

/// The bytes of segments that have to be made, at most, for one extent of each of these lengths, each
/// of them in a segment of its own if they lie apart.
pub(crate) fn most_reserved_bytes(lens: impl Iterator<Item = usize>, is_apart: bool) -> u64 {
    let (mut large, mut small) = (0u64, 0u64);
    for len in lens {
        if len <= SMALL_BYTES && !is_apart {
            small = small.saturating_add(len.max(1).next_multiple_of(ALIGNMENT) as u64);
        } else {
            let capacity = size_class(len.max(1)).unwrap_or(usize::MAX);
            large = large.saturating_add(capacity as u64);
        }
    }
    // Each arena but the last is filled until the next extent doesn't fit.
    let n_arenas = small.div_ceil((ARENA_BYTES - SMALL_BYTES) as u64);
    large.saturating_add(n_arenas.saturating_mul(ARENA_BYTES as u64))
}

fn take_idle(segments: Segments, capacity: usize) -> Option<Arc<Backing>> {
    lock().idle.take(|backing| {
        backing.mapping().len() == capacity
            && backing.segments() == segments
            && backing.reach() == Reach::Trusted
    })
}

/// Puts the segments of arenas in which nothing is taken on the shelf, but for one.
pub(crate) fn shelve_free_arenas() {
    let mut free: Vec<_> = {
        let mut pool = lock();
        if pool.arenas.len() <= 1 {
            return;
        }
        // Extents are taken under the same lock, so from here on none is.
        pool.arenas
            .extract_if(.., |arena| arena.is_free())
            .collect()
    };
    let kept = free.pop();
    lock().arenas.extend(kept);
    for arena in free {
        shelve(arena.backing());
    }
}

/// Keeps a segment for its next tenant.
fn shelve(backing: &Arc<Backing>) {
    if backing.reach() != Reach::Trusted
        && (backing.audience().is_several() || descriptors_are_scarce())
    {
        // Nobody else may have it, or each small tensor's would take one of the last descriptors.
        return;
    }
    let (backing, len) = (Arc::clone(backing), backing.mapping().len());
    let capacity = CAPACITY.load(Ordering::Relaxed);
    let put = lock().idle.put(backing, len, capacity, Instant::now());
    drop(put.surplus);
    if put.needs_watcher {
        let watcher = thread::Builder::new().name(WATCHER.to_owned());
        if watcher.spawn(watch).is_err() {
            // Then whoever uses the pool next does it.
            lock().idle.abandon();
        }
    }
}

fn lock() -> MutexGuard<'static, Pool> {
    // No critical section leaves the pool half changed.
    POOL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The tenure of an extent that has a segment of its own.
struct Pooled;

impl Tenure for Pooled {
    fn end(&self, backing: &Arc<Backing>, _: &Range<usize>) {
        shelve(backing);
    }
}

/// Gives idle segments back when their time is up, until there are none.
fn watch() {
    loop {
        let capacity = CAPACITY.load(Ordering::Relaxed);
        let (surplus, next) = lock().idle.look(capacity, Instant::now());
        drop(surplus);
        let Some(next) = next else { return };
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tensor;

    #[test]
    fn size_classes_waste_an_eighth_at_most_and_are_pages() {
        for len in [
            65_537,
            100_000,
            1 << 20,
            (1 << 20) + 1,
            67_108_864,
            999_999_999,
        ] {
            let class = size_class(len).unwrap();
            assert!(
                class >= len && class.is_multiple_of(4096),
                "{len} became {class}"
            );
            assert!(class - len <= len / 8 + 4096, "{len} became {class}");
        }
        assert_eq!(size_class(usize::MAX), None);
    }

    #[test]
    fn a_segment_for_an_untrusted_worker_is_recycled_for_that_one_alone() {
        let (first, second) = (Stranger::new(), Stranger::new());
        let allocate = |stranger, reach, len| {
            let (allocation, stale) = allocate_apart(stranger, reach, len, &[]).unwrap();
            (allocation.extent, stale)
        };
        let uid = |extent: &Arc<Extent>| extent.backing().uid();
        for reach in [Reach::Guarded, Reach::Exposed] {
            let (extent, stale) = allocate(first, reach, 5000);
            assert_eq!((extent.range(), stale), (0..8192, 5000..5000));
            let (before, other) = (uid(&extent), allocate(first, reach, 10).0);
            assert_ne!(before, uid(&other), "each has a segment of its own");
            drop(extent);
            let (extent, stale) = allocate(first, reach, 4500);
            assert_eq!((uid(&extent), stale), (before, 4500..5000));
            drop(extent);
            assert_ne!(uid(&allocate(second, reach, 5000).0), before);
            assert_ne!(
                uid(&allocate_in(Segments::Memfd, 8192, &[]).unwrap().extent),
                before
            );
            // Shown to another one, it is nobody's any more.
            let (extent, _) = allocate(first, reach, 5000);
            assert_eq!(uid(&extent), before);
            extent.backing().audience().admit(second);
            drop(extent);
            for stranger in [first, second] {
                assert_ne!(uid(&allocate(stranger, reach, 5000).0), before);
            }
        }
    }

    #[test]
    fn no_more_is_reserved_than_was_expected() {
        let most = |lens: &[usize]| most_reserved_bytes(lens.iter().copied(), false);
        assert_eq!(most(&[]), 0);
        assert_eq!(most(&[0]), ARENA_BYTES as u64);
        assert_eq!(most(&[SMALL_BYTES; 15]), ARENA_BYTES as u64);
        assert_eq!(most(&[SMALL_BYTES; 16]), 2 * ARENA_BYTES as u64);
        assert_eq!(most(&[1 << 20, 64]), (1 << 20) + ARENA_BYTES as u64);
        assert_eq!(most(&[usize::MAX, usize::MAX]), u64::MAX);
        assert_eq!(most_reserved_bytes([0, 5000].into_iter(), true), 3 * 4096);
    }

    /// Small ones share segments with those of other threads, the long ones are recycled by them.
    #[test]
    fn what_one_thread_has_no_other_one_writes() {
        let use_some = |mark: u32| {
            for len in [10, 1000, 20_000, 30_000].into_iter().cycle().take(100) {
                let mut tensor = Tensor::<u32, _>::zeros(len).unwrap();
                let mut view = tensor.view_mut().unwrap();
                assert!(view.iter().all(|element| *element == 0));
                view.fill(mark);
                thread::yield_now();
                assert!(view.iter().all(|element| *element == mark));
            }
        };
        thread::scope(|scope| {
            for mark in 1..=3 {
                scope.spawn(move || use_some(mark));
            }
        });
    }

    #[test]
    fn small_extents_share_a_segment_and_never_bytes() {
        let allocate = || allocate_in(Segments::Memfd, 100, &[]).unwrap().extent;
        let (first, second) = (allocate(), allocate());
        if first.backing().uid() == second.backing().uid() {
            let (first, second) = (first.range(), second.range());
            assert!(first.end <= second.start || second.end <= first.start);
        }
    }
}
