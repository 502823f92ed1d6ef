//! Calls without a stub: what the typed stub does, by names and values.

use std::collections::BTreeMap;
use std::time::Duration;

use ndarray::{Array1, Array2, Axis, Ix1, Ix2, array};
use reedbed::dynamic::{Access, AnyTensor, Type, Value};
use reedbed::{CallError, DType, FailureCause, Segment, Tensor, Worker, args};
use reedbed_tests::gate::{self, Gates};
use reedbed_tests::modules::values::{self, DivideError, Point, Shape, Survey};
use reedbed_tests::setting::Setting;

use crate::{TestResult, import, start};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// The message of a call that fails before it is sent.
pub(super) async fn mismatch(call: reedbed::dynamic::DynamicCall<'_>) -> String {
    let failure = match call.await {
        Err(CallError::Failed(failure)) => failure,
        other => panic!("the call fails; this came: {other:?}"),
    };
    assert!(failure.is_retryable(), "nothing was sent");
    let FailureCause::Mismatch(mismatch) = failure.cause() else {
        panic!("it doesn't fit; this came: {failure}");
    };
    mismatch.to_string()
}

pub(super) async fn called<T: serde::de::DeserializeOwned>(
    worker: &Worker,
    function: &str,
    arguments: reedbed::dynamic::Arguments<'_>,
) -> Result<T> {
    Ok(worker
        .call("values", function, arguments)
        .await?
        .deserialize()?)
}

pub(crate) async fn every_module_is_described(setting: Setting) -> TestResult {
    let worker = start(setting).await?;
    let interfaces = worker.interfaces().await?;
    assert!(
        interfaces
            .iter()
            .map(|found| &*found.name)
            .eq(worker.modules())
    );
    for interface in &interfaces {
        let schema = worker
            .describe(&interface.name)
            .await?
            .expect("it is served");
        let signatures = schema.functions.iter().map(|function| function.signature());
        let parsed = interface.functions.iter().map(ToString::to_string);
        assert!(parsed.eq(signatures), "{}", interface.name);
        for function in &interface.functions {
            let types = function.parameters.iter().map(|parameter| &parameter.ty);
            for ty in types.chain([&function.returns]) {
                assert!(!format!("{ty:?}").contains("Other("), "{function}");
            }
        }
    }
    let arrays = worker.interface("arrays").await?.expect("it is served");
    let fill = arrays.function("fill").expect("it is served");
    assert_eq!(fill.docs, "Sets all elements; returns how many there are.");
    assert_eq!(fill.parameters[0].name, "values");
    let (access, dtype, rank) = (Access::Write, DType::U32, Some(2));
    assert_eq!(
        fill.parameters[0].ty,
        Type::NdArray {
            access,
            dtype,
            rank
        }
    );
    assert_eq!(worker.interface("nonsense").await?, None);
    Ok(())
}

pub(crate) async fn a_module_is_described_once(setting: Setting) -> TestResult {
    let worker = start(setting).await?;
    assert_eq!(called::<String>(&worker, "echo", args!["a"]).await?, "a");
    let before = worker.traffic();
    assert_eq!(called::<String>(&worker, "echo", args!["b"]).await?, "b");
    let after = worker.traffic();
    assert!(
        after.received_bytes - before.received_bytes < 200,
        "no description came"
    );
    Ok(())
}

pub(crate) async fn values_are_what_a_stub_sends(setting: Setting) -> TestResult {
    let (worker, stub) = import::<values::Client>(setting).await?;
    let survey = survey();
    let expected = stub.survey(survey.clone(), Some(Shape::Disk(2.5))).await?;

    // From serde, by place.
    let shape = Value::serialize_from(&Some(Shape::Disk(2.5)))?;
    let arguments = args![Value::serialize_from(&survey)?, shape];
    assert_eq!(
        called::<Survey>(&worker, "survey", arguments).await?,
        expected
    );
    // As bytes, by name, in another order.
    let (survey_bytes, shape) = (
        Value::encoded(&survey)?,
        Value::encoded(&Some(Shape::Disk(2.5)))?,
    );
    let arguments = args! { shape: shape, survey: survey_bytes };
    assert_eq!(
        called::<Survey>(&worker, "survey", arguments).await?,
        expected
    );
    // By hand, fields in another order.
    let shape = Some(Value::variant("Disk", [("0", 2.5f32.into())]));
    let arguments = args![survey_by_hand(), shape];
    assert_eq!(
        called::<Survey>(&worker, "survey", arguments).await?,
        expected
    );
    // And read field by field.
    let arguments = args![survey_by_hand(), None::<()>];
    let mut returned = worker.call("values", "survey", arguments).await?;
    let widest = returned.take("widest").expect("a field");
    assert_eq!(widest.deserialize::<u128>()?, u128::MAX);
    assert_eq!(
        returned.take("shapes").expect("a field").to_string(),
        "[Empty, Box { width: 1.0, height: 2.0 }, Disk { 0: 0.5 }]"
    );
    worker
        .call("values", "nothing", args![])
        .await?
        .deserialize::<()>()?;
    Ok(())
}

