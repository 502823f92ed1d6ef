//! An idle worker and an idle host use no processor: nobody looks, nobody is woken.
//!
//! The one place where tests wait for time to pass, because what is measured is that nothing happens
//! in it. There is one test in this program, since it counts what all of the host's threads do.

use std::collections::{BTreeMap, BTreeSet};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use futures::executor::block_on;
use futures::future::join_all;
use reedbed::{Heartbeat, WaitPolicy, Worker};
use reedbed_tests::modules::values;
use reedbed_tests::system::{Activity, activity};

type TestResult = Result<(), Box<dyn std::error::Error>>;

const WORKER: &str = env!("CARGO_BIN_EXE_test-worker");
/// How long nothing may happen.
const IDLE: Duration = Duration::from_secs(10);
/// How long both sides may take to come to rest. It is never waited out unless the test fails.
const LIMIT: Duration = Duration::from_secs(20);

/// Waits until both processes have come to rest, and then for as long as nothing may happen; returns
/// what they had done before and after.
fn rest(worker: u32) -> [[BTreeMap<u32, Activity>; 2]; 2] {
    let both = || [activity(std::process::id()), activity(worker)];
    let since = Instant::now();
    let mut before = both();
    loop {
        sleep(Duration::from_millis(100));
        let now = both();
        if now == before {
            break;
        }
        assert!(since.elapsed() < LIMIT, "they never rest: {now:#?}");
        before = now;
    }
    loop {
        sleep(IDLE);
        let after = both();
        if !has_fewer_threads(&before, &after) {
            return [before, after];
        }
        // Threads that the runtime had kept for further calls ended for want of these.
        before = after;
    }
}

/// Tells whether threads have ended, and none has begun.
fn has_fewer_threads(
    before: &[BTreeMap<u32, Activity>],
    after: &[BTreeMap<u32, Activity>],
) -> bool {
    let threads = |both: &[BTreeMap<u32, Activity>]| -> BTreeSet<u32> {
        both.iter().flat_map(BTreeMap::keys).copied().collect()
    };
    let (before, after) = (threads(before), threads(after));
    after.is_subset(&before) && after != before
}

#[test]
fn neither_side_moves_while_nobody_calls() -> TestResult {
    for policy in [WaitPolicy::Adaptive, WaitPolicy::Park] {
        // It is asked whether it answers, but not while nobody calls.
        let heartbeat = Heartbeat {
            every: Duration::from_millis(50),
            ..Heartbeat::default()
        };
        let worker = Worker::builder(WORKER).wait(policy).heartbeat(heartbeat);
        let worker = block_on(worker.spawn())?;
        let id = worker.id().ok_or("a process")?;

        let values = block_on(worker.import::<values::Client>())?;

        // Two callers that block.
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        values.nothing().wait().expect("an answer");
                    }
                });
            }
        });
        // Asynchronous ones, many at once.
        for answer in block_on(join_all((0..500).map(|_| values.nothing()))) {
            answer?;
        }

        let [before, after] = rest(id);
        assert!(before[0].len() > 1 && before[1].len() > 2, "{before:?}");
        assert_eq!(before, after, "{policy:?}");
        // Nobody is lost.
        block_on(values.nothing())?;
    }
    Ok(())
}
