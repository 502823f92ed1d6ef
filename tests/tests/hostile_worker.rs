//! A worker that speaks the wire by hand, to a real host: what it does wrong ends the worker or
//! fails a call, with an error that says what happened. Nothing hangs, and nothing is left behind.
//!
//! All of it happens twice: here over the socket, in `hostile_worker_over_rings.rs` through rings.

#[path = "hostile_worker/long_frames.rs"]
mod long_frames;

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ndarray::Ix1;
use reedbed::{
    AccessError, CallError, CallFailure, Dispatcher, EndReason, Failure, FailureCause, ImportError,
    Tensor, Worker, WorkerBuilder, WorkerEnd, ndarray,
};
use reedbed_tests::modules::arrays;
use reedbed_tests::system;
use reedbed_tests::watched::watched;

const WORKER: &str = env!("CARGO_BIN_EXE_misbehaving-worker");

/// A worker that misbehaves over the socket, or through rings.
fn builder(how: &str) -> WorkerBuilder {
    let is_over_rings = env!("CARGO_CRATE_NAME").ends_with("over_rings");
    let over = if is_over_rings {
        "over-rings"
    } else {
        "over-the-socket"
    };
    Worker::builder(WORKER).args([how, over]).log(|_| {})
}

async fn spawn(how: &str) -> Worker {
    let worker = builder(how).spawn();
    worker.await.expect("the handshake is as it should be")
}

/// Starts a worker that misbehaves at the first call.
async fn client(how: &str) -> (Worker, arrays::Client) {
    let worker = spawn(how).await;
    let client = worker.import().await.expect("the module is served");
    (worker, client)
}

fn failure<T: std::fmt::Debug, E: std::fmt::Debug>(
    result: Result<T, CallError<E>>,
) -> Box<CallFailure> {
    match result {
        Err(CallError::Failed(failure)) => failure,
        other => panic!("the call fails; this came: {other:?}"),
    }
}

fn protocol_violation(end: &WorkerEnd) -> &str {
    match end.reason() {
        EndReason::ProtocolViolation(what) => what,
        other => panic!("the worker broke the protocol; this came: {other:?}, {end}"),
    }
}

/// Calls a function of a worker that then breaks the protocol, and checks that the call's error, and
/// the worker's end, say `what` it did.
async fn assert_violation<T, E, F>(how: &str, what: &str, call: impl FnOnce(arrays::Client) -> F)
where
    T: std::fmt::Debug,
    E: std::fmt::Debug,
    F: Future<Output = Result<T, CallError<E>>>,
{
    watched(async {
        let (worker, client) = client(how).await;
        let failure = failure(call(client).await);
        let FailureCause::WorkerDied { end } = failure.cause() else {
            panic!("{how}: {failure}");
        };
        assert!(protocol_violation(end).contains(what), "{how}: {failure}");
        let text = failure.to_string();
        let said =
            "the worker ended with the call in flight: it broke the protocol and was stopped";
        assert!(
            text.contains(said) && text.contains("`misbehaving-worker`"),
            "{text}"
        );
        assert!(!failure.is_retryable());
        assert!(protocol_violation(&worker.ended().await).contains(what));
        assert!(!system::exists(worker.id().expect("a process")));
    })
    .await;
}

async fn range(client: arrays::Client) -> Result<Tensor<f64, Ix1>, CallError> {
    client.range(3).await
}

#[tokio::test]
async fn a_frame_that_is_garbage_ends_the_worker() {
    assert_violation("sends-garbage", "sent a malformed frame: ", range).await;
}

#[tokio::test]
async fn a_frame_that_only_a_host_sends_ends_the_worker() {
    assert_violation(
        "sends-a-hosts-frame",
        "sent a frame that a worker doesn't send",
        range,
    )
    .await;
}

#[tokio::test]
async fn an_answer_to_an_unknown_call_ends_the_worker() {
    let what = "answered call 999, which isn't in flight";
    assert_violation("replies-to-an-unknown-call", what, range).await;
}

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
async fn an_array_that_the_worker_never_got_can_not_be_returned() {
    let what = "sent an array in segment 1, which was never announced by this side";
    assert_violation("returns-what-it-never-got", what, range).await;
}

#[tokio::test]
async fn an_unwanted_descriptor_ends_the_worker() {
    let what = "sent a descriptor beside a frame that takes none";
    assert_violation("brings-an-unwanted-descriptor", what, range).await;
}

