//! What both sides of a channel have agreed on.

use std::sync::Arc;

use super::rings::Rings;
use super::wait::WaitPolicy;
use crate::segment::account::Account;
use crate::segment::kind::Segments;
use crate::segment::stranger::Stranger;
use crate::wire::handshake::Limits;

/// What was agreed on in the handshake.
#[derive(Debug)]
pub(crate) struct Terms {
    /// What both sides take.
    pub(crate) limits: Limits,
    /// What the segments of both sides are made of.
    pub(crate) segments: Segments,
    /// The worker at the other end, if this side is its host and doesn't trust it.
    pub(crate) stranger: Option<Stranger>,
    /// What the peer may have of the shared memory.
    pub(crate) account: Arc<Account>,
    /// The rings that carry frames; without them the socket does.
    pub(crate) rings: Option<Rings>,
    /// How this side waits.
    pub(crate) wait: WaitPolicy,
    /// Whether descriptors of the peer's segments are kept, to forward tensors to third parties.
    pub(crate) keeps_descriptors: bool,
}

#[cfg(test)]
impl Terms {
    /// Those of a channel without rings.
    pub(crate) fn of_a_test() -> Self {
        Self {
            limits: Limits::OURS,
            segments: Segments::Memfd,
            stranger: None,
            account: Account::unlimited(),
            rings: None,
            wait: WaitPolicy::default(),
            keeps_descriptors: false,
        }
    }
}
