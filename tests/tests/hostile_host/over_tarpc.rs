//! The same over tarpc's dispatchers.

use std::collections::BTreeSet;
use std::time::Duration;

use reedbed_tests::by_hand::end::Received;
use reedbed_tests::gate::{self, Gates};

use super::*;

/// The fields of a request of tarpc's, before the call.
pub(crate) fn tarpc_request(deadline_secs: u64, id: u64) -> Bytes {
    Bytes::new()
        .u32(0)
        .u64(deadline_secs)
        .u32(0)
        .u64(0)
        .u64(0)
        .u64(0)
        .u32(1)
        .u64(id)
}

pub(crate) fn greeted_over_tarpc() -> Host {
    greeted_with(&Hello {
        dispatcher: 1,
        ..hello()
    })
}

/// A host that may have two requests at once.
fn greeted_for_two() -> Host {
    greeted_with(&Hello {
        dispatcher: 1,
        n_calls: 2,
        ..hello()
    })
}

/// Requests `module.function`. The call's number is that of the request.
fn request(host: &Host, id: u64, path: &str, body: &[u8]) {
    let (module, name) = path.split_once('.').expect("a module and a function");
    let call = frame::request(id, function(module, name), &[], body);
    host.send(&frame::tarpc(&tarpc_request(10, id).raw(&call).done()));
}

fn cancel(host: &Host, id: u64) {
    let message = Bytes::new().u32(1).u64(0).u64(0).u64(0).u32(1).u64(id);
    host.send(&frame::tarpc(&message.done()));
}

/// Receives the answer to a request: how many functions are running, if there are too many.
fn answer(host: &Host, id: u64) -> Option<u64> {
    let Frame::Tarpc { message } = host.receive() else {
        panic!("an answer of tarpc's")
    };
    let mut reader = Reader::new(&message);
    assert_eq!((reader.u64(), reader.u32(), reader.u64()), (id, 0, id));
    let has_failed = reader.u32() == 1;
    has_failed.then(|| {
        assert_eq!(reader.u32(), 7, "`Busy`");
        let n_functions = reader.u64();
        reader.end();
        n_functions
    })
}

#[test]
fn a_call_over_tarpc_is_answered() {
    let (host, memory) = (greeted_over_tarpc(), Memory::of_i64(&[1, 2, 3]));
    host.announce(1, &memory);
    let call = frame::request(9, function("arrays", "sum"), &[three()], &arrays(1));
    host.send(&frame::tarpc(&tarpc_request(10, 5).raw(&call).done()));
    let Frame::Tarpc { message } = host.receive() else {
        panic!("an answer of tarpc's")
    };
    let mut reader = Reader::new(&message);
    assert_eq!(
        (reader.u64(), reader.u32(), reader.u64(), reader.u32()),
        (5, 0, 9, 0)
    );
    assert_eq!(reader.list(Handle::read), []);
    assert_eq!(reader.run(), [0u8; 0]);
    assert_eq!(reader.run(), 6i64.to_le_bytes());
    let _copied_bytes = reader.u64();
    reader.end();
    host.shut_down();
}

#[test]
fn malformed_messages_over_tarpc_are_a_violation() {
    let host = greeted_over_tarpc();
    host.send(&frame::tarpc(&[1, 2, 3]));
    host.assert_violation("sent a malformed request: UnexpectedEnd");
    let host = greeted_over_tarpc();
    host.call(1, "values.nothing", &[], &[]);
    host.assert_violation("sent a frame that a host doesn't send");
}

#[test]
fn an_absurd_deadline_over_tarpc_does_no_harm() {
    for secs in [u64::MAX, 10 * 365 * 24 * 60 * 60] {
        let host = greeted_over_tarpc();
        let call = frame::request(1, function("values", "nothing"), &[], &[]);
        host.send(&frame::tarpc(&tarpc_request(secs, 1).raw(&call).done()));
        let Frame::Tarpc { .. } = host.receive() else {
            panic!("an answer of tarpc's")
        };
        host.shut_down();
    }
}

/// A host that counts by what it has sent and received has no more than one request open at once.
#[test]
fn a_deadline_of_tarpcs_leaves_no_request_open() {
    let host = greeted_for_two();
    let call = |id| frame::request(id, function("values", "nothing"), &[], &[]);
    for id in 0..200 {
        host.send(&frame::tarpc(&tarpc_request(0, id).raw(&call(id)).done()));
        assert_eq!(answer(&host, id), None);
    }
    host.shut_down();
}

