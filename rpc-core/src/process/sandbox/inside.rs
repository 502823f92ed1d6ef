//! What a worker of this crate adds to its sandbox when it begins to serve.
//!
//! A program that means harm leaves it out. So nothing that protects others is here: becoming
//! another program gains nothing within the same sandbox, and memory that others can't read protects
//! what this worker was lent.

use std::env;
use std::io;

use rustix::process::DumpableBehavior;

use super::calls;
use crate::process::serve::ServeError;

/// The variable that tells a worker that it is in a sandbox. It grants nothing: whoever sets it
/// without one confines itself.
pub(super) const VARIABLE: &str = "REEDBED_SANDBOX";

/// What is left to do in a sandbox, before anything that comes over the channel is read.
pub(in crate::process) fn close_behind() -> Result<(), ServeError> {
    let Some(asked) = env::var_os(VARIABLE) else {
        return Ok(());
    };
    let refused = |error: &dyn std::fmt::Display| {
        let what = format!("the sandbox can't be closed: {error}");
        ServeError::System(io::Error::other(what))
    };
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(|error| refused(&error))?;
    if asked != "execute" {
        let filter = calls::no_other_program().map_err(|error| refused(&error))?;
        seccompiler::apply_filter_all_threads(&filter).map_err(|error| refused(&error))?;
    }
    Ok(())
}
