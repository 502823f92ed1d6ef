//! Makes a program a [reedbed] worker.
//!
//! A worker program of its own:
//!
//! ```no_run
//! # mod segmentation {
//! #     #[reedbed::remote_module]
//! #     pub mod nuclei { pub fn nothing() {} }
//! # }
//! reedbed_worker::worker_main![segmentation::nuclei];
//! ```
//!
//! A program that runs itself as a worker:
//!
//! ```no_run
//! # #[reedbed::remote_module]
//! # mod arithmetic { pub fn nothing() {} }
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     reedbed_worker::init![arithmetic];
//!     let worker = reedbed::blocking::Worker::spawn_self()?;
//! #   let _ = worker;
//!     Ok(())
//! }
//! ```
//!
//! Modules are listed by name, rather than found by themselves, because a linker silently leaves
//! out what nothing refers to.

#![forbid(unsafe_code)]
#![warn(clippy::print_stdout)]

use std::error::Error;
use std::process::ExitCode;

use reedbed::{Module, ServeOptions};

/// The status of a worker that could not serve.
const CANNOT_SERVE: u8 = 70;

#[doc(hidden)]
pub use reedbed as __reedbed;

/// Writes the `main` of a worker program that serves the modules named: `worker_main![a, b::c]`.
#[macro_export]
macro_rules! worker_main {
    ($($($module:ident)::+),+ $(,)?) => {
        fn main() -> ::std::process::ExitCode {
            $crate::serve(&[$($($module)::+::MODULE),+])
        }
    };
}

/// Begins the `main` of a program that runs itself as a worker: `init![a, b::c]`. In the worker it
/// serves the modules and exits; in the program itself it does nothing.
///
/// It comes first, before anything that shouldn't happen in the worker too.
#[macro_export]
macro_rules! init {
    ($($($module:ident)::+),+ $(,)?) => {
        $crate::init(&[$($($module)::+::MODULE),+])
    };
}

/// Serves `modules` to the host that started this process, until it has no more use for it.
///
/// Why it can't, if it can't, is said on standard error, which the host reads, and by the status:
/// 70 (`EX_SOFTWARE` of `sysexits.h`).
#[must_use]
pub fn serve(modules: &[Module]) -> ExitCode {
    match reedbed::serve_inherited(modules, ServeOptions::default()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(&error);
            ExitCode::from(CANNOT_SERVE)
        }
    }
}

/// Serves `modules` and exits, if this process was started as a worker of itself.
pub fn init(modules: &[Module]) {
    if !reedbed::is_started_as_worker() {
        return;
    }
    let code = match reedbed::serve_inherited(modules, ServeOptions::default()) {
        Ok(()) => 0,
        Err(error) => {
            tell(&error);
            CANNOT_SERVE.into()
        }
    };
    std::process::exit(code)
}

/// Says why this process can't serve, on standard error, in one line.
fn tell(error: &dyn Error) {
    let mut message = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        message.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    eprintln!("{message}");
}
