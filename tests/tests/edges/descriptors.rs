//! Tables of descriptors that are full, in the host and in the worker. The checks themselves are in
//! `src/limits`; each runs in a host of its own.

use crate::check;

#[test]
fn without_descriptors_in_the_host_calls_fail_in_words_and_nothing_is_lost() {
    let message = check("full-table-of-the-host");
    for expected in [
        "lending: calling `arrays::sum` in worker `test-worker` failed: it could not be sent: no file \
         descriptor is left",
        "copying: calling `arrays::sum` in worker `test-worker` failed: ",
        "a long message: calling `values::echo` in worker `test-worker` failed: it could not be sent",
        "returning: calling `edges::ones` in worker `test-worker` failed: it returned, but the result \
         could not be sent: the table of file descriptors is full",
        "spawning: ",
    ] {
        let n = message.matches(expected).count();
        assert_eq!(n, 3, "{expected}\n\n{message}");
    }
    assert!(message.contains("Too many open files"), "{message}");
}

#[test]
fn without_descriptors_in_the_worker_calls_fail_in_words_and_it_lives_on() {
    let message = check("full-table-of-the-worker");
    for expected in [
        "lending: calling `arrays::sum` in worker `test-worker` failed: the worker could not map",
        "copying: calling `arrays::sum` in worker `test-worker` failed: the worker could not map",
        "giving: calling `arrays::take` in worker `test-worker` failed: the worker could not map",
        "making a result: shared memory is exhausted",
        "copying a result: calling `arrays::heap_range` in worker `test-worker` failed: it returned, but \
         the result could not be sent: shared memory is exhausted",
    ] {
        let n = message.matches(expected).count();
        assert_eq!(n, 3, "{expected}\n\n{message}");
    }
}
