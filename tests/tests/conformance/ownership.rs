//! Arrays that change hands.

use ndarray::{Array1, Ix1, array};
use reedbed::Tensor;
use reedbed_tests::modules::arrays;
use reedbed_tests::setting::Setting;

use crate::{TestResult, import};

pub(crate) async fn an_array_is_given_away(setting: Setting) -> TestResult {
    let (_worker, arrays) = import::<arrays::Client>(setting).await?;
    for _ in 0..3 {
        let (sum, report) = arrays
            .take(Tensor::from(Array1::from_elem(50_000, 0.5)))
            .reported()
            .await?;
        assert_eq!(sum, 25_000.0);
        setting.check(&report, 400_000, 0);
    }
    Ok(())
}

pub(crate) async fn an_array_goes_there_and_back(setting: Setting) -> TestResult {
    let (_worker, arrays) = import::<arrays::Client>(setting).await?;
    for n in [3, 50_000] {
        let mut values = Tensor::from(Array1::from_elem(n, 1.0));
        let identity = values.identity();
        for _ in 0..10 {
            let (passed, report) = arrays.pass_on(values).reported().await?;
            setting.check(&report, report.shared_bytes, 0);
            assert!(setting.is_same(passed.identity(), identity));
            values = passed;
        }
        assert!(values.view()?.iter().all(|value| *value == 1024.0));
    }
    Ok(())
}

pub(crate) async fn results_are_tensors(setting: Setting) -> TestResult {
    let (_worker, arrays) = import::<arrays::Client>(setting).await?;
    let (mut range, report) = arrays.range(20_000).reported().await?;
    assert_eq!((range.len(), range.view()?[19_999]), (20_000, 19_999.0));
    setting.check(&report, 160_000, 0);
    range.view_mut()?[0] = 5.0;

    let (heap, report) = arrays.heap_range(10).reported().await?;
    assert_eq!(heap.view()?.sum(), 45.0);
    assert_eq!((report.shared_bytes, report.copied_bytes), (0, 80));

    let (first, second, n) = arrays.ranges(5).await?;
    assert_eq!(
        (first.len(), second.map(|range| range.len()), n),
        (5, Some(3), 5)
    );
    assert!(arrays.ranges(1).await?.1.is_none());
    assert_eq!(arrays.range_or_error(Some(4)).await?.len(), 4);
    assert!(arrays.range_or_error(None).await.is_err());
    Ok(())
}

pub(crate) async fn results_are_recycled(setting: Setting) -> TestResult {
    let (_worker, arrays) = import::<arrays::Client>(setting).await?;
    let mut identities = std::collections::HashSet::new();
    for _ in 0..50 {
        let range = arrays.range(100_000).await?;
        assert_eq!(range.view()?[99_999], 99_999.0);
        identities.insert(range.identity());
    }
    assert!(
        identities.len() < 10,
        "{} segments for one result at a time",
        identities.len()
    );
    Ok(())
}

pub(crate) async fn results_go_on_to_another_worker(setting: Setting) -> TestResult {
    let (_worker, first) = import::<arrays::Client>(setting).await?;
    let (_other_worker, second) = import::<arrays::Client>(setting).await?;
    let range = first.range(30_000).await?;
    let identity = range.identity();
    let checksum = second.checksum(range.tensor_view().into_dyn());
    let (sum, report) = setting.in_place(checksum).reported().await?;
    assert!(sum > 0.0);
    setting.check(&report, 240_000, 0);
    let doubled = second.pass_on(range).await?;
    assert!(setting.is_same(doubled.identity(), identity));
    assert_eq!(doubled.view()?[29_999], 59_998.0);
    // And back into the hands of the one that made it.
    assert_eq!(first.pass_on(doubled).await?.view()?[29_999], 119_996.0);
    Ok(())
}

pub(crate) async fn results_are_lent_back(setting: Setting) -> TestResult {
    let (_worker, arrays) = import::<arrays::Client>(setting).await?;
    let range = arrays.range(1000).await?;
    let expected: f64 = (0..1000u32).map(|i| f64::from(i) * f64::from(i + 1)).sum();
    for _ in 0..3 {
        assert_eq!(
            arrays.checksum(range.tensor_view().into_dyn()).await?,
            expected
        );
    }
    assert_eq!(arrays.take(range).await?, 499_500.0);
    let again: Tensor<f64, Ix1> = arrays.range(10).await?;
    assert_eq!(again.view()?.sum(), 45.0);
    Ok(())
}

pub(crate) async fn a_transposed_result_keeps_its_strides(setting: Setting) -> TestResult {
    let (_worker, arrays) = import::<arrays::Client>(setting).await?;
    let matrix = arrays.transposed(2, 3).await?;
    assert_eq!(matrix.strides(), [1, 3]);
    assert_eq!(matrix.view()?, array![[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]]);
    Ok(())
}
