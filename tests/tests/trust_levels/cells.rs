//! Memory that both sides use at once.

use reedbed::{FailureCause, SharedCell, SharedCells, Trust};
use reedbed_tests::shared::cells;
use reedbed_tests::watched::watched;

use crate::{BOTH, Mapped, import, mapped_by, maps};

#[tokio::test]
async fn a_cell_for_the_worker_lies_alone_unless_that_is_trusted() {
    watched(async {
        for trust in BOTH {
            let (worker, cells) = import::<cells::Client>(trust).await;
            let neighbour = worker.zeros::<u8, _>(64).unwrap();
            let before = mapped_by(&worker);
            let counter = worker.cell(40u64).unwrap();
            cells.keep(&counter).await.unwrap();
            let returned = cells.add_to_kept(2).await.unwrap().unwrap();
            assert_eq!((counter.load(), returned.load()), (42, 42));
            counter.store(1);
            assert_eq!(returned.load(), 1, "they are the same cell");
            let is_new = |mapped: &Mapped| !before.contains(mapped);
            let new: Vec<_> = mapped_by(&worker).into_iter().filter(is_new).collect();
            assert!(new.iter().all(|mapped| mapped.is_writable) && new.len() == 1);
            if trust == Trust::Untrusted {
                assert_eq!(new[0].len, 4096, "it has a page of its own");
            }
            let lies_beside = maps(&worker, neighbour.identity());
            assert_eq!(lies_beside, trust == Trust::Trusted);
        }
    })
    .await;
}

#[tokio::test]
async fn a_cell_that_was_made_for_nobody_is_refused_by_name() {
    watched(async {
        let (worker, cells) = import::<cells::Client>(Trust::Untrusted).await;
        let bins = SharedCells::<u64>::zeroed(100_000).unwrap();
        let values = worker.tensor(&ndarray::array![1u8, 2]).unwrap();
        let error = cells.histogram(&bins, &values).await.unwrap_err();
        assert!(error.is_retryable());
        let cause = error.failure().unwrap().cause();
        assert!(matches!(cause, FailureCause::NotForUntrusted { argument } if argument == "bins"));
        assert!(error.to_string().contains("`Worker::cell`"), "{error}");
        let bins = worker.cells::<u64>(4).unwrap();
        cells.histogram(&bins, &values).await.unwrap();
        assert_eq!(bins.to_vec(), [0, 1, 1, 0]);
        let sum = SharedCell::new(1.0).unwrap();
        cells.add(&sum, 1.0).await.unwrap_err();
    })
    .await;
}

#[tokio::test]
async fn a_cell_of_an_untrusted_worker_goes_back_and_to_trusted_ones() {
    watched(async {
        let (_maker, making) = import::<cells::Client>(Trust::Untrusted).await;
        let (_stranger, adding) = import::<cells::Client>(Trust::Untrusted).await;
        let (_worker, trusted) = import::<cells::Client>(Trust::Trusted).await;
        let cell = making.make().await.unwrap().unwrap();
        assert_eq!(making.add(&cell, 1.0).await.unwrap(), 0.5);
        assert_eq!(trusted.add(&cell, 1.0).await.unwrap(), 1.5);
        assert_eq!(cell.load(), 2.5);
        let error = adding.add(&cell, 1.0).await.unwrap_err();
        let cause = error.failure().unwrap().cause();
        assert!(
            matches!(cause, FailureCause::NotForUntrusted { .. }),
            "{error}"
        );
        // One of a trusted worker lies among that one's other tensors.
        let cell = trusted.make().await.unwrap().unwrap();
        adding.add(&cell, 1.0).await.unwrap_err();
        assert_eq!(cell.load(), 0.5);
    })
    .await;
}

#[tokio::test]
async fn a_cell_for_one_untrusted_worker_can_be_shared_with_two() {
    watched(async {
        let (one, first) = import::<cells::Client>(Trust::Untrusted).await;
        let (_other, second) = import::<cells::Client>(Trust::Untrusted).await;
        let sum = one.cell(0.0).unwrap();
        first.add(&sum, 0.5).await.unwrap();
        second.add(&sum, 0.25).await.unwrap();
        assert_eq!(sum.load(), 0.75);
    })
    .await;
}
