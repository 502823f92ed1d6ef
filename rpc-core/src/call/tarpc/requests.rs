//! A host's requests in a worker, and how many there may be.
//!
//! # Invariants
//! 1. No more than `n_calls` requests are open: neither answered nor cancelled. tarpc's client counts
//!    the same way, and ours has been told the number, so one that means well never asks for more.
//! 2. No more than [`PLACES_FOR_EACH`] times as many have a place, from their arrival until the
//!    function has let go of its arguments. A host of Reedbed's counts a cancelled request until it is
//!    told of that, and so never needs more than one place for each; others are told that the worker
//!    is busy.
//! 3. What waits for tarpc's dispatcher is a request that has a place, or the one cancellation of a
//!    request that was open; so its queue is bounded, too.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::channel::Violation;

/// How many places there are for each call that may be open.
const PLACES_FOR_EACH: usize = 4;

/// A host's requests.
#[derive(Debug)]
pub(super) struct Requests {
    n_calls: usize,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    /// The calls of those that are open, by the requests' numbers. A host may use one of these again as
    /// soon as the request isn't open any more, those of calls it may not.
    open: HashMap<u64, u64>,
    /// Those whose answer is being sent.
    n_answering: usize,
    n_places: usize,
}

/// What comes of a request.
#[derive(Debug)]
pub(super) enum Opened {
    /// It is open, and has a place.
    Open(Place),
    /// It is not, because so many functions have the places.
    Busy { n_functions: usize },
}

/// A request's place, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place(Arc<Requests>);

impl Place {
    /// Leaves it.
    pub(super) fn leave(self) -> Arc<Requests> {
        Arc::clone(&self.0)
    }
}

/// A request whose answer is being sent, until it is dropped.
#[derive(Debug)]
pub(super) struct Answering<'a>(&'a Requests);

impl Requests {
    pub(super) fn new(n_calls: usize) -> Arc<Self> {
        Arc::new(Self {
            n_calls,
            counts: Mutex::default(),
        })
    }

    /// Opens the request of a call.
    pub(super) fn open(self: &Arc<Self>, id: u64, call: u64) -> Result<Opened, Violation> {
        let mut counts = self.lock();
        if counts.open.contains_key(&id) {
            return Err(Violation(format!("sent request {id} while it was open")));
        }
        let n_calls = self.n_calls;
        if counts.open.len() >= n_calls {
            return Err(Violation(format!("sent more than {n_calls} calls at once")));
        }
        if counts.n_places >= n_calls * PLACES_FOR_EACH {
            let n_functions = counts.n_places;
            return Ok(Opened::Busy { n_functions });
        }
        counts.n_places += 1;
        counts.open.insert(id, call);
        Ok(Opened::Open(Place(Arc::clone(self))))
    }

    /// Closes a request that was cancelled; tells whether it was open.
    pub(super) fn cancel(&self, id: u64) -> bool {
        self.lock().open.remove(&id).is_some()
    }

    /// Closes the request of a call, if it wasn't cancelled, whose end is sent next, because that lets the
    /// host send another one.
    pub(super) fn answer(&self, id: u64, call: u64) -> Answering<'_> {
        let mut counts = self.lock();
        if counts.open.get(&id) == Some(&call) {
            counts.open.remove(&id);
        }
        counts.n_answering += 1;
        Answering(self)
    }

    /// Tells whether every request was cancelled, or its answer sent.
    pub(super) fn is_idle(&self) -> bool {
        let counts = self.lock();
        counts.open.is_empty() && counts.n_answering == 0
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        // No critical section can panic half way.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.lock().n_places -= 1;
    }
}

impl Drop for Answering<'_> {
    fn drop(&mut self) {
        self.0.lock().n_answering -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(requests: &Arc<Requests>, id: u64) -> Place {
        match requests.open(id, id + 100) {
            Ok(Opened::Open(place)) => place,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn requests_are_open_until_they_are_answered_or_cancelled() {
        let requests = Requests::new(2);
        let _places = [place(&requests, 1), place(&requests, 2)];
        let Err(Violation(what)) = requests.open(3, 103) else {
            panic!("there are two")
        };
        assert_eq!(what, "sent more than 2 calls at once");
        let answering = requests.answer(1, 101);
        let third = place(&requests, 3);
        assert!(requests.cancel(2) && requests.cancel(3));
        assert!(!requests.cancel(3) && !requests.cancel(1));
        assert!(!requests.is_idle(), "an answer is yet to be sent");
        drop(answering);
        assert!(requests.is_idle(), "whatever has a place");
        drop(third);
    }

    #[test]
    fn a_cancelled_request_has_its_place_until_its_function_has_ended() {
        let requests = Requests::new(1);
        let mut places: Vec<_> = (0..4)
            .map(|id| {
                let place = place(&requests, id);
                requests.cancel(id);
                place
            })
            .collect();
        let refused = requests.open(4, 104);
        let refused = refused.expect("no violation: a host need not count them");
        assert!(matches!(refused, Opened::Busy { n_functions: 4 }));
        assert!(requests.is_idle(), "it isn't open");
        places.pop();
        let _fifth = place(&requests, 5);
    }

    #[test]
    fn a_number_that_is_used_again_is_another_request() {
        let requests = Requests::new(1);
        let _first = place(&requests, 7);
        assert!(requests.cancel(7));
        let Ok(Opened::Open(_second)) = requests.open(7, 200) else {
            panic!("it isn't open")
        };
        drop(requests.answer(7, 107));
        assert!(
            !requests.is_idle(),
            "the first one's end says nothing of it"
        );
        drop(requests.answer(7, 200));
        assert!(requests.is_idle());
    }
}