fn survey() -> Survey {
    Survey {
        origin: Point { x: 1.0, y: -2.0 },
        names: BTreeMap::from([("héllo".to_owned(), -7), (String::new(), i16::MAX)]),
        shapes: vec![
            Shape::Empty,
            Shape::Box {
                width: 1.0,
                height: 2.0,
            },
            Shape::Disk(0.5),
        ],
        colour: [1, 2, 3],
        initial: 'é',
        widest: u128::MAX,
        lowest: i128::MIN,
        takes: Duration::from_millis(1_500),
        lines: 3..7,
        address: "[::1]:80".parse().expect("an address"),
        is_done: (true, ()),
        nested: Some(Box::new(Survey::default())),
        outcome: Err("none".to_owned()),
    }
}

pub(super) fn survey_by_hand() -> Value<'static> {
    let (seconds, nanos) = (("secs", 1u64.into()), ("nanos", 500_000_000.into()));
    let ip: Value<'_> = {
        let mut bytes = [0u8; 16];
        bytes[15] = 1;
        (&bytes[..]).into()
    };
    let address = Value::variant("V6", [("0", (ip, 80u16).into())]);
    let point = |x: f64, y: f64| Value::structure([("y", y.into()), ("x", x.into())]);
    let size = [("width", 1.0f32.into()), ("height", 2.0f32.into())];
    let shapes = vec![
        Value::unit_variant("Empty"),
        Value::variant("Box", size),
        Value::variant("Disk", [("0", 0.5f32.into())]),
    ];
    let names = BTreeMap::from([("héllo", -7), ("", i32::from(i16::MAX))]);
    let nested = Value::serialize_from(&Survey::default()).expect("serde writes it");
    Value::structure([
        ("names", names.into()),
        ("origin", point(1.0, -2.0)),
        ("shapes", shapes.into()),
        ("colour", [1, 2, 3].into()),
        ("initial", 'é'.into()),
        ("widest", u128::MAX.into()),
        ("lowest", i128::MIN.into()),
        ("takes", Value::structure([seconds, nanos])),
        (
            "lines",
            Value::structure([("start", 3.into()), ("end", 7.into())]),
        ),
        ("address", address),
        ("is_done", (true, ()).into()),
        ("nested", Some(nested).into()),
        ("outcome", Value::variant("Err", [("0", "none".into())])),
    ])
}

pub(crate) async fn errors_are_values(setting: Setting) -> TestResult {
    let worker = start(setting).await?;
    assert_eq!(called::<i64>(&worker, "divide", args![6, 3]).await?, 2);
    let error = worker
        .call("values", "divide", args![6, 0])
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "ByZero { dividend: 6 }");
    let error = error.into_returned().expect("the function's own error");
    let error: DivideError = error.deserialize()?;
    assert_eq!(error, DivideError::ByZero { dividend: 6 });

    let error = worker
        .call("control", "panic", args!["oh"])
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("calling `control::panic` in worker"),
        "{error}"
    );
    assert!(error.to_string().contains("it panicked: oh"), "{error}");
    Ok(())
}

pub(crate) async fn opaque_types_travel_as_bytes(setting: Setting) -> TestResult {
    let worker = start(setting).await?;
    let later = |value| worker.call("values", "later", args![value]);
    let seconds = values::Seconds(1.5);
    let returned = later(Value::encoded(&seconds)?).await?;
    assert_eq!(returned.decode::<values::Seconds>()?.0, 2.5);
    assert!(returned.decode::<u64>().is_err());
    assert_eq!(
        mismatch(later(Value::from(1.5))).await,
        "`seconds` is of type `Seconds`, whose bytes only its Rust type can write: pass it with \
         `Value::encoded(&..)`"
    );
    assert_eq!(
        mismatch(later(Value::encoded(&7u64)?)).await,
        "`seconds` doesn't fit: opaque Seconds \"1\" is expected, not u64"
    );
    Ok(())
}

