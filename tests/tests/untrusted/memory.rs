//! What the worker does to memory of its arguments.

use ndarray::{Array1, Array2, Ix2};
use reedbed::{FailureCause, Tensor, Worker};
use reedbed_tests::modules::arrays;
use reedbed_tests::watched::watched;

use crate::{client, failure, violation};

#[tokio::test]
async fn nothing_that_it_reads_can_be_written() {
    watched(async {
        let (worker, arrays) = client::<arrays::Client>("writes-what-it-reads").await;
        let values = worker.tensor(&Array1::from_elem(1000, 7i64)).unwrap();
        let call = arrays.sum(&values).forbid_copies();
        assert_eq!(call.await.unwrap(), 0, "no way of writing it worked");
        assert!(values.view().unwrap().iter().all(|value| *value == 7));
    })
    .await;
}

#[tokio::test]
async fn a_copy_that_it_reads_can_not_be_written_either() {
    watched(async {
        let (_worker, arrays) = client::<arrays::Client>("writes-what-it-reads").await;
        let values = Tensor::from(Array1::from_elem(10_000, 7i64));
        assert_eq!(arrays.sum(&values).await.unwrap(), 0);
        assert!(values.view().unwrap().iter().all(|value| *value == 7));
    })
    .await;
}

/// By which it is known that those ways are ways.
#[tokio::test]
async fn what_a_trusted_worker_reads_can_be_written_on_purpose() {
    watched(async {
        let worker = Worker::builder(env!("CARGO_BIN_EXE_misbehaving-worker"))
            .arg("untrusted-writes-what-it-reads")
            .log(|_| {});
        let worker = worker.spawn().await.unwrap();
        let arrays: arrays::Client = worker.import().await.unwrap();
        let values = Tensor::from(Array1::from_elem(10_000, 7i64));
        let call = arrays.sum(&values).forbid_copies();
        // By its descriptor, which it opened again, a new mapping, `mprotect` of one, `/proc/self/mem`
        // after that, and a hole. What it was lent can't be made writable, nor longer or shorter, nor
        // be sealed.
        assert_eq!(call.await.unwrap(), 5);
        assert!(values.view().unwrap().iter().any(|value| *value == 0));
    })
    .await;
}

#[tokio::test]
async fn what_it_writes_after_its_reply_comes_too_late() {
    watched(async {
        let (_worker, arrays) = client::<arrays::Client>("keeps-what-it-wrote").await;
        let mut tensors: Vec<_> = (0..3)
            .map(|_| Tensor::<u32, Ix2>::zeros((300, 200)).unwrap())
            .collect();
        for tensor in &mut tensors {
            assert_eq!(arrays.fill(tensor, 0).await.unwrap(), 60_000);
        }
        // Each one was written again when the next one came.
        for (tensor, value) in tensors.iter().zip([0x0101_0101, 0x0202_0202, 0x0303_0303]) {
            let view = tensor.view().unwrap();
            assert!(view.iter().all(|element| *element == value));
        }
    })
    .await;
}

#[tokio::test]
async fn arrays_of_the_heap_are_as_safe() {
    watched(async {
        let (_worker, arrays) = client::<arrays::Client>("keeps-what-it-wrote").await;
        let mut heap = [(); 3].map(|()| Array2::<u32>::zeros((20, 10)));
        for array in &mut heap {
            assert_eq!(arrays.fill(&mut *array, 0).await.unwrap(), 200);
        }
        for (array, value) in heap.iter().zip([0x0101_0101, 0x0202_0202, 0x0303_0303]) {
            assert!(array.iter().all(|element| *element == value));
        }
    })
    .await;
}

#[tokio::test]
async fn a_bool_that_is_none_is_nobodys_and_ends_the_worker() {
    watched(async {
        let (worker, arrays) = client::<arrays::Client>("writes-bad-bools").await;
        let mut flags = Tensor::from(Array1::from_elem(100_000, true));
        let failure = failure(arrays.invert(&mut flags).await);
        let FailureCause::Protocol { reason } = failure.cause() else {
            panic!("{failure}");
        };
        assert_eq!(reason, "wrote a bool that is neither 0 nor 1");
        assert!(!failure.is_retryable());
        assert!(!flags.is_poisoned(), "the worker wrote a copy");
        assert!(flags.view().unwrap().iter().all(|flag| *flag));
        let end = worker.ended().await;
        assert!(violation(&end).contains("neither 0 nor 1"), "{end}");
    })
    .await;
}

#[tokio::test]
async fn a_bad_bool_leaves_an_array_of_the_heap_as_it_was() {
    watched(async {
        let (_worker, arrays) = client::<arrays::Client>("writes-bad-bools").await;
        let mut flags = Array1::from_elem(3, true);
        let failure = failure(arrays.invert(&mut flags).await);
        assert!(matches!(failure.cause(), FailureCause::Protocol { .. }));
        assert_eq!(flags, Array1::from_elem(3, true));
    })
    .await;
}
