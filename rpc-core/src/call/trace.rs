//! The spans of a call, at its caller and in its worker, and the trace that joins them.
//!
//! While nobody is subscribed at level `DEBUG`, all of it is a few nanoseconds on either side: nothing
//! is allocated, formatted or locked.

use tracing::Span;
use tracing::field::Empty;
use tracing::level_filters::LevelFilter;

use super::current;
use super::module::Method;
use crate::wire::trace::TraceContext;

/// The span of a call at its caller, from when it is sent until it is answered; `None` if nobody
/// looks.
pub(crate) fn calling(worker: &str, method: &Method, call: u64) -> Option<Box<Span>> {
    looked_at(|| {
        tracing::debug_span!(
            target: "reedbed::call",
            "reedbed.call",
            worker,
            module = &*method.module,
            function = &*method.function,
            call,
            trace_id = Empty,
        )
    })
}

/// The trace that a call is sent with: what its caller `said`, or else that of its span, or else
/// that of the call for which a function of this process makes it.
pub(crate) fn of_call(said: Option<TraceContext>, span: Option<&Span>) -> Option<TraceContext> {
    let trace = said
        .or_else(|| of_span(span))
        .or_else(current::trace_context);
    if let (Some(trace), Some(span)) = (&trace, span) {
        note(span, trace);
    }
    trace
}

/// The span of a function in its worker, while it runs for a call that came with `trace`; `None` if
/// nobody looks.
pub(crate) fn running(
    method: &Method,
    call: u64,
    trace: Option<TraceContext>,
) -> Option<Box<Span>> {
    let span = looked_at(|| {
        tracing::debug_span!(
            target: "reedbed::call",
            "reedbed.run",
            module = &*method.module,
            function = &*method.function,
            call,
            trace_id = Empty,
        )
    });
    if let (Some(span), Some(trace)) = (&span, &trace) {
        note(span, trace);
        continues(span, trace);
    }
    span
}

/// Makes a span, if somebody looks. It is boxed, because all calls move and few have one.
fn looked_at(span: impl FnOnce() -> Span) -> Option<Box<Span>> {
    // Even a disabled span takes its time to come and go.
    if LevelFilter::current() < LevelFilter::DEBUG {
        return None;
    }
    let span = span();
    (!span.is_disabled()).then(|| Box::new(span))
}

/// Writes the trace's number into a span, as logs have it.
fn note(span: &Span, trace: &TraceContext) {
    span.record("trace_id", format_args!("{:032x}", trace.trace_id()));
}

#[cfg(not(feature = "opentelemetry"))]
fn of_span(_: Option<&Span>) -> Option<TraceContext> {
    None
}

#[cfg(not(feature = "opentelemetry"))]
fn continues(_: &Span, _: &TraceContext) {}

/// What OpenTelemetry knows of a call's span or, where there is none, of the span around it.
#[cfg(feature = "opentelemetry")]
fn of_span(span: Option<&Span>) -> Option<TraceContext> {
    use opentelemetry::trace::TraceContextExt;
    use tracing_opentelemetry::OpenTelemetrySpanExt;

    if !tracing::dispatcher::has_been_set() {
        return None;
    }
    let context = span.map_or_else(|| Span::current().context(), Span::context);
    let span = context.span();
    let span = span.span_context();
    TraceContext::new(
        u128::from_be_bytes(span.trace_id().to_bytes()),
        u64::from_be_bytes(span.span_id().to_bytes()),
        span.is_sampled(),
    )
}

/// Makes a span the child of one in another process.
#[cfg(feature = "opentelemetry")]
fn continues(span: &Span, trace: &TraceContext) {
    use opentelemetry::trace::{
        SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState,
    };
    use tracing_opentelemetry::OpenTelemetrySpanExt;

    let parent = SpanContext::new(
        TraceId::from_bytes(trace.trace_id().to_be_bytes()),
        SpanId::from_bytes(trace.span_id().to_be_bytes()),
        TraceFlags::default().with_sampled(trace.is_sampled()),
        true,
        TraceState::default(),
    );
    let parent = opentelemetry::Context::new().with_remote_span_context(parent);
    // An error says that the subscriber doesn't know OpenTelemetry, which is no matter.
    let _ = span.set_parent(parent);
}

#[cfg(all(test, feature = "opentelemetry"))]
mod tests {
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    const METHOD: Method = Method::new("arithmetic", "sum");

    fn trace() -> TraceContext {
        TraceContext::new(0xabc << 64, 0xdef, true).expect("no number is 0")
    }

    #[test]
    fn a_call_belongs_to_the_trace_of_the_span_around_it() {
        let subscriber = tracing_subscriber::registry().with(tracing_opentelemetry::layer());
        tracing::subscriber::with_default(subscriber, || {
            let outside = calling("adder", &METHOD, 1);
            assert_eq!(of_call(None, outside.as_deref()), None);

            // As in a worker, which so takes part in the trace of its host.
            let around = running(&METHOD, 1, Some(trace())).expect("somebody looks");
            let _entered = around.enter();
            let inside = calling("adder", &METHOD, 2);
            let trace_id = of_call(None, inside.as_deref()).map(|trace| trace.trace_id());
            assert_eq!(trace_id, Some(trace().trace_id()));
            assert_eq!(of_call(None, None), Some(trace()));

            let said = TraceContext::new(1, 2, false);
            assert_eq!(of_call(said, inside.as_deref()), said);
        });
    }

    #[test]
    fn another_subscriber_knows_of_no_trace() {
        let subscriber = tracing_subscriber::registry();
        tracing::subscriber::with_default(subscriber, || {
            let around = running(&METHOD, 1, Some(trace())).expect("somebody looks");
            let _entered = around.enter();
            let inside = calling("adder", &METHOD, 2);
            assert_eq!(of_call(None, inside.as_deref()), None);
        });
    }
}
