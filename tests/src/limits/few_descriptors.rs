//! Many tensors and calls with few descriptors.

use std::error::Error;

use ndarray::Ix1;
use reedbed::{Arg, Tensor, Worker};
use rustix::process::Resource;

use super::{limit, tell};
use crate::containers::stacks;
use crate::modules::arrays;

/// With 32 descriptors for host and worker each, 100 tensors live and 100 calls are answered.
pub(super) async fn hundred(worker: &str) -> Result<(), Box<dyn Error>> {
    limit(Resource::Nofile, 32)?;
    let worker = Worker::spawn(worker).await?;
    let arrays = worker.import::<arrays::Client>().await?;
    let tensors = (0..100i64)
        .map(|index| Tensor::<i64, Ix1>::from_elem(1000, index))
        .collect::<Result<Vec<_>, _>>()?;
    let calls = futures::future::join_all(tensors.iter().map(|tensor| arrays.sum(tensor)));
    for (sum, expected) in calls.await.into_iter().zip((0..).step_by(1000)) {
        assert_eq!(sum?, expected);
    }
    let mut results = Vec::new();
    for n in 0..100 {
        results.push(arrays.range(n).await?);
    }
    let lengths: usize = results.iter().map(Tensor::len).sum();
    tell(&format!(
        "{} tensors live, {lengths} elements came back",
        tensors.len() + results.len()
    ));
    Ok(())
}

/// With 1,024 descriptors for host and worker each, 10,000 small tensors are lent, 10,000 are
/// returned, and all of them live at once.
pub(super) async fn ten_thousand(worker: &str) -> Result<(), Box<dyn Error>> {
    const N: usize = 10_000;
    limit(Resource::Nofile, 1024)?;
    let worker = Worker::spawn(worker).await?;
    let arrays = worker.import::<arrays::Client>().await?;
    let stacks = worker.import::<stacks::Client>().await?;
    let tensors = (0..N)
        .map(|index| Tensor::<i64, Ix1>::from_elem(100, index as i64))
        .collect::<Result<Vec<_>, _>>()?;
    let mut sums = Vec::new();
    for batch in tensors.chunks(1000) {
        sums.extend(stacks.sums(batch.iter().map(Arg::from).collect()).await?);
    }
    assert!(sums.into_iter().eq((0..N as i64).map(|index| 100 * index)));

    let mut results = Vec::new();
    for batch in 0..N / 500 {
        let calls = (0..500).map(|index| arrays.range(batch % 2 + index % 7));
        for result in futures::future::join_all(calls).await {
            results.push(result?);
        }
    }
    for (index, result) in results.iter().enumerate() {
        let n = (index / 500) % 2 + (index % 500) % 7;
        let expected: f64 = (0..n).map(|element| element as f64).sum();
        assert_eq!((result.len(), result.view()?.sum()), (n, expected));
    }
    // Those that were lent are still what they were, and can be lent again.
    assert_eq!(arrays.sum(&tensors[N - 1]).await?, 999_900);
    let of_worker = worker.id().map_or_else(String::new, |id| id.to_string());
    for process in ["self", &of_worker] {
        let n_descriptors = std::fs::read_dir(format!("/proc/{process}/fd"))?.count();
        assert!(
            n_descriptors < 200,
            "{process} has {n_descriptors} descriptors"
        );
    }
    tell(&format!("{} tensors live", tensors.len() + results.len()));
    Ok(())
}

/// With 32 descriptors, 100 tensors of a mebibyte live in few segments.
pub(super) async fn large_tensors(worker: &str) -> Result<(), Box<dyn Error>> {
    limit(Resource::Nofile, 32)?;
    let worker = Worker::spawn(worker).await?;
    let arrays = worker.import::<arrays::Client>().await?;
    let tensors = (0..100i64)
        .map(|index| Tensor::<i64, Ix1>::from_elem(128 * 1024, index))
        .collect::<Result<Vec<_>, _>>()?;
    let mut results = Vec::new();
    for (tensor, index) in tensors.iter().zip(0..) {
        assert_eq!(arrays.sum(tensor).await?, index * 128 * 1024);
        results.push(arrays.range(100_000).await?);
    }
    assert!(
        results
            .iter()
            .all(|result| result.view().is_ok_and(|view| view[99_999] == 99_999.0))
    );
    tell(&format!(
        "{} large tensors live",
        tensors.len() + results.len()
    ));
    Ok(())
}
