//! Places for calls in flight, found by number without hashing.
//!
//! Numbers are given in order, and each has its place: the number modulo the length of the row. One
//! whose place is still taken is passed over. So a number is never used twice, and a late or invented
//! one finds nothing, or somebody else's.

/// The places at first, a power of two.
const FEWEST: usize = 16;

/// Values by number.
#[derive(Debug)]
pub(crate) struct Slots<T> {
    /// Values and their numbers. At most half of them are taken.
    places: Vec<Option<(u64, T)>>,
    len: usize,
    /// The last number that was given.
    last: u64,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self {
            places: places(FEWEST),
            len: 0,
            last: 0,
        }
    }
}

fn places<T>(n: usize) -> Vec<Option<(u64, T)>> {
    (0..n).map(|_| None).collect()
}

impl<T> Slots<T> {
    /// How many values there are.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Adds a value, which learns its number; returns that. Numbers begin at 1.
    pub(crate) fn insert(&mut self, value: impl FnOnce(u64) -> T) -> u64 {
        if self.len * 2 >= self.places.len() {
            self.grow();
        }
        loop {
            self.last += 1;
            let number = self.last;
            let index = self.index(number);
            if self.places[index].is_none() {
                self.places[index] = Some((number, value(number)));
                self.len += 1;
                return number;
            }
        }
    }

    /// Passes a number over, which nothing is found by; returns it.
    pub(crate) fn pass_over(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// Doubles the row. Numbers that had places of their own still have.
    fn grow(&mut self) {
        let longer = places(self.places.len() * 2);
        for (number, value) in std::mem::replace(&mut self.places, longer)
            .into_iter()
            .flatten()
        {
            let index = self.index(number);
            self.places[index] = Some((number, value));
        }
    }

    fn index(&self, number: u64) -> usize {
        // The length is a power of two, so only the lowest bits count.
        let lowest = number & (self.places.len() as u64 - 1);
        usize::try_from(lowest).unwrap_or_default()
    }

    /// Finds a value.
    pub(crate) fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        let index = self.index(number);
        match &mut self.places[index] {
            Some((found, value)) if *found == number => Some(value),
            _ => None,
        }
    }

    /// All values.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        let taken = self.places.iter_mut().filter_map(Option::as_mut);
        taken.map(|(_, value)| value)
    }

    /// Takes a value out.
    pub(crate) fn remove(&mut self, number: u64) -> Option<T> {
        let index = self.index(number);
        let (_, value) = self.places[index].take_if(|(found, _)| *found == number)?;
        self.len -= 1;
        Some(value)
    }

    /// Takes all values out.
    pub(crate) fn take_all(&mut self) -> Vec<T> {
        self.len = 0;
        let taken = self.places.iter_mut().filter_map(Option::take);
        taken.map(|(_, value)| value).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_given_in_order_and_never_twice() {
        let mut slots = Slots::default();
        let first = slots.insert(|_| 0);
        assert_eq!(first, 1);
        // More than there are places, all but the first of them short-lived.
        for n in 1..100 {
            let number = slots.insert(|_| n);
            assert!(number > first);
            assert_eq!(slots.remove(number), Some(n));
            assert_eq!((slots.remove(number), slots.get_mut(number)), (None, None));
        }
        assert_eq!(slots.len(), 1);
        assert_eq!(slots.get_mut(first), Some(&mut 0));
        // 17, 33, ... would have had the place of the first one.
        assert_eq!(slots.insert(|_| 7), 107);
        assert_eq!(slots.pass_over(), 108);
        assert_eq!(slots.get_mut(108), None);
        assert_eq!(slots.len(), 2);
        assert_eq!(slots.insert(|_| 8), 109);
    }

    #[test]
    fn a_longer_row_has_the_same_values() {
        let mut slots = Slots::default();
        let numbers: Vec<_> = (0..1000).map(|n| slots.insert(|_| n)).collect();
        assert_eq!(slots.len(), 1000);
        for (n, number) in numbers.iter().enumerate().step_by(3) {
            assert_eq!(slots.remove(*number), Some(n));
        }
        for invented in [0, 1 << 20, u64::MAX] {
            assert_eq!(slots.remove(invented), None);
        }
        let mut rest = slots.take_all();
        rest.sort_unstable();
        assert_eq!(rest, (0..1000).filter(|n| n % 3 != 0).collect::<Vec<_>>());
        assert_eq!(slots.len(), 0);
    }
}
