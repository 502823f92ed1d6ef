//! From what was chosen for a worker to one that is ready.

use std::os::unix::process::CommandExt;
use std::process::Stdio;
use std::sync::Arc;
use std::thread;

use futures::channel::oneshot;

use super::WorkerBuilder;
use crate::channel::socket::{self, Socket};
use crate::process::child::WorkerProcess;
use crate::process::error::SpawnError;
use crate::process::log::Log;
use crate::process::post::{Incumbent, Recipe};
#[cfg(feature = "sandbox")]
use crate::process::sandbox;
use crate::process::serve;
use crate::process::starting::{Hatching, StartDispatch, Starting};
use crate::process::worker::Worker;
use crate::segment::account::Account;

impl WorkerBuilder {
    /// Starts the worker and waits until it is ready.
    ///
    /// # Errors
    /// [`SpawnError`]; no process is left behind.
    ///
    /// # Cancel safety
    /// Dropped before the worker is ready, it has the worker stopped in the background.
    pub async fn spawn(self) -> Result<Worker, SpawnError> {
        let recipe = Recipe::Process(Box::new(self.located()?));
        recipe.start().await.map(Worker::new)
    }

    /// As [`spawn`](Self::spawn), blocking the thread.
    pub(crate) fn spawn_blocking(self) -> Result<Worker, SpawnError> {
        futures::executor::block_on(self.spawn())
    }

    /// Starts the worker and waits until it is ready, without a post.
    pub(crate) async fn start_process(self) -> Result<Incumbent, SpawnError> {
        #[cfg(feature = "sandbox")]
        let is_confined = self.sandbox.is_some();
        let started = self.start()?.await;
        #[cfg(feature = "sandbox")]
        if is_confined {
            return started.map_err(sandbox::explain);
        }
        started
    }

    /// Starts the process, and the thread that waits until it is ready and then drives it.
    fn start(self) -> Result<Hatching, SpawnError> {
        if self.is_self {
            serve::check_self()?;
        }
        let starting_dispatch = StartDispatch::new(self.dispatcher)?;
        let worker = self.worker_name();
        let (ours, theirs) = socket::pair()?;
        let ours = Socket::new(ours);
        #[cfg(not(feature = "sandbox"))]
        let mut command = self.command();
        #[cfg(feature = "sandbox")]
        let (mut command, plan) = self.confined_command()?;
        command
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        // A Ctrl-C in the terminal is for the host, which ends its workers as it ends. What a worker
        // leaves behind is found by the group.
        command.process_group(0);
        let child = command.spawn().map_err(|source| SpawnError::Program {
            program: self.program.clone(),
            source,
        })?;
        // The command owns the child's end of the socket.
        drop(command);
        let log = Log::new(Arc::clone(&worker), self.sink.clone(), self.log_rate);
        let mut process = WorkerProcess::new(child, log)?;
        // Before `Hello`. Dropped with an error, the process is killed and reaped.
        process
            .limit(&self.limits)
            .map_err(|source| SpawnError::Limit {
                worker: worker.to_string(),
                program: self.program.clone(),
                source,
            })?;
        let killer = process.killer()?;
        // Limited first, then told what to become.
        #[cfg(feature = "sandbox")]
        if let Some(plan) = plan {
            plan.send(&ours)?;
        }
        let starting = Starting {
            worker: Arc::clone(&worker),
            program: self.program,
            limit: self.startup_timeout,
            patience: self.call_deadline.unwrap_or(self.startup_timeout),
            dispatcher: self.dispatcher,
            segments: self.segments,
            stranger: self.stranger,
            kind: self.kind,
            wait: self.wait,
            shutdown_grace: self.shutdown_grace,
            vigilance: self.vigilance,
            account: Account::new(
                Arc::clone(&worker),
                self.shared_memory_bytes,
                self.on_exhausted,
            ),
            start_dispatch: starting_dispatch,
            socket: ours,
        };
        let (sender, receiver) = oneshot::channel();
        // A name of the system's ends at a zero byte, so a thread can't have one.
        let named = format!("reedbed {worker}").replace('\0', " ");
        let thread = thread::Builder::new().name(named);
        thread.spawn(move || starting.run(process, sender))?;
        Ok(Hatching::new(receiver, killer))
    }
}