#[tokio::test]
async fn what_is_no_segment_ends_the_worker() {
    let unsealed = "announced a segment, but it isn't a memfd sealed against shrinking and growing";
    for (how, what) in [
        ("announces-a-pipe", unsealed),
        ("offers-a-pipe", unsealed),
        ("offers-a-device", unsealed),
        ("offers-a-file", unsealed),
        ("offers-a-file-of-dev-shm", unsealed),
        ("offers-an-unsealed-memfd", unsealed),
        ("offers-a-memfd-that-grows", unsealed),
        ("offers-a-memfd-that-shrinks", unsealed),
        ("offers-the-channel", unsealed),
        ("offers-huge-pages", "it isn't ordinary shared memory"),
        ("offers-no-pages", "not all of its pages are reserved"),
        (
            "offers-too-little",
            "it has 1048576 bytes where 2097152 were",
        ),
        ("offers-too-much", "it has 4194304 bytes where 2097152 were"),
        ("offers-nothing", "announced segment 1 without a descriptor"),
        ("offers-two-descriptors", "a message with more than one"),
    ] {
        assert_violation(how, what, range).await;
    }
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
async fn an_answer_that_is_replayed_ends_the_worker() {
    watched(async {
        let (worker, client) = client("replays-an-answer").await;
        let range = client.range(3).await.expect("the first answer is good");
        let end = worker.ended().await;
        let what = "answered call 1, which isn't in flight";
        // The array is in use, or the call isn't: whichever is noticed first.
        let said = protocol_violation(&end);
        assert!(said == what || said.contains("overlaps"), "{said}");
        assert_eq!(range.view().unwrap(), ndarray::aview1(&[1.0, 2.0, 3.0]));
    })
    .await;
}

#[tokio::test]
async fn a_transfer_that_ends_twice_ends_the_worker() {
    let what = "ended transfer 1, which isn't under way";
    assert_violation("ends-a-transfer-twice", what, |client| async move {
        client.take(Tensor::from(ndarray::array![1.0, 2.0])).await
    })
    .await;
}

#[tokio::test]
async fn a_second_answer_ends_the_worker() {
    watched(async {
        let (worker, client) = client("replies-twice").await;
        let range = client.range(3).await.expect("the first answer is good");
        let what = worker.ended().await;
        assert_eq!(
            protocol_violation(&what),
            "answered call 1, which isn't in flight"
        );
        assert_eq!(range.view().unwrap(), ndarray::aview1(&[1.0, 2.0, 3.0]));
    })
    .await;
}

#[tokio::test]
async fn a_second_release_ends_the_worker() {
    watched(async {
        let (worker, client) = client("releases-twice").await;
        let mut values = Tensor::<u32, ndarray::Ix2>::zeros((2, 2)).unwrap();
        let failure = failure(client.fill(&mut values, 1).await);
        assert!(
            failure.to_string().contains("it ended without an answer"),
            "{failure}"
        );
        assert!(matches!(values.view(), Err(AccessError::Poisoned { .. })));
        let end = worker.ended().await;
        assert_eq!(
            protocol_violation(&end),
            "answered call 1, which isn't in flight"
        );
    })
    .await;
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

#[tokio::test]
async fn a_result_that_can_not_be_mapped_fails_the_call_and_goes_back() {
    watched(async {
        let worker = spawn("announces-what-can-not-be-mapped").await;
        let client: arrays::Client = worker.import().await.unwrap();
        let failure = failure(client.ranges(3).await);
        let FailureCause::Remote(refusal) = failure.cause() else {
            panic!("{failure}")
        };
        let Failure::NotReturned { reason } = refusal.reason() else {
            panic!("{failure}")
        };
        assert!(reason.contains("64 bytes can't be mapped"), "{reason}");
        // The worker waits for both transfers before it looks at anything else.
        let end = worker.shutdown(Duration::from_secs(5)).await;
        assert_eq!(end.last_lines(), ["both transfers are over"], "{end}");
    })
    .await;
}

#[tokio::test]
async fn a_segment_that_the_worker_refuses_fails_the_call_and_is_announced_again() {
    watched(async {
        let (_worker, client) = client("refuses-its-arguments").await;
        let values = Tensor::from(ndarray::array![1i64, 2, 3]);
        let failure = failure(client.sum(&values).await);
        let text = failure.to_string();
        assert!(
            text.contains("the worker could not map an argument: the table is full"),
            "{text}"
        );
        assert!(failure.is_retryable());
        assert_eq!(client.sum(&values).await.unwrap(), 6);
    })
    .await;
}

#[tokio::test]
async fn half_a_frame_and_an_exit_fail_the_call() {
    watched(async {
        let (worker, client) = client("sends-half-a-frame-and-exits").await;
        let failure = failure(client.range(3).await);
        let FailureCause::WorkerDied { end } = failure.cause() else {
            panic!("{failure}")
        };
        assert!(
            protocol_violation(end).contains("sent a malformed frame"),
            "{failure}"
        );
        assert!(!system::exists(worker.id().unwrap()));
    })
    .await;
}

#[tokio::test]
async fn a_worker_that_closes_its_socket_and_goes_on_is_killed() {
    watched(async {
        let (worker, client) = client("closes-and-goes-on").await;
        let mut values = Tensor::<u32, ndarray::Ix2>::zeros((2, 2)).unwrap();
        let failure = failure(client.fill(&mut values, 1).await);
        let FailureCause::WorkerDied { end } = failure.cause() else {
            panic!("{failure}")
        };
        assert!(matches!(end.reason(), EndReason::Signalled(9)), "{end}");
        assert!(!system::exists(worker.id().unwrap()));
        assert!(matches!(values.view(), Err(AccessError::Poisoned { .. })));
        let later = failure_of_a_later_call(&client).await;
        assert!(
            later.is_retryable() && later.to_string().contains("the worker is gone"),
            "{later}"
        );
    })
    .await;
}

async fn failure_of_a_later_call(client: &arrays::Client) -> Box<CallFailure> {
    failure(client.range(3).await)
}

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
async fn a_question_is_answered_by_a_description_alone() {
    for how in [
        "describes-with-a-reply",
        "describes-with-a-failure",
        "describes-twice",
    ] {
        watched(async {
            let worker = spawn(how).await;
            let import = worker.import::<arrays::Client>().await;
            match import.map(drop).unwrap_err() {
                ImportError::WorkerGone { end, .. } => {
                    assert!(protocol_violation(&end).contains("call 1"), "{how}: {end}");
                }
                // The first of two answers is a good one.
                ImportError::SchemaMismatch { .. } if how == "describes-twice" => {}
                other => panic!("{how}: {other}"),
            }
            let end = worker.ended().await;
            assert!(protocol_violation(&end).contains("call 1"), "{how}: {end}");
        })
        .await;
    }
}

#[tokio::test]
async fn a_worker_that_takes_next_to_nothing_can_be_called() {
    watched(async {
        let (_worker, client) = client("takes-next-to-nothing").await;
        let values = Tensor::from(ndarray::array![1i64, 2, 3]);
        assert_eq!(client.sum(&values).await.unwrap(), 6);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_host_never_has_more_requests_open_than_the_worker_takes() {
    watched(async {
        let builder = builder("counts-requests").dispatcher(Dispatcher::Tarpc);
        let worker = builder
            .spawn()
            .await
            .expect("the handshake is as it should be");
        let client: arrays::Client = worker.import().await.expect("the module is served");
        let values = Tensor::from(ndarray::array![1i64, 2, 3]);
        for n in 0..200 {
            // Cancelled before it is sent, or after.
            let moment = Duration::from_millis(n % 2);
            let cancelled = tokio::time::timeout(moment, client.range(4)).await;
            assert!(cancelled.is_err(), "nobody answers");
            assert_eq!(client.sum(&values).await.unwrap(), 6);
        }
        drop(client);
        let end = worker.shutdown(Duration::from_secs(5)).await;
        assert!(matches!(end.reason(), EndReason::Exited(0)), "{end}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_host_never_sends_more_calls_than_the_worker_takes() {
    watched(async {
        let (worker, client) = client("counts-calls").await;
        // Copying them in takes a while, in which another call begins.
        let values = ndarray::Array1::<i64>::zeros(1 << 20);
        let calls = (0..8).map(|_| {
            let (client, values) = (client.clone(), values.clone());
            tokio::spawn(async move { client.sum(&values).await })
        });
        for call in calls.collect::<Vec<_>>() {
            let result = call.await.unwrap();
            assert!(result.is_ok(), "{}", result.unwrap_err());
        }
        drop(client);
        let end = worker.shutdown(std::time::Duration::from_secs(5)).await;
        assert!(matches!(end.reason(), EndReason::Exited(0)), "{end}");
    })
    .await;
}
