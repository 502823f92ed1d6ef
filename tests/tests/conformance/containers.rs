//! Arrays in lists, maps and boxes.

use std::collections::{BTreeMap, HashMap};

use ndarray::{Array1, Array2, Ix1, Ix2, array};
use reedbed::{
    AccessError, Arg, CallError, Copy, CopyReason, FailureCause, Segment, Tensor, Trust,
};
use reedbed_tests::containers::stacks;
use reedbed_tests::modules::arrays;
use reedbed_tests::setting::Setting;

use crate::{TestResult, import};

fn lent<'a, A, D, T>(arrays: &'a [T]) -> Vec<Arg<'a, A, D>>
where
    Arg<'a, A, D>: From<&'a T>,
{
    arrays.iter().map(Arg::from).collect()
}

pub(crate) async fn a_list_is_lent(setting: Setting) -> TestResult {
    let (_worker, containers) = import::<stacks::Client>(setting).await?;
    let tensors: Vec<_> = (0..5)
        .map(|n| Tensor::from(Array1::from_elem(1000, n)))
        .collect();
    let (sums, report) = containers.sums(lent(&tensors)).reported().await?;
    assert_eq!(sums, [0, 1000, 2000, 3000, 4000]);
    setting.check(&report, 40_000, 0);

    // Of the heap, small and large, and of segments, in one list.
    let (small, large) = (array![1i64, 2], Array1::from_elem(100_000, 1i64));
    let mixed = vec![(&small).into(), (&large).into(), (&tensors[1]).into()];
    let (sums, report) = containers.sums(mixed).reported().await?;
    assert_eq!(sums, [3, 100_000, 1000]);
    setting.check(&report, 8000, 800_016);
    let heap = |copy: &Copy| copy.reason == CopyReason::HeapArgument;
    let copies = report.copies.into_iter().filter(heap);
    let named: Vec<_> = copies.map(|copy| copy.argument).collect();
    assert_eq!(
        named,
        [Some("rows[0]".to_owned()), Some("rows[1]".to_owned())]
    );

    assert_eq!(containers.sums(Vec::new()).await?, [0i64; 0]);
    Ok(())
}

pub(crate) async fn a_list_is_filled_in_place(setting: Setting) -> TestResult {
    let (_worker, containers) = import::<stacks::Client>(setting).await?;
    let mut tensors: Vec<_> = (0..3)
        .map(|_| Tensor::<u32, Ix1>::zeros(50_000))
        .collect::<Result<_, _>>()?;
    let mut heap = Array1::<u32>::zeros(7);
    let mut rows: Vec<_> = tensors.iter_mut().map(Into::into).collect();
    rows.push((&mut heap).into());
    let (n, report) = containers.number(rows).reported().await?;
    assert_eq!(n, 4);
    setting.check(&report, 600_000, 56);
    for (place, tensor) in (0..).zip(&tensors) {
        assert!(tensor.view()?.iter().all(|element| *element == place));
    }
    assert_eq!(heap, Array1::from_elem(7, 3));

    let rows = tensors.iter_mut().map(Into::into).collect();
    assert!(containers.panic_at_the_last(rows).await.is_err());
    for tensor in &tensors {
        if !setting.capabilities().shares_memory {
            assert!(tensor.view().is_ok(), "a copy was written");
            continue;
        }
        let poisoned = tensor.view().expect_err("the function panicked");
        assert!(
            matches!(poisoned, AccessError::Poisoned { .. }),
            "{poisoned}"
        );
    }
    Ok(())
}

