//! What the worker hands over as its result.

use ndarray::{Array1, aview1};
use reedbed::{CopyReason, Failure, FailureCause, Tensor};
use reedbed_tests::modules::{arrays, of_bool};
use reedbed_tests::system;
use reedbed_tests::watched::watched;

use crate::{client, failure, violation};

#[tokio::test]
async fn a_result_is_what_it_was_when_it_came() {
    watched(async {
        let (_worker, arrays) = client::<arrays::Client>("writes-after-its-reply").await;
        let first = arrays.range(3).await.unwrap();
        let second = arrays.range(3).await.unwrap();
        // It was written between the two.
        assert!(second.view().unwrap().iter().all(|value| value.is_nan()));
        assert_eq!(first.view().unwrap(), aview1(&[1.0, 2.0, 3.0]));
    })
    .await;
}

#[tokio::test]
async fn bools_are_checked_where_the_worker_can_not_reach_them() {
    watched(async {
        let (_worker, bools) = client::<of_bool::Client>("returns-bad-bools").await;
        let flags = Array1::from_elem(3, true).into_dyn();
        let first = bools.copy(&flags).await.unwrap();
        let failure = failure(bools.copy(&flags).await);
        let FailureCause::Protocol { reason } = failure.cause() else {
            panic!("{failure}");
        };
        assert!(reason.contains("a bool is neither 0 nor 1"), "{reason}");
        // The same byte of the worker's memory was a good one when the first array came.
        assert!(first.view().unwrap().iter().all(|flag| *flag));
    })
    .await;
}

#[tokio::test]
async fn whatever_is_written_meanwhile_a_result_is_valid_and_stays_as_it_is() {
    watched(async {
        let (_worker, bools) = client::<of_bool::Client>("never-stops-writing").await;
        let flags = Array1::from_elem(1, true).into_dyn();
        let (mut n_accepted, mut n_refused) = (0, 0);
        while n_accepted < 100 || n_refused == 0 {
            match bools.copy(&flags).await {
                Ok(result) => {
                    let bytes = result.as_bytes().unwrap();
                    let before = bytes.to_vec();
                    assert!(before.iter().all(|byte| *byte <= 1));
                    // Another copy takes the worker's thread a while.
                    let _ = bools.copy(&flags).await;
                    assert_eq!(result.as_bytes().unwrap(), before);
                    n_accepted += 1;
                }
                Err(error) => {
                    let failure = error.failure().unwrap();
                    assert!(
                        matches!(failure.cause(), FailureCause::Protocol { .. }),
                        "{error}"
                    );
                    n_refused += 1;
                }
            }
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_no_segment_ends_the_worker() {
    for kind in [
        "a-pipe",
        "a-device",
        "a-directory",
        "a-file",
        "a-shared-file",
        "an-unsealed-memfd",
        "a-memfd-that-shrinks",
        "a-memfd-that-grows",
        "an-empty-memfd",
    ] {
        watched(async {
            let (worker, arrays) = client::<arrays::Client>(&format!("announces-{kind}")).await;
            let failure = failure(arrays.range(3).await);
            let FailureCause::WorkerDied { end } = failure.cause() else {
                panic!("{kind}: {failure}");
            };
            assert!(
                violation(end).contains("announced a segment, but"),
                "{kind}: {end}"
            );
            worker.ended().await;
        })
        .await;
    }
}

#[tokio::test]
async fn an_argument_that_comes_back_as_the_workers_own_is_refused_or_copied() {
    watched(async {
        // What it was lent for reading can't be mapped for writing, so it is no result.
        let (worker, arrays) = client::<arrays::Client>("returns-its-argument").await;
        let values = worker.tensor(&Array1::from_elem(1000, 0.5)).unwrap();
        let call = arrays.checksum(values.tensor_view().into_dyn());
        let failure = failure(call.await);
        let FailureCause::Remote(refusal) = failure.cause() else {
            panic!("{failure}");
        };
        assert!(
            matches!(refusal.reason(), Failure::NotReturned { .. }),
            "{failure}"
        );

        // Of what it was given, a result is copied as of any memory.
        let (_worker, arrays) = client::<arrays::Client>("returns-its-argument").await;
        let values = Tensor::from(Array1::from_elem(10_000, 0.5));
        let (result, report) = arrays.pass_on(values).reported().await.unwrap();
        assert!(result.view().unwrap().iter().all(|value| *value == 0.5));
        assert_eq!(report.copies[1].reason, CopyReason::UntrustedResult);
    })
    .await;
}

#[tokio::test]
async fn pages_that_were_taken_away_are_zeros_and_no_signal() {
    watched(async {
        let (_worker, arrays) = client::<arrays::Client>("punches-holes").await;
        let whole = arrays.range(1024).await.unwrap();
        let holed = arrays.range(1024).await.unwrap();
        assert!(holed.view().unwrap().iter().all(|value| *value == 0.0));
        assert!(whole.view().unwrap().iter().all(|value| *value == 1.0));
    })
    .await;
}

#[tokio::test]
async fn two_elements_take_no_more_memory_than_two() {
    watched(async {
        let (_worker, arrays) = client::<arrays::Client>("spans-it-all").await;
        let (two, report) = arrays.range(2).reported().await.unwrap();
        assert_eq!(two.view().unwrap(), aview1(&[1.0, 2.0]));
        assert_eq!((two.strides(), report.copied_bytes), (&[1][..], 16));
    })
    .await;
}

#[tokio::test]
async fn a_worker_may_say_that_it_copied_any_number_of_bytes() {
    watched(async {
        let (_worker, arrays) = client::<arrays::Client>("says-it-copied-everything").await;
        let (result, report) = arrays.range(3).reported().await.unwrap();
        assert_eq!(result.view().unwrap().sum(), 6.0);
        assert_eq!((report.shared_bytes, report.copied_bytes), (0, u64::MAX));
    })
    .await;
}

#[tokio::test]
async fn a_worker_has_an_eighth_of_its_hosts_descriptors_at_most() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    watched(async {
        let before = getrlimit(Resource::Nofile);
        let limit = Rlimit {
            current: Some(800),
            ..before
        };
        for how in ["takes-every-descriptor", "takes-every-descriptor-twice"] {
            setrlimit(Resource::Nofile, limit).unwrap();
            let (_worker, arrays) = client::<arrays::Client>(how).await;
            let failure = failure(arrays.range(3).await);
            let text = failure.to_string();
            let open = system::descriptors(std::process::id());
            setrlimit(Resource::Nofile, before).unwrap();
            assert!(
                text.contains("an eighth of its host's file descriptors"),
                "{text}"
            );
            assert!(open < 200, "{how}: {open} descriptors are open");
        }
        // Whoever else wants one, has one.
        drop(std::fs::File::open("/dev/null").unwrap());
    })
    .await;
}
