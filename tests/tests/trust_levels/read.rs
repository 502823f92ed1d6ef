//! Arrays that the worker reads.

use ndarray::{Array1, Array2, Ix2, s};
use reedbed::{CopyReason, Segment, Tensor, Trust};
use reedbed_tests::modules::arrays;
use reedbed_tests::watched::watched;
use rustix::fs::SealFlags;

use crate::{BOTH, copy, forbidden, import, is_from, mapped_by, maps, seals};

const LENGTH_ALONE: SealFlags = SealFlags::SHRINK
    .union(SealFlags::GROW)
    .union(SealFlags::SEAL);

#[tokio::test]
async fn an_ordinary_tensor_is_shared_with_a_trusted_worker() {
    watched(async {
        let (_worker, arrays) = import::<arrays::Client>(Trust::Trusted).await;
        let image = Tensor::<u16, Ix2>::from_elem((300, 200), 7).unwrap();
        let (at, report) = arrays
            .where_read(&image)
            .forbid_copies()
            .reported()
            .await
            .unwrap();
        assert!(is_from(at.as_ref(), image.identity()));
        assert!(!at.unwrap().is_writable, "a stray write is no harm");
        assert_eq!((report.shared_bytes, report.copied_bytes), (120_000, 0));
        assert_eq!(seals(image.identity()), LENGTH_ALONE);
    })
    .await;
}

#[tokio::test]
async fn an_ordinary_tensor_is_copied_for_an_untrusted_worker() {
    watched(async {
        let (worker, arrays) = import::<arrays::Client>(Trust::Untrusted).await;
        let image = Tensor::<u16, Ix2>::from_elem((300, 200), 7).unwrap();
        for _ in 0..2 {
            let (at, report) = arrays.where_read(&image).reported().await.unwrap();
            assert!(!is_from(at.as_ref(), image.identity()));
            assert!(!at.unwrap().is_writable);
            let once = copy("values", 120_000, CopyReason::UntrustedReader);
            assert_eq!((report.shared_bytes, report.copies), (0, vec![once]));
        }
        assert!(!maps(&worker, image.identity()), "it never sees the tensor");
        let reason = forbidden(arrays.where_read(&image).forbid_copies().await);
        assert_eq!(reason, CopyReason::UntrustedReader);
        assert!(reason.to_string().contains("`Worker::zeros`"), "{reason}");
    })
    .await;
}

#[tokio::test]
async fn a_tensor_that_was_made_for_the_worker_is_shared_and_sealed() {
    watched(async {
        let (worker, arrays) = import::<arrays::Client>(Trust::Untrusted).await;
        let mut image = worker.zeros::<u16, _>((300, 200)).unwrap();
        let all = LENGTH_ALONE | SealFlags::FUTURE_WRITE;
        assert_eq!(seals(image.identity()), all);
        for value in 0..3 {
            // The host goes on writing it, between calls.
            image.view_mut().unwrap().fill(value);
            let call = arrays.where_read(&image).forbid_copies();
            let (at, report) = call.reported().await.unwrap();
            assert!(is_from(at.as_ref(), image.identity()));
            assert!(!at.unwrap().is_writable);
            assert_eq!((report.shared_bytes, report.copied_bytes), (120_000, 0));
        }
        let its = mapped_by(&worker);
        let its = its.iter().filter(|at| at.inode == image.identity().inode);
        assert!(its.clone().count() > 0 && its.clone().all(|at| !at.is_writable));
        let copied = worker.tensor(&Array1::from_iter(0..10_000i64)).unwrap();
        assert_eq!(
            arrays.sum(&copied).forbid_copies().await.unwrap(),
            49_995_000
        );
        assert_eq!(seals(copied.identity()), all);
    })
    .await;
}

#[tokio::test]
async fn a_tensor_that_was_made_for_a_trusted_worker_is_an_ordinary_one() {
    watched(async {
        let (worker, arrays) = import::<arrays::Client>(Trust::Trusted).await;
        let mut labels = worker.zeros::<u32, _>((300, 200)).unwrap();
        assert_eq!(seals(labels.identity()), LENGTH_ALONE);
        let call = arrays.fill(&mut labels, 3).forbid_copies();
        assert_eq!(call.await.unwrap(), 60_000);
    })
    .await;
}

