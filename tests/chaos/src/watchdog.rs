//! Notices who hangs.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How often it looks.
const LOOK: Duration = Duration::from_millis(500);

/// What everybody is doing at the moment.
#[derive(Debug)]
pub struct Board {
    places: Vec<Mutex<Option<Doing>>>,
}

#[derive(Clone, Debug)]
struct Doing {
    what: String,
    since: Instant,
}

impl Board {
    /// Makes one with places for so many.
    #[must_use]
    pub fn new(n: usize) -> Arc<Self> {
        let places = std::iter::repeat_with(Mutex::default).take(n).collect();
        Arc::new(Self { places })
    }

    /// How many places there are.
    #[must_use]
    pub fn n_places(&self) -> usize {
        self.places.len()
    }

    /// Notes what somebody begins to do.
    pub fn note(&self, place: usize, what: String) {
        self.set(place, Some(what));
    }

    /// Notes that somebody does nothing that could hang.
    pub fn clear(&self, place: usize) {
        self.set(place, None);
    }

    fn set(&self, place: usize, what: Option<String>) {
        let since = Instant::now();
        let mut doing = self.places[place]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *doing = what.map(|what| Doing { what, since });
    }

    fn all(&self) -> Vec<(usize, Doing)> {
        let doing = |place: &Mutex<Option<Doing>>| {
            place.lock().unwrap_or_else(PoisonError::into_inner).clone()
        };
        let places = self.places.iter().map(doing).enumerate();
        places
            .filter_map(|(place, doing)| Some((place, doing?)))
            .collect()
    }

    /// Starts a thread that ends the process, and says what everybody is doing, when somebody does
    /// something for longer than `limit`. It lives as long as the process.
    ///
    /// # Panics
    /// If there can be no thread.
    pub fn watch(self: &Arc<Self>, seed: u64, limit: Duration) {
        let board = Arc::clone(self);
        let watch = move || loop {
            thread::sleep(LOOK);
            let all = board.all();
            if all.iter().all(|(_, doing)| doing.since.elapsed() < limit) {
                continue;
            }
            eprintln!("hang: somebody waits for longer than {limit:?} (seed {seed})");
            for (place, Doing { what, since }) in all {
                eprintln!("  {place}: {what}, for {:.1?}", since.elapsed());
            }
            std::process::exit(HANGS);
        };
        let watchdog = thread::Builder::new().name("watchdog".to_owned());
        watchdog.spawn(watch).expect("a thread for the watchdog");
    }
}

/// The exit status of a run in which somebody hangs.
pub const HANGS: i32 = 3;
