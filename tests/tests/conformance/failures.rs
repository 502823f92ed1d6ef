//! Functions that panic, workers that end.

use std::time::Duration;

use ndarray::Ix2;
use reedbed::{CallError, EndReason, Failure, FailureCause, Tensor};
use reedbed_tests::gate::{self, Gates};
use reedbed_tests::modules::arrays::ArrayError;
use reedbed_tests::modules::{arrays, control, values};
use reedbed_tests::setting::{Place, Setting};

use crate::{TestResult, import};

pub(crate) async fn a_panic_is_its_callers_error(setting: Setting) -> TestResult {
    let (worker, control) = import::<control::Client>(setting).await?;
    for call in [
        control.panic("first".to_owned()),
        control.panic_later("second".to_owned()),
    ] {
        let error = call.await.unwrap_err();
        assert!(!error.is_retryable());
        let Some(FailureCause::Remote(refusal)) = error.failure().map(|failure| failure.cause())
        else {
            panic!("a panic is told by the worker, not {error:?}");
        };
        let Failure::Panicked { message, location } = refusal.reason() else {
            panic!("a panic is expected, not {refusal}");
        };
        assert!(message == "first" || message == "second", "{message}");
        assert!(
            location
                .as_ref()
                .is_some_and(|place| place.contains("modules.rs")),
            "{location:?}"
        );
    }
    // The worker lives on.
    let values = worker.import::<values::Client>().await?;
    assert_eq!(values.echo("still here".to_owned()).await?, "still here");
    Ok(())
}

pub(crate) async fn a_panic_poisons_what_it_wrote(setting: Setting) -> TestResult {
    let (_worker, arrays) = import::<arrays::Client>(setting).await?;
    let mut labels = Tensor::<u32, Ix2>::zeros((2, 2))?;
    let error = arrays
        .panic_after_writing(&mut labels, 4)
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("it panicked: told to panic after one element"),
        "{error}"
    );
    assert!(labels.is_poisoned());
    let error = arrays.fill(&mut labels, 1).await.unwrap_err();
    assert!(
        format!("{error:?}").contains("the tensor is poisoned: call of"),
        "{error:?}"
    );
    labels.reset()?;
    assert_eq!(labels.view()?.sum(), 0);
    Ok(())
}

pub(crate) async fn an_error_poisons_nothing(setting: Setting) -> TestResult {
    let (_worker, arrays) = import::<arrays::Client>(setting).await?;
    let mut labels = Tensor::<u32, Ix2>::zeros((2, 2))?;
    match arrays.fail_after_writing(&mut labels, 4).await {
        Err(CallError::Returned(error)) => assert_eq!(error, ArrayError::Told { n_written: 1 }),
        other => panic!("the function's own error is expected, not {other:?}"),
    }
    assert_eq!(labels.view()?[[0, 0]], 4);
    Ok(())
}

pub(crate) async fn a_crash_is_told_to_every_caller(setting: Setting) -> TestResult {
    if !setting.capabilities().isolates_crashes {
        // A crash would take the test along; that is what processes are for.
        assert_eq!(setting.place, Place::Thread);
        return Ok(());
    }
    let (worker, control) = import::<control::Client>(setting).await?;
    let arrays = worker.import::<arrays::Client>().await?;
    let gates = Gates::new();
    let pair = gates.pair();
    let mut labels = Tensor::<u32, Ix2>::zeros((2, 2))?;
    let crash = async {
        gate::pass(&pair.0).await;
        control
            .print("last words".to_owned(), "and errors".to_owned())
            .await?;
        control.crash().await
    };
    let waiting = arrays.fill_in_two_steps(&mut labels, 1, pair.clone());
    let (crashed, waited) = futures::join!(crash, waiting);
    for error in [crashed.unwrap_err(), waited.unwrap_err()] {
        assert!(!error.is_retryable());
        let Some(FailureCause::WorkerDied { end }) = error.failure().map(|failure| failure.cause())
        else {
            panic!("the worker's death is expected, not {error:?}");
        };
        assert_eq!(end.reason(), &EndReason::Signalled(11));
        assert!(
            end.last_lines().iter().any(|line| line == "last words"),
            "{end}"
        );
        assert!(
            end.last_lines().iter().any(|line| line == "and errors"),
            "{end}"
        );
        assert!(error.to_string().contains("signal 11 (SIGSEGV)"), "{error}");
    }
    assert!(labels.is_poisoned());
    labels.recover()?;
    assert_eq!(labels.view()?.sum(), 2, "two of four elements were written");
    Ok(())
}

pub(crate) async fn shutdown_waits_for_calls(setting: Setting) -> TestResult {
    let (worker, control) = import::<control::Client>(setting).await?;
    let gates = Gates::new();
    let pair = gates.pair();
    let call = control.pass(pair.clone());
    let stop = async {
        gate::pass(&pair.0).await;
        let (end, ()) = futures::join!(
            worker.shutdown(Duration::from_secs(60)),
            gate::pass(&pair.1)
        );
        end
    };
    let (seven, end) = futures::join!(call, stop);
    assert_eq!(seven?, 7);
    let expected = match setting.place {
        Place::Process => EndReason::Exited(0),
        Place::Thread => EndReason::Stopped,
    };
    assert_eq!(end.reason(), &expected);
    Ok(())
}

pub(crate) async fn calls_after_the_end_are_not_sent(setting: Setting) -> TestResult {
    let (worker, arrays) = import::<arrays::Client>(setting).await?;
    worker.shutdown(Duration::from_secs(60)).await;
    let values = Tensor::from(ndarray::array![1.0, 2.0]);
    let identity = values.identity();
    let error = arrays.take(values).await.unwrap_err();
    assert!(error.is_retryable());
    let CallError::Failed(mut failure) = error;
    assert!(matches!(failure.cause(), FailureCause::WorkerGone { .. }));
    // What was passed by value comes back.
    let values: Tensor<f64, ndarray::Ix1> = failure.reclaim("values").expect("it was not sent");
    assert_eq!((values.identity(), values.view()?.sum()), (identity, 3.0));
    Ok(())
}

pub(crate) async fn an_argument_over_the_limit_is_not_sent(setting: Setting) -> TestResult {
    let (_worker, values) = import::<values::Client>(setting).await?;
    let error = values.echo_bytes(vec![0; 65 << 20]).await.unwrap_err();
    assert!(error.is_retryable());
    let message = error.to_string();
    assert!(message.contains("`values::echo_bytes`"), "{message}");
    assert!(message.contains("67108864"), "{message}");
    assert_eq!(values.echo_bytes(vec![1, 2]).await?, [1, 2], "the worker is none the wiser");
    Ok(())
}
