//! The borrow checker's rules, where the borrow checker can't see.

use std::future::Future;
use std::path::Path;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use ndarray::{Axis, Ix2};
use reedbed::{AccessError, FailureCause, Tensor};
use reedbed_tests::gate::{self, Gates};
use reedbed_tests::modules::{arrays, control};
use reedbed_tests::setting::Setting;

use crate::{TestResult, import};

/// Checks that an array was not touched that a worker has a copy of, and lets that go on, if it waits
/// at a gate.
async fn is_nobodys(mut labels: Tensor<u32, Ix2>, gate: &Path) -> TestResult {
    assert!(!labels.is_poisoned());
    assert!(labels.view()?.iter().all(|label| *label == 0));
    labels.view_mut()?.fill(1);
    if !gate.ends_with("begun") && !gate.ends_with("dropped") {
        gate::pass(gate).await;
    }
    Ok(())
}

/// Polls a future once.
fn poll_once<F: Future>(future: std::pin::Pin<&mut F>) {
    let is_pending = future
        .poll(&mut Context::from_waker(Waker::noop()))
        .is_pending();
    assert!(is_pending, "the worker waits at a gate");
}

pub(crate) async fn a_lent_array_is_refused_until_the_reply(setting: Setting) -> TestResult {
    let (_worker, arrays) = import::<arrays::Client>(setting).await?;
    let gates = Gates::new();
    let pair = gates.pair();
    let mut labels = Tensor::<u32, Ix2>::zeros((8, 8))?;
    let mut call = Box::pin(arrays.fill_in_two_steps(&mut labels, 3, pair.clone()));
    poll_once(call.as_mut());
    gate::pass(&pair.0).await;
    std::mem::forget(call);
    if !setting.capabilities().shares_memory {
        return is_nobodys(labels, &pair.1).await;
    }

    let message = labels.view().unwrap_err().to_string();
    assert!(
        message.contains("are leased: call of `arrays::fill_in_two_steps` in worker"),
        "{message}"
    );
    assert!(matches!(labels.view_mut(), Err(AccessError::Leased { .. })));
    let error = arrays.fill(&mut labels, 1).await.unwrap_err();
    assert!(error.is_retryable(), "nothing was sent");
    assert!(matches!(
        error.failure().map(|failure| failure.cause()),
        Some(FailureCause::Access { argument, .. }) if argument == "values"
    ));

    gate::pass(&pair.1).await;
    labels.released().await;
    assert!(
        labels.view()?.iter().all(|label| *label == 3),
        "the call ran to its end"
    );
    Ok(())
}

pub(crate) async fn a_dropped_call_keeps_its_lease(setting: Setting) -> TestResult {
    let (_worker, arrays) = import::<arrays::Client>(setting).await?;
    let gates = Gates::new();
    let pair = gates.pair();
    let mut labels = Tensor::<u32, Ix2>::zeros((8, 8))?;
    {
        let mut call = pin!(arrays.fill_in_two_steps(&mut labels, 3, pair.clone()));
        poll_once(call.as_mut());
        gate::pass(&pair.0).await;
    }
    if !setting.capabilities().shares_memory {
        return is_nobodys(labels, &pair.1).await;
    }
    assert!(matches!(labels.view(), Err(AccessError::Leased { .. })));
    gate::pass(&pair.1).await;
    // The function didn't look whether it was cancelled: it ran to its end, and answered.
    labels.released().await;
    assert!(labels.view()?.iter().all(|label| *label == 3));
    Ok(())
}

pub(crate) async fn a_forgotten_call_keeps_its_lease(setting: Setting) -> TestResult {
    let (worker, arrays) = import::<arrays::Client>(setting).await?;
    let gates = Gates::new();
    let pair = gates.pair();
    // Made for the worker, it is lent, whether that is trusted or not.
    let values = worker.zeros::<u64, _>(1000)?;
    let mut call = Box::pin(arrays.pss_while_held(&values, pair.clone()));
    poll_once(call.as_mut());
    gate::pass(&pair.0).await;
    std::mem::forget(call);

    // Lent for reading: reading goes on, writing has to wait.
    assert_eq!(values.view()?.len(), 1000);
    let mut values = values;
    assert!(matches!(
        values.view_mut(),
        Err(AccessError::Leased {
            purpose: "reading",
            ..
        })
    ));
    gate::pass(&pair.1).await;
    values.released().await;
    values.view_mut()?.fill(1);
    Ok(())
}

pub(crate) async fn a_cancelled_write_poisons(setting: Setting) -> TestResult {
    let (_worker, arrays) = import::<arrays::Client>(setting).await?;
    let gates = Gates::new();
    let mut labels = Tensor::<u32, Ix2>::zeros((2, 2))?;
    let gate = gates.make("begun");
    {
        let mut call = pin!(arrays.hang_after_writing(&mut labels, 9, gate.clone()));
        poll_once(call.as_mut());
        gate::pass(&gate).await;
    }
    if !setting.capabilities().shares_memory {
        return is_nobodys(labels, &gate).await;
    }
    labels.released().await;
    assert!(labels.is_poisoned());
    let message = labels.view().unwrap_err().to_string();
    assert!(
        message.contains("poisoned: call of `arrays::hang_after_writing`"),
        "{message}"
    );
    assert!(message.contains("which was cancelled"), "{message}");
    labels.recover()?;
    assert_eq!(labels.view()?[[0, 0]], 9);
    Ok(())
}