#[test]
fn more_requests_than_negotiated_are_a_violation() {
    let host = greeted_for_two();
    for id in 1..=3 {
        request(&host, id, "control.run_until_cancelled", &until_cancelled());
    }
    host.assert_violation("sent more than 2 calls at once");
}

#[test]
fn a_request_that_is_repeated_while_it_is_open_is_a_violation() {
    let host = greeted_over_tarpc();
    for _ in 0..2 {
        request(&host, 5, "control.run_until_cancelled", &until_cancelled());
    }
    host.assert_violation("sent request 5 while it was open");
}

#[test]
fn as_many_requests_as_negotiated_are_answered_again_and_again() {
    let host = greeted_for_two();
    request(&host, 0, "values.nothing", &[]);
    for id in 1..1000 {
        request(&host, id, "values.nothing", &[]);
        // They run side by side, on a thread each.
        let Frame::Tarpc { message } = host.receive() else {
            panic!("an answer of tarpc's")
        };
        assert!(Reader::new(&message).u64() <= id);
    }
    let Frame::Tarpc { .. } = host.receive() else {
        panic!("the last answer")
    };
    host.shut_down();
}

#[test]
fn functions_that_go_on_when_they_are_cancelled_are_bounded() {
    let (host, gates) = (greeted_for_two(), Gates::new());
    let go_on = |id: u64| {
        let begun = gates.make(&format!("{id} has begun"));
        let end = gates.make(&format!("{id} may end"));
        let paths = [&begun, &end].map(|path| path.to_str().expect("UTF-8"));
        let body = Bytes::new().run(paths[0]).run(paths[1]).done();
        request(&host, id, "control.pass", &body);
        gate::pass_blocking(&begun);
        cancel(&host, id);
        end
    };
    // Four times what was negotiated.
    let ends: Vec<_> = (0..8).map(go_on).collect();
    for id in 8..1000 {
        request(&host, id, "values.nothing", &[]);
        assert_eq!(answer(&host, id), Some(8));
        cancel(&host, id);
    }
    for end in &ends {
        gate::pass_blocking(end);
    }
    // They don't look whether they are cancelled, so each has an answer, late as it is.
    let late = ends.iter().map(|_| match host.receive() {
        Frame::Tarpc { message } => Reader::new(&message).u64(),
        other => panic!("a late answer, not {other:?}"),
    });
    assert!(late.collect::<BTreeSet<_>>().into_iter().eq(0..8));
    request(&host, 1000, "values.nothing", &[]);
    assert_eq!(answer(&host, 1000), None, "there is room again");
    host.shut_down();
}

#[test]
fn a_request_that_heeds_its_cancellation_is_let_go_of() {
    let host = greeted_for_two();
    for id in 0..100 {
        request(&host, id, "control.run_until_cancelled", &until_cancelled());
        cancel(&host, id);
        let released = host.receive();
        assert!(matches!(released, Frame::Released { call, .. } if call == id));
    }
    request(&host, 100, "values.nothing", &[]);
    assert_eq!(answer(&host, 100), None);
    host.shut_down();
}

#[test]
fn a_flood_of_cancellations_over_tarpc_changes_nothing() {
    let host = greeted_for_two();
    for id in 0..20_000 {
        cancel(&host, id);
    }
    request(&host, 7, "values.nothing", &[]);
    assert_eq!(answer(&host, 7), None);
    host.shut_down();
}

/// They may come at the very moment at which the worker, with nothing left to do, is about to exit. Then
/// nobody runs tarpc's tasks any more.
#[test]
fn requests_after_the_shutdown_are_refused_or_never_read() {
    for pause in (0..200).map(Duration::from_micros) {
        let host = greeted_over_tarpc();
        host.send(&frame::shutdown());
        let since = Instant::now();
        while since.elapsed() < pause {}
        let mut n_sent = 0;
        for id in 0..16 {
            let call = frame::request(id, function("values", "nothing"), &[], &[]);
            let request = frame::tarpc(&tarpc_request(10, id).raw(&call).done());
            n_sent += u64::from(host.end().try_send(&request, &[]));
        }
        let mut refused = BTreeSet::new();
        while let Received::Message(message, None) = host.end().receive() {
            let Frame::Tarpc { message } = Frame::read(&message) else {
                panic!("after {pause:?}: {:?}", Frame::read(&message));
            };
            let mut reader = Reader::new(&message);
            let id = reader.u64();
            assert!(id < n_sent && refused.insert(id), "request {id}");
            assert_eq!((reader.u32(), reader.u64()), (0, id));
            assert_eq!((reader.u32(), reader.u32()), (1, 3), "`ShuttingDown`");
            reader.end();
        }
        assert_eq!(host.ended().code, Some(0));
    }
}
