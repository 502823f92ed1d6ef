//! tarpc's retry and load-balancing stubs over workers that are processes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use futures::future::join_all;
use ndarray::array;
use reedbed::tarpc::client::RpcError;
use reedbed::tarpc::client::stub::Stub as _;
use reedbed::tarpc::client::stub::load_balance::{ConsistentHash, RoundRobin};
use reedbed::tarpc::client::stub::retry::Retry;
use reedbed::tarpc::context::{self, Context};
use reedbed::tarpc::{ChannelError, ServerError};
use reedbed::{
    CallFailure, Dispatcher, EndReason, Request, Stub, TarpcStub, Tensor, TraceContext, Worker,
    not_begun,
};
use reedbed_tests::gate::{Gates, pass};
use reedbed_tests::modules::values::DivideError;
use reedbed_tests::modules::{arrays, control, values};
use reedbed_tests::services::{KeeperClient, KeeperInstance};
use reedbed_tests::watched::watched;

type TestResult = Result<(), Box<dyn std::error::Error>>;

const WORKER: &str = env!("CARGO_BIN_EXE_test-worker");

async fn start(n: usize) -> Result<Vec<Worker>, Box<dyn std::error::Error>> {
    let starting = (0..n).map(|index| {
        let builder = Worker::builder(WORKER);
        builder.name(format!("worker {index}")).spawn()
    });
    Ok(join_all(starting)
        .await
        .into_iter()
        .collect::<Result<_, _>>()?)
}

/// A stub for each worker.
async fn stubs<C: Stub, Q>(
    workers: &[Worker],
) -> Result<Vec<TarpcStub<C, Q>>, Box<dyn std::error::Error>> {
    let mut stubs = Vec::new();
    for worker in workers {
        stubs.push(TarpcStub::new(worker.import().await?));
    }
    Ok(stubs)
}

/// Patient enough for a slow machine.
fn patient() -> Context {
    within(Duration::from_secs(600))
}

fn within(limit: Duration) -> Context {
    let mut context = context::current();
    context.deadline = Instant::now() + limit;
    context
}

fn process_id() -> Request<control::Client, u32> {
    Request::new(control::Client::process_id)
}

#[tokio::test]
async fn round_robin_reaches_every_worker_in_turn() -> TestResult {
    watched(async {
        let workers = start(3).await?;
        let pool = RoundRobin::new(stubs(&workers).await?);
        let mut reached = Vec::new();
        for _ in 0..6 {
            let Ok(id) = pool.call(patient(), process_id()).await?;
            reached.push(Some(id));
        }
        let ids: Vec<_> = workers.iter().map(Worker::id).collect();
        assert_eq!(reached, [ids.as_slice(), &ids].concat());
        Ok(())
    })
    .await
}

