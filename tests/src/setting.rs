//! The implementations that the conformance suite runs over, and what each can do.

use reedbed::{Dispatcher, SpawnError, Worker};

use crate::modules;

/// A way for a host and a worker to come together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Where the worker runs.
    pub place: Place,
    /// Who matches calls and answers.
    pub dispatcher: Dispatcher,
}

/// Where a worker runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a process of its own.
    Process,
    /// On a thread of the test's process.
    Thread,
}

/// What not every setting can do. A test asks for it and checks what happens in either case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// A cancelled call's leases end as soon as the worker has let go, not only with the worker.
    pub acknowledges_cancellation: bool,
    /// A crash of the worker leaves the host alive.
    pub isolates_crashes: bool,
}

impl Setting {
    /// What this setting can do.
    #[must_use]
    pub fn capabilities(self) -> Capabilities {
        Capabilities {
            acknowledges_cancellation: self.dispatcher == Dispatcher::Reedbed,
            isolates_crashes: self.place == Place::Process,
        }
    }

    /// Starts a worker that serves all modules of the tests. `program` is the test worker.
    ///
    /// # Errors
    /// As [`Worker::spawn`].
    pub async fn start(self, program: &str) -> Result<Worker, SpawnError> {
        match self.place {
            Place::Process => {
                Worker::builder(program)
                    .dispatcher(self.dispatcher)
                    .spawn()
                    .await
            }
            Place::Thread => Worker::in_process_over(&modules::all(), self.dispatcher).await,
        }
    }
}