pub(crate) async fn a_thousand_tensors_go_there_and_back(setting: Setting) -> TestResult {
    let (_worker, containers) = import::<stacks::Client>(setting).await?;
    let tensor = |n| Tensor::<u16, Ix2>::from_elem((2, 3), n);
    let stack: Vec<_> = (0..1000).map(tensor).collect::<Result<_, _>>()?;
    let first = stack[0].identity();
    let (turned, report) = containers.turn(stack).reported().await?;
    setting.check(&report, 24_000, 0);
    assert_eq!(turned.len(), 1000);
    assert!(setting.is_same(turned[999].identity(), first));
    for (tensor, n) in turned.iter().rev().zip(0..) {
        assert_eq!(tensor.view()?[[1, 2]], n);
    }
    assert_eq!(containers.take(turned).await?, 6000);

    let singles = containers.singles(1000).await?;
    assert_eq!(singles.len(), 1000);
    assert_eq!(singles[999].view()?[0], 999);
    Ok(())
}

pub(crate) async fn more_arrays_than_negotiated_are_not_sent(setting: Setting) -> TestResult {
    let (_worker, containers) = import::<stacks::Client>(setting).await?;
    let tensor = |n| Tensor::<u16, Ix2>::from_elem((1, 1), n);
    let stack: Vec<_> = (0..1025).map(tensor).collect::<Result<_, _>>()?;
    let Err(CallError::Failed(mut failure)) = containers.turn(stack).await else {
        panic!("1025 arrays are too many");
    };
    let message = failure.to_string();
    assert!(failure.is_retryable(), "{message}");
    assert!(
        message.contains("1025 arrays are more than the limit of 1024 at once; pass them"),
        "{message}"
    );
    let last: Option<Tensor<u16, Ix2>> = failure.reclaim("stack[1024]");
    assert_eq!(last.expect("it was not sent").view()?[[0, 0]], 1024);

    let Err(CallError::Failed(failure)) = containers.singles(1025).await else {
        panic!("1025 arrays are too many");
    };
    let message = failure.to_string();
    assert!(
        message.contains("the result could not be sent: 1025"),
        "{message}"
    );
    assert_eq!(containers.singles(3).await?.len(), 3);
    Ok(())
}

pub(crate) async fn what_could_not_be_sent_comes_back(setting: Setting) -> TestResult {
    let (_worker, containers) = import::<stacks::Client>(setting).await?;
    // One that is trusted, whatever the other is: it poisons.
    let trusted = Setting {
        trust: Trust::Trusted,
        ..setting
    };
    let (_other, arrays) = import::<arrays::Client>(trusted).await?;
    let mut stack = Vec::new();
    for n in 0..3u32 {
        let mut tensor = Tensor::<u32, Ix2>::from_elem((1, 1), n)?;
        if n == 1 {
            assert!(arrays.panic_after_writing(&mut tensor, 7).await.is_err());
        }
        stack.push(tensor);
    }
    // The second one is poisoned; the one behind it comes back as well as the one before it.
    let Err(CallError::Failed(mut failure)) = containers.keep(stack).await else {
        panic!("one of them is poisoned");
    };
    assert!(failure.is_retryable());
    let FailureCause::Access { argument, .. } = failure.cause() else {
        panic!("{failure}");
    };
    assert_eq!(argument, "stack[1]");
    for n in [2, 0, 1] {
        let tensor: Option<Tensor<u32, Ix2>> = failure.reclaim(&format!("stack[{n}]"));
        assert!(tensor.is_some(), "stack[{n}]");
    }
    Ok(())
}

pub(crate) async fn copies_in_a_list_can_be_forbidden(setting: Setting) -> TestResult {
    let (_worker, containers) = import::<stacks::Client>(setting).await?;
    let (tensor, small) = (Tensor::from(array![1i64, 2]), array![3i64]);
    let rows = vec![(&tensor).into(), (&small).into()];
    let Err(CallError::Failed(failure)) = containers.sums(rows).forbid_copies().await else {
        panic!("the second array would be copied");
    };
    let FailureCause::CopyForbidden {
        argument,
        size_bytes,
        ..
    } = failure.cause()
    else {
        panic!("{failure}");
    };
    let first = match setting.capabilities().shares_memory {
        true => ("rows[1]", 8),
        false => ("rows[0]", 16),
    };
    assert_eq!((argument.as_str(), *size_bytes), first);
    Ok(())
}

