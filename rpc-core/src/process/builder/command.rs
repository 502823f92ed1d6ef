//! Which program a worker is, and the command that runs it.

use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::Arc;

use super::WorkerBuilder;
use crate::process::error::SpawnError;
#[cfg(feature = "sandbox")]
use crate::process::sandbox;
use crate::process::serve::SELF_MARKER;
use crate::process::stock;
use crate::segment::budget::WORKER_VARIABLE;
use crate::segment::kind::Segments;
use crate::segment::stranger::Stranger;
use crate::wire::handshake::Trust;

impl WorkerBuilder {
    /// Finds the program, and who it is, once and for all: neither the directory of the worker nor
    /// another one of this process's changes what a restart starts.
    pub(super) fn located(mut self) -> Result<Self, SpawnError> {
        if self.trust == Trust::Untrusted {
            if self.segments != Segments::Memfd {
                return Err(SpawnError::UntrustedSegments {
                    worker: self.worker_name().to_string(),
                });
            }
            // Each one that is started is another one, until it is restarted.
            self.stranger = Some(Stranger::new());
        }
        if let Some(library) = &mut self.library {
            *library = std::path::absolute(&library)?;
            self.program = stock::find(library)?;
        }
        // A bare name is looked for in `PATH`.
        if self.program.components().count() > 1 {
            self.program = std::path::absolute(&self.program)?;
        }
        #[cfg(feature = "sandbox")]
        if let Some(sandbox) = self.sandbox.take() {
            self.sandbox = Some(sandbox.located()?);
        }
        Ok(self)
    }

    /// What the worker is called in errors and in the log.
    pub(super) fn worker_name(&self) -> Arc<str> {
        let file = || {
            self.program
                .file_name()
                .unwrap_or(self.program.as_os_str())
                .to_string_lossy()
        };
        self.name
            .clone()
            .unwrap_or_else(|| file().into_owned())
            .into()
    }

    /// The command of the worker itself.
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        if self.is_self {
            if let Some(own) = std::env::args_os().next() {
                command.arg0(own);
            }
            command.arg(SELF_MARKER);
        }
        if let Some(library) = &self.library {
            command.arg("--module").arg(library);
        }
        command.args(&self.arguments);
        if self.is_environment_cleared {
            command.env_clear();
        }
        for (variable, value) in &self.environment {
            match value {
                Some(value) => command.env(variable, value),
                None => command.env_remove(variable),
            };
        }
        match self.shared_memory_bytes {
            Some(bytes) => command.env(WORKER_VARIABLE, bytes.to_string()),
            // That of this process is its own, if it is a worker.
            None => command.env_remove(WORKER_VARIABLE),
        };
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        command
    }

    /// The command of the worker; or of the launcher that confines itself and becomes it, and what
    /// that is to be told.
    #[cfg(feature = "sandbox")]
    pub(super) fn confined_command(
        &self,
    ) -> Result<(Command, Option<sandbox::Sealed>), SpawnError> {
        let command = self.command();
        let Some(sandbox) = &self.sandbox else {
            return Ok((command, None));
        };
        let library = self.library.as_deref();
        let keeps_environment = !self.is_environment_cleared;
        sandbox::check_arguments(&self.arguments)
            .and_then(|()| {
                sandbox::confine(sandbox, &command, library, keeps_environment, self.segments)
            })
            .map(|(launcher, plan)| (launcher, Some(plan)))
            .map_err(|refused| refused.of(&self.worker_name(), &self.program))
    }
}
