//! The systems: one file each, behind one small trait.

mod floor;
mod iceoryx2;
mod ipc_channel;
mod python;
mod reedbed;
mod tarpc;
pub(crate) mod tonic;

use std::process::Command;

use tokio::runtime::{Builder, Runtime};

use crate::Outcome;
use crate::meter::Meter;
use crate::turn::Turn;
use crate::work::{Task, Work};

pub(crate) use reedbed::serve_if_worker;

/// A way to call a function in another process.
pub(crate) trait System: Sync {
    /// Why it can't do `work`, if it can't.
    fn lacks(&self, work: &Work) -> Option<&'static str>;

    /// Starts the server, does the calls of `work` under `meter`, and stops the server.
    fn call(&self, name: &str, work: &Work, meter: &mut Meter) -> Outcome;

    /// Serves `work` in the other process, until there is nothing more to do.
    fn serve(&self, work: &Work, arguments: &[String]) -> Outcome;

    /// Variables of the environment of both processes.
    fn environment(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    /// The program that makes the calls: this one, with another role.
    ///
    /// # Errors
    /// Why it can't be run here, for the table.
    fn caller(&self, turn: &Turn<'_>) -> Outcome<Command> {
        Ok(turn.own_program())
    }
}

/// glibc's allocator, told to keep what is freed instead of giving it back to the kernel, so that
/// large messages fault no page twice. `mallopt(3)`: `MALLOC_MMAP_MAX_=0` because the threshold of
/// mmap can't be raised over 32 MiB; one arena because only the first one grows without a bound.
const KEPT_PAGES: &[(&str, &str)] = &[
    ("MALLOC_MMAP_MAX_", "0"),
    ("MALLOC_TRIM_THRESHOLD_", "17179869184"),
    ("MALLOC_ARENA_MAX", "1"),
];

/// All systems with the names they have in the results.
pub(crate) const ALL: &[(&str, &dyn System)] = &[
    ("floor", &floor::Floor::Spin),
    ("floor futex", &floor::Floor::Futex),
    ("floor epoll", &floor::Floor::Epoll),
    ("reedbed blocking", &reedbed::Blocking::ADAPTIVE),
    ("reedbed async", &reedbed::Async::OWN),
    ("reedbed blocking (always spin)", &reedbed::Blocking::SPIN),
    ("reedbed over tarpc", &reedbed::Async::OVER_TARPC),
    ("tarpc", &tarpc::Tarpc { environment: &[] }),
    (
        "tarpc (kept pages)",
        &tarpc::Tarpc {
            environment: KEPT_PAGES,
        },
    ),
    ("tonic", &tonic::Tonic { environment: &[] }),
    (
        "tonic (kept pages)",
        &tonic::Tonic {
            environment: KEPT_PAGES,
        },
    ),
    ("iceoryx2 spin", &iceoryx2::Iceoryx2::Spin),
    ("iceoryx2 event", &iceoryx2::Iceoryx2::Event),
    ("ipc-channel", &ipc_channel::IpcChannel),
    ("wetlands", &python::Python::Wetlands),
    ("multiprocessing", &python::Python::Multiprocessing),
];

/// Downloads a gigabyte, so only if asked for.
pub(crate) const TORCH: (&str, &dyn System) = ("torch", &python::Python::Torch);

/// The system of that name.
pub(crate) fn named(name: &str) -> Option<&'static dyn System> {
    ALL.iter()
        .find(|(known, _)| *known == name)
        .map(|(_, system)| *system)
}

/// What those can't do that have no shared memory.
fn lacks_of_messages(work: &Work) -> Option<&'static str> {
    match work.task {
        Task::Resident(..) | Task::ResidentCold(_) | Task::InPlace(_) => {
            Some("it has no shared memory")
        }
        Task::HeapCold(_) => Some("every message is memory of its own"),
        _ => None,
    }
}

/// What is done before a worker's start.
fn nothing() -> Outcome {
    Ok(())
}

/// The runtime that all asynchronous systems run in, on both sides: where a thread waits for
/// nothing but its own sockets, one that parks in `epoll` itself wakes up soonest.
fn current_thread() -> std::io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}
