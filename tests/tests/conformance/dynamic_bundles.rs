//! Calls without a stub that take and return bundles, the errors among them: they send and return what
//! the typed stub does.

use ndarray::{Array2, Ix1, Ix2, array};
use reedbed::dynamic::Value;
use reedbed::{AccessError, FailureCause, Tensor, args};
use reedbed_tests::bundles::{JobArg, Origin, PairArg, bundled};
use reedbed_tests::setting::Setting;

use super::dynamic_containers::{Result, assert_same, elements, list, tensor};
use super::dynamic_parts::failure;
use crate::{TestResult, import, start};

fn image() -> Tensor<u16, Ix2> {
    Tensor::from(Array2::from_shape_fn((300, 200), |(row, _)| {
        if row < 100 { 9 } else { 1 }
    }))
}

fn pair<'a>(image: impl Into<Value<'a>>, labels: impl Into<Value<'a>>) -> Value<'a> {
    Value::structure([
        ("labels", labels.into()),
        ("threshold", 5.into()),
        ("image", image.into()),
    ])
}

pub(crate) async fn bundles_are_lent(setting: Setting) -> TestResult {
    let (worker, stub) = import::<bundled::Client>(setting).await?;
    let (image, mut labels) = (image(), Tensor::<u32, Ix2>::zeros((300, 200))?);
    let arguments = args![pair(&image, &mut labels)];
    let call = worker.call("bundled", "label", arguments);
    let (n, report) = setting.in_place(call).reported().await?;
    assert_eq!(n.deserialize::<u32>()?, 20_000);
    setting.check(&report, 300 * 200 * 6, 0);
    assert_eq!(labels.view()?.sum(), 20_000);
    let typed = PairArg {
        image: (&image).into(),
        labels: (&mut labels).into(),
        threshold: 5,
    };
    let (_, typed) = stub.label(typed).reported().await?;
    assert_same(&report, &typed);

    // Copied, in an enum: each array is named as the stub names it.
    let (small, mut copy) = (array![[9u16, 1]], array![[0u32, 7]]);
    let one = Value::variant("One", [("0", pair(&small, &mut copy))]);
    let (counted, report) = worker
        .call("bundled", "work", args![one])
        .reported()
        .await?;
    assert_eq!(counted.deserialize::<(u32, Option<String>)>()?, (1, None));
    assert_eq!(copy, array![[1, 0]]);
    let typed = JobArg::One(PairArg {
        image: (&small).into(),
        labels: (&mut copy).into(),
        threshold: 5,
    });
    let (_, typed) = stub.work(typed).reported().await?;
    assert_same(&report, &typed);
    let name = report.copies[0].argument.as_deref();
    assert_eq!(name, Some("job.One.0.image"));

    let mut other = Tensor::<u32, Ix2>::zeros((300, 200))?;
    let pairs = vec![
        Some(pair(&image, &mut labels)),
        None,
        Some(pair(&image, &mut other)),
    ];
    let many = Value::variant("Many", [("pairs", pairs.into()), ("name", "many".into())]);
    let counted = worker.call("bundled", "work", args![many]).await?;
    let counted: (u32, Option<String>) = counted.deserialize()?;
    assert_eq!(counted, (40_000, Some("many".to_owned())));
    assert_eq!(other.view()?.sum(), 20_000);
    let nothing = args![Value::unit_variant("Nothing")];
    let counted = worker.call("bundled", "work", nothing).await?;
    assert_eq!(counted.to_string(), "[0, None]");

    let arguments = args![pair(&image, &mut labels)];
    let call = worker.call("bundled", "panic_after_labelling", arguments);
    assert!(call.await.is_err());
    assert!(image.view().is_ok());
    if !setting.capabilities().shares_memory {
        assert!(labels.view().is_ok(), "a copy was written");
        return Ok(());
    }
    assert!(matches!(labels.view(), Err(AccessError::Poisoned { .. })));
    let arguments = args![pair(&image, &mut labels)];
    let failure = failure(&worker, ("bundled", "label"), arguments).await;
    assert!(
        matches!(failure.cause(), FailureCause::Access { argument, .. } if argument == "pair.labels"),
        "{failure}"
    );
    Ok(())
}

