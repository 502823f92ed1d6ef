//! A worker that speaks the wire by hand, and a host that has nothing but its word: descriptions that
//! lead nowhere, cost more than their bytes, never come, or aren't true. A call without a stub is an
//! error, and the host lives on.

use std::time::Duration;

use futures::FutureExt;
use ndarray::{Ix1, array};
use reedbed::dynamic::{AnyTensor, Arguments, Mismatch, Type, Value};
use reedbed::{
    CallError, CallFailure, EndReason, FailureCause, ImportError, Tensor, Worker, args, ndarray,
};
use reedbed_tests::modules::arrays;
use reedbed_tests::system;
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

async fn spawn(how: &str) -> Worker {
    let worker = Worker::builder(WORKER).arg(how).log(|_| {}).spawn();
    worker.await.expect("the handshake is as it should be")
}

async fn failure(worker: &Worker, function: &str, arguments: Arguments<'_>) -> Box<CallFailure> {
    let result = worker.call("arrays", function, arguments).await;
    let error = result.expect_err("the call fails").into_returned();
    error.expect_err("the function has no error of its own")
}

#[tokio::test]
async fn a_megabyte_of_brackets_is_a_type_that_is_not_known() {
    watched(async {
        let worker = spawn("describes-a-megabyte-of-brackets").await;
        for function in ["returns_brackets", "returns_deep", "returns_unbalanced"] {
            let failure = failure(&worker, function, args![]).await;
            assert!(
                matches!(
                    failure.cause(),
                    FailureCause::Mismatch(Mismatch::UnknownType { .. })
                ),
                "{function}"
            );
            let message = failure.to_string();
            assert!(message.len() < 1000, "{} bytes of a message", message.len());
            assert!(message.contains("is not known here: "), "{message}");
        }
        let mut value = Value::from(7);
        for _ in 0..100 {
            value = Value::Some(Box::new(value));
        }
        let failure = failure(&worker, "takes_deep", args![value]).await;
        let message = failure.to_string();
        assert!(
            message.contains("the type of `value` is not known"),
            "{message}"
        );
        let interface = worker.interface("arrays").await.expect("it was described");
        let interface = interface.expect("it is served");
        let brackets = interface
            .function("returns_brackets")
            .expect("it is served");
        assert!(matches!(&brackets.returns, Type::Other(text) if text.len() == 1 << 20));
        // The rest of the module is none the worse for it.
        let six = worker.call("arrays", "works", args![]).await;
        assert_eq!(six.expect("it is served").to_string(), "6");
    })
    .await;
}

#[tokio::test]
async fn a_function_that_is_described_twice_ends_the_worker() {
    let what = "described function `range` of module `arrays` twice";
    watched(async {
        let worker = spawn("describes-a-function-twice").await;
        let given = Tensor::from(array![1.0, 2.0]);
        let mut failure = failure(&worker, "range", args![given]).await;
        let FailureCause::WorkerGone { end } = failure.cause() else {
            panic!("{failure}");
        };
        assert!(
            matches!(end.reason(), EndReason::ProtocolViolation(found) if found == what),
            "{failure}"
        );
        assert!(failure.is_retryable(), "nothing but the question was sent");
        let given: Option<AnyTensor> = failure.reclaim("number 1");
        assert_eq!(given.expect("it wasn't sent").shape(), [2]);
        worker.ended().await;
        assert!(!system::exists(worker.id().expect("a process")));
    })
    .await;
    watched(async {
        let worker = spawn("describes-a-function-twice").await;
        match worker.interfaces().await {
            Err(ImportError::WorkerGone { end, .. }) => {
                assert!(
                    matches!(end.reason(), EndReason::ProtocolViolation(found) if found == what),
                    "{end}"
                );
            }
            other => panic!("the worker broke the protocol; this came: {other:?}"),
        }
    })
    .await;
}

#[tokio::test]
async fn a_reply_that_does_not_fit_its_description_fails_the_call_alone() {
    watched(async {
        let worker = spawn("describes-what-it-does-not-return").await;
        for (function, what) in [
            ("array", "it names array 117901063 of 0"),
            ("bool", ""),
            ("cell", "it names array 117901063 of 0"),
            ("list", ""),
            ("map", ""),
            ("result", "there is no variant 117901063 of 2"),
            ("rows", "it names array 117901063 of 0"),
            ("string", ""),
            ("structure", "it names array 117901063 of 0"),
            ("unit", "8 bytes are left over"),
            ("variant", "there is no variant 117901063 of 2"),
        ] {
            let failure = failure(&worker, function, args![]).await;
            let FailureCause::Protocol { reason } = failure.cause() else {
                panic!("{function}: {failure}");
            };
            assert!(reason.contains(what), "{function}: {failure}");
            assert!(!failure.is_retryable(), "{function} ran");
        }
        let number = worker.call("arrays", "number", args![]).await;
        let number = number.expect("eight bytes are a number");
        assert_eq!(number.to_string(), 0x0707_0707_0707_0707_u64.to_string());
    })
    .await;
}

#[tokio::test]
async fn a_deadline_ends_the_wait_for_a_description() {
    watched(async {
        let worker = spawn("never-describes").await;
        let limit = Duration::from_millis(20);
        let given = Tensor::from(array![1.0, 2.0]);
        let call = worker.call("arrays", "take", args! { values: given });
        let error = call.deadline(limit).await.expect_err("nothing comes");
        let mut failure = error.into_returned().expect_err("it was never asked");
        assert!(
            matches!(failure.cause(), FailureCause::NotDescribed { limit: found } if *found == limit),
            "{failure}"
        );
        assert!(failure.is_retryable(), "nothing but the question was sent");
        let given: Option<AnyTensor> = failure.reclaim("values");
        let given = given.expect("it wasn't sent").into_tensor::<f64, Ix1>();
        assert_eq!(given.expect("as it was given").view().expect("nobody has it").sum(), 3.0);

        // The worker takes one call at a time; the question doesn't stand in its way.
        let client: arrays::Client = worker.import().await.expect("the module is served");
        let values = Tensor::from(array![1i64, 2, 3]);
        assert_eq!(client.sum(&values).await.expect("it is answered"), 6);
    })
    .await;
}

