//! The implementations that the conformance suite runs over, and what each can do.

use reedbed::dynamic::DynamicCall;
use reedbed::{
    Call, ChannelKind, Dispatcher, Report, SegmentIdentity, Segments, SpawnError, Trust, Worker,
};

use crate::modules;

/// A way for a host and a worker to come together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Where the worker runs.
    pub place: Place,
    /// Who matches calls and answers.
    pub dispatcher: Dispatcher,
    /// What carries the frames.
    pub channel: ChannelKind,
    /// How far the host trusts the worker.
    pub trust: Trust,
}

/// Where a worker runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a process of its own.
    Process,
    /// On a thread of the test's process.
    Thread,
    /// In a process of the test's own program, run again.
    Itself,
    /// In a process of the stock worker, which loads the library of the test modules.
    Library,
}

/// The programs that a worker runs in, which Cargo names to tests alone.
#[derive(Clone, Copy, Debug)]
pub struct Programs {
    /// The worker of the test modules.
    pub worker: &'static str,
    /// The stock worker.
    pub stock: &'static str,
}

/// What not every setting can do. A test asks for it and checks what happens in either case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// A crash of the worker leaves the host alive.
    pub isolates_crashes: bool,
    /// A function may run its program as a worker.
    pub runs_itself: bool,
    /// Tensors are shared, however they were made: lent, passed and returned without a copy. Where
    /// they aren't, the worker has a copy of what it may write, so the host's own is never leased for
    /// writing, nor poisoned.
    pub shares_memory: bool,
}

impl Setting {
    /// What this setting can do.
    #[must_use]
    pub fn capabilities(self) -> Capabilities {
        Capabilities {
            isolates_crashes: self.place != Place::Thread,
            // The stock worker doesn't know which library its own worker should load.
            runs_itself: self.place != Place::Library,
            shares_memory: self.trust == Trust::Trusted,
        }
    }

    /// Forbids a call to copy, where tensors are shared.
    #[must_use]
    pub fn in_place<C: CanForbid>(self, call: C) -> C {
        match self.capabilities().shares_memory {
            true => call.forbidding(),
            false => call,
        }
    }

    /// Checks what a call shared and copied: `shared_bytes` of tensors, which are copied at least once
    /// where they aren't shared, and `copied_bytes` of what is copied in either case.
    ///
    /// # Panics
    /// If it is something else.
    #[track_caller]
    pub fn check(self, report: &Report, shared_bytes: u64, copied_bytes: u64) {
        if self.capabilities().shares_memory {
            let expected = (shared_bytes, copied_bytes);
            assert_eq!((report.shared_bytes, report.copied_bytes), expected);
            return;
        }
        assert_eq!(report.shared_bytes, 0, "{report:?}");
        let at_least = shared_bytes + copied_bytes;
        assert!(report.copied_bytes >= at_least, "{report:?}");
        let each = report.copies.iter().map(|copy| copy.size_bytes);
        assert_eq!(each.sum::<u64>(), report.copied_bytes, "{report:?}");
    }

    /// Tells whether what came back is what was given away; where tensors aren't shared, it may be or
    /// not: a copy may have found the same memory.
    #[must_use]
    pub fn is_same(self, back: SegmentIdentity, given: SegmentIdentity) -> bool {
        back == given || !self.capabilities().shares_memory
    }

    /// Starts a worker that serves all modules of the tests.
    ///
    /// # Errors
    /// As [`Worker::spawn`].
    pub async fn start(self, programs: Programs) -> Result<Worker, SpawnError> {
        let builder = match self.place {
            Place::Process => Worker::builder(programs.worker),
            Place::Thread => {
                let modules = modules::all();
                let Self {
                    trust,
                    dispatcher,
                    channel,
                    ..
                } = self;
                return Worker::in_process_with_trust(&modules, trust, dispatcher, channel).await;
            }
            Place::Itself => Worker::builder_of_self(),
            Place::Library => {
                let library = reedbed::library_beside("test_library")?;
                Worker::builder(programs.stock).arg("--module").arg(library)
            }
        };
        let builder = builder.dispatcher(self.dispatcher).channel(self.channel);
        let builder = match self.trust {
            // Named segments are for workers that are trusted, whatever this process makes otherwise.
            Trust::Untrusted => builder.trust(self.trust).segments(Segments::Memfd),
            _ => builder,
        };
        builder.spawn().await
    }
}

/// A call that can be forbidden to copy.
pub trait CanForbid {
    /// Forbids it.
    #[must_use]
    fn forbidding(self) -> Self;
}

impl<T, E> CanForbid for Call<'_, T, E> {
    fn forbidding(self) -> Self {
        self.forbid_copies()
    }
}

impl CanForbid for DynamicCall<'_> {
    fn forbidding(self) -> Self {
        self.forbid_copies()
    }
}
