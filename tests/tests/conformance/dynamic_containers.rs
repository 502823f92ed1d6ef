//! Calls without a stub whose arrays lie in lists, maps, boxes and bundles: they send and return
//! what the typed stub does, by the same names.

use std::collections::{BTreeMap, HashMap};

use ndarray::{Array1, Array2, ArrayD, Ix1, Ix2, IxDyn, array};
use reedbed::dynamic::{AnyTensor, Arguments, Value};
use reedbed::{
    AccessError, CallFailure, FailureCause, Report, Segment, Tensor, Trust, Worker, args,
};
use reedbed_tests::bundles::bundled;
use reedbed_tests::bundles::{JobArg, Origin, PairArg};
use reedbed_tests::containers::stacks;
use reedbed_tests::setting::Setting;

use crate::{TestResult, import, start};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// The failure of a call, and what it handed back: names and sums, sorted.
async fn failure(
    worker: &Worker,
    (module, function): (&str, &str),
    arguments: Arguments<'_>,
) -> Box<CallFailure> {
    let error = worker.call(module, function, arguments).await;
    let failure = error.expect_err("the call isn't sent").into_returned();
    let failure = failure.expect_err("the function hasn't begun");
    assert!(failure.is_retryable(), "{failure}");
    failure
}

/// The sum of a tensor that a failed call hands back.
fn reclaimed(failure: &mut CallFailure, name: &str) -> Result<f64> {
    let tensor: Option<AnyTensor> = failure.reclaim(name);
    let tensor = tensor.ok_or_else(|| format!("`{name}` comes back from {failure}"))?;
    elements(&tensor).map(|elements| elements.sum())
}

/// The elements of a tensor of a type that converts to `f64`.
fn elements(tensor: &AnyTensor) -> Result<ArrayD<f64>> {
    if let Some(view) = tensor.tensor_view::<f64, IxDyn>() {
        return Ok(view.view()?.to_owned());
    }
    if let Some(view) = tensor.tensor_view::<u16, IxDyn>() {
        return Ok(view.view()?.mapv(f64::from));
    }
    let view = tensor.tensor_view::<u32, IxDyn>();
    let view = view.ok_or("an array of f64, u16 or u32")?;
    Ok(view.view()?.mapv(f64::from))
}

