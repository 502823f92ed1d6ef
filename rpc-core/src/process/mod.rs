//! Workers as processes: how they start, what they say, how they end.
//!
//! - [`worker`] is what a host holds, [`builder`] how it is set up, [`beside`] where its
//!   program is, [`starting`] one that isn't ready yet, [`blocking`] the blocking twin;
//! - [`crew`] is several workers that are called as one;
//! - [`post`] is what outlasts a worker that is restarted; [`restart`] says when that is done of itself,
//!   [`succession`] who waits for it, and [`vacancy`] does it;
//! - [`driver`] is the thread that reads a worker's channel and watches over the process, the [`child`];
//! - [`heartbeat`] asks whether a worker still answers, [`stuck`] ends one that doesn't;
//! - [`limits`] is what a worker may use of the machine, [`group`] a control group of its own;
//! - [`end`] says how a worker ended, [`log`] what it printed, [`oom`] whether memory was short;
//! - [`stock`] finds the program that loads module libraries;
//! - [`sandbox`] confines a worker before it is run;
//! - [`serve`] is the other side: a process (or a thread) that becomes a worker.

mod beside;
pub mod blocking;
mod builder;
mod child;
pub(crate) mod crew;
mod driver;
mod end;
mod error;
mod group;
mod heartbeat;
mod limits;
mod log;
mod made_for;
mod oom;
pub(crate) mod post;
mod restart;
#[cfg(feature = "sandbox")]
mod sandbox;
mod serve;
mod starting;
mod stock;
pub(crate) mod stuck;
pub(crate) mod succession;
mod vacancy;
mod worker;

pub use beside::{library_beside, program_beside};
pub use builder::WorkerBuilder;
pub use crew::Crew;
pub use end::{EndReason, WorkerEnd};
pub use error::{ImportError, RestartError, SpawnError};
pub use heartbeat::Heartbeat;
pub use limits::{LimitError, LimitName, WorkerLimits};
pub use log::{LogLine, LogStream};
pub use restart::{Backoff, GivenUp, RestartPolicy};
#[cfg(feature = "sandbox")]
pub use sandbox::{Sandbox, SandboxError, launch_if_asked};
pub use serve::{
    CANNOT_SERVE, ServeError, ServeOptions, inherited_channel, is_started_as_worker, serve_channel,
    serve_inherited,
};
pub use stuck::{StuckSign, StuckStep};
pub use worker::{Traffic, Worker};
