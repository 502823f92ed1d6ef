//! Results that name what is not there, or is not what was agreed on.

use reedbed::{AccessError, FailureCause, Tensor, ndarray};
use reedbed_tests::system;
use reedbed_tests::watched::watched;

use super::{assert_violation, client, failure, protocol_violation, range};

#[tokio::test]
async fn a_result_out_of_bounds_ends_the_worker() {
    let what = "sent an array in segment 1, which can't hold it: elements from byte 0 to byte 32 are \
                outside the 24 bytes that there are";
    assert_violation("names-a-place-out-of-bounds", what, range).await;
}

#[tokio::test]
async fn a_result_outside_its_frame_ends_the_worker() {
    let what = "sent an array in its frame, which can't hold it: elements from byte 0 to byte 32 are \
                outside the 24 bytes that there are";
    assert_violation("names-a-place-outside-the-frame", what, range).await;
    let what = "sent an array in its frame, which gives more than the 24 bytes that there are";
    assert_violation("gives-one-place-twice", what, |client| async move {
        client.ranges(3).await
    })
    .await;
}

#[tokio::test]
async fn a_copy_that_is_to_be_ended_ends_the_worker() {
    let what = "sent an array in its frame, which is handed over on terms that a copy can't keep";
    assert_violation("numbers-a-copy", what, range).await;
}

#[tokio::test]
async fn a_result_in_its_frame_is_a_tensor_of_the_callers() {
    watched(async {
        let (worker, client) = client("returns-a-copy").await;
        let mut result = client.range(3).await.expect("three elements");
        result.view_mut().expect("nobody else has it")[0] = 7.0;
        assert_eq!(result.view().expect("nobody else has it").sum(), 12.0);
        drop((worker, client));
        assert_eq!(result.view().expect("it outlives the worker").sum(), 12.0);
    })
    .await;
}

#[tokio::test]
async fn a_result_in_an_unknown_segment_ends_the_worker() {
    let what = "sent an array in segment 2, which was never announced";
    assert_violation("names-an-unknown-segment", what, range).await;
}

#[tokio::test]
async fn an_array_that_is_given_twice_ends_the_worker() {
    let what = "sent an array in segment 1 that overlaps another one in use";
    assert_violation("gives-an-array-twice", what, |client| async move {
        client.ranges(3).await
    })
    .await;
}

#[tokio::test]
async fn one_memory_that_is_given_under_two_numbers_ends_the_worker() {
    let how = "gives-one-memory-under-two-numbers";
    let what = "sent an array in segment 2 that overlaps another one in use";
    assert_violation(how, what, |client| async move { client.ranges(3).await }).await;
}

#[tokio::test]
async fn an_array_that_the_worker_never_got_can_not_be_returned() {
    let what = "sent an array in segment 1, which was never announced by this side";
    assert_violation("returns-what-it-never-got", what, range).await;
}

#[tokio::test]
async fn a_number_that_is_given_twice_harms_who_gave_it() {
    watched(async {
        let (worker, client) = client("gives-under-a-number-twice").await;
        let (first, second, _) = client.ranges(3).await.expect("two arrays apart");
        let second = second.expect("it is there");
        drop(first);
        // The worker hears twice that its transfer has ended; the memory is there all the same.
        assert_eq!(second.view().expect("nobody else has it")[0], 3.0);
        drop((worker, client));
        assert_eq!(second.view().expect("nobody else has it")[0], 3.0);
    })
    .await;
}

#[tokio::test]
async fn a_result_that_can_not_be_ends_the_worker() {
    for (how, what) in [
        ("claims-2^60-elements", "overflows"),
        ("claims-a-shape-that-overflows", "overflows"),
        ("begins-before-the-segment", "from byte -16"),
        ("is-an-element-everywhere", "names an element twice"),
        (
            "has-a-thousand-dimensions",
            "1000 dimensions are more than 32",
        ),
        ("sends-more-arrays-than-agreed", "20 arrays"),
        (
            "takes-back-what-it-gave",
            "in segment 1, which was never announced",
        ),
        ("forgets-what-it-never-had", "took back segment 77"),
        (
            "ends-what-never-began",
            "ended transfer 1152921504606846976",
        ),
        ("refuses-what-it-never-got", "refused segment 5"),
        (
            "answers-before-it-is-asked",
            "answered call 2, which isn't in flight",
        ),
        (
            "releases-what-was-never-called",
            "answered call 8, which isn't in flight",
        ),
    ] {
        assert_violation(how, what, range).await;
    }
}

#[tokio::test]
async fn a_bool_that_is_neither_0_nor_1_ends_the_worker_and_poisons() {
    watched(async {
        let (worker, client) = client("writes-a-bad-bool").await;
        let mut flags = Tensor::from(ndarray::array![true, false]);
        let failure = failure(client.invert(&mut flags).await);
        assert!(
            matches!(failure.cause(), FailureCause::Protocol { .. }),
            "{failure}"
        );
        assert!(
            failure
                .to_string()
                .contains("wrote a bool that is neither 0 nor 1"),
            "{failure}"
        );
        assert!(matches!(flags.view(), Err(AccessError::Poisoned { .. })));
        let end = worker.ended().await;
        assert!(
            protocol_violation(&end).contains("bool that is neither 0 nor 1"),
            "{end}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_result_that_does_not_fit_fails_the_call_alone() {
    for (how, what) in [
        (
            "lends-its-result",
            "the array must be given, once, and not lent",
        ),
        (
            "returns-another-type",
            "an array of f64 with 1 dimensions is expected, not one of i64",
        ),
        ("returns-too-much", "8 bytes are left over"),
    ] {
        watched(async {
            let (worker, client) = client(how).await;
            let failure = failure(client.range(3).await);
            let FailureCause::Protocol { reason } = failure.cause() else {
                panic!("{how}: {failure}");
            };
            assert!(reason.contains(what), "{how}: {failure}");
            assert!(
                !failure.to_string().contains("the worker was stopped"),
                "{how}: {failure}"
            );
            assert!(system::exists(worker.id().unwrap()));
        })
        .await;
    }
}

#[tokio::test]
async fn a_result_that_claims_any_length_fails_the_call() {
    watched(async {
        let (worker, client) = client("claims-a-long-result").await;
        let failure = failure(client.heap_range(3).await);
        assert!(
            matches!(failure.cause(), FailureCause::Protocol { .. }),
            "{failure}"
        );
        drop((worker, client));
    })
    .await;
}
