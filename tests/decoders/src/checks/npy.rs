//! Files of NumPy's: an array that was read has the elements of the file, and is written and read
//! once more as it is; a header reserves no more than the budget.
//!
//! The first byte chooses the element type that is asked for.

use std::sync::Once;

use ndarray::IxDyn;
use num_complex::{Complex32, Complex64};
use reedbed::{Element, NpyError, Tensor, set_memory_budget};

use crate::Verdict;
use crate::allocation::bounded;

/// No array is larger here.
const BUDGET_BYTES: u64 = 1 << 20;
/// The longest header, for which memory is taken before it is read.
const LONGEST_HEADER: usize = 64 * 1024;

pub(crate) fn check(bytes: &[u8]) -> Verdict {
    static BUDGET: Once = Once::new();
    BUDGET.call_once(|| set_memory_budget(BUDGET_BYTES));
    let Some((choice, file)) = bytes.split_first() else {
        return Verdict::Refused;
    };
    match choice % 14 {
        0 => read::<bool>(file),
        1 => read::<u8>(file),
        2 => read::<u16>(file),
        3 => read::<u32>(file),
        4 => read::<u64>(file),
        5 => read::<i8>(file),
        6 => read::<i16>(file),
        7 => read::<i32>(file),
        8 => read::<i64>(file),
        9 => read::<half::f16>(file),
        10 => read::<f32>(file),
        11 => read::<f64>(file),
        12 => read::<Complex32>(file),
        _ => read::<Complex64>(file),
    }
}

fn read<A: Element>(file: &[u8]) -> Verdict {
    let read = |file: &[u8]| Tensor::<A, IxDyn>::read_npy_from(file);
    // The shape is kept as numbers, each of which takes two characters at least.
    let found = bounded(LONGEST_HEADER + file.len(), 64, || read(file));
    let tensor = match found {
        Ok(tensor) => tensor,
        Err(NpyError::Access(error)) => panic!("nobody else has it: {error}"),
        Err(_) => return Verdict::Refused,
    };
    let size_bytes = tensor.len() * size_of::<A>();
    assert!(size_bytes as u64 <= BUDGET_BYTES);

    let (header, elements) = split(file);
    assert!(elements.len() >= size_bytes);
    let view = tensor.view().unwrap();
    let (rows, columns) = (
        header.matches("False").count(),
        header.matches("True").count(),
    );
    let in_order: Vec<A> = match (rows, columns) {
        // Which one counts is said once.
        (0, 1) => view.reversed_axes().iter().copied().collect(),
        (1, 0) => view.iter().copied().collect(),
        _ => return Verdict::Accepted,
    };
    let in_order = Tensor::from(ndarray::Array1::from(in_order));
    let written = write(&in_order);
    assert_eq!(
        split(&written).1,
        &elements[..size_bytes],
        "the elements of the file"
    );

    let written = write(&tensor);
    let again = read(&written).unwrap();
    assert_eq!(again.shape(), tensor.shape());
    assert_eq!(write(&again), written, "written again");
    Verdict::Accepted
}

fn write<A: Element, D: ndarray::Dimension>(tensor: &Tensor<A, D>) -> Vec<u8> {
    let mut file = Vec::new();
    tensor.write_npy_to(&mut file).unwrap();
    file
}

/// The header and what follows, of a file whose header was read.
fn split(file: &[u8]) -> (&str, &[u8]) {
    let (preamble, rest) = file.split_first_chunk::<8>().unwrap();
    let (len, rest) = match preamble[6] {
        1 => {
            let (len, rest) = rest.split_first_chunk().unwrap();
            (u32::from(u16::from_le_bytes(*len)), rest)
        }
        _ => {
            let (len, rest) = rest.split_first_chunk().unwrap();
            (u32::from_le_bytes(*len), rest)
        }
    };
    let (header, elements) = rest.split_at(usize::try_from(len).unwrap());
    (std::str::from_utf8(header).unwrap(), elements)
}
