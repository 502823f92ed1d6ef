//! Arrays as arguments: what is lent, what is copied, and what the worker sees.

use ndarray::{Array1, Array2, Array3, Axis, Ix0, Ix1, Ix2, Ix3, arr0, array, s};
use reedbed::{CallError, CopyReason, FailureCause, Segment, Tensor};
use reedbed_tests::modules::arrays;
use reedbed_tests::modules::arrays::ArrayError;
use reedbed_tests::setting::Setting;

use crate::{TestResult, import};

pub(crate) async fn an_array_is_lent(setting: Setting) -> TestResult {
    let (_worker, arrays) = import::<arrays::Client>(setting).await?;
    let values = Tensor::from(Array1::from_iter(0..100_000i64));
    for _ in 0..3 {
        let (sum, report) = arrays.sum(&values).reported().await?;
        assert_eq!(sum, 4_999_950_000);
        setting.check(&report, 800_000, 0);
    }
    assert_eq!(values.view()?[7], 7);
    Ok(())
}

pub(crate) async fn an_array_is_filled_in_place(setting: Setting) -> TestResult {
    let (_worker, arrays) = import::<arrays::Client>(setting).await?;
    let mut labels = Tensor::<u32, Ix2>::zeros((300, 200))?;
    assert_eq!(arrays.fill(&mut labels, 5).await?, 60_000);
    assert!(labels.view()?.iter().all(|label| *label == 5));
    let ones = Tensor::<u32, Ix2>::from_elem((300, 200), 1)?;
    let (_, report) = arrays.add_to(&ones, &mut labels).reported().await?;
    assert!(labels.view()?.iter().all(|label| *label == 6));
    setting.check(&report, 480_000, 0);
    labels.view_mut()?.fill(0);
    Ok(())
}

pub(crate) async fn heap_arrays_are_copied_there_and_back(setting: Setting) -> TestResult {
    let (_worker, arrays) = import::<arrays::Client>(setting).await?;
    let values = array![1i64, 2, 3];
    let (sum, report) = arrays.sum(&values).reported().await?;
    assert_eq!((sum, report.shared_bytes, report.copied_bytes), (6, 0, 24));
    assert_eq!(report.copies[0].argument.as_deref(), Some("values"));
    assert_eq!(report.copies[0].reason, CopyReason::HeapArgument);
    assert_eq!(arrays.sum(values.slice(s![1..])).await?, 5);

    let mut labels = Array2::<u32>::zeros((4, 4));
    let (_, report) = arrays
        .fill(labels.slice_mut(s![1..3, ..]), 9)
        .reported()
        .await?;
    assert_eq!(report.copied_bytes, 2 * 32, "there and back");
    assert_eq!(labels.sum(), 8 * 9);
    Ok(())
}

pub(crate) async fn copies_can_be_forbidden(setting: Setting) -> TestResult {
    let (_worker, arrays) = import::<arrays::Client>(setting).await?;
    let error = arrays.sum(&array![1i64]).forbid_copies().await.unwrap_err();
    assert!(error.is_retryable());
    assert!(matches!(
        error.failure().map(|failure| failure.cause()),
        Some(FailureCause::CopyForbidden {
            argument,
            size_bytes: 8,
            ..
        }) if argument == "values"
    ));
    let values = Tensor::from(array![1i64, 2]);
    let sum = arrays.sum(&values).forbid_copies().await;
    match setting.capabilities().shares_memory {
        true => assert_eq!(sum?, 3),
        false => assert!(sum.unwrap_err().is_retryable()),
    }
    Ok(())
}

pub(crate) async fn options_and_tuples_hold_arrays(setting: Setting) -> TestResult {
    let (_worker, arrays) = import::<arrays::Client>(setting).await?;
    let values = Tensor::from(array![1i64, 10, 100]);
    assert_eq!(arrays.masked_sum(&values, None).await?, 111);
    let mask = array![true, false, true];
    assert_eq!(arrays.masked_sum(&values, Some((&mask).into())).await?, 101);
    let mask = Tensor::from(mask);
    assert_eq!(arrays.masked_sum(&values, Some((&mask).into())).await?, 101);

    let (a, b) = (Tensor::from(array![[1.0, 2.0]]), array![[3.0], [4.0]]);
    let product = arrays.product(((&a).into(), (&b).into())).await?;
    assert_eq!(product.view()?, array![[11.0]]);
    Ok(())
}

pub(crate) async fn two_halves_are_filled_at_once(setting: Setting) -> TestResult {
    let (_worker, arrays) = import::<arrays::Client>(setting).await?;
    let mut labels = Tensor::<u32, Ix2>::zeros((10, 10))?;
    let (upper, lower) = labels.tensor_view_mut().split_at(Axis(0), 4);
    let (first, second) = futures::join!(arrays.fill(upper, 1), arrays.fill(lower, 2));
    assert_eq!((first?, second?), (40, 60));
    assert_eq!(labels.view()?.sum(), 40 + 120);
    Ok(())
}

