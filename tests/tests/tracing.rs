//! What a subscriber of `tracing` sees of a call, on both sides of it.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reedbed::{TraceContext, Worker};
use reedbed_tests::modules::control;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

const WATCHDOG: Duration = Duration::from_secs(60);

/// The fields of a span, with its name under `span`.
type Fields = BTreeMap<String, String>;

/// Keeps the spans of calls.
#[derive(Clone, Default)]
struct Spans {
    open: Arc<Mutex<BTreeMap<u64, Fields>>>,
    closed: Arc<(Mutex<Vec<Fields>>, Condvar)>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Write<'a>(&'a mut Fields);

impl Visit for Write<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.to_owned());
    }
}

impl<S: tracing::Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Spans {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, _: Context<'_, S>) {
        if attributes.metadata().target() != "reedbed::call" {
            return;
        }
        let name = attributes.metadata().name().to_owned();
        let mut fields = Fields::from([("span".to_owned(), name)]);
        attributes.record(&mut Write(&mut fields));
        lock(&self.open).insert(id.into_u64(), fields);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, _: Context<'_, S>) {
        if let Some(fields) = lock(&self.open).get_mut(&id.into_u64()) {
            values.record(&mut Write(fields));
        }
    }

    fn on_close(&self, id: Id, _: Context<'_, S>) {
        let fields = lock(&self.open).remove(&id.into_u64());
        lock(&self.closed.0).extend(fields);
        self.closed.1.notify_all();
    }
}

impl Spans {
    /// Waits for four spans to be closed, a worker's a moment after its answer; returns those of the
    /// name, in the order of their calls.
    fn of_two_calls(&self, name: &str) -> Vec<Fields> {
        let (closed, changed) = &*self.closed;
        let closed = lock(closed);
        let is_open = |closed: &mut Vec<Fields>| closed.len() < 4;
        let waited = changed.wait_timeout_while(closed, WATCHDOG, is_open);
        let (closed, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        assert!(!waited.timed_out(), "{closed:?}");
        let named = closed.iter().filter(|fields| fields["span"] == name);
        let mut named: Vec<_> = named.cloned().collect();
        named.sort_by_key(|fields| fields["call"].clone());
        named
    }
}

#[tokio::test]
async fn the_spans_of_both_sides_have_one_call_and_one_trace()
-> Result<(), Box<dyn std::error::Error>> {
    let spans = Spans::default();
    tracing_subscriber::registry()
        .with(spans.clone().with_filter(LevelFilter::DEBUG))
        .init();
    let worker = Worker::in_process(&[control::MODULE]).await?;
    let control = worker.import::<control::Client>().await?;
    let trace = TraceContext::new(0xabc, 0xdef, true).expect("no number is 0");
    control.trace().trace(trace).await?;
    control.has_deadline().await?;

    let fields = |span: &str, function: &str, call: &str, trace: Option<&str>| {
        let named = [
            ("span", span),
            ("module", "control"),
            ("function", function),
            ("call", call),
        ];
        let trace = trace.map(|trace| ("trace_id", trace));
        let named = named.into_iter().chain(trace);
        named
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect::<Fields>()
    };
    let traced = Some("00000000000000000000000000000abc");
    assert_eq!(
        spans.of_two_calls("reedbed.run"),
        [
            fields("reedbed.run", "trace", "1", traced),
            fields("reedbed.run", "has_deadline", "2", None),
        ]
    );
    let at_the_caller = |function, call, trace| {
        let mut fields = fields("reedbed.call", function, call, trace);
        fields.insert("worker".to_owned(), "in process".to_owned());
        fields
    };
    assert_eq!(
        spans.of_two_calls("reedbed.call"),
        [
            at_the_caller("trace", "1", traced),
            at_the_caller("has_deadline", "2", None),
        ]
    );
    Ok(())
}
