//! Calls without arrays.

use std::time::Duration;

use super::{Caller, Run, called};
use crate::attempt::Fate;
use crate::{Found, contents, found};

/// A text and a number; some texts are so long that they travel in a segment.
pub(super) async fn echo(caller: &mut Caller, run: &Run) -> Found {
    let attempt = caller.attempt_to_own(run, "echo");
    let len = match caller.rng.u8(0..20) {
        0 => caller.rng.usize(0..300_000),
        1..4 => caller.rng.usize(0..8_000),
        _ => caller.rng.usize(0..64),
    };
    let letter = caller.rng.lowercase();
    let text: String = (letter..='z').chain('0'..='9').cycle().take(len).collect();
    let number = caller.rng.u64(..);
    let fate = called!(attempt, echo(text.clone(), number))?;
    if let Fate::Done((backwards, mixed)) = fate
        && (mixed != contents::mix(number) || !text.chars().rev().eq(backwards.chars()))
    {
        found!("an echo of {len} letters is wrong");
    }
    Ok(())
}

/// Calls that take their time, and often nobody waits for the end.
pub(super) async fn wait(caller: &mut Caller, run: &Run) -> Found {
    let pause = Duration::from_micros(caller.rng.u64(0..3_000));
    if caller.rng.bool() {
        let attempt = caller.attempt(run, "wait");
        called!(attempt, wait(pause)).map(drop)
    } else {
        let attempt = caller.attempt(run, "run_until_cancelled");
        let fate = called!(attempt, run_until_cancelled(pause))?;
        if let Fate::Done(was_cancelled) = fate
            && was_cancelled
            && run.rough.is_none()
        {
            found!("a call was cancelled that somebody waits for");
        }
        Ok(())
    }
}
