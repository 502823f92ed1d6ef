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

/// The number at `index` of the bytes of numbers that may lie at any address.
pub(crate) fn number_in(bytes: &[u8], index: u64) -> u64 {
    let (numbers, _) = bytes.as_chunks();
    u64::from_le_bytes(numbers[index as usize])
}

/// Writes each number, plus one, into `incremented`.
pub(crate) fn increment_into(numbers: &[u64], incremented: &mut [u64]) {
    for (incremented, number) in incremented.iter_mut().zip(numbers) {
        *incremented = number.wrapping_add(1);
    }
}

/// The same of bytes that may lie at any address, into a vector that is emptied first.
pub(crate) fn increment_bytes_into(bytes: &[u8], incremented: &mut Vec<[u8; 8]>) {
    let (numbers, _) = bytes.as_chunks();
    incremented.clear();
    incremented.extend(
        numbers
            .iter()
            .map(|&number| u64::from_le_bytes(number).wrapping_add(1).to_le_bytes()),
    );
}

/// The same, into a new vector.
pub(crate) fn incremented_bytes(bytes: &[u8]) -> Vec<u8> {
    let mut incremented = Vec::new();
    increment_bytes_into(bytes, &mut incremented);
    incremented.into_flattened()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_at_any_address_have_the_sum_of_their_numbers() {
        let numbers = numbers(8 * 1000);
        let expected = (0..1000).fold(0u64, |sum, index| sum.wrapping_add(number(index)));
        assert_eq!(sum(&numbers), expected);

        let mut bytes = vec![0];
        bytes.extend_from_slice(bytemuck::cast_slice(&numbers));
        assert_eq!(sum_bytes(&bytes[1..]), expected);
        assert_eq!(number_in(&bytes[1..], 7), number(7));
    }

    #[test]
    fn numbers_are_incremented_the_same_in_every_way() {
        let heap = Heap::new(8 * 100);
        let mut into = vec![0; 100];
        increment_into(&heap.numbers, &mut into);
        assert_eq!(sum(&into), heap.sum_incremented);
        assert_eq!(
            bytemuck::cast_slice::<_, u8>(&into),
            incremented_bytes(&heap.bytes())
        );

        let mut in_place = heap.numbers.clone();
        increment(&mut in_place);
        assert_eq!(in_place, into);
    }

    #[test]
    fn a_wrong_answer_ends_the_turn() {
        assert!(check(1, 1).is_ok());
        assert_eq!(
            check(1, 2).unwrap_err().to_string(),
            "the answer is 1, not 2"
        );
    }
}
