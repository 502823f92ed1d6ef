//! Which trace a call belongs to.

use std::fmt;
use std::num::{NonZeroU64, NonZeroU128};

use serde::{Deserialize, Serialize};
use tarpc::trace::SamplingDecision;

/// The place of a call in a trace: the numbers by which the logs of several processes are joined.
///
/// They are those of OpenTelemetry and of the W3C's *trace context*, whose header `traceparent` is
/// the `Display` form.
///
/// ```
/// use reedbed::TraceContext;
///
/// let trace = TraceContext::new(0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736, 0x00f0_67aa_0ba9_02b7, true);
/// let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// assert_eq!(trace.map(|trace| trace.to_string()).as_deref(), Some(header));
/// ```
///
/// A caller [names one](crate::Call::trace), or, with the feature `opentelemetry`, calls have that of
/// the current span; the function [asks for it](crate::trace_context()), and calls that it makes of
/// further workers have it, too. For whoever is subscribed to `tracing` at level `DEBUG`, target
/// `reedbed::call`, there is a span on either side: `reedbed.call` until the call is answered, with
/// the fields `worker`, `module`, `function`, `call` (its number) and `trace_id`, and `reedbed.run`
/// around the function, with all of these but the worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TraceContext {
    trace_id: NonZeroU128,
    span_id: NonZeroU64,
    is_sampled: bool,
}

impl TraceContext {
    /// Names a span of a trace; `None` if one of the numbers is 0, which stands for no trace.
    #[must_use]
    pub fn new(trace_id: u128, span_id: u64, is_sampled: bool) -> Option<Self> {
        Some(Self {
            trace_id: NonZeroU128::new(trace_id)?,
            span_id: NonZeroU64::new(span_id)?,
            is_sampled,
        })
    }

    /// The trace of tarpc's context, if that has one.
    pub(crate) fn of_tarpc(trace: &tarpc::trace::Context) -> Option<Self> {
        let is_sampled = trace.sampling_decision == SamplingDecision::Sampled;
        Self::new(trace.trace_id.into(), trace.span_id.into(), is_sampled)
    }

    /// Returns the number that all spans of the trace share.
    #[must_use]
    pub fn trace_id(&self) -> u128 {
        self.trace_id.get()
    }

    /// Returns the number of the span that the call was made in.
    #[must_use]
    pub fn span_id(&self) -> u64 {
        self.span_id.get()
    }

    /// Tells whether the trace is being recorded.
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        self.is_sampled
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (trace, span, flags) = (self.trace_id, self.span_id, u8::from(self.is_sampled));
        write!(f, "00-{trace:032x}-{span:016x}-{flags:02x}")
    }
}

impl From<TraceContext> for tarpc::trace::Context {
    fn from(trace: TraceContext) -> Self {
        Self {
            trace_id: trace.trace_id().into(),
            span_id: trace.span_id().into(),
            sampling_decision: if trace.is_sampled {
                SamplingDecision::Sampled
            } else {
                SamplingDecision::Unsampled
            },
        }
    }
}
