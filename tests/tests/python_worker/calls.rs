//! What isn't an array, and what may go wrong.

use ndarray::{Ix2, array};
use reedbed::{CallError, Failure, FailureCause, Tensor, TraceContext};
use reedbed_tests::gate::{self, Gates};

use crate::served::{Colour, Shape, Values};
use crate::{TestResult, start};

#[tokio::test]
async fn values_of_every_kind_travel_both_ways() -> TestResult {
    let (_worker, served) = start!("values_of_every_kind_travel_both_ways");
    let mut values = Values {
        small: -8,
        large: i128::MIN,
        real: 0.25,
        flag: true,
        text: "ö\0".to_owned(),
        data: vec![0, 255],
        path: "/a/b".into(),
        names: [("one".to_owned(), vec![1]), ("none".to_owned(), vec![])].into(),
        maybe: Some(u32::MAX),
        colour: Colour::Green,
        shape: Shape::Circle { radius: 1.5 },
    };
    assert_eq!(served.echo(&values).await?, values);
    (values.maybe, values.colour, values.shape) = (None, Colour::Red, Shape::Nothing);
    assert_eq!(served.echo(&values).await?, values);
    Ok(())
}

#[tokio::test]
async fn optional_arrays_may_be_there() -> TestResult {
    let (_worker, served) = start!("optional_arrays_may_be_there");
    let (values, mask) = (
        Tensor::from(array![1_i64, 2, 3]),
        Tensor::from(array![true, false, true]),
    );
    assert_eq!(served.masked_sum(&values, None).await?, 6);
    assert_eq!(served.masked_sum(&values, Some((&mask).into())).await?, 4);
    Ok(())
}

#[tokio::test]
async fn a_long_text_travels_both_ways() -> TestResult {
    let (_worker, served) = start!("a_long_text_travels_both_ways");
    for n in [65_000, 1_000_000, 5_000_000] {
        let text = "long ".repeat(n / 5);
        assert!(served.echo_text(&text).await? == text);
    }
    Ok(())
}

#[tokio::test]
async fn an_exception_arrives_with_its_type_and_traceback() -> TestResult {
    let (_worker, served) = start!("an_exception_arrives_with_its_type_and_traceback");
    assert_eq!(served.divide(7, 2).await?, 3);
    let CallError::Returned(error) = served.divide(1, 0).await.unwrap_err() else {
        panic!("the function's own error is expected");
    };
    assert_eq!(error.r#type, "ZeroDivisionError");
    assert_eq!(error.message, "integer division or modulo by zero");
    assert!(
        error.traceback.contains("in divide\n    return a // b"),
        "{}",
        error.traceback
    );
    assert!(
        !error.traceback.contains("reedbed_worker.py"),
        "{}",
        error.traceback
    );
    Ok(())
}

#[tokio::test]
async fn an_exception_that_is_not_declared_is_a_panic_with_its_place() -> TestResult {
    let (_worker, served) = start!("an_exception_that_is_not_declared_is_a_panic_with_its_place");
    let error = served.undeclared("a key").await.unwrap_err();
    let Some(FailureCause::Remote(refusal)) = error.failure().map(|failure| failure.cause()) else {
        panic!("a panic is told by the worker, not {error:?}");
    };
    let Failure::Panicked { message, location } = refusal.reason() else {
        panic!("a panic is expected, not {refusal}");
    };
    assert_eq!(message, "KeyError: 'a key'");
    assert!(
        location
            .as_ref()
            .is_some_and(|place| place.contains("served.py:")),
        "{location:?}"
    );
    for what in ["raise", "exit"] {
        let mut labels = Tensor::<u32, Ix2>::zeros((2, 2))?;
        assert!(served.fill_then(&mut labels, 1, what).await.is_err());
        assert!(labels.is_poisoned(), "{what} leaves it half written");
    }
    assert_eq!(served.divide(7, 2).await?, 3, "the worker lives on");
    Ok(())
}

#[tokio::test]
async fn calls_run_at_the_same_time() -> TestResult {
    let (_worker, served) = start!("calls_run_at_the_same_time");
    let (one, other) = futures::join!(served.meet(), served.meet());
    one?;
    other?;
    let many = (0..200).map(|n| {
        let served = &served;
        async move { served.divide(n, 1).await }
    });
    let sums = futures::future::try_join_all(many).await?;
    assert_eq!(sums.iter().sum::<i64>(), 19_900);
    Ok(())
}

#[tokio::test]
async fn python_is_told_of_the_trace() -> TestResult {
    let (_worker, served) = start!("python_is_told_of_the_trace");
    assert_eq!(served.trace().await?, None);
    let trace = TraceContext::new(7 << 100, 1 << 63, false).expect("no number is 0");
    let told = served.trace().trace(trace).await?;
    assert_eq!(told, Some(trace.to_string()));
    Ok(())
}

#[tokio::test]
async fn a_cancelled_call_keeps_its_lease_until_python_has_let_go() -> TestResult {
    let (_worker, served) = start!("a_cancelled_call_keeps_its_lease_until_python_has_let_go");
    let mut labels = Tensor::<u32, Ix2>::zeros((2, 2))?;
    let gates = Gates::new();
    let pair = gates.pair();
    {
        let call = served.wait_until_cancelled(&mut labels, pair.clone());
        futures::pin_mut!(call);
        let begun = gate::pass(&pair.0);
        futures::pin_mut!(begun);
        futures::future::select(call, begun).await;
    }
    assert!(labels.view().is_err(), "Python may still write it");
    gate::pass(&pair.1).await;
    labels.released().await;
    assert!(labels.is_poisoned(), "it was stopped half way");
    labels.recover()?;
    assert_eq!(labels.view()?.sum(), 36);
    Ok(())
}
