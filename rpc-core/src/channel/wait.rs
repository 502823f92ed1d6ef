//! How long to look for an answer before sleeping.
//!
//! A wake-up across cores costs some 45 µs, whatever brings it, and a look at a ring a tenth of a
//! microsecond. So whoever expects a frame at once looks for it, for a while; but a core that looks
//! for what must first be computed *on that very core* only holds it up.
//!
//! Whoever looks keeps its core: to yield it between looks is the quickest of all on an idle machine, and
//! with busy neighbours costs a time slice of theirs, some 3 ms a call.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How a worker and its callers wait for each other (see
/// [`WorkerBuilder::wait`](crate::WorkerBuilder::wait)).
///
/// It decides between latency and processor time alone; nothing else depends on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WaitPolicy {
    /// Look for a moment where that has paid, sleep otherwise. A worker that nobody calls uses no
    /// processor time.
    #[default]
    Adaptive,
    /// Always sleep at once: for batteries, and where there are more processes than cores.
    Park,
    /// Never sleep: for the last microsecond, with a core to spare for each worker. A core is busy as
    /// long as the worker lives, and one more while a call is awaited.
    Spin,
}

impl WaitPolicy {
    /// The policy of this number on the wire; the default for one that is unknown.
    pub(crate) fn from_number(number: u32) -> Self {
        match number {
            1 => Self::Park,
            2 => Self::Spin,
            _ => Self::Adaptive,
        }
    }

    /// Its number on the wire.
    pub(crate) fn number(self) -> u32 {
        match self {
            Self::Adaptive => 0,
            Self::Park => 1,
            Self::Spin => 2,
        }
    }
}

/// How long a worker looks for the next call when it has answered one.
const AFTER_REPLY: Duration = Duration::from_micros(20);
/// How long it does when it had to wake the host, which takes some time to come.
const AFTER_WAKING: Duration = Duration::from_micros(150);
/// How long a caller looks for the answer; where it never sleeps, at a time: others may have to run
/// on its thread for the answer to come.
const FOR_ANSWER: Duration = Duration::from_micros(50);
/// How long it does where the worker had to be woken, which takes longer.
const FOR_ANSWER_OF_WOKEN: Duration = Duration::from_micros(80);
/// How long a worker looks for a call whose arguments are being copied.
const WHILE_COPYING: Duration = Duration::from_micros(200);
/// Arrays up to this length are copied in so short a time that waking the worker before pays.
pub(crate) const COPIED_SOON_BYTES: usize = 1024 * 1024;
/// The most that a caller's luck counts.
const MOST_LUCK: u32 = 16;
/// What it loses when it looked in vain.
const UNLUCKY: u32 = 4;
/// Without luck, one in so many calls looks all the same, in case times have changed.
const TRY_AGAIN: u32 = 32;
/// Looks between two looks at the clock.
const LOOKS_AT_A_TIME: u32 = 32;

/// How often looking has paid of late.
#[derive(Debug)]
struct Luck {
    luck: AtomicU32,
    n_unlucky: AtomicU32,
}

impl Default for Luck {
    fn default() -> Self {
        Self {
            luck: AtomicU32::new(MOST_LUCK),
            n_unlucky: AtomicU32::new(0),
        }
    }
}

impl Luck {
    fn is_good(&self) -> bool {
        self.luck.load(Ordering::Relaxed) > 0
            || self.n_unlucky.fetch_add(1, Ordering::Relaxed) % TRY_AGAIN == TRY_AGAIN - 1
    }

    fn note(&self, has_paid: bool) {
        // Two callers may overwrite each other's note: it is an estimate.
        let luck = self.luck.load(Ordering::Relaxed);
        let next = match has_paid {
            true => (luck + 1).min(MOST_LUCK),
            false => luck.saturating_sub(UNLUCKY),
        };
        if next != luck {
            self.luck.store(next, Ordering::Relaxed);
        }
    }
}

/// How long one side of a channel looks for frames, by what came of it before.
#[derive(Debug)]
pub(crate) struct Waiting {
    policy: WaitPolicy,
    /// With a peer that was awake.
    awake: Luck,
    /// With one that had to be woken.
    woken: Luck,
}

impl Waiting {
    pub(crate) fn new(policy: WaitPolicy) -> Self {
        Self {
            policy,
            awake: Luck::default(),
            woken: Luck::default(),
        }
    }

    fn luck(&self, has_woken: bool) -> &Luck {
        match has_woken {
            true => &self.woken,
            false => &self.awake,
        }
    }

    /// How long a caller looks for the answer to a call, for which it `has_woken` the worker or not.
    /// `is_apart` tells whether the worker ran on another processor when it was last seen.
    pub(crate) fn for_answer(&self, has_woken: bool, is_apart: bool) -> Option<Duration> {
        match self.policy {
            WaitPolicy::Park => None,
            WaitPolicy::Spin => Some(FOR_ANSWER),
            WaitPolicy::Adaptive if is_apart && self.luck(has_woken).is_good() => {
                Some(match has_woken {
                    true => FOR_ANSWER_OF_WOKEN,
                    false => FOR_ANSWER,
                })
            }
            // What is computed on this very core is only held up.
            WaitPolicy::Adaptive => None,
        }
    }

    /// Whether a caller that has looked for an answer goes on looking.
    pub(crate) fn never_sleeps(&self) -> bool {
        self.policy == WaitPolicy::Spin
    }

    /// How long a worker looks for the next call, after an answer for which it `has_woken` the host or
    /// not.
    pub(crate) fn after_reply(&self, is_apart: bool, has_woken: bool) -> Option<Duration> {
        match self.policy {
            WaitPolicy::Park => None,
            WaitPolicy::Spin => Some(Duration::MAX),
            WaitPolicy::Adaptive if !is_apart => None,
            // Else both would find each other asleep for ever, however fast the calls come.
            WaitPolicy::Adaptive if has_woken && self.woken.is_good() => Some(AFTER_WAKING),
            WaitPolicy::Adaptive => Some(AFTER_REPLY),
        }
    }

    /// How long a worker looks for the call that it was woken for.
    pub(crate) fn woken_early(&self, is_apart: bool) -> Option<Duration> {
        match self.policy {
            WaitPolicy::Park => None,
            WaitPolicy::Spin | WaitPolicy::Adaptive => is_apart.then_some(WHILE_COPYING),
        }
    }

    /// Whether waking the worker before its call is ready to be sent may pay.
    pub(crate) fn may_wake_ahead(&self, is_apart: bool) -> bool {
        self.policy != WaitPolicy::Park && is_apart
    }

    /// Notes whether looking has paid.
    pub(crate) fn note(&self, has_woken: bool, has_paid: bool) {
        self.luck(has_woken).note(has_paid);
    }
}

/// Looks until `find` has found something, for `limit` at most; tells whether it has.
pub(crate) fn look(limit: Duration, mut find: impl FnMut() -> bool) -> bool {
    let mut began = None;
    loop {
        for _ in 0..LOOKS_AT_A_TIME {
            if find() {
                return true;
            }
            std::hint::spin_loop();
        }
        // The clock isn't asked where the answer comes at once.
        let began = *began.get_or_insert_with(Instant::now);
        if limit != Duration::MAX && began.elapsed() >= limit {
            return false;
        }
    }
}

/// The processor that this thread runs on, plus one.
pub(crate) fn current_cpu() -> u32 {
    u32::try_from(rustix::thread::sched_getcpu()).map_or(0, |cpu| cpu.wrapping_add(1))
}
