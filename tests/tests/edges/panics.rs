//! Threads of the host panic: while they hold a view, while they prepare a call, while one is in
//! flight, in the middle of a poll, and where they are woken.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use futures::future::join_all;
use ndarray::{Array1, Ix1};
use reedbed::{AccessError, Tensor, Worker};
use reedbed_tests::extremes::Fuse;
use reedbed_tests::gate::{self, Gates};
use reedbed_tests::modules::edges;
use tokio::sync::Notify;

use crate::{TestResult, WORKER, alone, begin};

const LEN: usize = 100_000;

async fn start() -> TestResult<(Worker, edges::Client)> {
    let worker = Worker::spawn(WORKER).await?;
    let edges = worker.import::<edges::Client>().await?;
    Ok((worker, edges))
}

#[tokio::test]
async fn while_it_holds_a_view() -> TestResult {
    alone(async {
        let (_worker, edges) = start().await?;
        let mut values = Tensor::<u8, Ix1>::zeros(LEN)?;
        let panicked = thread::scope(|scope| {
            let writer = scope.spawn(|| {
                let mut view = values.view_mut().expect("nobody else has it");
                view.fill(1);
                panic!("half way");
            });
            writer.join().is_err()
        });
        assert!(panicked);
        // A view is a borrow of this process's: its end is the borrow's.
        edges.increment(&mut values, None).await?;
        assert_eq!(values.view()?, Array1::from_elem(LEN, 2));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn while_it_prepares_a_call() -> TestResult {
    alone(async {
        let (worker, edges) = start().await?;
        let mut values = Tensor::<u8, Ix1>::zeros(LEN)?;
        for _ in 0..3 {
            let call = edges.with_fuse(&mut values, Fuse { is_lit: true });
            let panicked = catch_unwind(AssertUnwindSafe(|| call.wait()));
            assert!(panicked.is_err());
            assert_eq!(worker.n_calls_in_flight(), 0);
            assert_eq!(values.view()?[0], 0, "its lease has ended");
        }
        edges.with_fuse(&mut values, Fuse { is_lit: false }).await?;
        assert_eq!(values.view()?[0], 1);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn while_a_call_is_in_flight() -> TestResult {
    alone(async {
        let (worker, edges) = start().await?;
        let gates = Gates::new();
        let pair = gates.pair();
        let mut values = Tensor::<u8, Ix1>::zeros(LEN)?;
        let panicked = thread::scope(|scope| {
            let caller = scope.spawn(|| {
                let mut call = Box::pin(edges.increment(&mut values, Some(pair.clone())));
                begin(call.as_mut());
                gate::pass_blocking(&pair.0);
                panic!("with a call in flight");
            });
            caller.join().is_err()
        });
        assert!(panicked);
        assert!(matches!(values.view(), Err(AccessError::Leased { .. })));
        gate::pass(&pair.1).await;
        values.released().await;
        assert_eq!(
            values.view()?,
            Array1::from_elem(LEN, 1),
            "it ran to its end"
        );
        edges.increment(&mut values, None).await?;
        assert_eq!(worker.n_calls_in_flight(), 0);
        Ok(())
    })
    .await
}

/// Panics once it has polled the other future.
struct Fragile<F>(Pin<Box<F>>);

impl<F: Future> Future for Fragile<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let _ = self.0.as_mut().poll(cx);
        panic!("in the middle of a poll");
    }
}

#[tokio::test]
async fn in_a_poll_of_a_combinator() -> TestResult {
    alone(async {
        let (worker, edges) = start().await?;
        let mut first = Tensor::<u8, Ix1>::zeros(LEN)?;
        let mut others = vec![Tensor::<u8, Ix1>::zeros(LEN)?, Tensor::zeros(LEN)?];
        {
            let fragile = Fragile(Box::pin(edges.increment(&mut first, None)));
            let calls = others
                .iter_mut()
                .map(|tensor| edges.increment(tensor, None));
            let mut all = Box::pin(futures::future::join(join_all(calls), fragile));
            let mut cx = Context::from_waker(Waker::noop());
            let panicked = catch_unwind(AssertUnwindSafe(|| all.as_mut().poll(&mut cx).is_ready()));
            assert!(panicked.is_err());
        }
        others.push(first);
        for tensor in &mut others {
            tensor.released().await;
            // It ran, or heard before that nobody waits for it.
            assert!(tensor.is_poisoned() || tensor.view()?[0] <= 1);
            tensor.reset()?;
            edges.increment(tensor, None).await?;
        }
        assert_eq!(worker.n_calls_in_flight(), 0);
        Ok(())
    })
    .await
}

/// Panics where it is woken, on whatever thread that is, having told of it.
#[derive(Default)]
struct Alarm(Notify);

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.0.notify_one();
        panic!("woken");
    }
}

/// Whoever it is for isn't woken, which is nobody else's affair: not the driver's, and not that of
/// other callers, one of whom may have read the answer.
#[tokio::test]
async fn where_it_is_woken() -> TestResult {
    alone(async {
        let (worker, edges) = start().await?;
        let process = worker.id();
        let gates = Gates::new();
        let pair = gates.pair();
        let mut values = Tensor::<u8, Ix1>::zeros(LEN)?;
        let mut call = Box::pin(edges.increment(&mut values, Some(pair.clone())));
        let alarm = Arc::new(Alarm::default());
        let waker = Waker::from(Arc::clone(&alarm));
        assert!(
            call.as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
        gate::pass(&pair.0).await;
        gate::pass(&pair.1).await;
        alarm.0.notified().await;
        let mut others = Tensor::<u8, Ix1>::zeros(LEN)?;
        edges.increment(&mut others, None).await?;
        call.await?;
        assert_eq!(values.view()?, Array1::from_elem(LEN, 1));
        assert_eq!(worker.id(), process);
        edges.increment(&mut values, None).await?;
        Ok(())
    })
    .await
}
