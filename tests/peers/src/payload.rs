//! What every system does with its arrays: the same loops everywhere, so that only the way there
//! differs.

/// The array of a work: 64-bit numbers, of which no two neighbours are the same.
pub(crate) fn numbers(n_bytes: usize) -> Vec<u64> {
    (0..n_bytes as u64 / 8).map(number).collect()
}

/// The number at `index`.
pub(crate) fn number(index: u64) -> u64 {
    index.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Adds all numbers up, reading every byte.
pub(crate) fn sum(numbers: &[u64]) -> u64 {
    sum_bytes(bytemuck::cast_slice(numbers))
}

/// The same, of the bytes of numbers that may lie at any address.
pub(crate) fn sum_bytes(bytes: &[u8]) -> u64 {
    let (numbers, _) = bytes.as_chunks();
    numbers.iter().fold(0, |sum: u64, &number| {
        sum.wrapping_add(u64::from_le_bytes(number))
    })
}

/// Writes each number, plus one, into `incremented`.
pub(crate) fn increment_into(numbers: &[u64], incremented: &mut [u64]) {
    for (incremented, number) in incremented.iter_mut().zip(numbers) {
        *incremented = number.wrapping_add(1);
    }
}

/// The same of bytes, into a new vector.
pub(crate) fn incremented_bytes(bytes: &[u8]) -> Vec<u8> {
    let (numbers, _) = bytes.as_chunks();
    let mut incremented = Vec::with_capacity(bytes.len());
    for &number in numbers {
        let number = u64::from_le_bytes(number).wrapping_add(1);
        incremented.extend_from_slice(&number.to_le_bytes());
    }
    incremented
}

/// Adds one to each number.
pub(crate) fn increment(numbers: &mut [u64]) {
    for number in numbers {
        *number = number.wrapping_add(1);
    }
}

/// An array on the heap, and what its calls have to answer.
pub(crate) struct Heap {
    pub(crate) numbers: Vec<u64>,
    pub(crate) sum: u64,
    /// The sum once each number is one more.
    pub(crate) sum_incremented: u64,
}

impl Heap {
    pub(crate) fn new(n_bytes: usize) -> Self {
        let numbers = numbers(n_bytes);
        let sum = sum(&numbers);
        let sum_incremented = sum.wrapping_add(numbers.len() as u64);
        Self {
            numbers,
            sum,
            sum_incremented,
        }
    }

    /// The same bytes, for the systems that send bytes.
    pub(crate) fn bytes(&self) -> bytes::Bytes {
        bytes::Bytes::from(bytemuck::cast_slice(&self.numbers).to_vec())
    }
}

/// An answer has to be right, in each of the timed calls.
pub(crate) fn check(answer: u64, expected: u64) -> crate::Outcome {
    if answer == expected {
        Ok(())
    } else {
        Err(format!("the answer is {answer}, not {expected}").into())
    }
}
