//! Makes a program, or a library, a [reedbed] worker.
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
//! A library that the stock worker, the program `reedbed-worker`, loads at run time: see
//! [`export_modules!`].
//!
//! Modules are listed by name, rather than found by themselves, because a linker silently leaves
//! out what nothing refers to.

#![deny(unsafe_code)]
#![warn(clippy::print_stdout)]

use std::error::Error;
use std::process::ExitCode;

use reedbed::{CANNOT_SERVE, Module, ServeOptions};

#[doc(hidden)]
#[expect(
    unsafe_code,
    reason = "a descriptor crosses the C ABI as a bare number"
)]
pub mod entry;

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

/// Makes a library one whose modules the stock worker serves: `export_modules![a, b::c]`.
///
/// The library is a crate of the type `cdylib`; this is all it needs in its `src/lib.rs`, beside the
/// modules, or the `use` of them:
///
/// ```
/// # mod segmentation { #[reedbed::remote_module] pub mod nuclei { pub fn nothing() {} } }
/// reedbed_worker::export_modules![segmentation::nuclei];
/// # fn main() {}
/// ```
///
/// A host has it served by `Worker::spawn_library("libsegmentation.so")`. `reedbed-worker` and the
/// library are compiled separately and share no types: a descriptor and a number cross between them,
/// by C's calling convention.
///
/// A list that is made elsewhere, or code that runs before the modules are served (which may read
/// the environment, load a model, and panic), is written after two dots:
///
/// ```
/// # mod segmentation { #[reedbed::remote_module] pub mod nuclei { pub fn nothing() {} } }
/// fn modules() -> Vec<reedbed::Module> {
///     vec![segmentation::nuclei::MODULE]
/// }
///
/// reedbed_worker::export_modules![..modules()];
/// # fn main() {}
/// ```
///
/// One library exports once, and its crate doesn't `forbid(unsafe_code)`: a symbol with a name that
/// others find counts as unsafe.
#[macro_export]
macro_rules! export_modules {
    (..$modules:expr) => {
        const _: () = {
            #[allow(unsafe_code, reason = "its name has the crate's in it, so nothing else has it")]
            #[unsafe(export_name = concat!("reedbed_wire_version_", env!("CARGO_CRATE_NAME")))]
            extern "C" fn wire_version() -> u32 {
                $crate::entry::WIRE_VERSION
            }

            #[allow(unsafe_code, reason = "as above; and what is promised here is passed on")]
            #[unsafe(export_name = concat!("reedbed_entry_", env!("CARGO_CRATE_NAME")))]
            unsafe extern "C" fn entry(channel: ::std::ffi::c_int) -> ::std::ffi::c_int {
                let modules = || $modules;
                // SAFETY: the caller's promise, which is passed on (invariant 1 of `entry`).
                unsafe { $crate::entry::serve(channel, modules) }
            }
        };
    };
    ($($($module:ident)::+),+ $(,)?) => {
        $crate::export_modules![..[$($($module)::+::MODULE),+]];
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
#[doc(hidden)]
pub fn tell(error: &dyn Error) {
    let mut message = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        message.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    eprintln!("{message}");
}
