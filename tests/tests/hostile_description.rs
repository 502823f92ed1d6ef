//! A worker that speaks the wire by hand describes types that lead nowhere, or whose values cost more
//! than their bytes: a call without a stub is an error, and the host lives on.

use reedbed::dynamic::{Arguments, Mismatch, Value};
use reedbed::{CallError, CallFailure, FailureCause, Worker, args};
use reedbed_tests::watched::watched;

const WORKER: &str = env!("CARGO_BIN_EXE_misbehaving-worker");

/// Calls a function that takes and returns what the worker says; it answers with `length` and so
/// many bytes that are zero.
async fn call(
    [taken, returned]: [&str; 2],
    [length, n_bytes]: [u64; 2],
    arguments: Arguments<'_>,
) -> Box<CallFailure> {
    watched(async {
        let builder = Worker::builder(WORKER).arg("describes-as-told");
        let builder = builder.arg(taken).arg(returned);
        let builder = builder.arg(length.to_string()).arg(n_bytes.to_string());
        let worker = builder.log(|_| {}).spawn().await.expect("it starts");
        match worker.call("arrays", "odd", arguments).await {
            Err(CallError::Failed(failure)) => failure,
            other => panic!("the call fails; this came: {other:?}"),
        }
    })
    .await
}

fn reason(failure: &CallFailure) -> &str {
    match failure.cause() {
        FailureCause::Protocol { reason } => reason,
        _ => panic!("the answer is wrong, not {failure}"),
    }
}

#[tokio::test]
async fn a_type_inside_nothing_leads_nowhere() {
    for distance in [1, u64::MAX] {
        let nowhere = format!("option<recursive {distance}>");
        let some = args![Value::Some(Box::new(Value::Unit))];
        let failure = call([&nowhere, "()"], [0, 0], some).await;
        let FailureCause::Mismatch(Mismatch::UnknownType { at, text }) = failure.cause() else {
            panic!("{failure}");
        };
        assert_eq!(at, "value");
        assert_eq!(*text, format!("recursive {distance}"));

        // The first byte of a length of 1 is that of `Some`.
        let failure = call(["()", &nowhere], [1, 0], args![()]).await;
        let said = format!("the type `recursive {distance}` leads nowhere");
        assert!(reason(&failure).contains(&said), "{failure}");
    }
}

#[tokio::test]
async fn values_without_bytes_are_few() {
    let failure = call(["()", "list<()>"], [1 << 40, 0], args![()]).await;
    let said = "more than there are bytes for";
    assert!(reason(&failure).contains(said), "{failure}");
}

#[tokio::test]
async fn long_names_are_not_copied_for_ever() {
    let name = "x".repeat(20_000);
    let returned = format!("list<struct S {{ {name}: bool }}>");
    let failure = call(["()", &returned], [30_000, 30_000], args![()]).await;
    let said = "its names have more than 67108864 bytes";
    assert!(reason(&failure).contains(said), "{failure}");
}