#[tokio::test]
async fn calls_of_one_pool_run_at_once_on_any_thread() -> TestResult {
    watched(async {
        let workers = start(2).await?;
        let gates = Gates::new();
        let pool = Arc::new(RoundRobin::new(stubs(&workers).await?));
        let pairs: Vec<_> = ["one", "other"]
            .map(|name| (gates.make(name), gates.make(&format!("end of {name}"))))
            .into();
        let calls: Vec<_> = pairs
            .iter()
            .cloned()
            .map(|pair| {
                let pool = Arc::clone(&pool);
                let request =
                    Request::new(move |client: &control::Client| client.pass(pair.clone()));
                tokio::spawn(async move { pool.call(patient(), request).await })
            })
            .collect();
        // Each passes its first gate before any passes its second one.
        for (first, _) in &pairs {
            pass(first).await;
        }
        for (_, second) in &pairs {
            pass(second).await;
        }
        for call in calls {
            let Ok(answer) = call.await??;
            assert_eq!(answer, 7);
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn requests_of_one_key_reach_one_worker() -> TestResult {
    watched(async {
        let workers = start(3).await?;
        let pool = ConsistentHash::new(stubs(&workers).await?)?;
        let mut reached = Vec::new();
        for plate in 0..64 {
            let mut of_this_plate = Vec::new();
            for _ in 0..2 {
                let Ok(id) = pool.call(patient(), process_id().keyed(&plate)).await?;
                of_this_plate.push(id);
            }
            assert_eq!(of_this_plate[0], of_this_plate[1]);
            reached.push(of_this_plate[0]);
        }
        reached.sort_unstable();
        reached.dedup();
        // Left out by 64 keys: a chance of 1 to 10^11.
        assert_eq!(reached.len(), 3);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_call_that_was_not_sent_goes_to_the_next_worker() -> TestResult {
    watched(async {
        let workers = start(3).await?;
        let n_attempts = AtomicU32::new(0);
        let pool = Retry::new(
            RoundRobin::new(stubs(&workers).await?),
            |result, attempt| {
                n_attempts.fetch_add(1, Ordering::Relaxed);
                attempt < 3 && not_begun(result)
            },
        );
        for dead in &workers[..2] {
            dead.shutdown(Duration::from_secs(20)).await;
        }
        let Ok(id) = pool.call(patient(), process_id()).await?;
        assert_eq!(Some(id), workers[2].id());
        assert_eq!(n_attempts.load(Ordering::Relaxed), 3);

        workers[2].shutdown(Duration::from_secs(20)).await;
        let error = pool.call(patient(), process_id()).await.unwrap_err();
        assert_eq!(n_attempts.load(Ordering::Relaxed), 6, "and not for ever");
        let RpcError::Send(failure) = error else {
            panic!("it was not sent: {error:?}");
        };
        let failure = failure.downcast::<CallFailure>().map_err(|_| "a failure")?;
        assert_eq!(failure.function(), ("control", "process_id"));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_call_that_may_have_done_something_is_not_repeated() -> TestResult {
    watched(async {
        let workers = start(2).await?;
        let stubs = stubs(&workers).await?;
        let pool = Retry::new(RoundRobin::new(stubs), |result, attempt| {
            attempt < 5 && not_begun(result)
        });
        let crash = Request::new(control::Client::crash);
        let error = pool.call(patient(), crash).await.unwrap_err();
        let RpcError::Channel(ChannelError::Read(failure)) = error else {
            panic!("a worker died: {error:?}");
        };
        assert!(
            failure.to_string().contains("in worker `worker 0`"),
            "{failure}"
        );
        let end = workers[0].ended().await;
        assert_eq!(end.reason(), &EndReason::Signalled(11));
        let control = workers[1].import::<control::Client>().await?;
        assert_eq!(Some(control.process_id().await?), workers[1].id());
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_panic_is_the_servers_error_and_not_repeated() -> TestResult {
    watched(async {
        let workers = start(1).await?;
        let stubs = stubs(&workers).await?;
        let pool = Retry::new(RoundRobin::new(stubs), |result, attempt| {
            assert_eq!(attempt, 1);
            not_begun(result)
        });
        let panic =
            Request::new(|client: &control::Client| client.panic("out of plates".to_owned()));
        let error = pool.call(patient(), panic).await.unwrap_err();
        let RpcError::Server(ServerError { detail, .. }) = error else {
            panic!("it panicked: {error:?}");
        };
        assert!(detail.contains("it panicked: out of plates"), "{detail}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_functions_own_error_is_an_answer() -> TestResult {
    watched(async {
        let workers = start(1).await?;
        let stub = TarpcStub::new(workers[0].import().await?);
        let divide =
            |divisor| Request::new(move |client: &values::Client| client.divide(6, divisor));
        assert_eq!(stub.call(patient(), divide(3)).await?, Ok(2));
        let by_zero = DivideError::ByZero { dividend: 6 };
        assert_eq!(stub.call(patient(), divide(0)).await?, Err(by_zero));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn shared_arrays_are_lent_to_every_attempt() -> TestResult {
    watched(async {
        let workers = start(2).await?;
        let mut clients = Vec::new();
        for worker in &workers {
            let client: arrays::Client = worker.import().await?;
            clients.push(TarpcStub::new(client.forbid_copies()));
        }
        let pool = Retry::new(RoundRobin::new(clients), |result, attempt| {
            attempt < 2 && not_begun(result)
        });
        workers[0].shutdown(Duration::from_secs(20)).await;

        let frozen = Tensor::from(array![1i64, 2, 3]).freeze();
        let frozen = frozen.map_err(|(error, _)| error)?;
        let sum = Request::lending(frozen, |client: &arrays::Client, values| client.sum(values));
        assert_eq!(pool.call(patient(), sum.clone()).await?, Ok(6));
        assert_eq!(pool.call(patient(), sum).await?, Ok(6));

        let shared = Arc::new(Tensor::from(array![4i64, 5]));
        let sum = Request::lending(
            Arc::clone(&shared),
            |client: &arrays::Client, values: &Arc<Tensor<i64, _>>| client.sum(&**values),
        );
        assert_eq!(pool.call(patient(), sum).await?, Ok(9));
        shared.released().await;
        assert_eq!(shared.view()?, array![4, 5]);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn methods_of_an_instance_are_requests_as_well() -> TestResult {
    watched(async {
        let workers = start(1).await?;
        let client = workers[0].import::<KeeperClient>().await?;
        let keeper = TarpcStub::new(client.new("plates".to_owned()).await?);
        let label = Request::new(|keeper: &KeeperInstance| keeper.label());
        assert_eq!(
            keeper.call(patient(), label).await?,
            Ok("plates".to_owned())
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn the_context_has_the_deadline_and_the_trace() -> TestResult {
    watched(async {
        let workers = start(1).await?;
        let stub = TarpcStub::new(workers[0].import::<control::Client>().await?);
        let trace = TraceContext::new(5, 6, true).expect("no number is 0");
        let mut context = patient();
        context.trace_context = trace.into();
        let told = stub.call(context, Request::new(control::Client::trace));
        assert_eq!(told.await?, Ok(Some(trace.to_string())));

        let stub = TarpcStub::new(stub.client().clone());
        let has_deadline = Request::new(control::Client::has_deadline);
        assert_eq!(stub.call(patient(), has_deadline.clone()).await?, Ok(true));
        // tarpc's own timers panic at a deadline beyond two years.
        let century = within(Duration::from_secs(100 * 365 * 24 * 60 * 60));
        assert_eq!(stub.call(century, has_deadline.clone()).await?, Ok(true));
        let late = stub.call(within(Duration::ZERO), has_deadline).await;
        assert!(matches!(late, Err(RpcError::DeadlineExceeded)), "{late:?}");

        let gates = Gates::new();
        let pair = gates.pair();
        let stub = TarpcStub::new(stub.client().clone());
        let run = {
            let pair = pair.clone();
            Request::new(move |client: &control::Client| client.run_until_cancelled(pair.clone()))
        };
        let (late, ()) = futures::join!(
            stub.call(within(Duration::from_millis(200)), run.clone()),
            pass(&pair.0)
        );
        assert!(matches!(late, Err(RpcError::DeadlineExceeded)), "{late:?}");
        pass(&pair.1).await;

        // As does dropping it.
        {
            let call = stub.call(patient(), run);
            futures::pin_mut!(call);
            let begun = pass(&pair.0);
            futures::pin_mut!(begun);
            futures::future::select(call, begun).await;
        }
        pass(&pair.1).await;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn tarpcs_stubs_go_over_tarpcs_dispatcher_too() -> TestResult {
    watched(async {
        let builder = Worker::builder(WORKER).dispatcher(Dispatcher::Tarpc);
        let worker = builder.spawn().await?;
        let stubs = stubs(std::slice::from_ref(&worker)).await?;
        let pool = Retry::new(RoundRobin::new(stubs), |result, attempt| {
            attempt < 2 && not_begun(result)
        });
        assert_eq!(pool.call(patient(), process_id()).await?.ok(), worker.id());
        let century = within(Duration::from_secs(100 * 365 * 24 * 60 * 60));
        assert_eq!(pool.call(century, process_id()).await?.ok(), worker.id());
        Ok(())
    })
    .await
}
