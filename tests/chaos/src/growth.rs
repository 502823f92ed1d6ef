//! What the host may hold after a run of chaos beside what it held before.

use std::fmt;

use crate::census::Census;

/// What a forgotten call leaves: its record, and what its worker printed last, if that died. It was 280 to
/// 350 bytes on average, where 78 of 100 calls were forgotten and where 4 were.
const FORGOTTEN_BYTES: u64 = 512;

/// By how many bytes the heap in use may have grown besides: tables have room for what they held at most.
const HEAP_BYTES: u64 = 256 << 10;

/// By how many bytes the touched memory may have grown, besides a page for each forgotten call, which keeps
/// the one that its record is on: the allocator gives back only what lies behind the last block in use.
const TOUCHED_BYTES: u64 = 4 << 20;

/// By how many bytes the addresses of ordinary memory may have grown: of large blocks that are in use for
/// long, some are larger than before, but none are left. And the C library keeps the stack of the thread
/// that ended last.
const ANONYMOUS_BYTES: u64 = 3 << 20;

/// By how many bytes the mapped parts of segments may have grown: of the rings, which are new with each
/// process, more pages or fewer are touched while one starts.
const SHARED_BYTES: u64 = 64 << 10;

/// The smallest piece of memory that the kernel counts.
const PAGE_BYTES: u64 = 4096;

/// What was held before a run, and how many calls had been forgotten by then.
#[derive(Clone, Debug)]
pub struct Baseline {
    /// What was held.
    pub held: Census,
    /// How many calls had been forgotten.
    pub n_forgotten: u64,
}

/// How much there was of something, how much there is, and how much more there may be.
#[derive(Clone, Copy, Debug)]
pub struct Growth {
    what: &'static str,
    before: u64,
    after: u64,
    allowed: u64,
}

impl Growth {
    /// Compares what the host held before a run with what it holds after, when so many calls have been
    /// forgotten.
    #[must_use]
    pub fn since(baseline: &Baseline, after: &Census, n_forgotten: u64) -> Vec<Self> {
        let before = &baseline.held;
        let counts = before.counts().into_iter().zip(after.counts());
        let counts = counts.map(|((what, before), (_, after))| Self {
            what,
            before,
            after,
            allowed: 0,
        });
        let bytes = |what, before, after, allowed| Self {
            what,
            before: before / 1024,
            after: after / 1024,
            allowed: allowed / 1024,
        };
        let n_forgotten = n_forgotten.saturating_sub(baseline.n_forgotten);
        let forgotten_bytes = n_forgotten * FORGOTTEN_BYTES;
        let sizes = [
            bytes(
                "KiB of the heap in use",
                before.heap_bytes,
                after.heap_bytes,
                HEAP_BYTES + forgotten_bytes,
            ),
            bytes(
                "KiB of memory besides",
                before.anonymous_bytes,
                after.anonymous_bytes,
                ANONYMOUS_BYTES,
            ),
            bytes(
                "KiB touched of both",
                before.private_bytes,
                after.private_bytes,
                TOUCHED_BYTES + n_forgotten * PAGE_BYTES,
            ),
            bytes(
                "KiB of segments touched",
                before.shared_bytes,
                after.shared_bytes,
                SHARED_BYTES,
            ),
        ];
        counts.chain(sizes).collect()
    }

    /// Tells whether there is no more than there may be.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        self.after <= self.before + self.allowed
    }
}

impl fmt::Display for Growth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            what,
            before,
            after,
            allowed,
        } = self;
        write!(f, "{before} {what} became {after}")?;
        if *allowed > 0 {
            write!(f, ", of which {allowed} more are allowed")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_forgotten_calls_leave_is_allowed_and_not_much_more() {
        let before = Census {
            descriptors: 41,
            mappings: 60,
            anonymous_bytes: 30 << 20,
            heap_bytes: 1 << 20,
            segment_mappings: 3,
            threads: 14,
            private_bytes: 1 << 20,
            shared_bytes: 24 << 10,
        };
        let baseline = Baseline {
            held: before.clone(),
            n_forgotten: 7,
        };
        let judged = |after: &Census| {
            let all = Growth::since(&baseline, after, 107);
            all.into_iter().filter(|one| !one.is_allowed()).count()
        };
        let forgotten_bytes = 100 * FORGOTTEN_BYTES;
        let at_most = Census {
            anonymous_bytes: before.anonymous_bytes + ANONYMOUS_BYTES,
            heap_bytes: before.heap_bytes + HEAP_BYTES + forgotten_bytes,
            private_bytes: before.private_bytes + TOUCHED_BYTES + 100 * PAGE_BYTES,
            shared_bytes: before.shared_bytes + SHARED_BYTES,
            ..before
        };
        assert_eq!(judged(&at_most), 0);
        let too_much = Census {
            descriptors: before.descriptors + 1,
            mappings: before.mappings + 1,
            segment_mappings: before.segment_mappings + 1,
            threads: before.threads + 1,
            anonymous_bytes: at_most.anonymous_bytes + 1024,
            heap_bytes: at_most.heap_bytes + 1024,
            private_bytes: at_most.private_bytes + 1024,
            shared_bytes: at_most.shared_bytes + 1024,
        };
        assert_eq!(judged(&too_much), 8);
    }
}