pub(crate) async fn arrays_are_lent_without_a_copy(setting: Setting) -> TestResult {
    let worker = start(setting).await?;
    let values = Tensor::from(Array1::from_iter(0..100_000i64));
    let sum = worker.call("arrays", "sum", args![&values]);
    let (sum, report) = setting.in_place(sum).reported().await?;
    assert_eq!(sum.deserialize::<i64>()?, 4_999_950_000);
    setting.check(&report, 800_000, 0);

    let mut labels = Tensor::<u32, Ix2>::zeros((300, 200))?;
    let fill = worker.call("arrays", "fill", args! { value: 5, values: &mut labels });
    let (n, report) = fill.reported().await?;
    assert_eq!(n.deserialize::<usize>()?, 60_000);
    setting.check(&report, 240_000, 0);
    assert!(labels.view()?.iter().all(|label| *label == 5));
    labels.view_mut()?.fill(0);

    // Halves at once, a view for reading, and what is lent for writing read.
    let (upper, lower) = labels.tensor_view_mut().split_at(Axis(0), 100);
    let (first, second) = futures::join!(
        worker.call("arrays", "fill", args![upper, 1]),
        worker.call("arrays", "fill", args![lower, 2])
    );
    assert_eq!(
        (first?.to_string(), second?.to_string()),
        ("20000".into(), "40000".into())
    );
    let mut target = Tensor::<u32, Ix2>::zeros((100, 200))?;
    let upper = labels.tensor_view_mut().split_at(Axis(0), 100).0;
    let add_to = worker.call("arrays", "add_to", args![upper, &mut target]);
    setting.in_place(add_to).await?;
    assert_eq!(target.view()?.sum(), 20_000);
    Ok(())
}

pub(crate) async fn arrays_of_the_heap_are_copied(setting: Setting) -> TestResult {
    let worker = start(setting).await?;
    let values = array![1i64, 2, 3];
    let sum = || worker.call("arrays", "sum", args![&values]);
    let (six, report) = sum().reported().await?;
    assert_eq!((six.to_string(), report.copied_bytes), ("6".to_owned(), 24));
    assert_eq!(report.copies[0].argument.as_deref(), Some("values"));
    let error = sum().forbid_copies().await.unwrap_err();
    assert!(matches!(
        error.failure().map(|failure| failure.cause()),
        Some(FailureCause::CopyForbidden { argument, .. }) if argument == "values"
    ));

    let mut labels = Array2::<u32>::zeros((4, 4));
    worker.call("arrays", "fill", args![&mut labels, 9]).await?;
    assert_eq!(labels.sum(), 16 * 9);
    let mask = array![true, false, true];
    let sum = worker
        .call("arrays", "masked_sum", args![&values, Some(&mask)])
        .await?;
    assert_eq!(sum.deserialize::<i64>()?, 4);
    Ok(())
}

pub(crate) async fn arrays_change_hands(setting: Setting) -> TestResult {
    let worker = start(setting).await?;
    let mut any = worker.call("arrays", "range", args![50_000]).await?;
    for _ in 0..3 {
        let Value::Tensor(tensor) = any else {
            panic!("an array is expected, not {any}");
        };
        assert_eq!(
            (tensor.dtype(), tensor.shape()),
            (DType::F64, &[50_000][..])
        );
        let identity = tensor.identity();
        let pass_on = worker.call("arrays", "pass_on", args![tensor]);
        any = setting.in_place(pass_on).await?;
        assert!(matches!(
            &any,
            Value::Tensor(tensor) if setting.is_same(tensor.identity(), identity)
        ));
    }
    let passed = any.into_tensor::<f64, Ix1>()?;
    assert_eq!(passed.view()?[2], 16.0);

    let (a, b) = (Tensor::from(array![[1.0, 2.0]]), array![[3.0], [4.0]]);
    let product = worker.call("arrays", "product", args![(&a, &b)]).await?;
    assert_eq!(product.into_tensor::<f64, Ix2>()?.view()?, array![[11.0]]);

    let Value::List(mut ranges) = worker.call("arrays", "ranges", args![5]).await? else {
        panic!("a tuple is expected");
    };
    assert_eq!(ranges.pop().map(|n| n.to_string()).as_deref(), Some("5"));
    let Some(Value::Some(second)) = ranges.pop() else {
        panic!("the second array is there");
    };
    let Value::Tensor(mut second) = *second else {
        panic!("it is an array");
    };
    // What came back is lent on, whatever its type.
    let sum = worker
        .call("arrays", "take", args![Tensor::from(array![0.5])])
        .await?;
    assert_eq!(sum.deserialize::<f64>()?, 0.5);
    let view = second.tensor_view_mut::<f64, Ix1>().expect("its type");
    drop(view);
    let dynamic = AnyTensor::from(second.into_tensor::<f64, Ix1>()?.into_dyn());
    let sum = worker.call("arrays", "checksum", args![&dynamic]).await?;
    assert_eq!(sum.deserialize::<f64>()?, 8.0);
    Ok(())
}

