//! Calls that are given arrays, or give some.

use ndarray::Ix2;
use reedbed::Tensor;

use super::{Caller, Kept, Run, called, kept};
use crate::attempt::Fate;
use crate::{Found, contents, found};

/// An array that the worker keeps.
pub(super) async fn take(caller: &mut Caller, run: &Run) -> Found {
    let attempt = caller.attempt(run, "take");
    let Some(Kept { tensor, expected }) = caller.tensor(&attempt)? else {
        return Ok(());
    };
    match called!(attempt, take(tensor))? {
        Fate::Done(sum) if sum != Some(contents::checksum(expected.view())) => {
            found!("the checksum of an array that was given away is {sum:?}");
        }
        Fate::NotBegun(mut failure) => {
            // What was sent is the worker's, if it refused to begin; what wasn't comes back.
            if let Some(tensor) = failure.reclaim::<Tensor<u64, Ix2>>("values") {
                let kept = Kept { tensor, expected };
                kept.check("what came back unsent")?;
                caller.keep(kept);
            } else if !is_refusal(failure.cause()) {
                found!("an array that was not sent doesn't come back: {failure}");
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn is_refusal(cause: &reedbed::FailureCause) -> bool {
    matches!(cause, reedbed::FailureCause::Remote(_))
}

/// An array that comes back changed.
pub(super) async fn pass_on(caller: &mut Caller, run: &Run) -> Found {
    let attempt = caller.attempt_to_own(run, "pass_on");
    let Some(Kept {
        tensor,
        mut expected,
    }) = caller.tensor(&attempt)?
    else {
        return Ok(());
    };
    let key = caller.rng.u64(..);
    match called!(attempt, pass_on(tensor, key))? {
        Fate::Done(tensor) => {
            contents::stir(expected.view_mut(), key);
            let kept = Kept { tensor, expected };
            kept.check("what was passed on")?;
            caller.keep(kept);
        }
        Fate::NotBegun(mut failure) => {
            if let Some(tensor) = failure.reclaim::<Tensor<u64, Ix2>>("values") {
                let kept = Kept { tensor, expected };
                kept.check("what came back unsent")?;
                caller.keep(kept);
            }
        }
        _ => {}
    }
    Ok(())
}

/// An array that the worker makes, in shared memory or on its heap.
pub(super) async fn make(caller: &mut Caller, run: &Run) -> Found {
    let is_on_heap = caller.rng.bool();
    let attempt = caller.attempt_to_own(run, if is_on_heap { "make_on_heap" } else { "make" });
    let tag = caller.rng.u64(..);
    let shape = contents::random_shape(&mut caller.rng);
    let tensor = if is_on_heap {
        match called!(attempt, make_on_heap(tag, shape))? {
            Fate::Done(tensor) => tensor,
            _ => return Ok(()),
        }
    } else {
        match called!(attempt, make(tag, shape))? {
            Fate::Done(tensor) => tensor,
            Fate::Refused(error) => found!("a worker has no memory: {error}"),
            _ => return Ok(()),
        }
    };
    let expected = contents::array(tag, shape);
    let kept = Kept { tensor, expected };
    kept.check("what a worker made")?;
    caller.keep(kept);
    Ok(())
}

/// An array that one worker made and another is lent; the first may die meanwhile.
pub(super) async fn forward(caller: &mut Caller, run: &Run) -> Found {
    let attempt = caller.attempt_to_own(run, "make (to forward)");
    let tag = caller.rng.u64(..);
    let shape = contents::random_shape(&mut caller.rng);
    let Fate::Done(mut tensor) = called!(attempt, make(tag, shape))? else {
        return Ok(());
    };
    let mut attempt = caller.attempt_to_write(run, "stir (forwarded)");
    attempt.allowed.forwards = true;
    let key = caller.rng.u64(..);
    let fate = called!(attempt, stir(&mut tensor, key))?;
    let expected = contents::array(tag, shape);
    let mut new = expected.clone();
    contents::stir(new.view_mut(), key);
    let mut kept = Kept { tensor, expected };
    kept.settle(&attempt, &fate, new).await?;
    kept.check(kept::name(&fate))?;
    caller.keep(kept);
    Ok(())
}
