//! Calls that share a cell with their caller.

use super::{Caller, Run, called};
use crate::attempt::Fate;
use crate::{Found, found};

/// Tells by a cell whether the function began, and how often.
pub(super) async fn count(caller: &mut Caller, run: &Run) -> Found {
    let attempt = caller.attempt(run, "count");
    let (before, n) = (caller.rng.u64(0..1 << 40), caller.rng.u64(1..1 << 20));
    // An untrusted worker is shown no memory that others see.
    let Ok(cell) = attempt.slot.worker.cell(before) else {
        return if attempt.was_squeezed() {
            Ok(())
        } else {
            found!("no memory for a cell")
        };
    };
    let fate = called!(attempt, count(&cell, n))?;
    let after = cell.load();
    let is_right = match &fate {
        Fate::Done(seen) => *seen == before && after == before + n,
        Fate::NotBegun(_) => after == before,
        Fate::NotReturned => after == before + n,
        _ => after == before || after == before + n,
    };
    if !is_right {
        let fate = super::kept::name(&fate);
        found!("a cell is {after} after a call that {fate}, from {before} by {n}");
    }
    Ok(())
}
