//! Calls without a stub that are refused, given up or never sent.

use std::future::Future;
use std::task::{Context, Waker};
use std::time::Duration;

use ndarray::{Ix1, Ix2, array};
use reedbed::dynamic::{AnyTensor, Mismatch, Value};
use reedbed::{AccessError, FailureCause, Tensor, args};
use reedbed_tests::gate::{self, Gates};
use reedbed_tests::setting::Setting;

use super::dynamic::{called, mismatch, survey_by_hand};
use super::{TestResult, start};

fn poll_once<F: Future>(future: std::pin::Pin<&mut F>) -> bool {
    future
        .poll(&mut Context::from_waker(Waker::noop()))
        .is_pending()
}

pub(crate) async fn a_dropped_call_without_a_stub_keeps_its_lease(setting: Setting) -> TestResult {
    let worker = start(setting).await?;
    worker.interface("arrays").await?;
    let gates = Gates::new();
    let pair = gates.pair();
    let paths = Value::serialize_from(&pair)?;
    let mut labels = Tensor::<u32, Ix2>::zeros((8, 8))?;
    let arguments = args![&mut labels, 3, paths];
    let mut call = Box::pin(worker.call("arrays", "fill_in_two_steps", arguments));
    assert!(poll_once(call.as_mut()), "the worker waits at a gate");
    gate::pass(&pair.0).await;
    std::mem::forget(call);
    if !setting.capabilities().shares_memory {
        // The worker has a copy.
        labels.view_mut()?.fill(1);
        gate::pass(&pair.1).await;
        return Ok(());
    }
    let message = labels.view().unwrap_err().to_string();
    assert!(
        message.contains("leased: call of `arrays::fill_in_two_steps`"),
        "{message}"
    );
    let error = worker
        .call("arrays", "fill", args![&mut labels, 1])
        .await
        .unwrap_err();
    assert!(matches!(
        error.failure().map(|failure| failure.cause()),
        Some(FailureCause::Access { argument, .. }) if argument == "values"
    ));
    gate::pass(&pair.1).await;
    labels.released().await;
    assert!(labels.view()?.iter().all(|label| *label == 3));

    let call = worker.call("arrays", "panic_after_writing", args![&mut labels, 3]);
    assert!(call.await.is_err());
    assert!(matches!(labels.view(), Err(AccessError::Poisoned { .. })));
    Ok(())
}

pub(crate) async fn a_deadline_holds_without_a_stub(setting: Setting) -> TestResult {
    let worker = start(setting).await?;
    let has = worker.call("control", "has_deadline", args![]);
    assert!(!has.await?.deserialize::<bool>()?);
    let has = worker.call("control", "has_deadline", args![]);
    assert!(
        has.deadline(Duration::from_secs(60))
            .await?
            .deserialize::<bool>()?
    );
    let gates = Gates::new();
    let paths = Value::serialize_from(&gates.pair())?;
    let call = worker.call("control", "pass", args![paths]);
    let error = call.deadline(Duration::from_millis(20)).await.unwrap_err();
    assert!(matches!(
        error.failure().map(|failure| failure.cause()),
        Some(FailureCause::DeadlineExceeded { .. })
    ));
    Ok(())
}

pub(crate) async fn what_could_not_be_sent_comes_back(setting: Setting) -> TestResult {
    let worker = start(setting).await?;
    for (module, function, arguments) in [
        ("nonsense", "take_both", args![tensor(1.0), tensor(2.0)]),
        ("arrays", "take_bot", args![tensor(1.0), tensor(2.0)]),
        (
            "arrays",
            "take_both",
            args! { two: tensor(1.0), other: tensor(2.0) },
        ),
        (
            "arrays",
            "take_both",
            args![(tensor(1.0), Some(tensor(2.0)))],
        ),
        ("arrays", "take_both", args![vec![tensor(1.0)], tensor(2.0)]),
    ] {
        let error = worker.call(module, function, arguments).await.unwrap_err();
        let mut failure = error.into_returned().unwrap_err();
        let names = [
            "number 1", "number 2", "one", "one[0]", "one[1]", "other", "two",
        ];
        let back = names.iter().flat_map(|name| {
            std::iter::from_fn(|| failure.reclaim::<AnyTensor>(name)).collect::<Vec<_>>()
        });
        let mut sums = Vec::new();
        for tensor in back.collect::<Vec<_>>() {
            sums.push(tensor.into_tensor::<f64, Ix1>()?.view()?.sum());
        }
        sums.sort_by(f64::total_cmp);
        assert_eq!(sums, [1.0, 2.0], "{failure}");
    }
    Ok(())
}

