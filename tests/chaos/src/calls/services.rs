//! Calls of instances.

use super::{Caller, Kept, Run};
use crate::attempt::Fate;
use crate::served::LedgerInstance;
use crate::slot::Slot;
use crate::{Found, found};

/// An instance, and what must be in it.
#[derive(Debug)]
pub(super) struct Book {
    ledger: LedgerInstance,
    sum: u64,
    kept: Option<ndarray::Array2<u64>>,
}

/// Methods that are called of an instance at most, one after another. A worker that is killed every few
/// milliseconds has lost its instances until the same caller comes to it again.
const MOST_METHODS: usize = 6;

/// A constructor, if there is no instance, and methods of what it made.
pub(super) async fn book(caller: &mut Caller, run: &Run) -> Found {
    let slot = caller.slot(run);
    let book = match caller.books.remove(&slot.index) {
        Some(book) => Some(book),
        None => open(caller, run, slot).await?,
    };
    let Some(mut book) = book else {
        return Ok(());
    };
    for _ in 0..caller.rng.usize(1..=MOST_METHODS) {
        let is_known = match caller.rng.u8(0..3) {
            0 => keep(caller, run, slot, &mut book).await?,
            _ => add(caller, run, slot, &mut book).await?,
        };
        if !is_known {
            return Ok(());
        }
    }
    if caller.rng.u8(0..16) > 0 {
        caller.books.insert(slot.index, book);
    }
    Ok(())
}

async fn open(caller: &mut Caller, run: &Run, slot: &Slot) -> Found<Option<Book>> {
    let mut attempt = caller.attempt_of(run, slot, "new");
    attempt.mode = attempt.mode.of_owner();
    let is_refused = caller.rng.u8(0..8) == 0;
    let sum = if is_refused {
        u64::MAX
    } else {
        caller.rng.u64(0..u64::MAX)
    };
    match attempt.make(slot.ledger.new(sum)).await? {
        Fate::Done(_) if is_refused => found!("there is a ledger that should not be made"),
        Fate::Done(ledger) => {
            let kept = None;
            Ok(Some(Book { ledger, sum, kept }))
        }
        Fate::Refused(error) if !is_refused => found!("there is no ledger: {error}"),
        _ => Ok(None),
    }
}

/// Tells whether it is still known what is in the book.
async fn add(caller: &mut Caller, run: &Run, slot: &Slot, book: &mut Book) -> Found<bool> {
    let is_later = caller.rng.bool();
    let mut attempt = caller.attempt_of(run, slot, if is_later { "add_later" } else { "add" });
    attempt.allowed.lost_instance = true;
    attempt.mode = attempt.mode.of_owner();
    let n = caller.rng.u64(..);
    let fate = if is_later {
        attempt.make(book.ledger.add_later(n)).await?
    } else {
        attempt.make(book.ledger.add(n)).await?
    };
    match fate {
        Fate::Done(sum) => {
            book.sum = book.sum.wrapping_add(n);
            if sum != book.sum {
                found!("a ledger says {sum}, not {}", book.sum);
            }
            Ok(true)
        }
        // A lost instance stays lost, which is told again and again.
        Fate::NotBegun(failure) => Ok(!matches!(
            failure.cause(),
            reedbed::FailureCause::InstanceLost { .. }
        )),
        _ => Ok(false),
    }
}

/// As [`add`], of the array in the book.
async fn keep(caller: &mut Caller, run: &Run, slot: &Slot, book: &mut Book) -> Found<bool> {
    let mut attempt = caller.attempt_of(run, slot, "keep");
    attempt.mode = attempt.mode.of_owner();
    attempt.allowed.lost_instance = true;
    let Some(Kept { tensor, expected }) = caller.tensor(&attempt)? else {
        return Ok(true);
    };
    match attempt.make(book.ledger.keep(tensor)).await? {
        Fate::Done(before) => {
            match (before, book.kept.replace(expected)) {
                (Some(tensor), Some(expected)) => {
                    let kept = Kept { tensor, expected };
                    kept.check("what a ledger kept")?;
                    caller.keep(kept);
                }
                (None, None) => {}
                (before, _) => found!("a ledger had kept an array is {}", before.is_some()),
            }
            Ok(true)
        }
        _ => Ok(false),
    }
}
