//! The shapes of calls, and those who make them.
//!
//! - `values`: serde alone, and functions that wait;
//! - `lent`: arrays lent for reading or writing;
//! - `given`: arrays that change hands;
//! - `services`: instances; `untyped`: calls without a stub; `shared`: cells.

mod caller;
mod given;
mod kept;
mod lent;
mod services;
mod shared;
mod untyped;
mod values;

use std::io;
use std::sync::Arc;

pub use caller::Caller;
pub use kept::Kept;

use tokio::runtime::Runtime;

use crate::slot::Slot;
use crate::tally::Tally;
use crate::watchdog::Board;
use crate::weather::Weather;

/// What all callers share.
#[derive(Debug)]
pub struct Run {
    /// The workers.
    pub slots: Vec<Slot>,
    /// What is counted.
    pub tally: Tally,
    /// How the host fares.
    pub weather: Weather,
    /// What everybody is doing.
    pub board: Arc<Board>,
    /// Where callers run that are tasks: not where the killers do, whom they would keep waiting.
    pub runtime: Runtime,
    /// Whether calls are given up, and not only waited for; then, how many of a hundred are forgotten.
    pub rough: Option<u8>,
}

impl Run {
    /// Starts the runtime for callers that are tasks.
    ///
    /// # Errors
    /// The kernel's, if there is no room for threads.
    pub fn start_runtime() -> io::Result<Runtime> {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(3).enable_time().build()
    }

    /// The place on the board of who runs it: the last one.
    pub(crate) fn board_place_of_rest(&self) -> usize {
        self.board.n_places() - 1
    }
}

/// How a call of this shape ends that nothing disturbs.
#[must_use]
pub fn ending_of(shape: &str) -> &'static str {
    match shape {
        "stir_and_fail" => "returned an error",
        "stir_and_panic" => "panicked",
        _ => "returned",
    }
}

/// Makes a call by the asynchronous stub or the blocking one, as the attempt says.
macro_rules! called {
    ($attempt:expr, $function:ident($($argument:expr),* $(,)?)) => {
        if $attempt.uses_blocking_stub() {
            let stub = &$attempt.slot.blocking;
            $attempt.make_blocking(|| stub.$function($($argument),*))
        } else {
            $attempt.make($attempt.slot.work.$function($($argument),*)).await
        }
    };
}

pub(crate) use called;
