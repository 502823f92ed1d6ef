//! Calls that are lent arrays.

use std::time::Duration;

use ndarray::{Array1, Array2, Ix1};
use reedbed::{Arg, Tensor};

use super::{Caller, Run, called, kept};
use crate::attempt::Fate;
use crate::contents::{self, Cut};
use crate::served::WorkError;
use crate::{Found, found};

/// An array of the heap, or a part of a tensor.
pub(super) async fn read(caller: &mut Caller, run: &Run) -> Found {
    let attempt = caller.attempt(run, "checksum");
    let fate;
    let expected;
    match caller.rng.u8(0..8) {
        0..2 => {
            let shape = contents::random_shape(&mut caller.rng);
            let array = if caller.rng.bool() {
                contents::array(caller.rng.u64(..), shape)
            } else {
                contents::array_by_columns(caller.rng.u64(..), shape)
            };
            let cut = Cut::random(&mut caller.rng, shape);
            expected = contents::checksum(cut.of(array.view()));
            fate = called!(attempt, checksum(cut.of(array.view())))?;
        }
        2 => {
            let Some(kept) = caller.tensor(&attempt)? else {
                return Ok(());
            };
            expected = contents::checksum(kept.expected.view());
            // It may still be lent to a call that was given up, for reading.
            let Ok(frozen) = kept.tensor.freeze() else {
                found!("a tensor that is lent for reading can't be frozen");
            };
            fate = called!(attempt, checksum(&frozen))?;
        }
        _ => {
            let Some(kept) = caller.tensor(&attempt)? else {
                return Ok(());
            };
            let cut = Cut::random(&mut caller.rng, kept.tensor.dim());
            expected = contents::checksum(cut.of(kept.expected.view()));
            fate = called!(attempt, checksum(cut.lend(&kept.tensor)))?;
            // Whatever became of the call, it could only read.
            kept.check("after a call that was lent it for reading")?;
            if caller.rng.u8(0..8) > 0 {
                attempt.then("waits for a reader");
                kept.tensor.released().await;
                caller.keep(kept);
            }
        }
    }
    match fate {
        Fate::Done(sum) if sum != expected => {
            found!("a checksum is {sum:#x}, not {expected:#x}");
        }
        _ => Ok(()),
    }
}

/// Several arrays at once.
pub(super) async fn read_several(caller: &mut Caller, run: &Run) -> Found {
    let attempt = caller.attempt(run, "checksums");
    let mut stack = Vec::new();
    for _ in 0..caller.rng.usize(0..5) {
        let Some(kept) = caller.tensor(&attempt)? else {
            return Ok(());
        };
        stack.push(kept);
    }
    let shape = contents::random_shape(&mut caller.rng);
    let array = contents::array(caller.rng.u64(..), shape);
    let mut expected: Vec<_> = stack
        .iter()
        .map(|kept| contents::checksum(kept.expected.view()))
        .collect();
    expected.push(contents::checksum(array.view()));
    let mut arguments: Vec<Arg<'_, u64, _>> =
        stack.iter().map(|kept| (&kept.tensor).into()).collect();
    arguments.push((&array).into());
    let fate = called!(attempt, checksums(arguments))?;
    if let Fate::Done(sums) = fate
        && sums != expected
    {
        found!("{} checksums are wrong", sums.len());
    }
    for kept in stack {
        kept.check("after a call that was lent it, among others, for reading")?;
        attempt.then("waits for a reader of several");
        kept.tensor.released().await;
        caller.keep(kept);
    }
    Ok(())
}

/// A part of a tensor, to be written in one of several ways.
pub(super) async fn write(caller: &mut Caller, run: &Run) -> Found {
    let way = caller.rng.u8(0..8);
    let shape = match way {
        0..3 => "stir",
        3 => "stir_slowly",
        4..6 => "stir_later",
        6 => "stir_and_fail",
        _ => "stir_and_panic",
    };
    let mut attempt = caller.attempt_to_write(run, shape);
    let Some(mut kept) = caller.tensor(&attempt)? else {
        return Ok(());
    };
    let cut = Cut::random(&mut caller.rng, kept.tensor.dim());
    let key = caller.rng.u64(..);
    let pause = Duration::from_micros(caller.rng.u64(0..1_500));
    let mut new = kept.expected.clone();
    contents::stir(cut.of_mut(new.view_mut()), key);
    let n = cut.of(new.view()).len();
    let part = cut.lend_mut(&mut kept.tensor);
    let fate = match way {
        0..3 => called!(attempt, stir(part, key))?,
        3 => called!(attempt, stir_slowly(part, key, pause))?,
        4..6 => called!(attempt, stir_later(part, key, pause))?,
        6 => return fail(caller, &attempt, kept, cut, key, new).await,
        _ => {
            attempt.allowed.panic = Some(format!("told to panic with {key}"));
            let fate = called!(attempt, stir_and_panic(part, key))?;
            if matches!(fate, Fate::Done(())) {
                found!("a call returned that was told to panic");
            }
            kept.settle(&attempt, &fate, new).await?;
            caller.keep(kept);
            return Ok(());
        }
    };
    if let Fate::Done(n_stirred) = fate
        && n_stirred != n
    {
        found!("{n_stirred} elements were stirred, not {n}");
    }
    if matches!(fate, Fate::Abandoned) && caller.rng.u8(0..4) == 0 {
        // Its memory is left to the lease.
        return Ok(());
    }
    kept.settle(&attempt, &fate, new).await?;
    caller.keep(kept);
    Ok(())
}

