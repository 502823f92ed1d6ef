//! Shared memory, address space and files run out.

use std::error::Error;

use ndarray::{Array1, Ix1, array};
use reedbed::{OnExhausted, ShmExhausted, Shortage, Tensor, Worker};
use rustix::process::Resource;

use super::{limit, tell};
use crate::modules::edges;

/// More than the budget is refused, and what is given back can be had again.
pub(super) fn budget() -> Result<(), Box<dyn Error>> {
    reedbed::set_memory_budget(64 << 20);
    let first = Tensor::<u8, Ix1>::zeros(40 << 20)?;
    let error = exhausted(Tensor::zeros(40 << 20))?;
    assert!(matches!(error.shortage, Shortage::Budget));
    tell(&error);
    drop(first);
    Tensor::<u8, Ix1>::zeros(48 << 20)?;
    Ok(())
}

/// Beyond RLIMIT_AS nothing is mapped.
pub(super) fn address_space() -> Result<(), Box<dyn Error>> {
    Tensor::<u8, Ix1>::zeros(1000)?;
    limit(Resource::As, 4 << 30)?;
    reedbed::set_memory_budget(1 << 40);
    let error = exhausted(Tensor::zeros(5 << 30))?;
    assert!(matches!(error.shortage, Shortage::Mapping(_)), "{error}");
    tell(&error);
    let small = Tensor::from(array![1, 2]);
    assert_eq!(small.view()?.sum(), 3);
    Ok(())
}

/// Beyond RLIMIT_FSIZE nothing is reserved, and no signal comes.
pub(super) fn file_size() -> Result<(), Box<dyn Error>> {
    limit(Resource::Fsize, 8 << 20)?;
    let error = exhausted(Tensor::zeros(9 << 20))?;
    assert!(matches!(error.shortage, Shortage::FileSizeLimit(8_388_608)));
    tell(&error);
    Tensor::<u8, Ix1>::from_elem(4 << 20, 1)?;
    Ok(())
}

fn exhausted(
    tensor: Result<Tensor<u8, Ix1>, ShmExhausted>,
) -> Result<ShmExhausted, Box<dyn Error>> {
    tensor.err().ok_or_else(|| "the memory was given".into())
}

/// With room for the copies of two calls, ten at a time are answered; one that is larger than the
/// budget is refused, and so is one that only tensors are in the way of.
pub(super) async fn waiting_for_the_budget(worker: &str) -> Result<(), Box<dyn Error>> {
    const LEN: usize = 4 << 20;
    reedbed::set_memory_budget(10 << 20);
    let builder = Worker::builder(worker).on_exhausted(OnExhausted::Wait);
    let worker = builder.spawn().await?;
    let edges = worker.import::<edges::Client>().await?;
    let mut arrays = vec![Array1::<u8>::zeros(LEN); 10];
    for n in 1..=2 {
        let calls = arrays.iter_mut().map(|array| edges.increment(array, None));
        futures::future::try_join_all(calls).await?;
        assert!(
            arrays
                .iter()
                .all(|array| array.iter().all(|value| *value == n))
        );
    }
    std::thread::scope(|scope| {
        let calls: Vec<_> = arrays
            .iter_mut()
            .map(|array| scope.spawn(|| edges.increment(array, None).wait()))
            .collect();
        let results = calls
            .into_iter()
            .map(|call| call.join().map_err(|_| "it panicked"));
        results.flatten().collect::<Result<(), _>>()
    })?;
    assert!(
        arrays
            .iter()
            .all(|array| array.iter().all(|value| *value == 3))
    );

    let mut large = Array1::<u8>::zeros(11 << 20);
    let error = edges.increment(&mut large, None).await;
    tell(&format!(
        "{:?}",
        error.err().ok_or("there was room for it")?
    ));
    let kept = Tensor::<u8, Ix1>::zeros(8 << 20)?;
    let error = edges.increment(&mut arrays[0], None).await;
    tell(&format!(
        "{:?}",
        error.err().ok_or("there was room for it")?
    ));
    drop(kept);
    edges.increment(&mut arrays[0], None).await?;
    Ok(())
}
