//! Functions that panic, workers that end.

use std::time::Duration;

use ndarray::Ix2;
use reedbed::{CallError, Dispatcher, EndReason, Failure, FailureCause, Tensor, Trust};
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
                .is_some_and(|place| place.contains("commands.rs")),
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
    if !setting.capabilities().shares_memory {
        assert_eq!(labels.view()?.sum(), 0, "a copy was written");
        return Ok(());
    }
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
        assert!(error.to_string().contains("signal 11 (SIGSEGV"), "{error}");
    }
    if !setting.capabilities().shares_memory {
        assert_eq!(labels.view()?.sum(), 0, "a copy was written");
        return Ok(());
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
        Place::Thread => EndReason::Stopped,
        _ => EndReason::Exited(0),
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
    assert_eq!(
        values.echo_bytes(vec![1, 2]).await?,
        [1, 2],
        "the worker is none the wiser"
    );
    Ok(())
}

pub(crate) async fn what_was_received_outlives_the_worker(setting: Setting) -> TestResult {
    let (worker, arrays) = import::<arrays::Client>(setting).await?;
    let range = arrays.range(200_000).await?;
    worker.shutdown(Duration::from_secs(60)).await;
    // Whoever gets memory next doesn't get this one's.
    let others: Vec<_> = (0..4)
        .map(|_| Tensor::<f64, ndarray::Ix1>::from_elem(200_000, -1.0))
        .collect::<Result<_, _>>()?;
    assert_eq!(range.view()?[199_999], 199_999.0);
    assert!(
        others
            .iter()
            .all(|other| other.identity() != range.identity())
    );
    Ok(())
}

pub(crate) async fn a_poisoned_half_stays_poisoned(setting: Setting) -> TestResult {
    let (_worker, arrays) = import::<arrays::Client>(setting).await?;
    let mut flags = Tensor::<bool, ndarray::Ix1>::zeros(100)?;
    let (left, right) = flags.tensor_view_mut().split_at(ndarray::Axis(0), 50);
    let gates = Gates::new();
    let pair = gates.pair();
    let right_half = arrays.invert_after(right, pair.clone());
    let left_half = async {
        gate::pass(&pair.0).await;
        let panicked = arrays.panic_after_inverting(left).await;
        gate::pass(&pair.1).await;
        panicked
    };
    let (inverted, panicked) = futures::join!(right_half, left_half);
    assert!(panicked.is_err());
    inverted?;
    if !setting.capabilities().shares_memory {
        let flags = flags.view()?;
        let is_right = |place: usize| place >= 50;
        assert!(
            flags
                .indexed_iter()
                .all(|(place, flag)| *flag == is_right(place))
        );
        return Ok(());
    }
    assert!(
        flags.is_poisoned(),
        "an answer for the other half says nothing of this one"
    );
    flags.recover()?;
    assert!(flags.view()?.iter().all(|flag| *flag));
    Ok(())
}

pub(crate) async fn a_result_over_the_limit_is_an_error(setting: Setting) -> TestResult {
    let (_worker, values) = import::<values::Client>(setting).await?;
    let error = values.zeros(70 << 20).await.unwrap_err();
    assert!(!error.is_retryable(), "the function has run");
    assert!(
        error.to_string().contains("the result could not be sent"),
        "{error}"
    );
    assert_eq!(values.zeros(3).await?, [0, 0, 0]);
    Ok(())
}

pub(crate) async fn what_could_not_be_returned_goes_back(setting: Setting) -> TestResult {
    let (_worker, arrays) = import::<arrays::Client>(setting).await?;
    // A size that no other test of this process uses, so that nobody else takes the memory.
    let n = 300_000
        + 80_000 * setting.place as usize
        + 40_000 * usize::from(setting.dispatcher == Dispatcher::Tarpc)
        + 400_000 * usize::from(setting.trust != Trust::Trusted);
    let given = Tensor::<f64, ndarray::Ix1>::from_elem(n, 1.0)?;
    let identity = given.identity();
    let error = arrays.pass_on_with(given, 70 << 20).await.unwrap_err();
    assert!(
        error.to_string().contains("the result could not be sent"),
        "{error}"
    );
    if !setting.capabilities().shares_memory {
        // The worker had a copy.
        let next = Tensor::<f64, ndarray::Ix1>::zeros(n)?;
        assert_eq!(next.identity(), identity);
        return Ok(());
    }
    // The memory comes back to this process's pool, for one of the next ones of its size.
    let mut others = Vec::new();
    for _ in 0..50 {
        let next = Tensor::<f64, ndarray::Ix1>::zeros(n)?;
        if next.identity() == identity {
            return Ok(());
        }
        others.push(next);
        arrays.sum(&Tensor::zeros(1)?).await?;
    }
    Err("the memory of a result that was not sent is lost".into())
}

pub(crate) async fn more_calls_than_fit_wait_for_room(setting: Setting) -> TestResult {
    let (worker, control) = import::<control::Client>(setting).await?;
    let values = worker.import::<values::Client>().await?;
    let gates = Gates::new();
    let pair = gates.pair();
    let holder = control.pass(pair.clone());
    let flood = async {
        gate::pass(&pair.0).await;
        let tasks: Vec<_> = (0..4)
            .map(|_| {
                let values = values.clone();
                tokio::spawn(async move {
                    let calls = (0..600).map(|index| values.divide(index, 1));
                    futures::future::join_all(calls).await
                })
            })
            .collect();
        for results in futures::future::join_all(tasks).await {
            for (quotient, expected) in results?.into_iter().zip(0..) {
                assert_eq!(quotient?, expected);
            }
        }
        gate::pass(&pair.1).await;
        Ok::<_, Box<dyn std::error::Error>>(())
    };
    let (seven, flooded) = futures::join!(holder, flood);
    flooded?;
    assert_eq!(seven?, 7);
    Ok(())
}

pub(crate) async fn an_empty_slice_stays_inside(setting: Setting) -> TestResult {
    let (_worker, arrays) = import::<arrays::Client>(setting).await?;
    let empty = Tensor::<f64, Ix2>::zeros((0, 1_000_000))?;
    let slice = empty.slice(ndarray::s![.., 500_000..]);
    assert_eq!(slice.shape(), [0, 500_000]);
    assert_eq!(arrays.checksum(slice.into_dyn()).await?, 0.0);
    Ok(())
}

pub(crate) async fn a_function_may_run_its_program_as_a_worker(setting: Setting) -> TestResult {
    let (worker, control) = import::<control::Client>(setting).await?;
    let ran = control.run_itself().await;
    if setting.capabilities().runs_itself {
        let id = ran?;
        assert!(id != std::process::id() && Some(id) != worker.id(), "{id}");
    } else {
        let error = ran.unwrap_err().to_string();
        assert!(
            error.starts_with("a program that runs itself as a worker begins"),
            "{error}"
        );
    }
    Ok(())
}
