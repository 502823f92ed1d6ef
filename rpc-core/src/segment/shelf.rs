//! What lies idle until a tenant comes or its time is up.
//!
//! Nothing here waits or takes a lock. Whoever puts something on the shelf is told whether it needs
//! somebody to look after it, who then asks when to look again; so a shelf that stays empty costs an
//! idle process no wake-up at all.

use std::time::{Duration, Instant};

/// How long something is kept.
pub(crate) const KEEP_IDLE: Duration = Duration::from_secs(30);

/// Things without a tenant.
#[derive(Debug)]
pub(crate) struct Shelf<T> {
    /// Oldest first.
    idle: Vec<Idle<T>>,
    /// When something was last put here.
    last_put: Option<Instant>,
    /// Whether somebody has promised to come back.
    is_watched: bool,
}

#[derive(Debug)]
struct Idle<T> {
    what: T,
    size_bytes: usize,
    since: Instant,
}

/// What is to be done after something was put on the shelf.
#[derive(Debug)]
#[must_use]
pub(crate) struct Put<T> {
    /// What there is no room for.
    pub(crate) surplus: Vec<T>,
    /// Whether the caller has to see to it that [`Shelf::look`] is called, now and then when that
    /// says. If it can't, it says so by [`Shelf::abandon`].
    pub(crate) needs_watcher: bool,
}

impl<T> Shelf<T> {
    pub(crate) const fn new() -> Self {
        Self {
            idle: Vec::new(),
            last_put: None,
            is_watched: false,
        }
    }

    /// How many things there are.
    pub(crate) fn len(&self) -> usize {
        self.idle.len()
    }

    /// The size of all of them.
    pub(crate) fn size_bytes(&self) -> usize {
        self.idle.iter().map(|idle| idle.size_bytes).sum()
    }

    /// Puts something on the shelf, which holds `capacity_bytes`.
    pub(crate) fn put(
        &mut self,
        what: T,
        size_bytes: usize,
        capacity_bytes: usize,
        now: Instant,
    ) -> Put<T> {
        self.last_put = Some(now);
        self.idle.push(Idle {
            what,
            size_bytes,
            since: now,
        });
        let surplus = self.take_surplus(capacity_bytes, now);
        let needs_watcher = !self.idle.is_empty() && !self.is_watched;
        self.is_watched |= needs_watcher;
        Put {
            surplus,
            needs_watcher,
        }
    }

    /// Takes what fits, and of that what was put here last: its pages are the warmest.
    pub(crate) fn take(&mut self, fits: impl Fn(&T) -> bool) -> Option<T> {
        let index = self.idle.iter().rposition(|idle| fits(&idle.what))?;
        Some(self.idle.remove(index).what)
    }

    /// Takes all that `is_wanted` says.
    pub(crate) fn take_those(&mut self, is_wanted: impl Fn(&T) -> bool) -> Vec<T> {
        let wanted = self.idle.extract_if(.., |idle| is_wanted(&idle.what));
        wanted.map(|idle| idle.what).collect()
    }

    /// Takes everything.
    pub(crate) fn take_all(&mut self) -> Vec<T> {
        self.idle.drain(..).map(|idle| idle.what).collect()
    }

    /// Takes what there is no room for, or whose time is up, oldest first.
    pub(crate) fn take_surplus(&mut self, capacity_bytes: usize, now: Instant) -> Vec<T> {
        let mut excess = self.size_bytes().saturating_sub(capacity_bytes);
        let mut n_surplus = 0;
        for idle in &self.idle {
            if excess == 0 && now < idle.since + KEEP_IDLE {
                break;
            }
            excess = excess.saturating_sub(idle.size_bytes);
            n_surplus += 1;
        }
        self.idle.drain(..n_surplus).map(|idle| idle.what).collect()
    }

    /// Takes the surplus for the one who watches, and says when to look again; `None` ends the watch.
    ///
    /// While things come and go, the watch goes on, so that it needn't begin anew with each.
    pub(crate) fn look(
        &mut self,
        capacity_bytes: usize,
        now: Instant,
    ) -> (Vec<T>, Option<Instant>) {
        let surplus = self.take_surplus(capacity_bytes, now);
        let oldest = self.idle.first().map(|idle| idle.since);
        let due = oldest.or(self.last_put).map(|since| since + KEEP_IDLE);
        let next = due.filter(|due| *due > now);
        self.is_watched = next.is_some();
        (surplus, next)
    }