async fn fail(
    caller: &mut Caller,
    attempt: &crate::attempt::Attempt<'_>,
    mut kept: super::Kept,
    cut: Cut,
    key: u64,
    new: Array2<u64>,
) -> Found {
    let fate = called!(attempt, stir_and_fail(cut.lend_mut(&mut kept.tensor), key))?;
    match &fate {
        Fate::Done(_) => found!("a call returned that was told to fail"),
        Fate::Refused(error) if *error != (WorkError::Told { number: key }) => {
            found!("a call that was told to fail with {key} says: {error}");
        }
        _ => {}
    }
    kept.settle(attempt, &fate, new).await?;
    caller.keep(kept);
    Ok(())
}

/// An array of the heap, which is copied there and back.
pub(super) async fn write_on_heap(caller: &mut Caller, run: &Run) -> Found {
    // The call owns the copy that the worker writes.
    let attempt = caller.attempt_to_own(run, "stir (heap)");
    let shape = contents::random_shape(&mut caller.rng);
    let mut array = contents::array(caller.rng.u64(..), shape);
    let cut = Cut::random(&mut caller.rng, shape);
    let key = caller.rng.u64(..);
    let before = array.clone();
    let mut new = array.clone();
    contents::stir(cut.of_mut(new.view_mut()), key);
    let fate = called!(attempt, stir(cut.of_mut(array.view_mut()), key))?;
    let expected = if matches!(fate, Fate::Done(_)) {
        &new
    } else {
        &before
    };
    if array != expected {
        let difference = kept::difference(&array, expected);
        found!(
            "an array of the heap, after a call that {}: {difference}",
            kept::name(&fate)
        );
    }
    Ok(())
}

/// One array to be read and another to be written.
pub(super) async fn assign(caller: &mut Caller, run: &Run) -> Found {
    let attempt = caller.attempt_to_write(run, "assign");
    let Some(mut target) = caller.tensor(&attempt)? else {
        return Ok(());
    };
    let source = contents::array(caller.rng.u64(..), target.tensor.dim());
    let fate = if caller.rng.bool() {
        called!(attempt, assign(&source, &mut target.tensor))?
    } else {
        let Ok(lent) = Tensor::copy_of(&source) else {
            caller.keep(target);
            return Ok(());
        };
        called!(attempt, assign(&lent, &mut target.tensor))?
    };
    target.settle(&attempt, &fate, source).await?;
    caller.keep(target);
    Ok(())
}

/// Flags, which are looked through when they come back.
pub(super) async fn flip(caller: &mut Caller, run: &Run) -> Found {
    let attempt = caller.attempt_to_write(run, "flip");
    let n = caller.rng.usize(0..3_000);
    let key = caller.rng.u64(..);
    let flags = Array1::from_shape_fn(n, |place| {
        contents::element(key, (place, 0)).is_multiple_of(2)
    });
    let Ok(mut tensor) = Tensor::<bool, Ix1>::copy_of(&flags) else {
        return if attempt.was_squeezed() {
            Ok(())
        } else {
            found!("no memory for {n} flags")
        };
    };
    let fate = called!(attempt, flip(&mut tensor))?;
    attempt.then("waits for flags");
    tensor.released().await;
    let is_poisoned = tensor.is_poisoned();
    if is_poisoned && !matches!(fate, Fate::Died | Fate::Abandoned) {
        found!("flags are poisoned after a call that {}", kept::name(&fate));
    }
    if let Err(error) = tensor.recover() {
        found!("flags aren't recovered: {error}");
    }
    let Ok(view) = tensor.view() else {
        found!("flags that were recovered can't be read");
    };
    let n_flipped = view
        .iter()
        .zip(&flags)
        .filter(|(found, before)| found != before)
        .count();
    let is_right = match fate {
        Fate::Done(()) => n_flipped == n,
        Fate::NotBegun(_) => n_flipped == 0,
        _ => is_poisoned || n_flipped == 0 || n_flipped == n,
    };
    if !is_right {
        found!(
            "{n_flipped} of {n} flags were flipped by a call that {}",
            kept::name(&fate)
        );
    }
    Ok(())
}
