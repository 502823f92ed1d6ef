//! Arrays that the worker writes: lent for that, or given away.

use ndarray::{Array1, Array2, Ix2, s};
use reedbed::{CopyReason, FailureCause, Tensor, Trust};
use reedbed_tests::gate::{self, Gates};
use reedbed_tests::modules::arrays;
use reedbed_tests::watched::watched;

use crate::{BOTH, copy, copy_of_result, forbidden, import, is_from, maps};

#[tokio::test]
async fn a_tensor_is_written_in_place_by_a_trusted_worker() {
    watched(async {
        let (_worker, arrays) = import::<arrays::Client>(Trust::Trusted).await;
        let mut image = Tensor::<u16, Ix2>::zeros((300, 200)).unwrap();
        let call = arrays.where_written(&mut image).forbid_copies();
        let (at, report) = call.reported().await.unwrap();
        assert!(is_from(at.as_ref(), image.identity()));
        assert!(at.unwrap().is_writable);
        assert_eq!((report.shared_bytes, report.copied_bytes), (120_000, 0));
    })
    .await;
}

#[tokio::test]
async fn an_untrusted_worker_writes_a_copy_that_comes_back() {
    watched(async {
        let (worker, arrays) = import::<arrays::Client>(Trust::Untrusted).await;
        let mut image = Tensor::<u16, Ix2>::zeros((300, 200)).unwrap();
        let (at, report) = arrays.where_written(&mut image).reported().await.unwrap();
        assert!(!is_from(at.as_ref(), image.identity()));
        let each_way = copy("values", 120_000, CopyReason::UntrustedWriter);
        assert_eq!(report.copies, [each_way.clone(), each_way]);
        assert_eq!(report.shared_bytes, 0);

        let ones = worker.tensor(&Array2::from_elem((300, 200), 1u32)).unwrap();
        let mut labels = Tensor::<u32, Ix2>::from_elem((300, 200), 4).unwrap();
        let (_, report) = arrays.add_to(&ones, &mut labels).reported().await.unwrap();
        assert!(labels.view().unwrap().iter().all(|label| *label == 5));
        assert_eq!(
            (report.shared_bytes, report.copied_bytes),
            (240_000, 480_000)
        );
        // What was made for it to read is copied, too, where it writes.
        let mut made = worker.zeros::<u32, _>((300, 200)).unwrap();
        arrays.fill(&mut made, 9).await.unwrap();
        assert!(made.view().unwrap().iter().all(|label| *label == 9));
        for identity in [image.identity(), labels.identity(), made.identity()] {
            assert!(!maps(&worker, identity));
        }
        let call = arrays.fill(&mut labels, 1).forbid_copies();
        assert_eq!(forbidden(call.await), CopyReason::UntrustedWriter);
    })
    .await;
}

