//! The trace that OpenTelemetry follows, from a host into a worker's process.

use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use reedbed::{TraceContext, Worker};
use reedbed_tests::modules::control;
use tracing::{Instrument, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

#[tokio::test]
async fn a_worker_is_told_of_the_current_trace() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::registry()
        .with(tracing_opentelemetry::layer())
        .init();
    let worker = Worker::spawn(env!("CARGO_BIN_EXE_test-worker")).await?;
    let control = worker.import::<control::Client>().await?;
    assert_eq!(control.trace().await?, None, "there is none yet");

    // As a web server's framework does with the header of a request.
    let header = TraceContext::new(0xabc << 64, 0xdef, true).expect("no number is 0");
    let remote = SpanContext::new(
        TraceId::from_bytes(header.trace_id().to_be_bytes()),
        SpanId::from_bytes(header.span_id().to_be_bytes()),
        TraceFlags::SAMPLED,
        true,
        TraceState::default(),
    );
    let request = info_span!("request");
    request.set_parent(opentelemetry::Context::new().with_remote_span_context(remote))?;

    let told = control.trace().instrument(request.clone()).await?;
    let told = told.expect("the worker is told");
    assert!(
        told.starts_with("00-0000000000000abc0000000000000000-"),
        "{told}"
    );
    assert!(told.ends_with("-01"), "it is recorded: {told}");
    let told = control.trace_of_its_own_call().instrument(request).await?;
    let told = told.expect("the worker's worker is told");
    assert!(
        told.starts_with("00-0000000000000abc0000000000000000-"),
        "{told}"
    );
    Ok(())
}
