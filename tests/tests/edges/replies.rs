//! A worker dies between having a result and saying so.

use ndarray::{Array1, Ix1};
use reedbed::failpoint::{Point, VARIABLE};
use reedbed::{ChannelKind, EndReason, FailureCause, Tensor, Worker};
use reedbed_tests::modules::edges;

use crate::{Segments, TestResult, WORKER, alone};

const LEN: usize = 100_000;
const SIGKILL: i32 = 9;

/// What was lent for writing is poisoned, whatever was written; what was given away is gone, and the
/// result never comes. None of it stays mapped.
async fn dies_at(point: Point, channel: ChannelKind) -> TestResult {
    reedbed::trim_pool();
    let before = Segments::of(0).mapped_here;
    // The first call makes the segments known.
    let worker = Worker::builder(WORKER)
        .channel(channel)
        .env(VARIABLE, format!("{point}:2"))
        .spawn()
        .await?;
    let edges = worker.import::<edges::Client>().await?;
    let read = Tensor::<u8, Ix1>::from_elem(LEN, 1)?;
    let mut written = Tensor::<u8, Ix1>::zeros(LEN)?;
    let given = || Tensor::<u8, Ix1>::from_elem(LEN, 2);
    let first = edges.mix(&read, &mut written, given()?, None).await?;
    assert_eq!(first.view()?, Array1::from_elem(LEN, 3));
    drop(first);
    written.view_mut()?.fill(0);

    let error = edges.mix(&read, &mut written, given()?, None).await;
    let error = error.expect_err("the worker dies");
    let failure = error.failure().expect("not the function's own");
    assert!(!failure.is_retryable(), "the function ran");
    let FailureCause::WorkerDied { end } = failure.cause() else {
        panic!("{failure}");
    };
    assert_eq!(*end.reason(), EndReason::Signalled(SIGKILL));
    worker.ended().await;
    assert!(written.is_poisoned());
    assert_eq!(
        read.view()?,
        Array1::from_elem(LEN, 1),
        "what was read is as it was"
    );

    // None of the worker's segments is mapped here any more.
    reedbed::trim_pool();
    written.recover()?;
    assert_eq!(written.view()?, Array1::from_elem(LEN, 3), "it was written");
    let after = Segments::of(0).mapped_here;
    assert!(
        after <= before + 3,
        "more than the two tensors and small ones: {before}, {after}"
    );
    Ok(())
}

#[tokio::test]
async fn a_result_that_was_never_told_is_an_unknown_outcome() -> TestResult {
    alone(async {
        for channel in [ChannelKind::Ring, ChannelKind::Socket] {
            for point in [Point::Returned, Point::Replying] {
                dies_at(point, channel).await?;
            }
        }
        Ok(())
    })
    .await
}
