//! Arrays that a Python function can return, and some that it can't.

use ndarray::{Array2, array};

use crate::{TestResult, start};

fn expected() -> Array2<f32> {
    array![[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
}

#[tokio::test]
async fn an_ordinary_array_is_copied_in_its_own_order() -> TestResult {
    let (_worker, served) = start!("an_ordinary_array_is_copied_in_its_own_order");
    let (columns, report) = served.result("fortran").reported().await?;
    assert_eq!(
        (columns.view()?, columns.strides()),
        (expected().view(), &[1, 2][..])
    );
    assert_eq!(report.copied_bytes, 24);
    let reversed = served.result("reversed").await?;
    assert_eq!(
        reversed.view()?,
        expected().slice(ndarray::s![..;-1, ..;-1])
    );
    let repeated = served.result("broadcast").await?;
    assert_eq!(repeated.view()?, array![[0.0, 1.0, 2.0], [0.0, 1.0, 2.0]]);
    assert_eq!(served.result("empty").await?.shape(), [2, 0]);
    Ok(())
}

#[tokio::test]
async fn a_shared_array_is_handed_over_with_its_strides() -> TestResult {
    let (_worker, served) = start!("a_shared_array_is_handed_over_with_its_strides");
    let rows = served.result("shared").forbid_copies().await?;
    assert_eq!(
        (rows.view()?, rows.strides()),
        (expected().view(), &[3, 1][..])
    );
    let columns = served.result("shared fortran").forbid_copies().await?;
    assert_eq!(
        (columns.view()?, columns.strides()),
        (expected().view(), &[1, 2][..])
    );
    let reversed = served.result("shared reversed").forbid_copies().await?;
    assert_eq!(
        (reversed.view()?, reversed.strides()),
        (expected().slice(ndarray::s![..;-1, ..;-1]), &[-3, -1][..])
    );
    // Python goes on using this one, so the host has a copy of its own.
    let (kept, report) = served.result("shared and kept").reported().await?;
    assert_eq!((kept.view()?, report.copied_bytes), (expected().view(), 24));
    Ok(())
}

#[tokio::test]
async fn another_result_than_is_declared_is_refused_with_what_to_do() -> TestResult {
    let (_worker, served) = start!("another_result_than_is_declared_is_refused_with_what_to_do");
    for (kind, message) in [
        (
            "objects",
            "an array of Python objects was returned, which can't be shared",
        ),
        (
            "big-endian",
            "an array of >f4 was returned; convert it: `.astype('f4')`",
        ),
        (
            "f64",
            "an array of float64 was returned; convert it: `.astype('f4')`",
        ),
        (
            "rank",
            "an array of 1 dimensions was returned, of shape (3,)",
        ),
        (
            "masked",
            "a masked array was returned; fill it first: `.filled(..)`",
        ),
        ("list", "a list was returned, which is no NumPy array"),
    ] {
        let error = served.result(kind).await.unwrap_err().to_string();
        let declared = format!(
            "the result of `served.result`: `own ndarray<f32, 2>` is declared, and {message}"
        );
        assert!(error.contains(&declared), "{error}");
    }
    assert_eq!(served.result("shared").await?.view()?, expected());
    Ok(())
}

#[tokio::test]
async fn results_beyond_the_budget_are_refused_and_fit_again_later() -> TestResult {
    let test = "results_beyond_the_budget_are_refused_and_fit_again_later";
    let Some(builder) = crate::program(test) else {
        return Ok(());
    };
    let worker = builder.shared_memory(4 << 20).spawn().await?;
    let served: crate::Client = worker.import().await?;
    let first = served.range_of(300_000).await?;
    let error = served.range_of(300_000).await.unwrap_err().to_string();
    assert!(
        error.contains("of the 4194304 bytes that the host gives this worker"),
        "{error}"
    );
    drop(first);
    for n in [300_000, 500_000, 200_000] {
        assert_eq!(served.range_of(n).await?.len(), n);
    }
    Ok(())
}