#[tokio::test]
async fn any_strides_come_back_and_their_neighbours_stay() {
    watched(async {
        for trust in BOTH {
            let (_worker, arrays) = import::<arrays::Client>(trust).await;
            let mut labels = Tensor::<u32, Ix2>::from_elem((40, 60), 7).unwrap();
            arrays
                .fill(labels.slice_mut(s![..;-1, ..;2]), 3)
                .await
                .unwrap();
            let mut expected = Array2::from_elem((40, 60), 7);
            expected.slice_mut(s![.., ..;2]).fill(3);
            assert_eq!(labels.view().unwrap(), expected, "{trust:?}");
            let mut flags = Tensor::from(Array1::from_iter((0..90).map(|n| n % 3 == 0)));
            arrays.invert(flags.slice_mut(s![..;3])).await.unwrap();
            assert!(flags.view().unwrap().iter().all(|flag| !flag), "{trust:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn an_array_of_the_heap_is_copied_there_and_back_at_both_levels() {
    watched(async {
        for trust in BOTH {
            let (_worker, arrays) = import::<arrays::Client>(trust).await;
            for n in [2, 200] {
                let mut labels = Array2::<u32>::zeros((n, n));
                let (_, report) = arrays.fill(&mut labels, 9).reported().await.unwrap();
                assert!(labels.iter().all(|label| *label == 9));
                let copied = |reason| copy("values", (4 * n * n) as u64, reason);
                let ways = [CopyReason::HeapArgument, CopyReason::HeapResult];
                assert_eq!(
                    (report.shared_bytes, report.copies),
                    (0, ways.map(copied).to_vec())
                );
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_tensor_is_given_to_a_trusted_worker_and_a_copy_to_another() {
    watched(async {
        for trust in BOTH {
            let (worker, arrays) = import::<arrays::Client>(trust).await;
            let values = Tensor::from(Array1::from_elem(50_000, 1.0));
            let identity = values.identity();
            let (doubled, report) = arrays.pass_on(values).reported().await.unwrap();
            assert!(doubled.view().unwrap().iter().all(|value| *value == 2.0));
            if trust == Trust::Trusted {
                assert_eq!((doubled.identity(), report.copied_bytes), (identity, 0));
                continue;
            }
            let there = copy("values", 400_000, CopyReason::UntrustedWriter);
            let back = copy_of_result(400_000, CopyReason::UntrustedResult);
            assert_eq!((report.shared_bytes, report.copies), (0, vec![there, back]));
            assert!(!maps(&worker, identity) && !maps(&worker, doubled.identity()));
            // What could not be sent comes back as ever.
            let call = arrays.take(doubled).forbid_copies();
            let Err(reedbed::CallError::Failed(mut failure)) = call.await else {
                panic!("a copy is forbidden");
            };
            assert!(matches!(
                failure.cause(),
                FailureCause::CopyForbidden {
                    reason: CopyReason::UntrustedWriter,
                    ..
                }
            ));
            let values: Tensor<f64, ndarray::Ix1> = failure.reclaim("values").unwrap();
            assert_eq!(arrays.take(values).await.unwrap(), 100_000.0);
        }
    })
    .await;
}

#[tokio::test]
async fn small_arrays_are_given_in_the_frame_to_an_untrusted_worker() {
    watched(async {
        let (_worker, arrays) = import::<arrays::Client>(Trust::Untrusted).await;
        let values = Tensor::from(ndarray::array![1.0, 2.0]);
        let (doubled, report) = arrays.pass_on(values).reported().await.unwrap();
        assert_eq!(doubled.view().unwrap(), ndarray::array![2.0, 4.0]);
        let there = copy("values", 16, CopyReason::UntrustedWriter);
        assert_eq!(report.copies[0], there);
    })
    .await;
}

#[tokio::test]
async fn what_a_failed_call_wrote_is_the_tensors_or_nobodys() {
    watched(async {
        for trust in BOTH {
            let (_worker, arrays) = import::<arrays::Client>(trust).await;
            let mut labels = Tensor::<u32, Ix2>::zeros((2, 2)).unwrap();
            // A function that returns, even an error, has done its work.
            arrays.fail_after_writing(&mut labels, 4).await.unwrap_err();
            assert_eq!(labels.view().unwrap()[[0, 0]], 4);
            arrays
                .panic_after_writing(&mut labels, 5)
                .await
                .unwrap_err();
            assert_eq!(labels.is_poisoned(), trust == Trust::Trusted);
            labels.recover().unwrap();
            let written = if trust == Trust::Trusted { 5 } else { 4 };
            assert_eq!(labels.view().unwrap()[[0, 0]], written, "{trust:?}");
            arrays
                .crash_after_writing(&mut labels, 6)
                .await
                .unwrap_err();
            assert_eq!(labels.is_poisoned(), trust == Trust::Trusted);
            labels.recover().unwrap();
            let written = if trust == Trust::Trusted { 6 } else { 4 };
            assert_eq!(labels.view().unwrap()[[0, 0]], written, "{trust:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_dropped_call_leaves_the_tensor_free_and_as_it_was() {
    watched(async {
        let (_worker, arrays) = import::<arrays::Client>(Trust::Untrusted).await;
        let gates = Gates::new();
        let gate = gates.make("begun");
        let mut labels = Tensor::<u32, Ix2>::zeros((2, 2)).unwrap();
        {
            let call = arrays.hang_after_writing(&mut labels, 9, gate.clone());
            let passed = gate::pass(&gate);
            futures::future::select(Box::pin(call), Box::pin(passed)).await;
        }
        assert_eq!(
            labels.view_mut().unwrap().sum(),
            0,
            "neither leased nor poisoned"
        );
        assert_eq!(arrays.fill(&mut labels, 1).await.unwrap(), 4);
    })
    .await;
}

#[tokio::test]
async fn a_trusted_worker_can_not_write_what_was_made_for_another() {
    watched(async {
        let (untrusted, _) = import::<arrays::Client>(Trust::Untrusted).await;
        let (_worker, arrays) = import::<arrays::Client>(Trust::Trusted).await;
        let mut labels = untrusted.zeros::<u32, _>((300, 200)).unwrap();
        let (_, report) = arrays.fill(&mut labels, 5).reported().await.unwrap();
        assert!(labels.view().unwrap().iter().all(|label| *label == 5));
        let each_way = copy("values", 240_000, CopyReason::Guarded);
        assert_eq!(report.copies, [each_way.clone(), each_way]);
        let values = untrusted.tensor(&Array1::from_elem(50_000, 0.5)).unwrap();
        let sum = arrays.checksum(values.tensor_view().into_dyn());
        assert!(
            sum.forbid_copies().await.unwrap() > 0.0,
            "reading it is free"
        );
        let (sum, report) = arrays.take(values).reported().await.unwrap();
        let there = copy("values", 400_000, CopyReason::Guarded);
        assert_eq!((sum, report.copies), (25_000.0, vec![there]));
    })
    .await;
}