fn tensor(value: f64) -> Tensor<f64, Ix1> {
    Tensor::from(array![value])
}

pub(crate) async fn what_does_not_fit_is_told_before_it_is_sent(setting: Setting) -> TestResult {
    let worker = start(setting).await?;
    let values = |function, arguments| mismatch(worker.call("values", function, arguments));
    let arrays = |function, arguments| mismatch(worker.call("arrays", function, arguments));

    let message = mismatch(worker.call("nonsense", "f", args![])).await;
    assert!(
        message.starts_with("the worker serves no such module; it serves `"),
        "{message}"
    );
    assert!(message.contains("`values`"), "{message}");
    let message = values("divied", args![6, 3]).await;
    let start = "the module has no such function (did you mean `divide`?); it has `";
    assert!(
        message.starts_with(start) && message.contains("`echo`"),
        "{message}"
    );
    let message = values("something_else", args![]).await;
    assert!(
        message.starts_with("the module has no such function; it has"),
        "{message}"
    );

    for (arguments, expected) in [
        (args![6], "argument `divisor` is missing: i64 is expected"),
        (
            args! { divisor: 3 },
            "argument `dividend` is missing: i64 is expected",
        ),
        (
            args![6, 3, 1],
            "there is no argument number 3; the function takes `dividend`, `divisor`",
        ),
        (
            args! { dividend: 6, by: 3 },
            "there is no argument `by`; the function takes `dividend`, `divisor`",
        ),
        (
            args![6].with("dividend", 7),
            "argument `dividend` is passed twice",
        ),
        (
            args![6, "3"],
            "`divisor` doesn't fit: i64 is expected, not the string \"3\"",
        ),
        (
            args![6.0, 3],
            "`dividend` doesn't fit: i64 is expected, not the number 6.0",
        ),
        (
            args![6, 1u64 << 63],
            "`divisor` doesn't fit: 9223372036854775808 is out of range for i64",
        ),
        (
            args![6, u128::MAX],
            "`divisor` doesn't fit: 340282366920938463463374607431768211455 is out of range for i64",
        ),
    ] {
        assert_eq!(values("divide", arguments).await, expected);
    }

    let shape = |shape: Value<'static>| args![survey_by_hand(), Some(shape)];
    for (arguments, expected) in [
        (
            shape(Value::unit_variant("Circle")),
            "`shape` doesn't fit: enum Shape has no variant `Circle`, it has `Empty`, `Disk`, `Box`",
        ),
        (
            shape(Value::variant("Box", [("width", 1.0.into())])),
            "`shape.Box` lacks the field `height`: f32 is expected",
        ),
        (
            shape(Value::variant(
                "Disk",
                [("0", 1.0.into()), ("r", 1.0.into())],
            )),
            "`shape.Disk` has one field `r` too many; it takes `0`",
        ),
        (
            shape(Value::variant("Disk", [("0", 1e300.into())])),
            "`shape.Disk.0` doesn't fit: 1e300 is out of range for f32",
        ),
        (
            args![survey_by_hand(), 7],
            "`shape` doesn't fit: option<enum Shape { Empty {  }, Disk { 0: f32 }, Box { width: f32, \
             height: f32 } }> is expected, not the integer 7",
        ),
        (
            args![Value::structure([("x", 1.into())]), None::<()>],
            "`survey` has one field `x` too many; it takes `origin`, `names`, `shapes`, `colour`, \
             `initial`, `widest`, `lowest`, `takes`, `lines`, `address`, `is_done`, `nested`, \
             `outcome`",
        ),
    ] {
        assert_eq!(values("survey", arguments).await, expected);
    }

    let mut survey = survey_by_hand();
    survey.take("shapes");
    let message = values("survey", args![survey, None::<()>]).await;
    assert!(
        message.starts_with("`survey` lacks the field `shapes`: list<enum Shape"),
        "{message}"
    );
    let mut survey = survey_by_hand();
    survey.take("colour");
    let Value::Struct(mut fields) = survey else {
        panic!("a struct");
    };
    fields.push(("colour".to_owned(), [1, 2, 300].into()));
    let message = values("survey", args![Value::Struct(fields), None::<()>]).await;
    assert_eq!(
        message,
        "`survey.colour[2]` doesn't fit: 300 is out of range for u8"
    );

    let (flat, square) = (
        Tensor::from(array![1u32]),
        Tensor::<u32, Ix2>::zeros((2, 2))?,
    );
    for (arguments, expected) in [
        (
            args![&square, 1],
            "`values` doesn't fit: an array of u32 with 2 dimensions, lent for writing (`&mut`), is \
             expected, not an array of u32 with 2 dimensions, lent for reading",
        ),
        (
            args![&flat, 1],
            "`values` doesn't fit: an array of u32 with 2 dimensions, lent for writing (`&mut`), is \
             expected, not an array of u32 with 1 dimension, lent for reading",
        ),
        (
            args![7, 1],
            "`values` doesn't fit: an array of u32 with 2 dimensions, lent for writing (`&mut`), is \
             expected, not the integer 7",
        ),
    ] {
        assert_eq!(arrays("fill", arguments).await, expected);
    }
    assert_eq!(
        arrays("sum", args![&flat]).await,
        "`values` doesn't fit: an array of i64 with 1 dimension, lent for reading (`&`), is \
         expected, not an array of u32 with 1 dimension, lent for reading"
    );
    assert_eq!(
        arrays("take", args![&flat]).await,
        "`values` doesn't fit: an array of f64 with 1 dimension, given away (by value), is \
         expected, not an array of u32 with 1 dimension, lent for reading"
    );
    Ok(())
}

