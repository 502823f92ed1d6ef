//! A subscriber of `tracing` that panics takes nobody along.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::future::join;
use reedbed::{Backoff, CallError, CallFailure, EndReason, FailureCause, RestartPolicy, Worker};
use reedbed_tests::deaths::ends;
use reedbed_tests::gate::{Gates, pass};
use reedbed_tests::modules::{control, values};
use reedbed_tests::watched::watched;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

type TestResult = Result<(), Box<dyn std::error::Error>>;

const WORKER: &str = env!("CARGO_BIN_EXE_test-worker");

/// How often a subscriber was told something, and panicked.
static N_PANICS: AtomicU32 = AtomicU32::new(0);

/// Panics at every event.
struct Fragile;

impl Subscriber for Fragile {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event()
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        N_PANICS.fetch_add(1, Ordering::Relaxed);
        panic!("an event at {:?}", event.metadata().file());
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// A worker of whose second end nothing comes any more.
async fn spawn() -> Result<Worker, Box<dyn std::error::Error>> {
    let backoff = Backoff {
        first: Duration::from_millis(1),
        n_restarts: 1,
        window: Duration::from_secs(3600),
        ..Backoff::default()
    };
    let worker = Worker::builder(WORKER).log(|_| {});
    let worker = worker.restart_policy(RestartPolicy::Always(backoff));
    Ok(worker.spawn().await?)
}

fn failure(error: CallError<impl Sized>) -> Box<CallFailure> {
    match error {
        CallError::Failed(failure) => failure,
        CallError::Returned(_) => panic!("no error of its own is expected"),
    }
}

#[tokio::test]
async fn calls_fail_and_workers_are_started_again_whatever_a_subscriber_does() -> TestResult {
    tracing::subscriber::set_global_default(Fragile)?;
    watched(async {
        let worker = spawn().await?;
        let ends = worker.import::<ends::Client>().await?;
        let control = worker.import::<control::Client>().await?;
        let values = worker.import::<values::Client>().await?;
        let gates = Gates::new();
        let (began, never) = gates.pair();
        let in_flight = control.pass((began.clone(), never));
        let rest = async {
            pass(&began).await;
            ends.signal(9).await
        };
        let (in_flight, killed) = join(in_flight, rest).await;
        for failure in [
            failure(in_flight.unwrap_err()),
            failure(killed.unwrap_err()),
        ] {
            let cause = failure.cause();
            assert!(matches!(cause, FailureCause::WorkerDied { .. }), "{cause}");
        }
        assert_eq!(
            N_PANICS.load(Ordering::Relaxed),
            1,
            "it was told of the restart"
        );
        assert_eq!(values.echo("again".to_owned()).await?, "again");

        assert!(ends.signal(9).await.is_err());
        let failure = failure(values.nothing().await.unwrap_err());
        let cause = failure.cause();
        assert!(matches!(cause, FailureCause::GivenUp { .. }), "{cause}");
        assert_eq!(
            N_PANICS.load(Ordering::Relaxed),
            2,
            "and that there is no other"
        );
        assert_eq!(worker.ended().await.reason(), &EndReason::Signalled(9));
        Ok(())
    })
    .await
}
