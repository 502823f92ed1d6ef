//! Whom a segment may serve after its tensor is gone.

use std::collections::HashSet;
use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

use ndarray::{Array1, Ix1, Ix2};
use reedbed::{Tensor, Trust, Worker};
use reedbed_tests::modules::arrays;
use reedbed_tests::watched::watched;

use crate::{Mapped, import, mapped_by, open_segments, reopen, start};

const N: usize = 50_000;

fn made(worker: &Worker, value: i64) -> Tensor<i64, Ix1> {
    worker.tensor(&Array1::from_elem(N, value)).unwrap()
}

#[tokio::test]
async fn memory_that_one_untrusted_worker_has_seen_is_for_that_one_alone() {
    watched(async {
        let (one, arrays) = import::<arrays::Client>(Trust::Untrusted).await;
        let other = start(Trust::Untrusted).await;
        let tensor = made(&one, 1);
        let identity = tensor.identity();
        assert_eq!(arrays.sum(&tensor).await.unwrap(), 50_000);
        drop(tensor);
        let ordinary: Vec<_> = (0..4)
            .map(|_| Tensor::<i64, Ix1>::zeros(N).unwrap())
            .collect();
        assert!(ordinary.iter().all(|tensor| tensor.identity() != identity));
        assert_ne!(made(&other, 2).identity(), identity);
        let again = made(&one, 3);
        assert_eq!(again.identity(), identity, "warm pages are used again");
        let call = arrays.sum(&again).forbid_copies();
        assert_eq!(call.await.unwrap(), 150_000);
    })
    .await;
}

#[tokio::test]
async fn memory_that_two_untrusted_workers_have_seen_is_freed() {
    watched(async {
        let (one, first) = import::<arrays::Client>(Trust::Untrusted).await;
        let (other, second) = import::<arrays::Client>(Trust::Untrusted).await;
        let tensor = made(&one, 1);
        let identity = tensor.identity();
        for arrays in [&first, &second] {
            let call = arrays.sum(&tensor).forbid_copies();
            assert_eq!(call.await.unwrap(), 50_000, "shown to both without a copy");
        }
        drop(tensor);
        for worker in [&one, &other] {
            let made: Vec<_> = (0..4).map(|value| made(worker, value)).collect();
            assert!(made.iter().all(|tensor| tensor.identity() != identity));
        }
    })
    .await;
}

#[tokio::test]
async fn copies_for_calls_are_recycled() {
    watched(async {
        let (worker, arrays) = import::<arrays::Client>(Trust::Untrusted).await;
        let image = Tensor::<u16, Ix2>::zeros((300, 200)).unwrap();
        let mut written = Tensor::<u16, Ix2>::zeros((300, 200)).unwrap();
        let (mut read, mut places) = (HashSet::new(), HashSet::new());
        for _ in 0..50 {
            read.insert(arrays.where_read(&image).await.unwrap().unwrap().inode);
            let at = arrays.where_written(&mut written).await.unwrap();
            places.insert(at.unwrap().inode);
            let values = Tensor::from(Array1::from_elem(N, 1.0));
            assert_eq!(arrays.take(values).await.unwrap(), 50_000.0);
            assert_eq!(arrays.range(N).await.unwrap().len(), N);
        }
        assert!(read.len() <= 2 && places.len() <= 3, "{read:?} {places:?}");
        assert!(read.is_disjoint(&places));
        let n_mapped = mapped_by(&worker).len();
        assert!(n_mapped < 20, "{n_mapped} mappings");
    })
    .await;
}

#[tokio::test]
async fn nothing_of_earlier_tenants_is_seen_behind_a_shorter_one() {
    watched(async {
        let worker = start(Trust::Untrusted).await;
        let secret = Tensor::<u32, Ix2>::from_elem((100, 200), 0x5ec7_e700).unwrap();
        // Made for the worker, and never lent to it.
        let made = worker.tensor(&secret.view().unwrap()).unwrap();
        let identity = made.identity();
        drop(made);
        let shorter = worker.zeros::<u32, _>((99, 199)).unwrap();
        assert_eq!(shorter.identity(), identity, "it has the same memory");
        let mut bytes = Vec::new();
        reopen(identity).read_to_end(&mut bytes).unwrap();
        assert!(bytes.len() > 99 * 199 * 4);
        assert!(bytes.iter().all(|byte| *byte == 0));
    })
    .await;
}

#[tokio::test]
async fn what_was_made_for_a_worker_is_still_its_own_after_a_restart() {
    watched(async {
        let (worker, arrays) = import::<arrays::Client>(Trust::Untrusted).await;
        let tensor = made(&worker, 2);
        assert_eq!(arrays.sum(&tensor).await.unwrap(), 100_000);
        worker.restart(Duration::from_secs(5)).await.unwrap();
        let call = arrays.sum(&tensor).forbid_copies();
        assert_eq!(call.await.unwrap(), 100_000);
        let is_it = |mapped: &Mapped| mapped.inode == tensor.identity().inode;
        assert!(
            mapped_by(&worker)
                .iter()
                .filter(|at| is_it(at))
                .all(|at| !at.is_writable)
        );
    })
    .await;
}

#[tokio::test]
async fn idle_memory_of_a_worker_that_is_gone_is_freed() {
    watched(async {
        let worker = start(Trust::Untrusted).await;
        let identity = made(&worker, 1).identity();
        let is_it = |(inode, _): &(u64, PathBuf)| *inode == identity.inode;
        let is_open = || open_segments().iter().any(is_it);
        assert!(is_open(), "it is kept for the next tensor");
        worker.shutdown(Duration::from_secs(5)).await;
        assert!(!is_open());
    })
    .await;
}