pub(crate) async fn fixed_numbers_and_maps_hold_arrays(setting: Setting) -> TestResult {
    let (_worker, containers) = import::<stacks::Client>(setting).await?;
    let channel = Tensor::from(array![1f32, 2.0]);
    let weight = array![10f32, 100.0];
    let channels = [(&channel).into(), (&channel).into(), (&channel).into()];
    let weights = HashMap::from([("green".to_owned(), (&weight).into())]);
    let mixed = containers.mix(channels, weights).await?;
    assert_eq!(mixed.view()?, array![12f32, 204.0]);

    let image = array![[5u8, 5], [9, 5]];
    let masks = containers.split(&image).await?.expect("two masks");
    let keys: Vec<_> = masks.keys().copied().collect();
    assert_eq!(keys, [5, 9]);
    let (mask, n_pixels) = &masks[&9];
    assert_eq!(mask.view()?, array![[false, false], [true, false]]);
    assert_eq!(*n_pixels, 1);
    assert!(containers.split(&Array2::zeros((0, 4))).await?.is_none());
    Ok(())
}

pub(crate) async fn containers_lie_inside_one_another(setting: Setting) -> TestResult {
    let (_worker, containers) = import::<stacks::Client>(setting).await?;
    let tiles = || -> Result<_, reedbed::ShmExhausted> {
        let tile = |n| Tensor::<f64, Ix1>::from_elem(3, n).map(Box::new);
        Ok(BTreeMap::from([
            ("left".to_owned(), vec![Some(tile(1.0)?), None]),
            ("right".to_owned(), vec![None, Some(tile(2.0)?)]),
        ]))
    };
    let picked = containers.pick(tiles()?, "right").await?;
    assert!(picked[0].is_none());
    assert_eq!(picked[1].as_ref().expect("a tile").view()?.sum(), 6.0);
    let Err(CallError::Returned(name)) = containers.pick(tiles()?, "middle").await else {
        panic!("there is no such name");
    };
    assert_eq!(name, "middle");
    Ok(())
}

pub(crate) async fn lists_of_segments_travel(setting: Setting) -> TestResult {
    let (_worker, containers) = import::<stacks::Client>(setting).await?;
    let segment = |byte: u8| -> Result<_, Box<dyn std::error::Error>> {
        let mut segment = Segment::zeroed(3)?;
        segment.as_bytes_mut()?.fill(byte);
        Ok(segment)
    };
    let (first, second) = (segment(1)?, segment(2)?);
    let [joined] = containers
        .join(vec![(&first).into(), (&second).into()])
        .await?;
    assert_eq!(joined.as_bytes()?, [1, 1, 1, 2, 2, 2]);
    Ok(())
}

pub(crate) async fn a_list_is_part_of_the_signature(setting: Setting) -> TestResult {
    let (worker, _) = import::<stacks::Client>(setting).await?;
    let module = worker.describe("stacks").await?.expect("it is served");
    let signature = |name: &str| {
        let function = module
            .functions
            .iter()
            .find(|function| function.name == name);
        function.expect("it is served").signature()
    };
    assert_eq!(
        signature("mix"),
        "mix(channels: array 3<read ndarray<f32, 1>>, weights: map<string, read ndarray<f32, 1>>) \
         -> own ndarray<f32, 1>"
    );
    assert_eq!(
        signature("pick"),
        "pick(tiles: map<string, list<option<own ndarray<f64, 1>>>>, name: string) \
         -> result<list<option<own ndarray<f64, 1>>>, string>"
    );
    assert_eq!(
        signature("split"),
        "split(image: read ndarray<u8, 2>) -> option<map<u8, tuple<own ndarray<bool, 2>, u64>>>"
    );
    Ok(())
}
