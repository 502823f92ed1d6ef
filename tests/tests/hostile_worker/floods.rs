//! More than anybody can use: lines, frames, announcements, and what is to be answered.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use reedbed::{EndReason, FailureCause, Tensor, ndarray};
use reedbed_tests::modules::arrays;
use reedbed_tests::watched::watched;

use super::{builder, client, failure, protocol_violation};

#[tokio::test]
async fn a_worker_that_prints_without_end_answers_and_is_stopped() {
    watched(async {
        let (worker, client) = client("floods-its-output").await;
        let values = Tensor::from(ndarray::array![1i64, 2, 3]);
        for _ in 0..10 {
            assert_eq!(client.sum(&values).await.unwrap(), 6);
        }
        let end = worker.shutdown(std::time::Duration::from_secs(5)).await;
        assert!(
            matches!(end.reason(), EndReason::Exited(0)),
            "{:?}",
            end.reason()
        );
        assert!(end.last_lines().len() <= 20);
    })
    .await;
}

#[tokio::test]
async fn a_flood_of_lines_is_cut_off() {
    watched(async {
        let printed = Arc::new(Mutex::new((0u64, 0)));
        let seen = Arc::clone(&printed);
        let since = Instant::now();
        let builder = builder("floods-its-output").log_rate(1 << 20);
        let worker = builder.log(move |line| {
            let mut seen = seen.lock().expect("no panic");
            seen.0 += line.text.len() as u64;
            seen.1 += usize::from(line.text.contains("were left out"));
        });
        let worker = worker.spawn().await.expect("a handshake");
        let client: arrays::Client = worker.import().await.expect("the module is served");
        let values = Tensor::from(ndarray::array![1i64, 2, 3]);
        while printed.lock().expect("no panic").1 < 2 {
            assert_eq!(client.sum(&values).await.unwrap(), 6);
        }
        let most = (1 << 20) * (6 + since.elapsed().as_secs());
        worker.shutdown(std::time::Duration::from_secs(5)).await;
        let (n_bytes, _) = *printed.lock().expect("no panic");
        assert!(n_bytes <= most, "{n_bytes} bytes where {most} may be");
    })
    .await;
}

#[tokio::test]
async fn a_flood_does_not_hold_up_the_host() {
    for how in ["floods-with-bells", "floods-with-segments"] {
        watched(async {
            let (worker, client) = client(how).await;
            // Whoever has seen to it that the flood has begun waits no longer than it wants to.
            let limit = std::time::Duration::from_millis(300);
            let failure = failure(client.range(3).deadline(limit).await);
            assert!(
                matches!(failure.cause(), FailureCause::DeadlineExceeded { .. }),
                "{how}: {failure}"
            );
            let other = worker.shutdown(limit).await;
            assert!(
                matches!(other.reason(), EndReason::Signalled(_)),
                "{how}: {other}"
            );
        })
        .await;
    }
}

#[tokio::test]
async fn a_worker_that_reads_nothing_and_has_much_said_to_it_is_ended() {
    watched(async {
        let (worker, client) = client("floods-with-refusals").await;
        let failure = failure(client.range(3).await);
        let end = worker.ended().await;
        let what = protocol_violation(&end);
        assert!(what.contains("leaves unread what it is sent"), "{failure}");
    })
    .await;
}

#[tokio::test]
async fn a_worker_that_announces_segments_without_end_is_ended() {
    watched(async {
        let (worker, client) = client("floods-with-numbers").await;
        let failure = failure(client.range(3).await);
        let end = worker.ended().await;
        let what = protocol_violation(&end);
        assert_eq!(what, "announced more than 64 segments", "{failure}");
    })
    .await;
}
