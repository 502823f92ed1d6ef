//! Calls of the user's own code where the library has more to do after them.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;

/// Runs what calls code of the user's: a subscriber of `tracing`, a waker. If that panics, what it
/// was called for is lost, which the panic hook has told of; and nothing else.
///
/// `run` must leave no invariant broken half way.
pub(crate) fn guarded<T>(run: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(run)).map_err(discard).ok()
}

/// Drops what somebody panicked with. Its own `Drop` is the user's code as well, and may panic, too.
pub(crate) fn discard(payload: Box<dyn Any + Send>) {
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(again);
    }
}

/// Wakes each of them, whether or not another one panics.
pub(crate) fn wake_each(wakers: impl IntoIterator<Item = Waker>) {
    for waker in wakers {
        guarded(|| waker.wake());
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    /// Panics where it is woken.
    pub(crate) struct Alarm;

    impl Wake for Alarm {
        fn wake(self: Arc<Self>) {
            panic!("woken");
        }
    }

    /// Counts how often it is woken.
    #[derive(Default)]
    pub(crate) struct Counter(AtomicUsize);

    impl Counter {
        pub(crate) fn n_woken(&self) -> usize {
            self.0.load(Ordering::Relaxed)
        }
    }

    impl Wake for Counter {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Panics where it is dropped.
    pub(crate) struct Bomb;

    impl Drop for Bomb {
        fn drop(&mut self) {
            std::panic::panic_any(7);
        }
    }

    #[test]
    fn whatever_it_panics_with_is_discarded() {
        assert_eq!(guarded(|| 1), Some(1));
        assert_eq!(guarded(|| panic!("a text")), None::<()>);
        assert_eq!(guarded(|| std::panic::panic_any(Bomb)), None::<()>);
    }

    #[test]
    fn one_that_panics_keeps_the_others_from_nothing() {
        let counter = Arc::new(Counter::default());
        let other = || Waker::from(Arc::clone(&counter));
        wake_each([other(), Waker::from(Arc::new(Alarm)), other()]);
        assert_eq!(counter.n_woken(), 2);
    }
}
