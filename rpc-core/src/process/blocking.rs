//! Workers for programs without an asynchronous runtime.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::executor::block_on;

use super::builder::WorkerBuilder;
use super::end::WorkerEnd;
use super::error::{ImportError, RestartError, SpawnError};
use crate::call::error::CallError;
use crate::call::module::{BlockingStub, Module};
use crate::dynamic::{Arguments, Interface, Value};

/// The blocking twin of [`reedbed::Worker`](crate::Worker). Both share one worker: see
/// [`from_async`](Self::from_async) and [`as_async`](Self::as_async).
#[derive(Clone, Debug)]
pub struct Worker {
    worker: crate::Worker,
}

impl Worker {
    /// Starts `program` and waits until it is ready.
    ///
    /// # Errors
    /// As [`reedbed::Worker::spawn`](crate::Worker::spawn).
    pub fn spawn(program: impl Into<PathBuf>) -> Result<Self, SpawnError> {
        WorkerBuilder::new(program.into())
            .spawn_blocking()
            .map(Self::from_async)
    }

    /// Starts this very program again, as a worker.
    ///
    /// # Errors
    /// As [`reedbed::Worker::spawn_self`](crate::Worker::spawn_self).
    pub fn spawn_self() -> Result<Self, SpawnError> {
        WorkerBuilder::of_self()
            .spawn_blocking()
            .map(Self::from_async)
    }

    /// Has the stock worker load a module library and serve its modules.
    ///
    /// # Errors
    /// As [`reedbed::Worker::spawn_library`](crate::Worker::spawn_library).
    pub fn spawn_library(library: impl Into<PathBuf>) -> Result<Self, SpawnError> {
        WorkerBuilder::of_library(library.into())
            .spawn_blocking()
            .map(Self::from_async)
    }

    /// Starts a worker that was set up by a builder.
    ///
    /// # Errors
    /// As [`WorkerBuilder::spawn`].
    pub fn start(builder: WorkerBuilder) -> Result<Self, SpawnError> {
        builder.spawn_blocking().map(Self::from_async)
    }

    /// Serves modules on a thread of this process.
    ///
    /// # Errors
    /// As [`reedbed::Worker::in_process`](crate::Worker::in_process).
    pub fn in_process(modules: &[Module]) -> Result<Self, SpawnError> {
        block_on(crate::Worker::in_process(modules)).map(Self::from_async)
    }

    /// Wraps a worker.
    #[must_use]
    pub fn from_async(worker: crate::Worker) -> Self {
        Self { worker }
    }

    /// Returns the worker, for asynchronous code.
    #[must_use]
    pub fn as_async(&self) -> &crate::Worker {
        &self.worker
    }

    /// Makes the blocking client of a module that the worker serves.
    ///
    /// # Errors
    /// As [`reedbed::Worker::import`](crate::Worker::import).
    pub fn import<S: BlockingStub>(&self) -> Result<S, ImportError> {
        block_on(self.worker.import::<S::Async>()).map(S::from_async)
    }

    /// Returns what all modules consist of.
    ///
    /// # Errors
    /// As [`reedbed::Worker::interfaces`](crate::Worker::interfaces).
    pub fn interfaces(&self) -> Result<Vec<Arc<Interface>>, ImportError> {
        block_on(self.worker.interfaces())
    }

    /// Calls a function that is known only by name, and waits until it has returned. For a deadline
    /// or a report, [`as_async`](Self::as_async) has a call to
    /// [wait](crate::dynamic::DynamicCall::wait) for.
    ///
    /// # Errors
    /// As [`reedbed::Worker::call`](crate::Worker::call).
    pub fn call(
        &self,
        module: &str,
        function: &str,
        arguments: Arguments<'_>,
    ) -> Result<Value<'static>, CallError<Value<'static>>> {
        self.worker.call(module, function, arguments).wait()
    }

    /// Has the worker finish the calls in flight and exit, and waits until it is gone.
    pub fn shutdown(&self, grace: Duration) -> WorkerEnd {
        block_on(self.worker.shutdown(grace))
    }

    /// Starts the worker again, as it was set up the first time.
    ///
    /// # Errors
    /// As [`reedbed::Worker::restart`](crate::Worker::restart).
    pub fn restart(&self, grace: Duration) -> Result<WorkerEnd, RestartError> {
        block_on(self.worker.restart(grace))
    }

    /// Waits until the worker has ended.
    #[must_use]
    pub fn ended(&self) -> WorkerEnd {
        block_on(self.worker.ended())
    }
}

/// The blocking twin of [`reedbed::Crew`](crate::Crew). Both share the workers.
#[derive(Clone, Debug)]
pub struct Crew {
    crew: crate::Crew,
}

impl Crew {
    /// Starts `n` workers that are set up alike, all at once, and waits until they are ready.
    ///
    /// # Errors
    /// As [`reedbed::Crew::spawn`](crate::Crew::spawn).
    pub fn spawn(builder: WorkerBuilder, n: usize) -> Result<Self, SpawnError> {
        block_on(crate::Crew::spawn(builder, n)).map(Self::from_async)
    }

    /// Serves modules on `n` threads of this process.
    ///
    /// # Errors
    /// As [`reedbed::Crew::in_process`](crate::Crew::in_process).
    pub fn in_process(modules: &[Module], n: usize) -> Result<Self, SpawnError> {
        block_on(crate::Crew::in_process(modules, n)).map(Self::from_async)
    }

    /// Wraps a crew.
    #[must_use]
    pub fn from_async(crew: crate::Crew) -> Self {
        Self { crew }
    }

    /// Returns the crew, for asynchronous code.
    #[must_use]
    pub fn as_async(&self) -> &crate::Crew {
        &self.crew
    }

    /// Makes the blocking client of a module that the workers serve. Threads that share it call
    /// different workers.
    ///
    /// # Errors
    /// As [`reedbed::Crew::import`](crate::Crew::import).
    pub fn import<S: BlockingStub>(&self) -> Result<S, ImportError> {
        block_on(self.crew.import::<S::Async>()).map(S::from_async)
    }

    /// Starts those workers again that have ended; returns how they had ended.
    ///
    /// # Errors
    /// As [`reedbed::Crew::restart_ended`](crate::Crew::restart_ended).
    pub fn restart_ended(&self) -> Result<Vec<WorkerEnd>, RestartError> {
        block_on(self.crew.restart_ended())
    }

    /// Has all workers finish the calls in flight and exit, and waits until they are gone.
    pub fn shutdown(&self, grace: Duration) -> Vec<WorkerEnd> {
        block_on(self.crew.shutdown(grace))
    }
}
