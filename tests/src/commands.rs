//! What a test worker does when it is told to: wait, panic, crash.

use reedbed::remote_module;

/// Functions that do things to the worker.
#[remote_module]
pub mod control {
    use std::path::PathBuf;

    use reedbed::{AnyError, Worker};

    use crate::gate::Gate;
    use crate::system;

    /// Returns the number of the process.
    pub fn process_id() -> u32 {
        std::process::id()
    }

    /// Runs this program as a worker of this worker; returns the number of its process.
    pub async fn run_itself() -> Result<u32, AnyError> {
        let worker = Worker::spawn_self().await?;
        let control = worker.import::<Client>().await?;
        Ok(control.process_id().await?)
    }

    /// Panics.
    pub fn panic(message: String) {
        panic!("{message}");
    }

    /// Panics, asynchronously.
    pub async fn panic_later(message: String) {
        panic!("{message}");
    }

    /// Exits.
    pub fn exit(code: i32) {
        std::process::exit(code);
    }

    /// Ends the process by a signal.
    pub fn crash() {
        system::crash();
    }

    /// Prints a line on standard output and one on standard error.
    pub fn print(out: String, err: String) {
        println!("{out}");
        eprintln!("{err}");
    }

    /// Passes the first gate, then waits at the second.
    pub fn pass(gates: (PathBuf, PathBuf)) -> u32 {
        Gate::at(gates.0).pass();
        Gate::at(gates.1).pass();
        7
    }

    /// Passes the gate, then runs until the call is cancelled, and passes the second gate.
    pub fn run_until_cancelled(gates: (PathBuf, PathBuf)) {
        Gate::at(gates.0).pass();
        while !reedbed::cancelled() {
            std::thread::yield_now();
        }
        Gate::at(gates.1).pass();
    }

    /// Tells whether the call has a deadline.
    pub fn has_deadline() -> bool {
        reedbed::deadline().is_some()
    }

    /// Returns the trace of the call.
    pub fn trace() -> Option<String> {
        reedbed::trace_context().map(|trace| trace.to_string())
    }

    /// Returns the trace of a call that this function makes of another worker.
    pub async fn trace_of_its_own_call() -> Result<Option<String>, AnyError> {
        let worker = Worker::in_process(&[MODULE]).await?;
        let control = worker.import::<Client>().await?;
        Ok(control.trace().await?)
    }

    /// Reads what standard input has to offer.
    pub fn read_standard_input() -> Vec<u8> {
        let mut bytes = Vec::new();
        let _ = std::io::Read::read_to_end(&mut std::io::stdin(), &mut bytes);
        bytes
    }

    /// Returns a variable of the environment.
    pub fn variable(name: String) -> Option<String> {
        std::env::var(name).ok()
    }

    /// Returns the command line.
    pub fn arguments() -> Vec<String> {
        std::env::args().collect()
    }
}
