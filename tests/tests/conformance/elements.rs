//! Element types, and arrays of any shape and strides against ndarray's own answer.

use half::{bf16, f16};
use ndarray::{ArrayD, Axis, Dimension, IxDyn, Slice};
use num_complex::Complex;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use reedbed::{Element, Tensor};
use reedbed_tests::modules;
use reedbed_tests::setting::Setting;

use crate::{TestResult, start};

pub(crate) async fn every_element_type_travels(setting: Setting) -> TestResult {
    let worker = start(setting).await?;
    macro_rules! check {
        ($($module:ident: $elements:expr;)*) => {$({
            let client = worker.import::<modules::$module::Client>().await?;
            let elements = $elements.to_vec();
            let array = ArrayD::from_shape_vec(IxDyn(&[elements.len()]), elements)?;
            let tensor = Tensor::from(&array);
            let copy = client.copy(&tensor).await?;
            assert_eq!(copy.view()?, array, "{}", stringify!($module));
            let mut target = Tensor::zeros(array.raw_dim())?;
            client.copy_into(&tensor, &mut target).await?;
            assert_eq!(target.view()?, array, "{}", stringify!($module));
        })*};
    }
    check! {
        of_bool: [true, false, true];
        of_u8: [0u8, 1, u8::MAX];
        of_u16: [0u16, 1, u16::MAX];
        of_u32: [0u32, 1, u32::MAX];
        of_u64: [0u64, 1, u64::MAX];
        of_u128: [0u128, 1, u128::MAX];
        of_i8: [i8::MIN, -1, i8::MAX];
        of_i16: [i16::MIN, -1, i16::MAX];
        of_i32: [i32::MIN, -1, i32::MAX];
        of_i64: [i64::MIN, -1, i64::MAX];
        of_i128: [i128::MIN, -1, i128::MAX];
        of_f16: [f16::MIN, f16::EPSILON, f16::INFINITY];
        of_bf16: [bf16::MIN, bf16::EPSILON, bf16::INFINITY];
        of_f32: [f32::MIN, -0.0, f32::INFINITY];
        of_f64: [f64::MIN, -0.0, f64::INFINITY];
        of_c32: [Complex::new(1.0f32, -2.0), Complex::new(f32::MAX, 0.0)];
        of_c64: [Complex::new(1.0f64, -2.0), Complex::new(f64::MAX, 0.0)];
    }
    Ok(())
}

/// A shape of up to four dimensions, and how each is cut and ordered.
type Cut = Vec<(usize, (usize, usize, isize))>;

fn cuts() -> impl Strategy<Value = Cut> {
    let steps = prop_oneof![Just(1isize), Just(2), Just(3), Just(-1), Just(-2)];
    prop::collection::vec((0usize..7, (0usize..4, 0usize..8, steps)), 0..5)
}

/// Cuts ndarray's view and the tensor's own in the same way; they must name the same elements.
pub(crate) async fn random_arrays_come_back_equal(setting: Setting) -> TestResult {
    let worker = start(setting).await?;
    let client = worker.import::<modules::of_u16::Client>().await?;
    let mut runner = TestRunner::deterministic();
    for _ in 0..200 {
        let cut = cuts()
            .new_tree(&mut runner)
            .map_err(|reason| reason.to_string())?
            .current();
        let shape: Vec<usize> = cut.iter().map(|(n, _)| *n).collect();
        let array = ArrayD::from_shape_fn(IxDyn(&shape), |index| {
            index
                .slice()
                .iter()
                .zip(1u16..)
                .fold(1u16, |hash, (i, axis)| {
                    (0..*i).fold(hash, |hash, _| hash.wrapping_mul(31).wrapping_add(axis))
                })
        });
        let tensor = Tensor::from(&array);
        let slices: Vec<ndarray::SliceInfoElem> = cut
            .iter()
            .map(|(n, (start, end, step))| {
                let start = (*start).min(*n);
                let end = (*end).clamp(start, *n);
                Slice::new(start as isize, Some(end as isize), *step).into()
            })
            .collect();
        let ours = array.slice(&slices[..]).reversed_axes();
        let theirs = tensor.slice(&slices[..]).reversed_axes();
        assert_eq!(theirs.view()?, ours, "{cut:?}");
        let copy = client.copy(theirs.clone()).await?;
        assert_eq!(copy.view()?, ours, "{cut:?}");

        let mut target = Tensor::<u16, _>::zeros(array.raw_dim())?;
        let mut expected = ArrayD::zeros(array.raw_dim());
        expected
            .slice_mut(&slices[..])
            .reversed_axes()
            .assign(&ours);
        client
            .copy_into(theirs, target.slice_mut(&slices[..]).reversed_axes())
            .await?;
        assert_eq!(target.view()?, expected, "{cut:?}");
        assert!(is_untouched_elsewhere(&target, &expected));
    }
    Ok(())
}

fn is_untouched_elsewhere<A: Element>(tensor: &Tensor<A, IxDyn>, expected: &ArrayD<A>) -> bool {
    let same = tensor
        .view()
        .is_ok_and(|view| view.iter().eq(expected.iter()));
    same && (0..expected.ndim()).all(|axis| tensor.shape()[axis] == expected.len_of(Axis(axis)))
}
