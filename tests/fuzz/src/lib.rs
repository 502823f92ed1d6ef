//! What the fuzz targets share: each feeds libFuzzer's bytes to a check of `reedbed-decoders`.

#![forbid(unsafe_code)]

use std::cell::Cell;

use reedbed_decoders::{Counting, Decoder, Verdict};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often the tally is told, in executions.
const TOLD_EVERY: u64 = 100_000;

thread_local! {
    static TALLY: Cell<Tally> = const { Cell::new(Tally { n_executions: 0, n_accepted: 0 }) };
}

/// How many inputs there were.
#[derive(Clone, Copy, Debug)]
struct Tally {
    n_executions: u64,
    n_accepted: u64,
}

/// Checks one input, and tells on standard error now and then how many were accepted so far.
///
/// # Panics
/// If what is promised of the decoder doesn't hold: a finding.
pub fn check(decoder: &Decoder, bytes: &[u8]) {
    let verdict = (decoder.check)(bytes);
    let mut tally = TALLY.get();
    tally.n_executions += 1;
    tally.n_accepted += u64::from(verdict == Verdict::Accepted);
    TALLY.set(tally);
    let n = tally.n_executions;
    if n.is_multiple_of(TOLD_EVERY) {
        eprintln!("accepted {} of {n}", tally.n_accepted);
    }
}