pub(crate) async fn values_inside_themselves_end(setting: Setting) -> TestResult {
    let worker = start(setting).await?;
    let tree = |depth: usize| {
        let leaf = Value::structure([("children", Vec::<Value<'_>>::new().into())]);
        (1..depth).fold(leaf, |tree, _| {
            Value::structure([("children", vec![tree].into())])
        })
    };
    assert_eq!(
        called::<usize>(&worker, "depth", args![tree(50)]).await?,
        50
    );
    assert_eq!(
        mismatch(worker.call("values", "depth", args![tree(1000)])).await,
        "`tree` is deeper than 128 levels: import the module's stub"
    );
    let error = Mismatch::TooDeep {
        at: "tree".to_owned(),
        limit: 128,
    };
    assert!(error.to_string().contains("128"));
    Ok(())
}

pub(crate) async fn an_unpolled_call_without_a_stub_does_nothing(setting: Setting) -> TestResult {
    let worker = start(setting).await?;
    let mut labels = Tensor::<u32, Ix2>::zeros((2, 2))?;
    let before = worker.traffic();
    drop(worker.call("arrays", "fill", args![&mut labels, 1]));
    labels.view_mut()?.fill(2);
    assert!(worker.traffic().sent_bytes - before.sent_bytes < 100);
    let n = worker.call("arrays", "fill", args![&mut labels, 3]).await?;
    assert_eq!((n.deserialize::<usize>()?, labels.view()?.sum()), (4, 12));
    Ok(())
}
