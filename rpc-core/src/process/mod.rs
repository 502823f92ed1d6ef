//! Workers as processes: how they start, what they say, how they end.
//!
//! - [`worker`] is what a host holds, [`builder`] how it is set up, [`beside`] where its
//!   program is, [`blocking`] its blocking twin;
//! - [`driver`] is the thread that reads a worker's channel and watches over the process;
//! - [`end`] says how a worker ended, [`log`] what it printed;
//! - [`serve`] is the other side: a process (or a thread) that becomes a worker.

mod beside;
pub mod blocking;
mod builder;
mod driver;
mod end;
mod error;
mod log;
mod serve;
mod worker;

pub use beside::program_beside;
pub use builder::WorkerBuilder;
pub use end::{EndReason, WorkerEnd};
pub use error::{ImportError, SpawnError};
pub use log::{LogLine, LogStream};
pub use serve::{ServeError, ServeOptions, is_started_as_worker, serve_inherited};
pub use worker::{Traffic, Worker};
