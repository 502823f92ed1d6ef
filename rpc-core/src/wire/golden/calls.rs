//! Calls and their answers, with either dispatcher.

use std::collections::BTreeMap;

use tarpc::ClientMessage;

use super::document::Checks;
use super::{handle, three_inline, three_lent};
use crate::tensor::DType;
use crate::wire::codec::{self, Bytes};
use crate::wire::frame::{CallFrame, Failure, Frame, Outcome, ReplyFrame};
use crate::wire::handle::{Origin, Terms};
use crate::wire::schema::method_id;
use crate::wire::trace::TraceContext;

pub(super) fn frames_of_calls(checks: &mut Checks) {
    checks.value(
        "call",
        Frame::Call(CallFrame {
            handles: vec![three_lent()],
            ..call(1, None, &[0; 4])
        }),
    );
    checks.value(
        "body-with-arrays",
        (
            Some(0u32),
            vec![1u32, 2],
            BTreeMap::from([("a".to_owned(), 3u32)]),
            (4u32, 5u16),
            (1u32, 5u32),
        ),
    );
    checks.value(
        "call-inline",
        Frame::Call(CallFrame {
            handles: vec![three_inline(Terms::Read)],
            inline: Bytes(codec::encode(&[1i64, 2, 3]).unwrap()),
            ..call(1, None, &[0; 4])
        }),
    );
    checks.value(
        "call-with-time",
        Frame::Call(call(2, Some(1_000_000_000), &[])),
    );
    let (trace, span) = (
        0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736,
        0x00f0_67aa_0ba9_02b7,
    );
    checks.value(
        "call-with-trace",
        Frame::Call(CallFrame {
            trace: TraceContext::new(trace, span, true).map(Box::new),
            ..call(3, None, &[])
        }),
    );
    checks.value(
        "reply-returned",
        Frame::Reply(ReplyFrame {
            call: 1,
            outcome: Outcome::Returned {
                handles: Vec::new(),
                inline: Bytes::default(),
                body: Bytes(codec::encode(&6i64).unwrap()),
                copied_bytes: 0,
            },
        }),
    );
    let single = handle(Origin::Frame, 0, Terms::Moved { transfer: 0 }, DType::F32);
    checks.value(
        "reply-inline",
        Frame::Reply(ReplyFrame {
            call: 1,
            outcome: Outcome::Returned {
                handles: vec![single],
                inline: Bytes(codec::encode(&1.5f32).unwrap()),
                body: Bytes(vec![0; 4]),
                copied_bytes: 4,
            },
        }),
    );
    checks.value(
        "reply-failed",
        Frame::Reply(failed(
            2,
            Failure::BadArgument {
                argument: "values".to_owned(),
                reason: "missing".to_owned(),
            },
        )),
    );
    checks.value("cancel", Frame::Cancel { call: 2 });
    checks.value(
        "released",
        Frame::Released {
            call: 2,
            has_begun: true,
        },
    );
    checks.value("shutdown", Frame::Shutdown);
    checks.value("bell", Frame::Bell);
    checks.value("ping", Frame::Ping { n: 3 });
    checks.value("pong", Frame::Pong { n: 3 });
    checks.value(
        "call-of-an-instance",
        Frame::Call(call(4, None, &7u64.to_le_bytes())),
    );
    checks.value("dropped", Frame::Dropped { instance: 7 });
}

pub(super) fn failures(checks: &mut Checks) {
    let reason = || "full".to_owned();
    checks.value("failure-unknown-function", Failure::UnknownFunction);
    checks.value(
        "failure-segment-refused",
        Failure::SegmentRefused { reason: reason() },
    );
    checks.value("failure-shutting-down", Failure::ShuttingDown);
    checks.value(
        "failure-panicked",
        Failure::Panicked {
            message: "oops".to_owned(),
            location: Some("a.rs:1:2".to_owned()),
        },
    );
    checks.value(
        "failure-not-returned",
        Failure::NotReturned { reason: reason() },
    );
    checks.value(
        "failure-unknown-instance",
        Failure::UnknownInstance { instance: 7 },
    );
    checks.value("failure-busy", Failure::Busy { n_functions: 8 });
}

/// tarpc's own messages, inside [`Frame::Tarpc`].
pub(super) fn frames_of_tarpc(checks: &mut Checks) {
    let mut message = |name| {
        let bytes = checks.bytes(name);
        let Ok(Frame::Tarpc(message)) = codec::decode(&bytes) else {
            panic!("{name} is no message of tarpc's");
        };
        assert_eq!(codec::encode(&Frame::Tarpc(message.clone())), Ok(bytes));
        message.0
    };

    // A deadline is relative on the wire and absolute in memory, so it can't be compared.
    let request = message("tarpc-request");
    let Ok(ClientMessage::Request(request)) = codec::decode::<ClientMessage<CallFrame>>(&request)
    else {
        panic!("not a request");
    };
    assert_eq!(request.id, 5);
    assert_eq!(request.message, call(6, Some(1_000_000_000), &[0; 8]));
    let trace = request.context.trace_context;
    assert_eq!(
        (u128::from(trace.trace_id), u64::from(trace.span_id)),
        (1, 2)
    );

    let cancel = message("tarpc-cancel");
    let decoded: ClientMessage<CallFrame> = codec::decode(&cancel).unwrap();
    assert_eq!(codec::encode(&decoded), Ok(cancel));
    let ClientMessage::Cancel { request_id: 5, .. } = decoded else {
        panic!("not a cancellation of request 5");
    };

    let response = message("tarpc-response");
    let expected = tarpc::Response {
        request_id: 5,
        message: Ok(failed(6, Failure::UnknownFunction)),
    };
    assert_eq!(codec::decode(&response), Ok(expected.clone()));
    assert_eq!(codec::encode(&expected), Ok(response));
}

fn call(call: u64, time_left_ns: Option<u64>, body: &[u8]) -> CallFrame {
    CallFrame {
        call,
        function: method_id("arithmetic", "sum"),
        time_left_ns,
        trace: None,
        handles: Vec::new(),
        inline: Bytes::default(),
        body: Bytes(body.to_vec()),
    }
}

fn failed(call: u64, failure: Failure) -> ReplyFrame {
    ReplyFrame {
        call,
        outcome: Outcome::Failed(failure),
    }
}
