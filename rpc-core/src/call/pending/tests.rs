use std::future::poll_fn;
use std::sync::mpsc;
use std::thread;

use futures::executor::block_on;
use ndarray::IxDyn;

use super::*;
use crate::guarded::tests::{Alarm, Counter};
use crate::process::EndReason;
use crate::segment::extent::Extent;
use crate::segment::kind::Segments;
use crate::segment::lease::{AccessError, Holder, Lease};
use crate::segment::mapping::Access;
use crate::segment::pool;
use crate::{Failure, Refusal, Tensor};

fn begin(calls: &Calls) -> Option<Begun<'_>> {
    match calls.poll_begin(&Context::from_waker(Waker::noop()), None) {
        Poll::Ready(begun) => Some(begun.unwrap()),
        Poll::Pending => None,
    }
}

#[test]
fn long_frames_hold_further_calls_up_and_short_ones_do_not() {
    let calls = Calls::new(3, 100_000);
    let (first, second) = (begin(&calls).unwrap(), begin(&calls).unwrap());
    calls.weigh(first.slot().id(), SMALL_BYTES);
    calls.weigh(second.slot().id(), 99_999);
    let third = begin(&calls).unwrap();
    assert!(begin(&calls).is_none(), "three are as many as may be");
    drop(first);
    let fourth = begin(&calls).unwrap();
    drop(third);
    calls.weigh(fourth.slot().id(), 5000);
    assert!(begin(&calls).is_none(), "their frames are too long");
    drop(second);
    assert!(begin(&calls).is_some());
}

/// A call that holds a lease for writing and is being sent, when its worker ends.
fn held_at_the_end(calls: &Calls) -> (Begun<'_>, Arc<Extent>) {
    let begun = begin(calls).unwrap();
    let extent = pool::allocate_in(Segments::Memfd, 64, &[]).unwrap().extent;
    let holder = Holder::Other("a call");
    let lease = Lease::begin(&extent, &(0..8), Access::ReadWrite, &holder).unwrap();
    let held = Held {
        leases: vec![lease],
        ..Held::default()
    };
    assert!(calls.hold(begun.slot(), held).is_ok());
    calls.weigh(begun.slot().id(), 50_000);
    calls.fail_all(&WorkerEnd::new(EndReason::Stopped, Vec::new()));
    (begun, extent)
}

#[test]
fn what_was_not_sent_when_the_worker_ended_is_not_poisoned() {
    let calls = Calls::new(3, 100_000);
    let (begun, extent) = held_at_the_end(&calls);
    assert_eq!(begun.withdraw().leases.len(), 1, "it comes back");
    assert!(!extent.leases().is_poisoned());
    let access = Access::ReadWrite;
    assert!(extent.leases().check(&(0..8), access).is_ok());
    assert_eq!(calls.len(), 0);
}

#[test]
fn a_call_that_both_sides_find_late_at_once_is_late() {
    let calls = Calls::new(3, 100_000);
    let limit = Duration::from_micros(300);
    let deadline = Some((Instant::now(), limit));
    let cx = Context::from_waker(Waker::noop());
    let Poll::Ready(Ok(begun)) = calls.poll_begin(&cx, deadline) else {
        panic!("there is room");
    };
    let slot = begun.sent();
    // The driver is about to give the call up, when another thread reads that the worker did.
    let (expired, _) = calls.take_expired(Instant::now());
    assert_eq!(expired, [(slot.id(), limit)]);
    assert!(calls.release(slot.id(), true));
    let result = slot.poll(&cx);
    let is_told = matches!(result, Poll::Ready(Err(FailureCause::DeadlineExceeded { limit: l, was_sent: true })) if l == limit);
    assert!(is_told);
}