    /// Notes that nobody watches after all.
    pub(crate) fn abandon(&mut self) {
        self.is_watched = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: Duration = KEEP_IDLE.saturating_sub(Duration::from_millis(1));

    #[test]
    fn the_last_one_that_fits_is_taken() {
        let now = Instant::now();
        let mut shelf = Shelf::new();
        for (name, size) in [("old", 1), ("other", 2), ("young", 1)] {
            assert!(shelf.put((name, size), size, 100, now).surplus.is_empty());
        }
        let mut take = |size| shelf.take(|(_, its)| *its == size).map(|(name, _)| name);
        assert_eq!(
            [take(1), take(1), take(1), take(2)],
            [Some("young"), Some("old"), None, Some("other")]
        );
    }

    #[test]
    fn what_exceeds_the_capacity_goes_oldest_first() {
        let now = Instant::now();
        let mut shelf = Shelf::new();
        assert!(shelf.put("a", 40, 100, now).surplus.is_empty());
        assert!(shelf.put("b", 40, 100, now).surplus.is_empty());
        assert_eq!(shelf.put("c", 40, 100, now).surplus, ["a"]);
        assert_eq!(shelf.put("d", 101, 100, now).surplus, ["b", "c", "d"]);
        assert_eq!((shelf.len(), shelf.size_bytes()), (0, 0));
    }

    #[test]
    fn a_watch_lasts_as_long_as_there_is_something_to_watch() {
        let start = Instant::now();
        let mut shelf = Shelf::new();
        assert!(shelf.put("a", 1, 100, start).needs_watcher);
        let later = start + BEFORE;
        assert!(!shelf.put("b", 1, 100, later).needs_watcher);
        assert_eq!(shelf.look(100, later), (vec![], Some(start + KEEP_IDLE)));
        let due = start + KEEP_IDLE;
        assert_eq!(shelf.look(100, due), (vec!["a"], Some(later + KEEP_IDLE)));
        // In use and empty: the one who watches stays a while.
        assert_eq!(shelf.take(|_| true), Some("b"));
        assert_eq!(shelf.look(100, due), (vec![], Some(later + KEEP_IDLE)));
        assert_eq!(shelf.look(100, later + KEEP_IDLE), (vec![], None));
        assert!(shelf.put("b", 1, 100, later + KEEP_IDLE).needs_watcher);
    }
}

#[cfg(all(test, reedbed_loom))]
mod models {
    use loom::cell::UnsafeCell;
    use loom::sync::atomic::{AtomicUsize, Ordering};
    use loom::sync::{Arc, Mutex};
    use loom::thread;

    use super::*;

    /// One thread puts something back while another one, who watches, finds the shelf empty and goes:
    /// in the end whatever lies there is watched, by one.
    #[test]
    fn loom_nothing_lies_unwatched() {
        loom::model(|| {
            let start = Instant::now();
            let (later, much_later) = (start + KEEP_IDLE, start + 2 * KEEP_IDLE);
            let shelf = Arc::new(Mutex::new(Shelf::new()));
            let n_watchers = Arc::new(AtomicUsize::new(0));
            let put = |shelf: &Mutex<Shelf<u8>>, n_watchers: &AtomicUsize, now| {
                if shelf.lock().unwrap().put(1, 1, 100, now).needs_watcher {
                    n_watchers.fetch_add(1, Ordering::Relaxed);
                }
            };
            put(&shelf, &n_watchers, start);
            let watcher = thread::spawn({
                let (shelf, n_watchers) = (Arc::clone(&shelf), Arc::clone(&n_watchers));
                move || {
                    let (_, next) = shelf.lock().unwrap().look(100, later);
                    if next.is_none() {
                        n_watchers.fetch_sub(1, Ordering::Relaxed);
                    }
                }
            });
            let taken = shelf.lock().unwrap().take(|_| true);
            if taken.is_some() {
                put(&shelf, &n_watchers, later);
            }
            watcher.join().unwrap();
            let mut shelf = shelf.lock().unwrap();
            assert_eq!(shelf.is_watched, n_watchers.load(Ordering::Relaxed) == 1);
            assert!(shelf.len() == 0 || shelf.is_watched);
            let (surplus, next) = shelf.look(100, much_later);
            assert_eq!((surplus.len(), next), (usize::from(taken.is_some()), None));
        });
    }

    /// Two tenants want the one segment that is idle.
    #[test]
    fn loom_nothing_has_two_tenants() {
        loom::model(|| {
            let now = Instant::now();
            let shelf = Arc::new(Mutex::new(Shelf::new()));
            let segment = Arc::new(UnsafeCell::new(0));
            let _ = shelf.lock().unwrap().put(Arc::clone(&segment), 1, 100, now);
            let use_it = move |shelf: &Mutex<Shelf<Arc<UnsafeCell<i32>>>>| {
                let taken = shelf.lock().unwrap().take(|_| true);
                if let Some(segment) = taken {
                    segment.with_mut(|_| {});
                    let _ = shelf.lock().unwrap().put(segment, 1, 100, now);
                }
            };
            let other = thread::spawn({
                let shelf = Arc::clone(&shelf);
                move || use_it(&shelf)
            });
            use_it(&shelf);
            other.join().unwrap();
            assert_eq!(shelf.lock().unwrap().len(), 1);
        });
    }
}
