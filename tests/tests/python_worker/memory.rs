//! Where arrays are, and who may write them.

use half::f16;
use ndarray::{ArrayD, Ix1, Ix2, IxDyn, array, s};
use num_complex::{Complex32, Complex64};
use reedbed::{SegmentIdentity, Tensor};
use reedbed_tests::system::MappedAt;

use crate::served::Layout;
use crate::{TestResult, start};

fn assert_is_at(found: Option<MappedAt>, identity: SegmentIdentity, is_writable: bool) {
    let found = found.expect("it is mapped from somewhere");
    let device = (
        rustix::fs::major(identity.device),
        rustix::fs::minor(identity.device),
    );
    assert_eq!(
        (found.inode, found.device, found.is_writable),
        (identity.inode, device, is_writable)
    );
}

#[tokio::test]
async fn numpy_sees_the_hosts_own_memory() -> TestResult {
    let (_worker, served) = start!("numpy_sees_the_hosts_own_memory");
    for shape in [(4, 4), (1000, 1000)] {
        let mut image = Tensor::<u16, Ix2>::zeros(shape)?;
        let identity = image.identity();
        assert_is_at(
            served.where_read(&image).forbid_copies().await?,
            identity,
            false,
        );
        assert_is_at(
            served.where_written(&mut image).forbid_copies().await?,
            identity,
            true,
        );
        assert_is_at(
            served
                .where_read(image.slice(s![1.., ..;-2]))
                .forbid_copies()
                .await?,
            identity,
            false,
        );
    }
    Ok(())
}

#[tokio::test]
async fn what_python_writes_is_in_the_hosts_tensor() -> TestResult {
    let (_worker, served) = start!("what_python_writes_is_in_the_hosts_tensor");
    let mut labels = Tensor::<u32, Ix2>::zeros((3, 4))?;
    let (n, report) = served
        .fill(labels.slice_mut(s![1.., ..;-1]), 7)
        .forbid_copies()
        .reported()
        .await?;
    assert_eq!((n, report.copied_bytes), (8, 0));
    assert_eq!(labels.view()?, array![[0; 4], [7; 4], [7; 4]]);
    // An ordinary array is copied there and back.
    let mut heap = array![[1_u32, 2]];
    served.fill(&mut heap, 8).await?;
    assert_eq!(heap, array![[8, 8]]);
    Ok(())
}

#[tokio::test]
async fn strides_arrive_as_they_are() -> TestResult {
    let (_worker, served) = start!("strides_arrive_as_they_are");
    let values = Tensor::from_shape_fn((3, 4), |(row, column)| (10 * row + column) as f64)?;
    let expect = async |view: reedbed::TensorView<'_, f64, IxDyn>| {
        let expected = {
            let local = view.view()?;
            Layout {
                shape: local.shape().to_vec(),
                strides: local.strides().to_vec(),
                elements: local.iter().copied().collect(),
            }
        };
        assert_eq!(served.layout(view).forbid_copies().await?, expected);
        Ok::<_, Box<dyn std::error::Error>>(())
    };
    expect(values.tensor_view().into_dyn()).await?;
    expect(values.slice(s![..;2, 1..;-1]).into_dyn()).await?;
    expect(values.tensor_view().reversed_axes().into_dyn()).await?;
    expect(
        values
            .slice(s![1, ..])
            .broadcast((3, 4))
            .expect("a row")
            .into_dyn(),
    )
    .await?;
    expect(values.slice(s![1, 2]).into_dyn()).await?;
    assert_eq!(
        served
            .layout(values.slice(s![..0, ..]).into_dyn())
            .await?
            .shape,
        [0, 4]
    );
    Ok(())
}

#[tokio::test]
async fn elements_of_every_type_travel_both_ways() -> TestResult {
    let (_worker, served) = start!("elements_of_every_type_travel_both_ways");
    macro_rules! echo {
        ($function:ident, $($value:expr),+) => {
            let values = ArrayD::from_shape_vec(vec![2, 2], vec![$($value),+])?;
            let tensor = Tensor::from(values.clone());
            assert_eq!(served.$function(&tensor).await?.view()?, values);
            assert_eq!(served.$function(&values).await?.view()?, values);
        };
    }
    echo!(echo_bool, true, false, false, true);
    echo!(echo_u8, 0, 1, 2, u8::MAX);
    echo!(echo_u16, 0, 1, 2, u16::MAX);
    echo!(echo_u32, 0, 1, 2, u32::MAX);
    echo!(echo_u64, 0, 1, 2, u64::MAX);
    echo!(echo_i8, i8::MIN, -1, 2, i8::MAX);
    echo!(echo_i16, i16::MIN, -1, 2, i16::MAX);
    echo!(echo_i32, i32::MIN, -1, 2, i32::MAX);
    echo!(echo_i64, i64::MIN, -1, 2, i64::MAX);
    echo!(
        echo_f16,
        f16::MIN,
        f16::ZERO,
        f16::from_f32(0.1),
        f16::INFINITY
    );
    echo!(echo_f32, f32::MIN, -0.0, 0.1, f32::INFINITY);
    echo!(echo_f64, f64::MIN, -0.0, 0.1, f64::INFINITY);
    let (c32, c64) = (Complex32::new(0.5, -1.0), Complex64::new(0.25, -2.0));
    echo!(echo_c32, c32, -c32, c32 * c32, c32.conj());
    echo!(echo_c64, c64, -c64, c64 * c64, c64.conj());
    Ok(())
}