fn list(value: Value<'static>) -> Vec<Value<'static>> {
    match value {
        Value::List(values) => values,
        other => panic!("a list is expected, not {other}"),
    }
}

fn tensor(value: Value<'static>) -> AnyTensor {
    match value {
        Value::Tensor(tensor) => tensor,
        other => panic!("an array is expected, not {other}"),
    }
}

/// Checks that two calls shared and copied the same.
fn assert_same(report: &Report, typed: &Report) {
    assert_eq!(report.shared_bytes, typed.shared_bytes);
    assert_eq!(report.copied_bytes, typed.copied_bytes);
    let named = |report: &Report| -> Vec<_> {
        let copies = report.copies.iter();
        copies
            .map(|copy| (copy.argument.clone(), copy.size_bytes))
            .collect()
    };
    assert_eq!(named(report), named(typed));
}

pub(crate) async fn lists_are_lent(setting: Setting) -> TestResult {
    let (worker, stub) = import::<stacks::Client>(setting).await?;
    let tensors: Vec<_> = (0..5i64)
        .map(|n| Tensor::from(Array1::from_elem(1000, n)))
        .collect();
    let rows: Vec<_> = tensors.iter().collect();
    let call = worker.call("stacks", "sums", args![rows]);
    let (sums, report) = setting.in_place(call).reported().await?;
    let rows = tensors.iter().map(Into::into).collect();
    let (expected, typed) = stub.sums(rows).reported().await?;
    assert_eq!(sums.deserialize::<Vec<i64>>()?, expected);
    setting.check(&report, 40_000, 0);
    assert_same(&report, &typed);

    // Of the heap and of segments, in one list.
    let (small, large) = (array![1i64, 2], Array1::from_elem(100_000, 1i64));
    let mixed: Vec<Value<'_>> = vec![(&small).into(), (&tensors[1]).into(), (&large).into()];
    let call = worker.call("stacks", "sums", args! { rows: mixed });
    let (sums, report) = call.reported().await?;
    let mixed = vec![(&small).into(), (&tensors[1]).into(), (&large).into()];
    let (expected, typed) = stub.sums(mixed).reported().await?;
    assert_eq!(sums.deserialize::<Vec<i64>>()?, expected);
    assert_same(&report, &typed);
    let last = report.copies.last().expect("the heap's are copied");
    assert_eq!(last.argument.as_deref(), Some("rows[2]"));

    let none = worker.call("stacks", "sums", args![Vec::<Value<'_>>::new()]);
    assert_eq!(none.await?.to_string(), "[]");
    Ok(())
}

pub(crate) async fn lists_are_filled_in_place(setting: Setting) -> TestResult {
    let worker = start(setting).await?;
    let mut tensors: Vec<_> = (0..3)
        .map(|_| Tensor::<u32, Ix1>::zeros(50_000))
        .collect::<std::result::Result<_, _>>()?;
    let rows: Vec<_> = tensors.iter_mut().collect();
    let call = worker.call("stacks", "number", args![rows]);
    let (n, report) = setting.in_place(call).reported().await?;
    assert_eq!(n.deserialize::<usize>()?, 3);
    setting.check(&report, 600_000, 0);
    for (place, tensor) in (0..).zip(&tensors) {
        assert!(tensor.view()?.iter().all(|element| *element == place));
    }
    let mut heap = Array1::<u32>::zeros(7);
    let rows: Vec<Value<'_>> = vec![(&mut tensors[0]).into(), (&mut heap).into()];
    let call = worker.call("stacks", "number", args![rows]);
    let (_, report) = call.reported().await?;
    setting.check(&report, 200_000, 56);
    assert_eq!(heap.sum(), 7);

    let rows: Vec<_> = tensors.iter_mut().collect();
    let call = worker.call("stacks", "panic_at_the_last", args![rows]);
    assert!(call.await.is_err());
    for tensor in &tensors {
        match setting.capabilities().shares_memory {
            true => assert!(matches!(tensor.view(), Err(AccessError::Poisoned { .. }))),
            false => assert!(tensor.view().is_ok(), "a copy was written"),
        }
    }
    Ok(())
}

pub(crate) async fn lists_change_hands(setting: Setting) -> TestResult {
    let worker = start(setting).await?;
    let one = |n| Tensor::<u16, Ix2>::from_elem((20, 30), n);
    let stack: Vec<_> = (0..100).map(one).collect::<std::result::Result<_, _>>()?;
    let identities: Vec<_> = stack.iter().map(Tensor::identity).collect();
    let call = worker.call("stacks", "turn", args![stack]);
    let (turned, report) = setting.in_place(call).reported().await?;
    setting.check(&report, 240_000, 0);
    let turned: Vec<_> = list(turned).into_iter().map(tensor).collect();
    let back = turned.iter().rev().map(AnyTensor::identity);
    let mut pairs = back.zip(identities);
    assert!(pairs.all(|(back, before)| setting.is_same(back, before)));
    assert_eq!(elements(&turned[1])?[[19, 29]], 98.0);
    // What came back is given away again, as it is.
    let n = worker.call("stacks", "take", args![turned]).await?;
    assert_eq!(n.deserialize::<usize>()?, 60_000);
    let singles = worker.call("stacks", "singles", args![40]).await?;
    let sums = list(singles).into_iter().map(|single| {
        let single = single.into_tensor::<u32, Ix1>()?;
        Ok(single.view()?.sum())
    });
    assert!(sums.collect::<Result<Vec<_>>>()?.into_iter().eq(0..40));

    let segment = |byte: u8| -> Result<_> {
        let mut segment = Segment::zeroed(3)?;
        segment.as_bytes_mut()?.fill(byte);
        Ok(segment)
    };
    let (first, second) = (segment(1)?, segment(2)?);
    let joined = worker.call("stacks", "join", args![vec![&first, &second]]);
    let joined = list(joined.await?).pop().expect("one segment");
    assert!(matches!(&joined, Value::Segment(joined) if joined.as_bytes()? == [1, 1, 1, 2, 2, 2]));
    Ok(())
}

pub(crate) async fn fixed_numbers_maps_and_boxes_hold_arrays(setting: Setting) -> TestResult {
    let (worker, stub) = import::<stacks::Client>(setting).await?;
    let channel = Tensor::from(Array1::from_elem(5000, 2f32));
    let weight = Tensor::from(Array1::from_elem(5000, 10f32));
    let weights = HashMap::from([("green", &weight)]);
    let arguments = args! { weights: weights, channels: [&channel, &channel, &channel] };
    let call = worker.call("stacks", "mix", arguments);
    let mixed = setting.in_place(call).await?.into_tensor::<f32, Ix1>()?;
    let weights = HashMap::from([("green".to_owned(), (&weight).into())]);
    let channels = [(&channel).into(), (&channel).into(), (&channel).into()];
    let expected = stub.mix(channels, weights).await?;
    assert_eq!(mixed.view()?, expected.view()?);
    assert_eq!(mixed.view()?[4999], 24.0);

    let image = array![[5u8, 5], [9, 5]];
    let masks = worker.call("stacks", "split", args![&image]).await?;
    let Value::Some(masks) = masks else {
        panic!("two masks are expected, not {masks}");
    };
    let Value::Map(masks) = *masks else {
        panic!("a map is expected, not {masks}");
    };
    let expected = stub.split(&image).await?.expect("two masks");
    assert_eq!(masks.len(), expected.len());
    for (key, entry) in masks {
        let (expected, n_expected) = &expected[&key.deserialize::<u8>()?];
        let [mask, n_pixels] = <[_; 2]>::try_from(list(entry)).expect("a pair");
        assert_eq!(n_pixels.deserialize::<usize>()?, *n_expected);
        assert_eq!(mask.into_tensor::<bool, Ix2>()?.view()?, expected.view()?);
    }
    let empty = Array2::<u8>::zeros((0, 4));
    let none = worker.call("stacks", "split", args![&empty]).await?;
    assert!(matches!(none, Value::None));

    let picked = worker.call("stacks", "pick", args![tiles()?, "right"]);
    let mut picked = list(picked.await?);
    let Some(Value::Some(tile)) = picked.pop() else {
        panic!("the second tile is there");
    };
    assert_eq!(tile.into_tensor::<f64, Ix1>()?.view()?.sum(), 6.0);
    assert!(matches!(picked[..], [Value::None]));
    let error = worker.call("stacks", "pick", args![tiles()?, "middle"]);
    let error = error.await.expect_err("there is no such name");
    let name = error.into_returned().expect("the function's own error");
    assert_eq!(name.deserialize::<String>()?, "middle");
    Ok(())
}

type Tiles = BTreeMap<&'static str, Vec<Option<Box<Tensor<f64, Ix1>>>>>;

fn tiles() -> Result<Tiles> {
    let tile = |n| Tensor::<f64, Ix1>::from_elem(3, n).map(Box::new);
    Ok(BTreeMap::from([
        ("left", vec![Some(tile(1.0)?), None]),
        ("right", vec![None, Some(tile(2.0)?)]),
    ]))
}

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

pub(crate) async fn parts_come_back_by_name(setting: Setting) -> TestResult {
    let worker = start(setting).await?;
    let one = |n| Tensor::<u32, Ix2>::from_elem((1, 1), n);
    // The second one is poisoned; the others come back all the same.
    let mut poisoned = one(1)?;
    let arguments = args![&mut poisoned, 7];
    // By one that is trusted, whatever the other is.
    let trusted = Setting {
        trust: Trust::Trusted,
        ..setting
    };
    let other = start(trusted).await?;
    let call = other.call("arrays", "panic_after_writing", arguments);
    assert!(call.await.is_err());
    let stack = args![vec![one(5)?, poisoned, one(6)?]];
    let mut failed = failure(&worker, ("stacks", "keep"), stack).await;
    assert!(
        matches!(failed.cause(), FailureCause::Access { argument, .. } if argument == "stack[1]"),
        "{failed}"
    );
    assert_eq!(reclaimed(&mut failed, "stack[2]")?, 6.0);
    assert_eq!(reclaimed(&mut failed, "stack[0]")?, 5.0);
    assert!(failed.reclaim::<AnyTensor>("stack[1]").is_some());

    // One in the middle doesn't fit.
    let stack: Vec<Value<'_>> = vec![one(5)?.into(), 7.into(), one(6)?.into()];
    let mut failed = failure(&worker, ("stacks", "keep"), args![stack]).await;
    let message = failed.to_string();
    assert!(
        message.ends_with(
            "`stack[1]` doesn't fit: an array of u32 with 2 dimensions, given away (by value), is \
             expected, not the integer 7"
        ),
        "{message}"
    );
    assert_eq!(reclaimed(&mut failed, "stack[2]")?, 6.0);
    assert_eq!(reclaimed(&mut failed, "stack[0]")?, 5.0);

    // In maps; and an argument behind it doesn't fit.
    let mut failed = failure(&worker, ("stacks", "pick"), args![tiles()?, 7]).await;
    assert_eq!(reclaimed(&mut failed, "tiles[\"left\"][0]")?, 3.0);
    assert_eq!(reclaimed(&mut failed, "tiles[\"right\"][1]")?, 6.0);

    // In a bundle with one field too few: `rest` of the inner one.
    let piece = |n| Tensor::<f64, Ix1>::from_elem(1, n);
    let inner = Value::structure([("piece", piece(2.0)?.into())]);
    let tree = Value::structure([("piece", piece(1.0)?.into()), ("rest", vec![inner].into())]);
    let mut failed = failure(&worker, ("bundled", "total"), args![tree]).await;
    assert!(
        failed.to_string().contains("`tree.piece` doesn't fit"),
        "{failed}"
    );
    assert_eq!(reclaimed(&mut failed, "tree.piece")?, 1.0);
    assert_eq!(reclaimed(&mut failed, "tree.rest[0].piece")?, 2.0);

    // In a variant that there isn't.
    let job = Value::variant("Two", [("0", piece(3.0)?.into())]);
    let mut failed = failure(&worker, ("bundled", "work"), args![job]).await;
    assert!(
        failed.to_string().contains("has no variant `Two`"),
        "{failed}"
    );
    assert_eq!(reclaimed(&mut failed, "job.Two.0")?, 3.0);

    // More arrays than a call takes.
    let stack: Vec<_> = (0..1025).map(one).collect::<std::result::Result<_, _>>()?;
    let mut failed = failure(&worker, ("stacks", "keep"), args![stack]).await;
    assert!(
        failed.to_string().contains("1025 arrays are more than"),
        "{failed}"
    );
    assert_eq!(reclaimed(&mut failed, "stack[1024]")?, 1024.0);
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

pub(crate) async fn cells_are_returned(setting: Setting) -> TestResult {
    let worker = start(setting).await?;
    let cell = worker.cell(7u64)?;
    let call = worker.call("cells", "pass_on", args![&cell]);
    let Value::Cells(passed) = call.await? else {
        panic!("a shared cell is expected");
    };
    let passed_on = passed.cell::<u64>().expect("one cell of u64");
    passed_on.fetch_add(1);
    assert_eq!(cell.load(), 8, "it is the same one");
    assert!(passed.cell::<i64>().is_none() && passed.cells::<u64>().is_none());

    // One of the worker's own goes there and back.
    let made = worker.call("cells", "make", args![]).await?;
    let Value::Some(made) = made else {
        panic!("a cell is expected, not {made}");
    };
    let Value::Cells(made) = *made else {
        panic!("a shared cell is expected");
    };
    let sum = worker.call("cells", "add", args![&made, 2.0]).await?;
    assert_eq!(sum.deserialize::<f64>()?, 0.5);
    let made = made.cell::<f64>().expect("one cell of f64");
    assert_eq!(made.load(), 2.5);

    let wrong = worker.call("cells", "add", args![passed, 2.0]).await;
    let message = wrong.expect_err("it isn't one of f64").to_string();
    assert!(
        message.ends_with("a shared cell of f64 is expected, not a shared cell of u64"),
        "{message}"
    );
    Ok(())
}
