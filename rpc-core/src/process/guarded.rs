//! Calls of the user's own code where the library has more to do after them.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs what calls code of the user's: a subscriber of `tracing`, a waker. If that panics, what it
/// was called for is lost, which the panic hook has told of; and nothing else.
///
/// `run` must leave no invariant broken half way.
pub(crate) fn guarded<T>(run: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(run)).ok()
}
