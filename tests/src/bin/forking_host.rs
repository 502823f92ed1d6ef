//! A host that forks without exec. The child uses and drops what it has a copy of, and exits; then the
//! parent goes on with what it had.

use std::error::Error;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Waker};
use std::time::Duration;

use ndarray::{Array1, Ix1};
use reedbed::{ChannelKind, FailureCause, Tensor, Worker};
use reedbed_tests::gate::{self, Gates};
use reedbed_tests::modules::edges;
use rustix::process::{Pid, WaitOptions, waitpid};

type Outcome = Result<(), Box<dyn Error>>;

/// How often it forks.
const N_CHILDREN: usize = 10;

/// Splits this process in two; `None` in the child.
fn fork() -> Option<Pid> {
    // SAFETY: the child calls nothing that waits for another thread of the parent's, which it doesn't
    // have; the C library keeps its own locks usable across `fork`.
    let number = unsafe { libc::fork() };
    Pid::from_raw(number)
}

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, worker, kind] = &arguments[..] else {
        return Err("forking-host WORKER ring|socket".into());
    };
    let kind = match kind.as_str() {
        "ring" => ChannelKind::Ring,
        _ => ChannelKind::Socket,
    };
    let builder = Worker::builder(worker).channel(kind);
    let worker = futures::executor::block_on(builder.spawn())?;
    let edges: edges::Client = futures::executor::block_on(worker.import())?;
    for n in 0..N_CHILDREN {
        round(&worker, &edges).map_err(|error| format!("round {n}: {error}"))?;
    }
    let id = worker.id();
    futures::executor::block_on(worker.shutdown(Duration::from_secs(60)));
    println!("{} children left worker {id:?} alone", N_CHILDREN);
    Ok(())
}

fn begin(call: Pin<&mut impl Future>) {
    let polled = call.poll(&mut Context::from_waker(Waker::noop()));
    assert!(polled.is_pending(), "the worker waits at a gate");
}

/// Forks with a call in flight, another one unsent, and tensors of all kinds.
fn round(worker: &Worker, edges: &edges::Client) -> Outcome {
    let gates = Gates::new();
    let pair = gates.pair();
    let mut written = Tensor::<u8, Ix1>::zeros(100_000)?;
    let lent = Tensor::<u8, Ix1>::from_elem(100_000, 1)?;
    let result = edges.ones(100_000).wait()?;
    let mut in_flight = Box::pin(edges.increment(&mut written, Some(pair.clone())));
    begin(in_flight.as_mut());
    gate::pass_blocking(&pair.0);
    let mut unsent = Box::pin(edges.hold(&lent, pair.clone()));

    let Some(child) = fork() else {
        // The folder of the gates is the parent's to remove.
        std::mem::forget(gates);
        // Whatever it does, it must not wait: nobody would answer.
        let touched = touch(edges, unsent.as_mut(), in_flight.as_mut());
        drop((unsent, in_flight));
        drop((result, lent));
        drop((worker.clone(), edges.clone(), written));
        let status = match touched {
            Ok(()) => 0,
            Err(error) => {
                eprintln!("the child: {error}");
                1
            }
        };
        std::process::exit(status);
    };
    let (_, status) = waitpid(Some(child), WaitOptions::empty())?.ok_or("it is waited for")?;
    if status.exit_status() != Some(0) {
        return Err(format!("the child ended with {status:?}").into());
    }

    gate::pass_blocking(&pair.1);
    futures::executor::block_on(in_flight)?;
    assert_eq!(written.view()?, Array1::from_elem(100_000, 1));
    assert_eq!(result.view()?, Array1::from_elem(100_000, 1));
    drop(unsent);
    assert_eq!(edges.hold(&lent, no_gates()).wait()?, Some(100_000));
    assert_eq!(worker.n_calls_in_flight(), 0);
    Ok(())
}

/// Gates that aren't there, through which everyone passes.
fn no_gates() -> (PathBuf, PathBuf) {
    ("/nowhere/first".into(), "/nowhere/second".into())
}

/// Calls are errors in the child, whatever they take, and those that were made before have no answer.
fn touch(
    edges: &edges::Client,
    unsent: Pin<&mut impl Future<Output = Result<Option<u64>, reedbed::CallError>>>,
    in_flight: Pin<&mut impl Future<Output = Result<(), reedbed::CallError>>>,
) -> Outcome {
    let expect = |error: Option<reedbed::CallError>, what: &str| {
        let error = error.ok_or_else(|| format!("{what} was answered"))?;
        let text = error.to_string();
        if text.contains("this process was forked") {
            return Ok(error);
        }
        Err(format!("{what}: {text}"))
    };
    let heap = Array1::from_elem(200_000, 1u8);
    let error = expect(edges.hold(&heap, no_gates()).wait().err(), "a copy")?;
    let cause = error.failure().map(|failure| failure.cause());
    assert!(
        matches!(cause, Some(FailureCause::NotSent { .. })),
        "{error}"
    );
    expect(
        edges.free_descriptors(0).wait().err(),
        "a call without arrays",
    )?;
    let unsent = futures::executor::block_on(unsent);
    expect(unsent.err(), "a call that was made before")?;
    let in_flight = futures::executor::block_on(in_flight);
    expect(in_flight.err(), "a call that was sent before")?;
    Ok(())
}
