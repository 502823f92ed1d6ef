//! The same over tarpc's dispatchers.

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
