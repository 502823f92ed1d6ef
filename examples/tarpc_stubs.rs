//! tarpc's own stubs over Reedbed's workers: one worker after another, and the next if one is gone.
//!
//! Look at: the requests keep their arrays, so they can be made again; a call that was not sent goes
//! to the next worker; one that may have done something fails instead.
//!
//! `cargo run --bin tarpc_stubs`

use reedbed::ndarray::{Array2, ArrayView2, array};
use reedbed::tarpc::client::stub::{Stub as _, load_balance::RoundRobin, retry::Retry};
use reedbed::tarpc::context;
use reedbed::{AccessError, Request, TarpcStub, Tensor, Tensor2, Worker, not_begun, remote_module};

#[remote_module]
mod plates {
    use super::ArrayView2;

    /// Counts the wells that are brighter than `threshold`; aborts without a plate.
    pub fn count(#[ndarray] wells: ArrayView2<'_, u16>, threshold: u16) -> usize {
        if wells.is_empty() {
            std::process::abort();
        }
        wells.iter().filter(|well| **well > threshold).count()
    }

    /// Tells which worker this is.
    pub fn number() -> String {
        std::env::var("NUMBER").unwrap_or_default()
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    reedbed_worker::init![plates];
    let (mut workers, mut clients) = (Vec::new(), Vec::new());
    for number in ["1", "2", "3"] {
        let worker = Worker::builder_of_self().env("NUMBER", number).spawn();
        let worker = worker.await?;
        clients.push(worker.import::<plates::Client>().await?);
        workers.push(worker);
    }
    let numbers = RoundRobin::new(clients.iter().cloned().map(TarpcStub::new).collect());
    // What certainly did not begin is repeated, and nothing else.
    let numbers = Retry::new(numbers, |result, n| n < 3 && not_begun(result));

    let number = || Request::new(plates::Client::number);
    print!("in turn:");
    for _ in 0..6 {
        let Ok(number) = numbers.call(context::current(), number()).await?;
        print!(" {number}");
    }
    workers[1].shutdown(std::time::Duration::from_secs(1)).await;
    print!("\none is gone:");
    for _ in 0..4 {
        let Ok(number) = numbers.call(context::current(), number()).await?;
        print!(" {number}");
    }

    let counts = RoundRobin::new(clients.into_iter().map(TarpcStub::new).collect());
    let counts = Retry::new(counts, |result, n| n < 3 && not_begun(result));
    let nothing = Tensor::from(Array2::zeros((0, 0)));
    let error = counts.call(context::current(), count(nothing)?).await;
    println!("\na crash: {}", error.as_ref().expect_err("it aborts"));
    println!("repeated: {}", if not_begun(&error) { "yes" } else { "no" });

    let plate = Tensor::from(array![[3, 9], [6, 7]]);
    let Ok(n) = counts.call(context::current(), count(plate)?).await?;
    println!("the last one counts {n}");
    Ok(())
}

/// A request that keeps its plate, for as many attempts as it takes.
fn count(plate: Tensor2<u16>) -> Result<Request<plates::Client, usize>, AccessError> {
    let plate = plate.freeze().map_err(|(error, _)| error)?;
    Ok(Request::lending(plate, |client: &plates::Client, plate| {
        client.count(plate, 5)
    }))
}
