//! What there isn't for an untrusted worker.

use ndarray::Array1;
use reedbed::{ChannelKind, Dispatcher, Segments, SpawnError, Trust, Worker};
use reedbed_tests::modules::{self, arrays};
use reedbed_tests::watched::watched;

#[tokio::test]
async fn named_segments_are_for_trusted_workers() {
    watched(async {
        let builder = Worker::builder(env!("CARGO_BIN_EXE_test-worker")).segments(Segments::Named);
        let error = builder.clone().trust(Trust::Untrusted).spawn().await;
        let error = error.unwrap_err();
        assert!(
            matches!(error, SpawnError::UntrustedSegments { .. }),
            "{error}"
        );
        assert!(error.to_string().contains("Segments::Memfd"), "{error}");
        builder.trust(Trust::Trusted).spawn().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn the_same_rules_hold_on_a_thread() {
    watched(async {
        let all = modules::all();
        let (dispatcher, channel) = (Dispatcher::default(), ChannelKind::default());
        let worker =
            Worker::in_process_with_trust(&all, Trust::Untrusted, dispatcher, channel).await;
        let worker = worker.unwrap();
        assert_eq!(worker.trust(), Trust::Untrusted);
        let arrays: arrays::Client = worker.import().await.unwrap();
        let values = worker.tensor(&Array1::from_elem(50_000, 1i64)).unwrap();
        let call = arrays.sum(&values).forbid_copies();
        assert_eq!(call.await.unwrap(), 50_000);
        let (_, report) = arrays.range(50_000).reported().await.unwrap();
        assert_eq!((report.shared_bytes, report.copied_bytes), (0, 400_000));
    })
    .await;
}