pub(crate) async fn any_strides_travel(setting: Setting) -> TestResult {
    let (_worker, arrays) = import::<arrays::Client>(setting).await?;
    let array = Array3::from_shape_fn((3, 4, 5), |(i, j, k)| (100 * i + 10 * j + k) as f64);
    let tensor = Tensor::from(&array);
    let expected = |view: ndarray::ArrayView<'_, f64, _>| -> f64 {
        view.into_dyn()
            .iter()
            .zip(1u32..)
            .map(|(value, place)| value * f64::from(place))
            .sum()
    };
    let whole = tensor.tensor_view();
    let reversed = || array.slice(s![..;-1, 1..;2, ..;-2]);
    let (sum, report) = arrays
        .checksum(tensor.slice(s![..;-1, 1..;2, ..;-2]).into_dyn())
        .reported()
        .await?;
    assert_eq!(sum, expected(reversed()));
    setting.check(&report, 8 * 3 * 2 * 3, 0);
    let transposed = whole.clone().reversed_axes().into_dyn();
    assert_eq!(
        arrays.checksum(transposed).await?,
        expected(array.view().reversed_axes())
    );
    let permuted = whole.clone().permuted_axes([2, 0, 1]).into_dyn();
    assert_eq!(
        arrays.checksum(permuted).await?,
        expected(array.view().permuted_axes([2, 0, 1]))
    );
    let row = tensor.slice(s![1, 2, ..]);
    let repeated = row.broadcast((7, 5)).expect("the shapes agree").into_dyn();
    let theirs = array.slice(s![1, 2, ..]);
    let ours = theirs
        .broadcast((7, 5))
        .expect("the shapes agree")
        .to_owned();
    assert_eq!(
        arrays.checksum(repeated).await?,
        ours.iter()
            .zip(1u32..)
            .map(|(value, place)| value * f64::from(place))
            .sum::<f64>()
    );

    let mut columns = Tensor::<u32, Ix2>::zeros((4, 6))?;
    arrays.fill(columns.slice_mut(s![..;-1, ..;2]), 3).await?;
    assert_eq!(columns.view()?.sum(), 36);
    assert_eq!(columns.view()?.column(1).sum(), 0);
    Ok(())
}

pub(crate) async fn empty_and_scalar_arrays_travel(setting: Setting) -> TestResult {
    let (_worker, arrays) = import::<arrays::Client>(setting).await?;
    assert_eq!(arrays.sum(&Tensor::<i64, Ix1>::zeros(0)?).await?, 0);
    let mut nothing = Tensor::<u32, Ix2>::zeros((5, 0))?;
    assert_eq!(arrays.fill(&mut nothing, 1).await?, 0);
    let scalar = Tensor::<f64, Ix0>::from(arr0(2.5));
    assert_eq!(arrays.checksum(scalar.tensor_view().into_dyn()).await?, 2.5);
    let empty = Tensor::<f64, Ix3>::zeros((2, 0, 3))?;
    assert_eq!(arrays.checksum(empty.tensor_view().into_dyn()).await?, 0.0);
    assert_eq!(arrays.range(0).await?.shape(), [0]);
    Ok(())
}

pub(crate) async fn frozen_tensors_have_many_readers(setting: Setting) -> TestResult {
    let (_worker, arrays) = import::<arrays::Client>(setting).await?;
    let frozen = Tensor::from(array![1i64, 2, 3])
        .freeze()
        .map_err(|(error, _)| error)?;
    let other = frozen.clone();
    let (first, second) = futures::join!(arrays.sum(&frozen), arrays.sum(&other));
    assert_eq!((first?, second?), (6, 6));
    assert_eq!(frozen.view()?.len(), 3);
    let frozen = frozen.thaw().expect_err("another clone exists");
    drop(other);
    frozen.thaw().expect("the last one").view_mut()?.fill(0);
    Ok(())
}

pub(crate) async fn segments_travel_bare(setting: Setting) -> TestResult {
    let (_worker, arrays) = import::<arrays::Client>(setting).await?;
    let mut source = Segment::zeroed(100_000)?;
    source
        .as_bytes_mut()?
        .copy_from_slice(&(0..=255u8).cycle().take(100_000).collect::<Vec<_>>());
    let mut target = Segment::zeroed(100_000)?;
    let (result, report) = arrays
        .reverse_bytes(&source, &mut target)
        .reported()
        .await?;
    let () = result;
    setting.check(&report, 200_000, 0);
    assert!(target.as_bytes()?.iter().rev().eq(source.as_bytes()?));

    let mut short = Segment::zeroed(99)?;
    match arrays.reverse_bytes(&source, &mut short).await {
        Err(CallError::Returned(ArrayError::Segment(what))) => {
            assert_eq!(what, "100000 bytes don't fit 99");
        }
        other => panic!("the function's own error is expected, not {other:?}"),
    }

    let identity = target.identity();
    target.as_slice_mut::<u32>()?.fill(6);
    let incremented = arrays.increment(target).await?;
    assert!(setting.is_same(incremented.identity(), identity));
    assert!(incremented.as_slice::<u32>()?.iter().all(|word| *word == 7));
    let tensor = incremented
        .into_tensor::<u32, _>((250, 100))
        .expect("the bytes fit");
    assert_eq!(tensor.view()?.sum(), 7 * 25_000);
    Ok(())
}
