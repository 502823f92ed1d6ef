//! A tensor that a caller keeps from one call to the next, and what must be in it.

use ndarray::{Array2, Ix2, Zip};
use reedbed::{ShmExhausted, Tensor};

use crate::attempt::{Attempt, Fate};
use crate::{Found, contents, found};

/// A tensor and its contents.
#[derive(Debug)]
pub struct Kept {
    /// The tensor.
    pub tensor: Tensor<u64, Ix2>,
    /// What is in it.
    pub expected: Array2<u64>,
}

impl Kept {
    /// Makes one.
    ///
    /// # Errors
    /// [`ShmExhausted`].
    pub fn make(tag: u64, shape: (usize, usize)) -> Result<Self, ShmExhausted> {
        let tensor = Tensor::from_shape_fn(shape, |place| contents::element(tag, place))?;
        let expected = contents::array(tag, shape);
        Ok(Self { tensor, expected })
    }

    /// Checks that it still has its contents.
    ///
    /// # Errors
    /// If it hasn't.
    pub fn check(&self, whose: &str) -> Found {
        match self.tensor.view() {
            Ok(view) if view == self.expected => Ok(()),
            Ok(view) => found!("{whose}: {}", difference(&view.to_owned(), &self.expected)),
            Err(error) => found!("{whose}: {error}"),
        }
    }

    /// Checks what a call left that was lent a part for writing, where it should have left `new` of all;
    /// takes that for its contents.
    ///
    /// # Errors
    /// If it left anything else than it may have.
    pub async fn settle<T, E>(
        &mut self,
        attempt: &Attempt<'_>,
        fate: &Fate<T, E>,
        new: Array2<u64>,
    ) -> Found {
        attempt.then("waits for the leases' end");
        self.tensor.released().await;
        let is_poisoned = self.tensor.is_poisoned();
        let may_be_poisoned = matches!(fate, Fate::Panicked | Fate::Died | Fate::Abandoned);
        // What is written in place may be half written; a copy never comes back.
        let is_copied = attempt.slot.kind.copies();
        let must_be_poisoned = !is_copied && matches!(fate, Fate::Panicked | Fate::Died);
        if is_poisoned && !may_be_poisoned || !is_poisoned && must_be_poisoned {
            let (fate, slot) = (name(fate), attempt.slot.index);
            found!("poisoned is {is_poisoned} after a call of worker {slot} that {fate}");
        }
        if is_poisoned {
            if let Err(error) = self.tensor.recover() {
                found!("what is poisoned isn't recovered: {error}");
            }
            return self.settle_for_either(&new);
        }
        let Ok(view) = self.tensor.view() else {
            found!("what isn't poisoned can't be read");
        };
        let is_old = view == self.expected;
        let is_new = view == new;
        let is_right = match fate {
            Fate::Done(_) | Fate::Refused(_) | Fate::NotReturned => is_new,
            Fate::NotBegun(_) => is_old,
            Fate::Panicked | Fate::Died => is_old,
            Fate::Abandoned => is_old || is_new,
        };
        if !is_right {
            let expected = if matches!(fate, Fate::NotBegun(_)) {
                &self.expected
            } else {
                &new
            };
            let difference = difference(&view.to_owned(), expected);
            found!("after a call that {}: {difference}", name(fate));
        }
        if is_new {
            self.expected = new;
        }
        Ok(())
    }

    /// Checks that each element is the old one or the new one.
    fn settle_for_either(&mut self, new: &Array2<u64>) -> Found {
        let Ok(view) = self.tensor.view() else {
            found!("what was recovered can't be read");
        };
        let mut n_foreign = 0;
        Zip::from(&view)
            .and(&self.expected)
            .and(new)
            .for_each(|found, old, new| {
                n_foreign += usize::from(found != old && found != new);
            });
        if n_foreign > 0 {
            found!(
                "{n_foreign} elements of {} are neither old nor new",
                view.len()
            );
        }
        self.expected = view.to_owned();
        Ok(())
    }
}

/// What a fate is called in findings.
pub(super) fn name<T, E>(fate: &Fate<T, E>) -> &'static str {
    match fate {
        Fate::Done(_) => "returned",
        Fate::Refused(_) => "returned an error",
        Fate::NotBegun(_) => "was not begun",
        Fate::Panicked => "panicked",
        Fate::NotReturned => "could not return",
        Fate::Died => "died with its worker",
        Fate::Abandoned => "was given up",
    }
}

/// Says where two arrays differ.
#[must_use]
pub(super) fn difference(found: &Array2<u64>, expected: &Array2<u64>) -> String {
    if found.dim() != expected.dim() {
        return format!("its shape is {:?}, not {:?}", found.dim(), expected.dim());
    }
    let pairs = found.indexed_iter().zip(expected);
    let wrong: Vec<_> = pairs
        .filter(|((_, found), expected)| found != expected)
        .collect();
    let Some(((place, found), expected)) = wrong.first() else {
        return "nothing differs".to_owned();
    };
    let n = wrong.len();
    format!("{n} elements are wrong; at {place:?} there is {found:#x}, not {expected:#x}")
}
