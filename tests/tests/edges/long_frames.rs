//! Frames that are too long for a message, where one side has no room for the segments that they lie in:
//! the call fails, and nobody ends. The checks themselves are in `src/long_frames.rs`; each runs in a
//! host of its own.

use crate::check;

/// In how many ways frames travel, times the lengths that are tried.
const N: usize = 6 * 3;

fn assert_each(message: &str, expected: &[&str]) {
    for expected in expected {
        let n = message.matches(expected).count();
        assert_eq!(n, N, "{expected}\n\n{message}");
    }
}

#[test]
fn long_frames_that_the_host_can_not_take_fail_their_calls_alone() {
    let message = check("long-frames-and-a-full-host");
    assert_each(
        &message,
        &[
            "a long result: calling `values::zeros` in worker `test-worker` failed: it returned, but the \
         result could not be sent: no room for a frame of ",
            "a long result beside an array: calling `arrays::pass_on_with` in worker `test-worker` failed: \
         it returned, but the result could not be sent: no room for a frame of ",
        ],
    );
    // What its segment takes, or what hands that over: descriptors of earlier calls may come free.
    let sent = "a long message: calling `values::echo` in worker `test-worker` failed: it could not be sent: ";
    let (exhausted, unsent) = ("shared memory is exhausted", "no file descriptor is left");
    let n = [exhausted, unsent].map(|why| message.matches(&format!("{sent}{why}")).count());
    assert_eq!(n.iter().sum::<usize>(), N, "{n:?}\n\n{message}");
}

#[test]
fn long_frames_that_the_worker_can_not_take_fail_their_calls_alone() {
    let message = check("long-frames-and-a-full-worker");
    assert_each(
        &message,
        &[
            "a long message: calling `values::length` in worker `test-worker` failed: the worker could \
             not map an argument: no room for a frame of ",
            "a long message beside an array: calling `edges::take_through` in worker `test-worker` \
             failed: the worker could not map an argument: no room for a frame of ",
            "a long message that lends: calling `arrays::hang_after_writing` in worker `test-worker` \
             failed: the worker could not map an argument: no room for a frame of ",
            "a long result: calling `values::zeros` in worker `test-worker` failed: it returned, but the \
             result could not be sent: ",
        ],
    );
}

#[test]
fn long_frames_that_find_no_addresses_fail_their_calls_alone() {
    let message = check("long-frames-and-address-space");
    for expected in [
        "8 MiB there: calling `values::length` in worker `test-worker` failed: the worker could not map",
        "24 MiB there: calling `values::length` in worker `test-worker` failed: the worker could not map",
        "8 MiB here: calling `values::zeros` in worker `test-worker` failed: it returned, but the result",
        "24 MiB here: calling `values::zeros` in worker `test-worker` failed: it returned, but the result",
    ] {
        assert!(message.contains(expected), "{expected}\n\n{message}");
    }
    // For the segment, or for what is copied out of it: memory that was in use may come free meanwhile.
    let reasons = ["bytes can't be mapped", "no memory for 1677"];
    let n = reasons.map(|why| message.matches(why).count());
    assert_eq!(n.iter().sum::<usize>(), 4, "{n:?}\n\n{message}");
}