/// A worker says once what a module consists of, however often it is asked, and however late it says it.
#[tokio::test]
async fn a_question_without_an_answer_is_everybodys() {
    watched(async {
        let builder = Worker::builder(WORKER).arg("late-to-describe").log(|_| {});
        let limit = Duration::from_micros(100);
        let worker = builder.call_deadline(limit).spawn().await;
        let worker = worker.expect("it welcomes");
        assert_late(&worker, limit).await;
        let asked = worker.traffic().sent_bytes;
        for _ in 0..10_000 {
            assert_late(&worker, limit).await;
        }
        // At once, with and without a stub, and some that nobody waits for.
        for _ in 0..100 {
            let (call, other) = (worker.call("arrays", "range", args![3u64]), worker.interface("arrays"));
            let (called, other) = futures::join!(call, other);
            let failure = called.expect_err("nothing comes").into_returned();
            let failure = failure.expect_err("it was never called");
            assert!(
                matches!(failure.cause(), FailureCause::NotDescribed { limit: found } if *found == limit),
                "{failure}"
            );
            assert!(failure.is_retryable(), "{failure}");
            assert!(matches!(other, Err(ImportError::TimedOut { .. })), "{other:?}");
            assert!(worker.describe("arrays").now_or_never().is_none());
        }
        assert_eq!(worker.traffic().sent_bytes, asked, "it was asked once");
        assert_eq!(worker.n_calls_in_flight(), 0);

        // Called, it says late what it was asked.
        let client: arrays::Client = worker.import().await.expect("the module is served");
        let values = Tensor::from(array![1i64, 2, 3]);
        let sum = client.sum(&values).deadline(Duration::MAX).await;
        assert_eq!(sum.expect("it is answered"), 6);
        let before = worker.traffic();
        let schema = worker.describe("arrays").await.expect("it was described");
        let names: Vec<_> = schema.iter().flat_map(|module| &module.functions).map(|function| &function.name).collect();
        assert_eq!(names, ["range"]);
        let interface = worker.interface("arrays").await.expect("it was described");
        assert!(interface.expect("it is served").function("range").is_some());
        assert_eq!(worker.traffic(), before, "nobody asks again");
        // It still takes calls, and no question came between them.
        let sum = client.sum(&values).deadline(Duration::MAX).await;
        assert_eq!(sum.expect("it is answered"), 6);
    })
    .await;
}

async fn assert_late(worker: &Worker, expected: Duration) {
    match worker.describe("arrays").await {
        Err(ImportError::TimedOut {
            worker: name,
            module,
            limit,
        }) => {
            assert_eq!(
                (&*name, &*module, limit),
                (worker.name(), "arrays", expected)
            );
        }
        other => panic!("it isn't described; this came: {other:?}"),
    }
}

/// What a worker hasn't named, it isn't asked for.
#[tokio::test]
async fn nobody_asks_for_modules_that_are_not_served() {
    watched(async {
        let worker = spawn("describes-never").await;
        let before = worker.traffic();
        for n in 0..100 {
            let module = format!("module_{n}");
            let described = worker.describe(&module).await.expect("the answer is known");
            assert_eq!(described, None);
        }
        assert_eq!(worker.traffic(), before);
    })
    .await;
}

#[tokio::test]
async fn a_call_without_a_deadline_does_not_wait_for_a_description_without_end() {
    watched(async {
        let limit = Duration::from_millis(500);
        let builder = Worker::builder(WORKER).arg("describes-never").log(|_| {});
        let worker = builder.startup_timeout(limit).spawn().await;
        let worker = worker.expect("it welcomes");
        let given = Tensor::from(array![1.0, 2.0]);
        let mut failure = failure(&worker, "take", args! { values: given }).await;
        assert!(
            matches!(failure.cause(), FailureCause::NotDescribed { limit: found } if *found == limit),
            "{failure}"
        );
        let text = failure.to_string();
        assert!(text.contains("was not described within 500ms"), "{text}");
        assert!(failure.is_retryable(), "nothing but the question was sent");
        let given: Option<AnyTensor> = failure.reclaim("values");
        assert_eq!(given.expect("it wasn't sent").shape(), [2]);
    })
    .await;
}

#[tokio::test]
async fn a_module_that_is_never_described_is_not_waited_for_without_end() {
    let builder = || Worker::builder(WORKER).arg("describes-never").log(|_| {});
    let startup = Duration::from_secs(1);
    let call = Duration::from_millis(20);
    for (builder, expected) in [
        (builder().startup_timeout(startup), startup),
        (builder().call_deadline(call), call),
    ] {
        watched(async {
            let worker = builder.name("silent").spawn().await.expect("it welcomes");
            let error = match worker.import::<arrays::Client>().await {
                Err(error @ ImportError::TimedOut { limit, .. }) if limit == expected => error,
                other => panic!("this came: {other:?}"),
            };
            let text = error.to_string();
            assert!(
                text.contains("module `arrays` of worker `silent`"),
                "{text}"
            );
            assert!(
                text.contains(&format!("not described within {expected:?}")),
                "{text}"
            );
            let other = worker.describe("edges").await;
            assert!(
                matches!(other, Err(ImportError::TimedOut { .. })),
                "{other:?}"
            );
        })
        .await;
    }
}
