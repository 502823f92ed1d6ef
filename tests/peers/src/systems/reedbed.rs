//! Reedbed with its defaults and the generated stub. The worker is this program, run again. Rows with
//! another `WaitPolicy` than the default one say so in their name.
//!
//! The asynchronous stub is called in a current-thread runtime of tokio, which parks in `epoll`
//! itself; tarpc and tonic are called in the same.

use std::time::Duration;

use reedbed::ndarray::{ArrayView1, ArrayViewMut1, Ix1};
use reedbed::{Dispatcher, Tensor, WaitPolicy, Worker, blocking, remote_module};

use super::{System, nothing};
use crate::Outcome;
use crate::meter::Meter;
use crate::payload::{self, Heap, check};
use crate::work::{Placement, Read, Task, Work};

/// What the worker serves.
#[remote_module]
pub(crate) mod served {
    use super::*;

    /// Does nothing.
    pub fn null() {}

    /// Reads one element.
    pub fn one(#[ndarray] numbers: ArrayView1<'_, u64>, index: u64) -> u64 {
        numbers[index as usize]
    }

    /// Reads all elements.
    pub fn sum(#[ndarray] numbers: ArrayView1<'_, u64>) -> u64 {
        payload::sum(numbers.as_slice().unwrap_or_default())
    }

    /// Returns each element plus one, in shared memory.
    pub fn incremented(
        #[ndarray] numbers: ArrayView1<'_, u64>,
    ) -> Result<Tensor<u64, Ix1>, String> {
        let mut incremented = Tensor::uninit(numbers.len()).map_err(|error| error.to_string())?;
        let mut view = incremented.view_mut().map_err(|error| error.to_string())?;
        let (from, to) = (numbers.as_slice(), view.as_slice_mut());
        payload::increment_into(from.unwrap_or_default(), to.unwrap_or_default());
        Ok(incremented)
    }

    /// Adds one to each element.
    pub fn increment(#[ndarray] mut numbers: ArrayViewMut1<'_, u64>) {
        payload::increment(numbers.as_slice_mut().unwrap_or_default());
    }
}

/// Becomes the worker, if this process was started as one.
pub(crate) fn serve_if_worker() {
    reedbed_worker::init![served];
}

/// The blocking stub.
pub(crate) struct Blocking {
    wait: WaitPolicy,
}

impl Blocking {
    /// The default.
    pub(crate) const ADAPTIVE: Self = Self {
        wait: WaitPolicy::Adaptive,
    };
    pub(crate) const SPIN: Self = Self {
        wait: WaitPolicy::Spin,
    };

    fn start(&self) -> Outcome<(blocking::Worker, served::BlockingClient)> {
        let builder = Worker::builder_of_self().wait(self.wait);
        let worker = blocking::Worker::start(builder)?;
        let client = worker.import()?;
        Ok((worker, client))
    }
}

/// The asynchronous stub.
pub(crate) struct Async {
    dispatcher: Dispatcher,
}

impl Async {
    pub(crate) const OWN: Self = Self {
        dispatcher: Dispatcher::Reedbed,
    };
    pub(crate) const OVER_TARPC: Self = Self {
        dispatcher: Dispatcher::Tarpc,
    };
}

/// The array of a work.
struct Arrays {
    heap: Heap,
    array: reedbed::ndarray::Array1<u64>,
}

impl Arrays {
    fn new(work: &Work) -> Self {
        let heap = Heap::new(work.task.n_bytes());
        let array = reedbed::ndarray::Array1::from(heap.numbers.clone());
        Self { heap, array }
    }

    /// The same in shared memory.
    fn tensor(&self) -> Outcome<Tensor<u64, Ix1>> {
        Ok(Tensor::copy_of(&self.array)?)
    }

    /// The same in memory that no call has used.
    fn new_tensor(&self) -> Outcome<Tensor<u64, Ix1>> {
        forget()?;
        self.tensor()
    }

    /// An index that is another one in each call.
    fn index(&self, call: u64) -> u64 {
        (call * 8191) % self.array.len() as u64
    }
}

/// Has the next call find no memory of the calls before it.
fn forget() -> Outcome {
    reedbed::trim_pool();
    Ok(())
}

/// How long a worker gets to end. It is waited for, so that the time that it used isn't counted as another
/// program's.
const GRACE: Duration = Duration::from_secs(5);

fn sum(tensor: &Tensor<u64, Ix1>) -> Outcome<u64> {
    Ok(payload::sum(tensor.view()?.as_slice().unwrap_or_default()))
}

impl System for Blocking {
    fn lacks(&self, work: &Work) -> Option<&'static str> {
        match work.task {
            _ if work.n_in_flight > 1 => Some("a thread that waits has one call in flight"),
            _ if self.wait == WaitPolicy::Spin && work.placement == Placement::OneCore => {
                Some("spinning keeps the other side from running")
            }
            Task::Null | Task::Resident(Read::One, _) => None,
            _ if self.wait != WaitPolicy::default() => Some("waiting is a small part of it"),
            _ => None,
        }
    }

    fn call(&self, _: &str, work: &Work, meter: &mut Meter) -> Outcome {
        if work.task == Task::Spawn {
            return meter.each_alone(nothing, |()| {
                let (worker, client) = self.start()?;
                client.null()?;
                Ok(worker)
            });
        }
        let (worker, client) = self.start()?;
        let outcome = call_blocking(&client, work, meter);
        worker.shutdown(GRACE);
        outcome
    }

    fn serve(&self, _: &Work, _: &[String]) -> Outcome {
        Err("reedbed starts its worker itself".into())
    }
}

