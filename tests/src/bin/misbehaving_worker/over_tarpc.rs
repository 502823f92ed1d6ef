//! What it does against the protocol where tarpc's dispatchers match calls and answers.

use reedbed_tests::by_hand::bytes::{Bytes, Reader};
use reedbed_tests::by_hand::frame::{self, Frame};
use reedbed_tests::by_hand::worker::Worker;

/// A request: its own number, and that of its call.
struct Request {
    id: u64,
    call: u64,
}

/// Takes the first request, and does as it was told.
pub(crate) fn misbehave(how: &str, worker: &mut Worker) {
    let Some(Request { id, call }) = receive(worker) else {
        return;
    };
    let released = frame::released(call, true);
    match how {
        "fails-a-request" => worker.send(&failed(id)),
        "replies-without-tarpc" => worker.send(&frame::returned(call, &[], &[])),
        "names-another-request" => worker.send(&returned(id + 7, call)),
        "answers-an-unknown-call" => worker.send(&returned(id, 999)),
        "releases-an-unknown-call" => worker.send(&frame::released(999, false)),
        "releases-and-replies" => send_both(worker, &released, &returned(id, call)),
        "releases-twice" => send_both(worker, &released, &released),
        "releases-and-fails" => send_both(worker, &released, &failed(id)),
        "releases-all" => {
            worker.send(&frame::released(call, false));
            while let Some(Request { call, .. }) = receive(worker) {
                assert!(!worker.end().has_more(), "another one is open");
                worker.send(&frame::released(call, false));
            }
        }
        other => panic!("{other} is no way to misbehave over tarpc"),
    }
}

/// Receives a request; `None` at the end.
fn receive(worker: &mut Worker) -> Option<Request> {
    let message = match worker.receive()? {
        Frame::Tarpc { message } => message,
        Frame::Shutdown => return None,
        other => panic!("a request is expected, not {other:?}"),
    };
    let mut reader = Reader::new(&message);
    assert_eq!(reader.u32(), 0, "a request, and no cancellation");
    let (_deadline, _trace) = (reader.raw::<12>(), reader.raw::<28>());
    let [id, call] = [reader.u64(), reader.u64()];
    Some(Request { id, call })
}

/// Answers with nothing, which the host need not look at.
fn returned(id: u64, call: u64) -> Vec<u8> {
    let returned = Bytes::new().u64(id).u32(0).u64(call).u32(0);
    let nothing: [u8; 0] = [];
    frame::tarpc(&returned.u64(0).u64(0).run(nothing).u64(0).done())
}

/// Ends a request by an error of tarpc's.
fn failed(id: u64) -> Vec<u8> {
    const INTERRUPTED: u32 = 15;
    let failed = Bytes::new().u64(id).u32(1).u32(INTERRUPTED);
    frame::tarpc(&failed.run("it was interrupted").done())
}

fn send_both(worker: &Worker, first: &[u8], second: &[u8]) {
    worker.send(first);
    worker.send(second);
}
