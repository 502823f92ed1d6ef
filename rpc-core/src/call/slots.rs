//! Places for calls in flight, found by number without hashing.
//!
//! The lower half of a number is a place, the upper half counts its tenants. So a number is never
//! used twice, and a late or invented one finds nothing.

/// Values by number.
#[derive(Debug)]
pub(crate) struct Slots<T> {
    places: Vec<Place<T>>,
    free: Vec<u32>,
    len: usize,
}

#[derive(Debug)]
struct Place<T> {
    /// How many tenants it has had, and has.
    generation: u32,
    value: Option<T>,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        let (places, free) = (Vec::new(), Vec::new());
        Self {
            places,
            free,
            len: 0,
        }
    }
}

impl<T> Slots<T> {
    /// How many values there are.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Adds a value, which learns its number; returns that.
    pub(crate) fn insert(&mut self, value: impl FnOnce(u64) -> T) -> u64 {
        let index = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place {
                generation: 0,
                value: None,
            });
            // There are as many as calls in flight.
            u32::try_from(self.places.len() - 1).unwrap_or(u32::MAX)
        });
        let place = &mut self.places[index as usize];
        place.generation += 1;
        let number = u64::from(place.generation) << 32 | u64::from(index);
        place.value = Some(value(number));
        self.len += 1;
        number
    }

    fn place(&mut self, number: u64) -> Option<&mut Place<T>> {
        let (generation, index) = (number >> 32, number & u64::from(u32::MAX));
        self.places
            .get_mut(usize::try_from(index).ok()?)
            .filter(|place| u64::from(place.generation) == generation)
    }

    /// Finds a value.
    pub(crate) fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        self.place(number)?.value.as_mut()
    }

    /// Takes a value out.
    pub(crate) fn remove(&mut self, number: u64) -> Option<T> {
        let place = self.place(number)?;
        let value = place.value.take()?;
        // A place that has counted to its end is not used any more.
        let is_usable = place.generation < u32::MAX;
        self.len -= 1;
        if is_usable {
            self.free
                .push(u32::try_from(number & u64::from(u32::MAX)).unwrap_or(u32::MAX));
        }
        Some(value)
    }

    /// Takes all values out.
    pub(crate) fn take_all(&mut self) -> Vec<T> {
        let numbers = self
            .places
            .iter()
            .enumerate()
            .map(|(index, place)| u64::from(place.generation) << 32 | index as u64);
        let numbers: Vec<_> = numbers.collect();
        numbers
            .into_iter()
            .filter_map(|number| self.remove(number))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_never_used_twice() {
        let mut slots = Slots::default();
        let (first, second) = (slots.insert(|_| 'a'), slots.insert(|_| 'b'));
        assert_eq!(slots.remove(first), Some('a'));
        let third = slots.insert(|_| 'c');
        assert!(![first, second].contains(&third));
        assert_eq!(third & u64::from(u32::MAX), first & u64::from(u32::MAX));
        assert_eq!((slots.remove(first), slots.get_mut(first)), (None, None));
        assert_eq!(slots.get_mut(second), Some(&mut 'b'));
        assert_eq!(slots.len(), 2);
        for invented in [0, 7, u64::MAX, 1 << 32 | 5] {
            assert_eq!(slots.remove(invented), None);
        }
        let mut rest = slots.take_all();
        rest.sort_unstable();
        assert_eq!((rest, slots.len()), (vec!['b', 'c'], 0));
    }

    #[test]
    fn a_place_at_its_last_number_is_left() {
        let mut slots = Slots::default();
        let first = slots.insert(|_| ());
        slots.remove(first);
        slots.places[0].generation = u32::MAX - 1;
        let last = slots.insert(|_| ());
        assert_eq!(last, u64::from(u32::MAX) << 32);
        slots.remove(last);
        assert_eq!(slots.insert(|_| ()), 1 << 32 | 1);
    }
}
