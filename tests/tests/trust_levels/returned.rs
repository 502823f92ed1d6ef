//! What a function returns.

use ndarray::{Array2, array};
use reedbed::{CopyReason, FailureCause, Trust};
use reedbed_tests::modules::arrays;
use reedbed_tests::watched::watched;

use crate::{BOTH, copy_of_result, import, maps};

#[tokio::test]
async fn a_returned_tensor_is_the_callers_or_a_copy_is() {
    watched(async {
        for trust in BOTH {
            let (worker, arrays) = import::<arrays::Client>(trust).await;
            let (mut range, report) = arrays.range(20_000).reported().await.unwrap();
            assert_eq!(range.view().unwrap()[19_999], 19_999.0);
            range.view_mut().unwrap()[0] = 5.0;
            if trust == Trust::Trusted {
                assert_eq!((report.shared_bytes, report.copied_bytes), (160_000, 0));
                assert!(maps(&worker, range.identity()));
            } else {
                let once = copy_of_result(160_000, CopyReason::UntrustedResult);
                assert_eq!((report.shared_bytes, report.copies), (0, vec![once]));
                assert!(!maps(&worker, range.identity()));
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_returned_array_of_the_heap_is_copied_by_the_worker_and_by_its_host() {
    watched(async {
        for trust in BOTH {
            let (_worker, arrays) = import::<arrays::Client>(trust).await;
            // In the frame, which is a copy that the worker can't reach any more.
            let (_, report) = arrays.heap_range(10).reported().await.unwrap();
            let by_worker = copy_of_result(80, CopyReason::HeapReturned);
            assert_eq!((report.shared_bytes, report.copies), (0, vec![by_worker]));
            let (range, report) = arrays.heap_range(20_000).reported().await.unwrap();
            assert_eq!(range.view().unwrap()[19_999], 19_999.0);
            let mut copies = vec![copy_of_result(160_000, CopyReason::HeapReturned)];
            if trust == Trust::Untrusted {
                copies.push(copy_of_result(160_000, CopyReason::UntrustedResult));
            }
            assert_eq!((report.shared_bytes, report.copies), (0, copies));
        }
    })
    .await;
}

#[tokio::test]
async fn a_result_goes_on_to_any_worker() {
    watched(async {
        for trust in BOTH {
            let (_maker, making) = import::<arrays::Client>(trust).await;
            let (_worker, arrays) = import::<arrays::Client>(Trust::Trusted).await;
            let range = making.range(30_000).await.unwrap();
            let identity = range.identity();
            let view = || range.tensor_view().into_dyn();
            let sum = arrays.checksum(view()).forbid_copies().await.unwrap();
            let (stranger, reading) = import::<arrays::Client>(Trust::Untrusted).await;
            let (read, report) = reading.checksum(view()).reported().await.unwrap();
            assert_eq!((read, report.copied_bytes), (sum, 240_000), "{trust:?}");
            assert!(!maps(&stranger, identity));
            let doubled = arrays.pass_on(range).forbid_copies().await.unwrap();
            assert_eq!(doubled.identity(), identity);
        }
    })
    .await;
}

#[tokio::test]
async fn strides_are_kept_and_bools_are_bools() {
    watched(async {
        let (worker, arrays) = import::<arrays::Client>(Trust::Untrusted).await;
        let matrix = arrays.transposed(2, 3).await.unwrap();
        assert_eq!(matrix.strides(), [1, 3]);
        assert_eq!(
            matrix.view().unwrap(),
            array![[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]]
        );
        let bools: reedbed_tests::modules::of_bool::Client = worker.import().await.unwrap();
        let flags = Array2::from_shape_fn((200, 300), |(row, column)| row > column).into_dyn();
        assert_eq!(bools.copy(&flags).await.unwrap().view().unwrap(), flags);
        let mut target = reedbed::Tensor::zeros(flags.raw_dim()).unwrap();
        bools.copy_into(&flags, &mut target).await.unwrap();
        assert_eq!(target.view().unwrap(), flags);
    })
    .await;
}

#[tokio::test]
async fn long_frames_are_copied_both_ways() {
    watched(async {
        let (worker, _) = import::<arrays::Client>(Trust::Untrusted).await;
        let values: reedbed_tests::modules::values::Client = worker.import().await.unwrap();
        for n in [100_000, 1_000_000, 70_000] {
            let text = "long ".repeat(n);
            assert_eq!(values.echo(text.clone()).await.unwrap(), text);
        }
    })
    .await;
}

#[tokio::test]
async fn a_result_that_finds_no_room_is_an_error_of_its_own() {
    watched(async {
        let (_worker, arrays) = import::<arrays::Client>(Trust::Untrusted).await;
        let before = reedbed::memory_budget();
        reedbed::trim_pool();
        reedbed::set_memory_budget(1);
        let returned = arrays.range(123_456).await;
        reedbed::set_memory_budget(before);
        let error = returned.unwrap_err();
        assert!(!error.is_retryable(), "the function has run");
        let cause = error.failure().unwrap().cause();
        assert!(
            matches!(cause, FailureCause::NoRoomForResult { .. }),
            "{error}"
        );
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains("shared memory is exhausted"), "{source}");
        assert_eq!(arrays.range(123_456).await.unwrap().len(), 123_456);
    })
    .await;
}