#[tokio::test]
async fn an_array_of_the_heap_is_copied_at_both_levels() {
    watched(async {
        for trust in BOTH {
            let (worker, arrays) = import::<arrays::Client>(trust).await;
            for n in [10, 100_000] {
                let values = Array1::from_elem(n, 2i64);
                let (sum, report) = arrays.sum(&values).reported().await.unwrap();
                assert_eq!(sum, 2 * i64::try_from(n).unwrap());
                let once = copy("values", 8 * n as u64, CopyReason::HeapArgument);
                assert_eq!((report.shared_bytes, report.copies), (0, vec![once]));
            }
            let image = Array2::<u16>::zeros((300, 200));
            let at = arrays.where_read(&image).await.unwrap().unwrap();
            assert!(!at.is_writable, "{trust:?}");
            if trust == Trust::Untrusted {
                let is_writable = |at: &crate::Mapped| at.is_writable && at.len < 200_000;
                let writable: Vec<_> = mapped_by(&worker).into_iter().filter(is_writable).collect();
                assert!(writable.is_empty(), "{writable:?}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn what_lies_between_lent_elements_is_not_shown() {
    watched(async {
        let (worker, arrays) = import::<arrays::Client>(Trust::Untrusted).await;
        let image = Tensor::<u16, Ix2>::from_shape_fn((400, 300), |(row, column)| {
            if row % 2 == 0 && column % 3 == 0 {
                1
            } else {
                0xdead
            }
        })
        .unwrap();
        let part = image.slice(s![..;2, ..;3]);
        let (at, report) = arrays.where_read(part).reported().await.unwrap();
        assert_eq!(report.copied_bytes, 2 * 200 * 100);
        assert!(!is_from(at.as_ref(), image.identity()));
        assert!(!maps(&worker, image.identity()));
    })
    .await;
}

#[tokio::test]
async fn small_tensors_share_a_segment_with_trusted_workers_alone() {
    watched(async {
        let small = || Tensor::from(ndarray::array![1i64, 2, 3]);
        let (first, second) = (small(), small());
        assert_eq!(first.identity(), second.identity());
        let (trusted, arrays) = import::<arrays::Client>(Trust::Trusted).await;
        let (_, report) = arrays.sum(&first).reported().await.unwrap();
        assert_eq!((report.shared_bytes, report.copied_bytes), (24, 0));
        assert!(maps(&trusted, second.identity()), "both lie there");

        let (untrusted, arrays) = import::<arrays::Client>(Trust::Untrusted).await;
        let (_, report) = arrays.sum(&first).reported().await.unwrap();
        let once = copy("values", 24, CopyReason::UntrustedReader);
        assert_eq!((report.shared_bytes, report.copies), (0, vec![once]));
        assert!(!maps(&untrusted, first.identity()));
        let made = || untrusted.tensor(&ndarray::array![1i64, 2, 3]).unwrap();
        let (first, second) = (made(), made());
        assert_ne!(first.identity(), second.identity());
        assert_eq!(arrays.sum(&first).forbid_copies().await.unwrap(), 6);
        assert!(!maps(&untrusted, second.identity()), "it wasn't lent");
    })
    .await;
}

#[tokio::test]
async fn bare_segments_are_read_as_tensors_are() {
    watched(async {
        for trust in BOTH {
            let (worker, arrays) = import::<arrays::Client>(trust).await;
            let source = Segment::zeroed(100_000).unwrap();
            let mut target = Segment::zeroed(100_000).unwrap();
            let call = arrays.reverse_bytes(&source, &mut target).reported();
            let ((), report) = call.await.unwrap();
            let is_shared = trust == Trust::Trusted;
            let expected = if is_shared {
                (200_000, 0)
            } else {
                (0, 300_000)
            };
            assert_eq!((report.shared_bytes, report.copied_bytes), expected);
            let made = worker
                .zeros::<u8, _>(100_000)
                .unwrap()
                .into_segment()
                .unwrap();
            let call = arrays.reverse_bytes(&made, &mut target).reported();
            let ((), report) = call.await.unwrap();
            let expected = if is_shared {
                (200_000, 0)
            } else {
                (100_000, 200_000)
            };
            assert_eq!((report.shared_bytes, report.copied_bytes), expected);
        }
    })
    .await;
}