#[test]
fn what_was_sent_when_the_worker_ended_is_poisoned() {
    let calls = Calls::new(3, 100_000);
    let (begun, extent) = held_at_the_end(&calls);
    let slot = begun.sent();
    assert!(extent.leases().is_poisoned());
    let result = slot.poll(&Context::from_waker(Waker::noop()));
    let is_told = matches!(result, Poll::Ready(Err(FailureCause::WorkerDied { .. })));
    assert!(is_told, "its caller is told");
    assert_eq!(calls.len(), 0);
}

/// Three threads call, and write their flags as soon as their leases are over; a fourth one reads
/// that the worker has let go, and scans the flags before.
#[test]
fn callers_on_several_threads_have_their_arrays_back_from_the_one_that_reads() {
    let calls = Calls::new(3, 100_000);
    let (sender, in_flight) = mpsc::channel();
    let call_again_and_again = |sender: mpsc::Sender<u64>| {
        let mut flags = Tensor::<bool, _>::zeros(IxDyn(&[64])).unwrap();
        for n in 0..200 {
            let begun = begin(&calls).unwrap();
            let (lent, holder) = (flags.located().again(), Holder::Other("a call"));
            let access = Access::ReadWrite;
            let lease = Lease::begin(lent.extent(), &lent.bytes(), access, &holder).unwrap();
            let held = Held {
                leases: vec![lease],
                bools: vec![lent],
                ..Held::default()
            };
            assert!(calls.hold(begun.slot(), held).is_ok());
            let slot = begun.sent();
            sender.send(slot.id()).unwrap();
            let mut view = loop {
                match flags.view_mut() {
                    Ok(view) => break view,
                    Err(AccessError::Leased { .. }) => thread::yield_now(),
                    Err(error) => panic!("{error}"),
                }
            };
            view.fill(n % 2 == 0);
            let result = block_on(poll_fn(|cx| slot.poll(cx)));
            let Err(FailureCause::Remote(Refusal(Failure::NotReturned { reason }))) = result else {
                panic!("the worker said nothing else");
            };
            assert_eq!(reason, slot.id().to_string());
        }
    };
    thread::scope(|scope| {
        for sender in [sender.clone(), sender.clone(), sender] {
            scope.spawn(move || call_again_and_again(sender));
        }
        for id in in_flight {
            let reason = id.to_string();
            assert!(calls.refuse(id, Failure::NotReturned { reason }));
        }
    });
    assert_eq!(calls.len(), 0);
}

#[test]
fn a_waker_that_panics_keeps_nobody_else_from_being_told() {
    let calls = Calls::new(3, 100_000);
    let (alarm, counter) = (Arc::new(Alarm), Arc::new(Counter::default()));
    let wakers = [Waker::from(alarm), Waker::from(Arc::clone(&counter))];
    let slots = wakers.each_ref().map(|waker| {
        let slot = begin(&calls).unwrap().sent();
        assert!(slot.poll(&Context::from_waker(waker)).is_pending());
        slot
    });
    calls.fail_all(&WorkerEnd::new(EndReason::Stopped, Vec::new()));
    assert_eq!(counter.n_woken(), 1);
    for slot in slots {
        let result = slot.poll(&Context::from_waker(Waker::noop()));
        assert!(matches!(result, Poll::Ready(Err(_))), "its caller is told");
    }
}

#[test]
fn the_driver_is_woken_for_earlier_deadlines_alone() {
    let calls = Calls::new(3, 100_000);
    let limit = Duration::from_secs(60);
    let now = Instant::now();
    assert!(calls.must_wake_driver(now + limit));
    assert!(!calls.must_wake_driver(now + 2 * limit));
    assert!(calls.must_wake_driver(now + limit / 2));
    // Nothing is pending: it sleeps for ever, or so it thinks.
    assert_eq!(calls.expire(now), (Vec::new(), None));
    assert!(calls.must_wake_driver(now + 2 * limit));
    calls.driver_sleeps_until(now + limit);
    assert!(!calls.must_wake_driver(now + 2 * limit));
}