pub(crate) async fn segments_and_cells_are_passed(setting: Setting) -> TestResult {
    let worker = start(setting).await?;
    let (mut source, mut target) = (Segment::zeroed(8)?, Segment::zeroed(8)?);
    source.as_bytes_mut()?.copy_from_slice(b"12345678");
    worker
        .call("arrays", "reverse_bytes", args![&source, &mut target])
        .await?;
    assert_eq!(target.as_bytes()?, b"87654321");
    let Value::Segment(target) = worker.call("arrays", "increment", args![target]).await? else {
        panic!("a segment is expected");
    };
    assert_eq!(target.as_bytes()?, b"97655321");

    let cell = worker.cell(7u64)?;
    let wrong = worker.cell(7u32)?;
    worker.call("values", "count_up", args![&cell, 5]).await?;
    assert_eq!(cell.load(), 12);
    assert_eq!(
        mismatch(worker.call("values", "count_up", args![&wrong, 5])).await,
        "`counter` doesn't fit: a shared cell of u64 is expected, not a shared cell of u32"
    );
    Ok(())
}

pub(crate) async fn services_are_called(setting: Setting) -> TestResult {
    let worker = start(setting).await?;
    let keeper = worker
        .call("keeper", "new", args!["kept"])
        .await?
        .into_instance()?;
    let values = Tensor::from(array![1.0, 2.0]);
    let none = worker
        .call("keeper", "keep", args! { self: &keeper, values: values })
        .await?;
    assert!(matches!(none, Value::None));
    let more = array![4.0];
    let sum = worker
        .call("keeper", "sum", args![&keeper, Some(&more)])
        .await?;
    assert_eq!(sum.deserialize::<f64>()?, 7.0);
    let error = worker.call("keeper", "new", args![""]).await.unwrap_err();
    assert_eq!(error.to_string(), "NoLabel");

    let other = start(setting).await?;
    assert_eq!(
        mismatch(other.call("keeper", "label", args![&keeper])).await,
        format!("the instance is one of worker `{}`", worker.name())
    );
    assert_eq!(
        mismatch(worker.call("keeper", "label", args![7])).await,
        "`self` doesn't fit: instance is expected, not the integer 7"
    );

    let gates = Gates::new();
    let dropped = gates.make("dropped");
    let path = dropped.to_str().expect("a path of the test's").to_owned();
    let watched = worker
        .call("keeper", "watched", args![path])
        .await?
        .into_instance()?;
    let label = worker.call("keeper", "label", args![watched]);
    assert_eq!(label.await?.deserialize::<String>()?, "watched");
    gate::pass(&dropped).await;
    Ok(())
}

pub(crate) async fn a_call_without_a_stub_can_block(setting: Setting) -> TestResult {
    let worker = reedbed::blocking::Worker::from_async(start(setting).await?);
    let quotient = tokio::task::spawn_blocking(move || {
        let names = worker.interfaces()?.len();
        assert!(names > 3);
        worker
            .call("values", "divide", args![9, 2])
            .map_err(|error| error.to_string().into())
    });
    let quotient: std::result::Result<_, Box<dyn std::error::Error + Send + Sync>> =
        quotient.await?;
    assert_eq!(
        quotient
            .map_err(|error| error.to_string())?
            .deserialize::<i64>()?,
        4
    );
    Ok(())
}
