//! The implementations that the conformance suite runs over, and what each can do.

use reedbed::{ChannelKind, Dispatcher, SpawnError, Worker};

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
    /// A cancelled call's leases end as soon as the worker has let go, not only with the worker.
    pub acknowledges_cancellation: bool,
    /// A crash of the worker leaves the host alive.
    pub isolates_crashes: bool,
    /// A function may run its program as a worker.
    pub runs_itself: bool,
}

impl Setting {
    /// What this setting can do.
    #[must_use]
    pub fn capabilities(self) -> Capabilities {
        Capabilities {
            acknowledges_cancellation: self.dispatcher == Dispatcher::Reedbed,
            isolates_crashes: self.place != Place::Thread,
            // The stock worker doesn't know which library its own worker should load.
            runs_itself: self.place != Place::Library,
        }
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
                return Worker::in_process_over(&modules, self.dispatcher, self.channel).await;
            }
            Place::Itself => Worker::builder_of_self(),
            Place::Library => {
                let library = reedbed::library_beside("test_library")?;
                Worker::builder(programs.stock).arg("--module").arg(library)
            }
        };
        let builder = builder.dispatcher(self.dispatcher).channel(self.channel);
        builder.spawn().await
    }
}
