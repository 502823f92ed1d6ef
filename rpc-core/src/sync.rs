//! Locks, atomics and the futex that models can take the place of.
//!
//! Whatever a model (`loom_..` in the tests beside the code) is to explore takes them from here.
//! Under `--cfg reedbed_loom` they are loom's, which work inside a model alone; a `static` can't hold
//! those, and keeps std's.

#[cfg(reedbed_loom)]
pub(crate) use loom::sync::{Mutex, MutexGuard, atomic};
#[cfg(reedbed_loom)]
pub(crate) use loom::thread::yield_now;
#[cfg(not(reedbed_loom))]
pub(crate) use std::sync::{Mutex, MutexGuard, atomic};
#[cfg(not(reedbed_loom))]
pub(crate) use std::thread::yield_now;

/// Stores a number (`Relaxed`) into a word that others exchange.
#[cfg(not(reedbed_loom))]
pub(crate) fn store(word: &atomic::AtomicU32, number: u32) {
    word.store(number, atomic::Ordering::Relaxed);
}

/// Loom doesn't know that nothing comes between the number that an exchange reads and the one that it
/// writes, unless all are exchanged.
#[cfg(reedbed_loom)]
pub(crate) fn store(word: &atomic::AtomicU32, number: u32) {
    word.swap(number, atomic::Ordering::Relaxed);
}

/// Sleeping on a word that two processes share.
#[cfg(not(reedbed_loom))]
pub(crate) mod futex {
    use std::time::Duration;

    use rustix::thread::futex::{self, Flags};

    use super::atomic::AtomicU32;

    /// Sleeps as long as the word has this value, at most for `limit`.
    pub(crate) fn wait(word: &AtomicU32, value: u32, limit: Option<Duration>) {
        let limit = limit.and_then(|limit| limit.try_into().ok());
        // Whatever ends it (a wake-up, a signal, the limit), the caller looks again.
        let _ = futex::wait(word, Flags::empty(), value, limit.as_ref());
    }

    /// Wakes all who sleep.
    pub(crate) fn wake_all(word: &AtomicU32) {
        // It fails for no address that is mapped.
        let _ = futex::wake(word, Flags::empty(), i32::MAX as u32);
    }
}

/// The kernel's part in models: who looks at the word and lies down can't be interrupted by who wakes.
/// No limit ever passes, so that who isn't woken is found out.
#[cfg(reedbed_loom)]
pub(crate) mod futex {
    use std::time::Duration;

    use loom::sync::{Condvar, Mutex};

    use super::atomic::{AtomicU32, Ordering};

    loom::lazy_static! {
        static ref SLEEPERS: (Mutex<()>, Condvar) = (Mutex::new(()), Condvar::new());
    }

    pub(crate) fn wait(word: &AtomicU32, value: u32, _: Option<Duration>) {
        let sleepers = SLEEPERS.0.lock().unwrap();
        if word.load(Ordering::Relaxed) == value {
            drop(SLEEPERS.1.wait(sleepers).unwrap());
        }
    }

    pub(crate) fn wake_all(_: &AtomicU32) {
        let sleepers = SLEEPERS.0.lock().unwrap();
        SLEEPERS.1.notify_all();
        drop(sleepers);
    }
}

/// Tells a model what the kernel sees to: what was done before a message was sent, is seen when it was
/// received.
#[cfg(not(reedbed_loom))]
pub(crate) fn order_by_messages() {}

#[cfg(reedbed_loom)]
pub(crate) fn order_by_messages() {
    use atomic::{AtomicUsize, Ordering};

    loom::lazy_static! {
        static ref MESSAGES: AtomicUsize = AtomicUsize::new(0);
    }
    MESSAGES.fetch_add(1, Ordering::AcqRel);
}