pub(crate) async fn an_unpolled_call_leases_nothing(setting: Setting) -> TestResult {
    let (worker, arrays) = import::<arrays::Client>(setting).await?;
    let mut labels = Tensor::<u32, Ix2>::zeros((2, 2))?;
    drop(arrays.fill(&mut labels, 1));
    std::mem::forget(arrays.fill(&mut labels, 1));
    labels.view_mut()?.fill(2);
    assert_eq!(worker.n_calls_in_flight(), 0);
    Ok(())
}

pub(crate) async fn a_leased_tensor_can_be_dropped(setting: Setting) -> TestResult {
    let (_worker, arrays) = import::<arrays::Client>(setting).await?;
    let gates = Gates::new();
    let pair = gates.pair();
    let mut labels = Tensor::<u32, Ix2>::zeros((200, 200))?;
    let mut call = Box::pin(arrays.fill_in_two_steps(&mut labels, 3, pair.clone()));
    poll_once(call.as_mut());
    gate::pass(&pair.0).await;
    std::mem::forget(call);
    if !setting.capabilities().shares_memory {
        return is_nobodys(labels, &pair.1).await;
    }
    let identity = labels.identity();
    drop(labels);
    // Its memory isn't given to the next one while the worker may write it.
    let others: Vec<_> = (0..4)
        .map(|_| Tensor::<u32, Ix2>::zeros((200, 200)))
        .collect::<Result<_, _>>()?;
    assert!(others.iter().all(|other| other.identity() != identity));
    gate::pass(&pair.1).await;
    assert_eq!(arrays.fill(&mut Tensor::zeros((1, 1))?, 0).await?, 1);
    assert!(
        others
            .iter()
            .all(|other| other.view().is_ok_and(|view| view.sum() == 0))
    );
    Ok(())
}

pub(crate) async fn interleaved_halves_are_refused(setting: Setting) -> TestResult {
    let (_worker, arrays) = import::<arrays::Client>(setting).await?;
    let gates = Gates::new();
    let pair = gates.pair();
    let mut labels = Tensor::<u32, Ix2>::zeros((4, 4))?;
    let (left, right) = labels.tensor_view_mut().split_at(Axis(1), 2);
    let mut call = pin!(arrays.fill_in_two_steps(left, 1, pair.clone()));
    poll_once(call.as_mut());
    gate::pass(&pair.0).await;
    if !setting.capabilities().shares_memory {
        // Each call has a copy of its half.
        assert_eq!(arrays.fill(right, 2).await?, 8);
        let (count, ()) = futures::join!(call, gate::pass(&pair.1));
        assert_eq!(count?, 8);
        return Ok(());
    }
    let error = arrays.fill(right, 2).await.unwrap_err();
    assert!(matches!(
        error.failure().map(|failure| failure.cause()),
        Some(FailureCause::Access {
            source: AccessError::Leased { .. },
            ..
        })
    ));
    let (count, ()) = futures::join!(call, gate::pass(&pair.1));
    assert_eq!(count?, 8);
    Ok(())
}

pub(crate) async fn a_deadline_ends_the_wait(setting: Setting) -> TestResult {
    let (_worker, control) = import::<control::Client>(setting).await?;
    assert!(!control.has_deadline().await?);
    let gates = Gates::new();
    let pair = gates.pair();
    let call = control
        .run_until_cancelled(pair.clone())
        .deadline(Duration::from_millis(200));
    let (result, ()) = futures::join!(call, gate::pass(&pair.0));
    let error = result.unwrap_err();
    assert!(!error.is_retryable(), "the function may have done its work");
    let message = error.to_string();
    assert!(
        message.contains("`control::run_until_cancelled`"),
        "{message}"
    );
    assert!(message.contains("no answer came within 200ms"), "{message}");
    // The function has noticed, too.
    gate::pass(&pair.1).await;
    Ok(())
}

pub(crate) async fn an_early_return_poisons(setting: Setting) -> TestResult {
    let (_worker, arrays) = import::<arrays::Client>(setting).await?;
    let gates = Gates::new();
    let mut labels = Tensor::<u32, Ix2>::zeros((2, 2))?;
    let gate = gates.make("dropped");
    {
        let mut call = pin!(arrays.write_until_cancelled(&mut labels, 9, gate.clone()));
        poll_once(call.as_mut());
        gate::pass(&gate).await;
    }
    if !setting.capabilities().shares_memory {
        return is_nobodys(labels, &gate).await;
    }
    labels.released().await;
    assert!(
        labels.is_poisoned(),
        "three of four elements were not written"
    );
    labels.reset()?;

    let gate = gates.make("late");
    let call = arrays.write_until_cancelled(&mut labels, 9, gate.clone());
    let (result, ()) = futures::join!(call.deadline(Duration::from_millis(100)), gate::pass(&gate));
    assert!(
        result
            .unwrap_err()
            .to_string()
            .contains("no answer came within 100ms")
    );
    labels.released().await;
    assert!(labels.is_poisoned());
    Ok(())
}