pub(crate) async fn bundles_change_hands(setting: Setting) -> TestResult {
    let worker = start(setting).await?;
    let (mut made, report) = worker.call("bundled", "made", args![3]).reported().await?;
    setting.check(&report, report.shared_bytes, 0);
    let origin = made.take("origin").expect("a field");
    let expected = Origin {
        author: "test".to_owned(),
        n_images: 3,
    };
    assert_eq!(origin.deserialize::<Origin>()?, expected);
    let Some(Value::Tensor(labels)) = made.take("labels") else {
        panic!("an array");
    };
    let identity = labels.identity();
    let fields = [
        ("labels", labels.into()),
        ("origin", Value::serialize_from(&expected)?),
    ];
    let fields = fields.map(|(name, value): (&str, Value<'_>)| (name.to_owned(), value));
    let Value::Struct(rest) = made else {
        panic!("a struct is expected, not {made}");
    };
    let whole = Value::Struct(rest.into_iter().chain(fields).collect());

    let call = worker.call("bundled", "pass_on", args![whole]);
    let (mut passed, report) = setting.in_place(call).reported().await?;
    setting.check(&report, report.shared_bytes, 0);
    let labels = tensor(passed.take("labels").expect("a field"));
    assert!(setting.is_same(labels.identity(), identity));
    assert_eq!(elements(&labels)?.sum(), 12.0);
    let centres = list(passed.take("centres").expect("a field"));
    assert!(matches!(
        centres[..],
        [Value::Some(_), Value::None, Value::Some(_)]
    ));
    assert!(matches!(
        passed.take("notes"),
        Some(Value::Segment(notes)) if notes.len_bytes() == 4
    ));

    let [many, none, n] = <[_; 3]>::try_from(list(worker.call("bundled", "many", args![4]).await?))
        .expect("three parts");
    let rows = list(many).into_iter().map(|mut one| {
        let labels = tensor(one.take("labels").expect("a field"));
        labels.shape()[0]
    });
    assert!(rows.eq(0..4));
    assert_eq!(
        (none.to_string(), n.to_string()),
        ("None".into(), "4".into())
    );

    // A bundle inside itself.
    let leaf = |n: i64, rest: Vec<Value<'static>>| -> Result<Value<'static>> {
        let piece = Tensor::<i64, Ix1>::from_elem(10, n)?;
        Ok(Value::structure([
            ("piece", piece.into()),
            ("rest", rest.into()),
        ]))
    };
    let tree = leaf(
        1,
        vec![leaf(2, vec![leaf(4, Vec::new())?])?, leaf(3, Vec::new())?],
    )?;
    let total = worker.call("bundled", "total", args![tree]).await?;
    assert_eq!(total.deserialize::<i64>()?, 100);
    Ok(())
}

pub(crate) async fn errors_bring_arrays(setting: Setting) -> TestResult {
    let worker = start(setting).await?;
    let image = Tensor::from(Array2::from_elem((100, 100), true));
    let count = |image| worker.call("bundled", "count", image);
    let n = count(args![&image, 10_000]).await?;
    assert_eq!(n.deserialize::<usize>()?, 10_000);
    let error = count(args![&image, 9]).await.expect_err("too many");
    let mut error = error.into_returned().expect("the function's own error");
    assert!(matches!(&error, Value::Variant { name, .. } if name == "TooMany"));
    let n = error.take("n_objects").expect("a field");
    assert_eq!(n.deserialize::<usize>()?, 10_000);
    // It is the caller's, like any array that was returned.
    let mask = error.take("mask").expect("a field");
    let mut mask = mask.into_tensor::<bool, Ix2>()?;
    mask.view_mut()?.fill(false);
    assert_eq!(count(args![&mask, 0]).await?.to_string(), "0");
    let empty = Array2::from_elem((0, 3), true);
    let error = count(args![&empty, 0]).await.expect_err("it is empty");
    assert_eq!(error.to_string(), "Empty");
    Ok(())
}

pub(crate) async fn copies_inside_can_be_forbidden(setting: Setting) -> TestResult {
    let worker = start(setting).await?;
    let (image, mut labels) = (image(), Array2::<u32>::zeros((300, 200)));
    let arguments = args![pair(&image, &mut labels)];
    let call = worker.call("bundled", "label", arguments).forbid_copies();
    let error = call.await.expect_err("the labels would be copied");
    let first = match setting.capabilities().shares_memory {
        true => "pair.labels",
        false => "pair.image",
    };
    assert!(
        matches!(
            error.failure().map(|failure| failure.cause()),
            Some(FailureCause::CopyForbidden { argument, .. }) if argument == first
        ),
        "{error}"
    );
    Ok(())
}
