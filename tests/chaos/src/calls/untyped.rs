//! Calls without a stub.

use reedbed::args;

use super::{Caller, Run};
use crate::attempt::Fate;
use crate::contents::{self, Cut};
use crate::{Found, found};

/// By names and values.
pub(super) async fn call(caller: &mut Caller, run: &Run) -> Found {
    let is_written = caller.rng.bool();
    let shape = if is_written {
        "stir (no stub)"
    } else {
        "checksum (no stub)"
    };
    // While the worker describes the function, the call owns its arguments.
    let attempt = caller.attempt_to_own(run, shape);
    let worker = &attempt.slot.worker;
    let Some(mut kept) = caller.tensor(&attempt)? else {
        return Ok(());
    };
    let cut = Cut::random(&mut caller.rng, kept.tensor.dim());
    if is_written {
        let key = caller.rng.u64(..);
        let mut new = kept.expected.clone();
        contents::stir(cut.of_mut(new.view_mut()), key);
        let arguments = args![cut.lend_mut(&mut kept.tensor), key];
        let fate = attempt.make(worker.call("work", "stir", arguments)).await?;
        kept.settle(&attempt, &fate, new).await?;
    } else {
        let expected = contents::checksum(cut.of(kept.expected.view()));
        let arguments = args![cut.lend(&kept.tensor)];
        let fate = attempt
            .make(worker.call("work", "checksum", arguments))
            .await?;
        if let Fate::Done(sum) = fate {
            match sum.deserialize::<u64>() {
                Ok(sum) if sum == expected => {}
                other => found!("a checksum without a stub is {other:?}, not {expected}"),
            }
        }
        attempt.then("waits for a reader without a stub");
        kept.tensor.released().await;
    }
    caller.keep(kept);
    Ok(())
}