fn call_blocking(client: &served::BlockingClient, work: &Work, meter: &mut Meter) -> Outcome {
    let arrays = Arrays::new(work);
    let mut n_calls = 0;
    match work.task {
        Task::Null | Task::Spawn => meter.each(|| Ok(client.null()?)),
        Task::Resident(Read::One, _) => {
            let tensor = arrays.tensor()?;
            meter.each(|| {
                n_calls += 1;
                let index = arrays.index(n_calls);
                check(client.one(&tensor, index)?, payload::number(index))
            })
        }
        Task::Resident(Read::All, _) => {
            let tensor = arrays.tensor()?;
            meter.each(|| check(client.sum(&tensor)?, arrays.heap.sum))
        }
        Task::ResidentCold(_) => meter.each_alone(
            || arrays.new_tensor(),
            |tensor| {
                check(client.sum(&tensor)?, arrays.heap.sum)?;
                Ok(tensor)
            },
        ),
        Task::Heap(Read::One, _) => meter.each(|| {
            n_calls += 1;
            let index = arrays.index(n_calls);
            check(client.one(&arrays.array, index)?, payload::number(index))
        }),
        Task::Heap(Read::All, _) => {
            meter.each(|| check(client.sum(&arrays.array)?, arrays.heap.sum))
        }
        Task::HeapCold(_) => meter.each_alone(forget, |()| {
            check(client.sum(&arrays.array)?, arrays.heap.sum)
        }),
        Task::Returned(_) => meter.each(|| {
            let incremented = client.incremented(&arrays.array)?;
            check(sum(&incremented)?, arrays.heap.sum_incremented)
        }),
        Task::InPlace(_) => {
            let mut tensor = arrays.tensor()?;
            meter.each(|| {
                n_calls += 1;
                Ok(client.increment(&mut tensor)?)
            })?;
            check(tensor.view()?[0], n_calls)
        }
    }
}

impl System for Async {
    fn lacks(&self, work: &Work) -> Option<&'static str> {
        (work.task == Task::Spawn && self.dispatcher == Dispatcher::Tarpc)
            .then_some("as `reedbed async`")
    }

    fn call(&self, _: &str, work: &Work, meter: &mut Meter) -> Outcome {
        super::current_thread()?.block_on(self.call_async(work, meter))
    }

    fn serve(&self, _: &Work, _: &[String]) -> Outcome {
        Err("reedbed starts its worker itself".into())
    }
}

impl Async {
    async fn start(&self) -> Outcome<(Worker, served::Client)> {
        let builder = Worker::builder_of_self().dispatcher(self.dispatcher);
        let worker = builder.spawn().await?;
        let client = worker.import().await?;
        Ok((worker, client))
    }

    async fn call_async(&self, work: &Work, meter: &mut Meter) -> Outcome {
        if work.task == Task::Spawn {
            let start = async |()| {
                let (worker, client) = self.start().await?;
                client.null().await?;
                Ok(worker)
            };
            return meter.each_alone_async(nothing, start).await;
        }
        let (worker, client) = self.start().await?;
        let outcome = call_async(&client, work, meter).await;
        worker.shutdown(GRACE).await;
        outcome
    }
}

async fn call_async(client: &served::Client, work: &Work, meter: &mut Meter) -> Outcome {
    let arrays = Arrays::new(work);
    let mut n_calls = 0;
    match work.task {
        Task::Null | Task::Spawn if work.n_in_flight > 1 => {
            let null = async || Ok(client.null().await?);
            meter.in_flight_async(null).await
        }
        Task::Null | Task::Spawn => meter.each_async(async || Ok(client.null().await?)).await,
        Task::Resident(Read::One, _) => {
            let tensor = arrays.tensor()?;
            let one = async || {
                n_calls += 1;
                let index = arrays.index(n_calls);
                check(client.one(&tensor, index).await?, payload::number(index))
            };
            meter.each_async(one).await
        }
        Task::Resident(Read::All, _) => {
            let tensor = arrays.tensor()?;
            let sum = async || check(client.sum(&tensor).await?, arrays.heap.sum);
            meter.each_async(sum).await
        }
        Task::ResidentCold(_) => {
            let sum = async |tensor| {
                check(client.sum(&tensor).await?, arrays.heap.sum)?;
                Ok(tensor)
            };
            meter.each_alone_async(|| arrays.new_tensor(), sum).await
        }
        Task::Heap(Read::One, _) => {
            let one = async || {
                n_calls += 1;
                let index = arrays.index(n_calls);
                let element = client.one(&arrays.array, index).await?;
                check(element, payload::number(index))
            };
            meter.each_async(one).await
        }
        Task::Heap(Read::All, _) => {
            let sum = async || check(client.sum(&arrays.array).await?, arrays.heap.sum);
            meter.each_async(sum).await
        }
        Task::HeapCold(_) => {
            let sum = async |()| check(client.sum(&arrays.array).await?, arrays.heap.sum);
            meter.each_alone_async(forget, sum).await
        }
        Task::Returned(_) => {
            let returned = async || {
                let incremented = client.incremented(&arrays.array).await?;
                check(sum(&incremented)?, arrays.heap.sum_incremented)
            };
            meter.each_async(returned).await
        }
        Task::InPlace(_) => {
            let mut tensor = arrays.tensor()?;
            let increment = async || {
                n_calls += 1;
                Ok(client.increment(&mut tensor).await?)
            };
            meter.each_async(increment).await?;
            check(tensor.view()?[0], n_calls)
        }
    }
}
