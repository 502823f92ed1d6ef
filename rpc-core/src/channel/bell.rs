//! How the consumer of a ring waits, and how its producer wakes it.
//!
//! A consumer that looks at the ring again and again is *awake*. One that stops doing so says before
//! by what it is to be woken, and looks once more; a producer puts a frame into the ring, and looks
//! at what the consumer has said. Each writes before it reads, with a fence in between, so at least
//! one of them sees what the other has written: no frame is left lying.

use std::time::Duration;

use crate::sync::atomic::{AtomicU32, Ordering, fence};
use crate::sync::{self, futex};

/// By what a consumer is to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wake {
    /// It is awake, and finds what comes by itself.
    Nothing,
    /// By the message `Bell`, since it sleeps in `poll`.
    Message,
    /// By `FUTEX_WAKE` on the word that says so, since it sleeps there.
    Futex,
}

/// The numbers of [`Wake`] on the wire.
const NOTHING: u32 = 0;
const MESSAGE: u32 = 1;
const FUTEX: u32 = 2;

/// The word by which a consumer says how it waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bell<'a> {
    word: &'a AtomicU32,
}

impl<'a> Bell<'a> {
    pub(crate) fn new(word: &'a AtomicU32) -> Self {
        Self { word }
    }

    /// Says how this side, the consumer, is to be woken. It looks at the ring once more before it
    /// sleeps.
    pub(crate) fn set(self, wake: Wake) {
        let number = match wake {
            Wake::Nothing => NOTHING,
            Wake::Message => MESSAGE,
            Wake::Futex => FUTEX,
        };
        if self.word.load(Ordering::Relaxed) != number {
            // The peer has a copy of this cache line: writing it costs a short call a part of its time.
            sync::store(self.word, number);
        }
        if wake != Wake::Nothing {
            fence(Ordering::SeqCst);
        }
    }

    /// Sleeps until somebody wakes this side, the consumer; at most for `limit`. Returns at once if
    /// that has happened already.
    pub(crate) fn sleep(self, limit: Option<Duration>) {
        futex::wait(self.word, FUTEX, limit);
    }

    /// Wakes this side, the consumer, should it sleep.
    pub(crate) fn wake_own(self) {
        self.word.store(NOTHING, Ordering::Release);
        futex::wake_all(self.word);
    }

    /// Tells whether a thread of the other side, the consumer, sleeps on the bell. (One that sleeps in
    /// `poll` has more to look after than the ring, and goes back to sleep if it finds nothing there.)
    pub(crate) fn is_asleep(self) -> bool {
        self.word.load(Ordering::Relaxed) == FUTEX
    }

    /// Wakes the other side, the consumer, after a frame was put into the ring. Returns how it
    /// waited; the caller sends the `Bell`.
    pub(crate) fn ring(self) -> Wake {
        fence(Ordering::SeqCst);
        match self.word.load(Ordering::Relaxed) {
            NOTHING => Wake::Nothing,
            _ => match self.word.swap(NOTHING, Ordering::AcqRel) {
                NOTHING => Wake::Nothing,
                FUTEX => {
                    futex::wake_all(self.word);
                    Wake::Futex
                }
                // Whatever else a peer writes: a message is understood in any state.
                _ => Wake::Message,
            },
        }
    }
}
