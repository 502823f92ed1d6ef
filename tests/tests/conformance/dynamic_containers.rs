//! Calls without a stub whose arrays lie in lists, maps and boxes: they send and return what the typed
//! stub does, by the same names.

use std::collections::{BTreeMap, HashMap};

use ndarray::{Array1, Array2, ArrayD, Ix1, Ix2, IxDyn, array};
use reedbed::dynamic::{AnyTensor, Value};
use reedbed::{AccessError, Report, Segment, Tensor, args};
use reedbed_tests::containers::stacks;
use reedbed_tests::setting::Setting;

use crate::{TestResult, import, start};

pub(super) type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// The elements of a tensor of a type that converts to `f64`.
pub(super) fn elements(tensor: &AnyTensor) -> Result<ArrayD<f64>> {
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

pub(super) fn list(value: Value<'static>) -> Vec<Value<'static>> {
    match value {
        Value::List(values) => values,
        other => panic!("a list is expected, not {other}"),
    }
}

pub(super) fn tensor(value: Value<'static>) -> AnyTensor {
    match value {
        Value::Tensor(tensor) => tensor,
        other => panic!("an array is expected, not {other}"),
    }
}

/// Checks that two calls shared and copied the same.
pub(super) fn assert_same(report: &Report, typed: &Report) {
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

pub(super) type Tiles = BTreeMap<&'static str, Vec<Option<Box<Tensor<f64, Ix1>>>>>;

pub(super) fn tiles() -> Result<Tiles> {
    let tile = |n| Tensor::<f64, Ix1>::from_elem(3, n).map(Box::new);
    Ok(BTreeMap::from([
        ("left", vec![Some(tile(1.0)?), None]),
        ("right", vec![None, Some(tile(2.0)?)]),
    ]))
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
