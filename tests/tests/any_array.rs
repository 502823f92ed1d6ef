//! Any array, cut in any way: whatever a function is given, writes and gives back is ndarray's own
//! answer.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use futures::executor::block_on;
use half::f16;
use ndarray::{ArrayD, ArrayViewD, IxDyn, Slice, SliceInfoElem};
use num_complex::Complex64;
use proptest::prelude::*;
use proptest::test_runner::{TestCaseResult, TestRunner};
use reedbed::{Tensor, TensorView, Worker};
use reedbed_tests::modules;

/// The most dimensions, each of so many elements at most.
const MAX_RANK: usize = 6;
const MAX_LEN: usize = 4;

/// An array, and what is seen of it.
#[derive(Clone, Debug)]
struct Cut {
    /// The numbers of elements.
    shape: Vec<usize>,
    /// Which of them are seen, along each dimension, and from which end.
    slices: Vec<SliceInfoElem>,
    /// In which order the dimensions are seen.
    order: Vec<usize>,
    /// How often all of it is repeated.
    n_repeats: usize,
}

fn dimensions() -> impl Strategy<Value = Vec<(usize, SliceInfoElem)>> {
    let steps = prop_oneof![Just(1isize), Just(2), Just(3), Just(-1), Just(-2), Just(-3)];
    let dimension = (0..=MAX_LEN, 0..=MAX_LEN, 0..=MAX_LEN, steps).prop_map(|(n, a, b, step)| {
        let (start, end) = (a.min(b).min(n), a.max(b).min(n));
        // The whole of it in most cases, so that something is left of many dimensions.
        let slice = match (a + b) % 3 {
            0 => Slice::new(start as isize, Some(end as isize), step),
            _ => Slice::new(0, None, step),
        };
        (n, slice.into())
    });
    prop::collection::vec(dimension, 0..=MAX_RANK)
}

fn cuts() -> impl Strategy<Value = Cut> {
    let ordered = dimensions().prop_flat_map(|dimensions| {
        let order: Vec<_> = (0..dimensions.len()).collect();
        (Just(dimensions), Just(order).prop_shuffle(), 0..3usize)
    });
    ordered.prop_map(|(dimensions, order, n_repeats)| {
        let (shape, slices) = dimensions.into_iter().unzip();
        Cut {
            shape,
            slices,
            order,
            n_repeats,
        }
    })
}

impl Cut {
    /// An array in which each element tells its place, as far as the type goes.
    fn array<A: Clone>(&self, element: impl Fn(u32) -> A) -> ArrayD<A> {
        let n = self.shape.iter().product::<usize>();
        let elements = (1u32..).take(n).map(element).collect();
        ArrayD::from_shape_vec(IxDyn(&self.shape), elements).unwrap()
    }

    fn of_array<'a, A>(&self, array: &'a ArrayD<A>) -> ArrayViewD<'a, A> {
        let slice = array.slice(&self.slices[..]);
        slice.permuted_axes(IxDyn(&self.order))
    }

    fn of_tensor<'a, A: reedbed::Element>(
        &self,
        tensor: &'a Tensor<A, IxDyn>,
    ) -> TensorView<'a, A, IxDyn> {
        let slice = tensor.slice(&self.slices[..]);
        slice.permuted_axes(IxDyn(&self.order))
    }

    /// The shape of what is seen, repeated.
    fn repeated(&self, shape: &[usize]) -> IxDyn {
        IxDyn(&[&[self.n_repeats], shape].concat())
    }
}

/// The properties, for one element type.
macro_rules! properties {
    ($($name:ident: $module:ident, $element:expr;)*) => {$(
        fn $name(worker: &Worker, n_cases: u32) {
            let client: modules::$module::Client = block_on(worker.import()).unwrap();
            let check = |cut: Cut| -> TestCaseResult {
                let array = cut.array($element);
                let tensor = Tensor::from(&array);
                let (ours, theirs) = (cut.of_array(&array), cut.of_tensor(&tensor));
                prop_assert_eq!(theirs.view().unwrap(), &ours, "seen here");

                // Lent for reading: in its segment, from the heap, and over and over.
                let copy = block_on(client.copy(theirs.clone())).unwrap();
                prop_assert_eq!(copy.view().unwrap(), &ours, "read");
                let copy = block_on(client.copy(ours.view())).unwrap();
                prop_assert_eq!(copy.view().unwrap(), &ours, "read from the heap");
                let shape = cut.repeated(ours.shape());
                let repeated = theirs.clone().broadcast(shape.clone()).unwrap();
                let copy = block_on(client.copy(repeated)).unwrap();
                let expected = ours.broadcast(shape).unwrap();
                prop_assert_eq!(copy.view().unwrap(), expected, "read over and over");

                // Lent for writing: what isn't seen stays as it is.
                let ours = array.slice(&cut.slices[..]).reversed_axes();
                let mut expected = cut.array(|n| ($element)(n + 1));
                let mut target = Tensor::from(&expected);
                let mut on_the_heap = expected.clone();
                expected.slice_mut(&cut.slices[..]).reversed_axes().assign(&ours);
                let place = target.slice_mut(&cut.slices[..]).reversed_axes();
                block_on(client.copy_into(ours.view(), place)).unwrap();
                prop_assert_eq!(target.view().unwrap(), &expected, "written");
                let place = on_the_heap.slice_mut(&cut.slices[..]).reversed_axes();
                let source = tensor.slice(&cut.slices[..]).reversed_axes();
                block_on(client.copy_into(source, place)).unwrap();
                prop_assert_eq!(&on_the_heap, &expected, "written on the heap");

                // Given, and returned.
                let given = tensor.slice_move(&cut.slices[..]);
                let returned = block_on(client.reverse(given)).unwrap();
                prop_assert_eq!(returned.view().unwrap(), &ours, "returned");
                Ok(())
            };
            let config = ProptestConfig {
                cases: n_cases,
                failure_persistence: None,
                ..ProptestConfig::default()
            };
            if let Err(error) = TestRunner::new(config).run(&cuts(), check) {
                panic!("{}: {error}", stringify!($module));
            }
        }
    )*

        /// Checks the properties for all these types.
        fn check_all(worker: &Worker, n_cases: u32) {
            $($name(worker, n_cases);)*
        }
    };
}

properties! {
    bools: of_bool, |n: u32| n.is_multiple_of(3);
    bytes: of_u8, |n: u32| n.to_le_bytes()[0];
    shorts: of_i16, |n: u32| i16::try_from(n).unwrap();
    halves: of_f16, |n: u32| f16::from_f32(n as f32);
    words: of_u32, |n: u32| n;
    doubles: of_f64, |n: u32| f64::from(n);
    wides: of_u128, |n: u32| u128::from(n) << 77;
    complexes: of_c64, |n: u32| Complex64::new(n.into(), -f64::from(n));
}

#[test]
fn any_array_out_and_back_equals_ndarrays_own_answer() {
    let worker = block_on(Worker::in_process(modules::ELEMENTS)).unwrap();
    check_all(&worker, 250);
}

#[test]
fn any_array_to_another_process_and_back_equals_ndarrays_own_answer() {
    let worker = block_on(Worker::spawn(env!("CARGO_BIN_EXE_test-worker"))).unwrap();
    check_all(&worker, 50);
}