#[tokio::test]
async fn ownership_moves_in_and_out_and_back() -> TestResult {
    let (_worker, served) = start!("ownership_moves_in_and_out_and_back");
    let n = 100_000;
    let made = served.range_of(n).forbid_copies().await?;
    assert_eq!(made.view()?[n - 1], (n - 1) as f64);
    // Back to the worker, whose memory it is; and what is passed on is the same memory.
    let identity = made.identity();
    let passed = served.pass_on(made).forbid_copies().await?;
    assert_eq!(passed.identity(), identity);
    assert_eq!(
        (passed.view()?[0], passed.view()?[n - 1]),
        (2.0 * (n - 1) as f64, 0.0)
    );
    assert_eq!(
        served.take(passed).forbid_copies().await?,
        (n * (n - 1)) as f64
    );

    let own = Tensor::<f64, Ix1>::from_elem(n, 0.5)?;
    let identity = own.identity();
    served.keep(own).forbid_copies().await?;
    served.nothing().await?;
    let back = served.give_back().forbid_copies().await?;
    assert_eq!(
        (back.identity(), back.view()?.sum()),
        (identity, n as f64 / 2.0)
    );
    served.keep(back).await?;
    served.drop_all().await?;
    Ok(())
}

#[tokio::test]
async fn a_view_that_is_kept_fails_the_call_and_names_the_argument() -> TestResult {
    let (_worker, served) = start!("a_view_that_is_kept_fails_the_call_and_names_the_argument");
    let mut image = Tensor::<u16, Ix2>::zeros((100, 100))?;
    let error = served.keep_read(&image).await.unwrap_err().to_string();
    assert!(
        error.contains("`served.keep_read` keeps a view of its argument `image`, which it was lent until it returns; keep a copy: `image.copy()`"),
        "{error}"
    );
    image.view_mut()?.fill(1);
    // What only garbage refers to isn't kept.
    assert_eq!(served.keep_in_a_cycle(&image).await?, 1);
    Ok(())
}

#[tokio::test]
async fn a_writable_view_that_is_kept_is_cut_off_from_the_hosts_memory() -> TestResult {
    let (_worker, served) = start!("a_writable_view_that_is_kept_is_cut_off_from_the_hosts_memory");
    let mut labels = Tensor::<u32, Ix2>::zeros((100, 100))?;
    let error = served
        .keep_written(&mut labels, 3)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("`served.keep_written` keeps a view of its argument `image`"),
        "{error}"
    );
    assert!(!labels.is_poisoned());
    assert_eq!(labels.view()?.sum(), 30_000);
    // The view that was kept sees what it saw, and writes where nobody looks.
    assert_eq!(served.scribble().await?, 3);
    assert_eq!(labels.view()?.sum(), 30_000);
    // The same memory can be lent again.
    assert_eq!(served.fill(&mut labels, 4).await?, 10_000);
    assert_eq!(served.scribble().await?, 666);
    assert_eq!(labels.view()?.sum(), 40_000);
    Ok(())
}

#[tokio::test]
async fn nothing_is_left_of_a_thousand_calls() -> TestResult {
    let (worker, served) = start!("nothing_is_left_of_a_thousand_calls");
    let values = Tensor::<u8, Ix1>::from_elem(100_000, 1)?;
    let round = async || {
        assert_eq!(served.total(&values).await?, 100_000);
        assert_eq!(served.range_of(50_000).await?.view()?[1], 1.0);
        Ok::<_, Box<dyn std::error::Error>>(())
    };
    for _ in 0..50 {
        round().await?;
    }
    let host = std::process::id();
    let open = (served.descriptors().await?, served.segments().await?);
    let names = reedbed_names();
    for _ in 0..1000 {
        round().await?;
    }
    assert_eq!(
        (served.descriptors().await?, served.segments().await?),
        open
    );
    let guest = worker.id().expect("a process");
    assert_eq!(
        reedbed_tests::system::segment_descriptors(guest),
        0,
        "descriptors are closed after mapping"
    );
    assert!(reedbed_tests::system::segment_mappings(host) < 200);
    assert_eq!(reedbed_names(), names, "memory has no names");
    Ok(())
}

/// The names in `/dev/shm` that could be ours.
fn reedbed_names() -> Vec<std::ffi::OsString> {
    let names = std::fs::read_dir("/dev/shm")
        .into_iter()
        .flatten()
        .flatten();
    names
        .map(|entry| entry.file_name())
        .filter(|name| name.to_string_lossy().contains("reedbed-python"))
        .collect()
}
