//! What is done to the host: descriptors become scarce, and idle memory is given back.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::slot::Disturbance;
use crate::tally::Tally;

/// How many descriptors this process may have, so that taking the rest away takes no time.
const N_DESCRIPTORS: u64 = 768;

/// How it is.
#[derive(Debug, Default)]
pub struct Weather {
    /// Counts the times at which descriptors were scarce: odd while they are.
    n_squeezes: AtomicU64,
}

impl Weather {
    /// How it is now.
    pub fn now(&self) -> Disturbance {
        Disturbance::at(self.n_squeezes.load(Ordering::SeqCst))
    }

    /// Tells whether descriptors have ever been scarce.
    pub fn was_ever_bad(&self) -> bool {
        self.n_squeezes.load(Ordering::SeqCst) > 0
    }

    /// Has descriptors be scarce now and then, and the pool trimmed, until the run is over.
    pub fn change(&self, tally: &Tally, rng: &mut fastrand::Rng) {
        while !tally.is_over() {
            thread::sleep(Duration::from_micros(rng.u64(0..100_000)));
            match rng.u8(0..3) {
                0 => {
                    reedbed::trim_pool();
                    tally.other("the pool was trimmed");
                }
                1 => reedbed::set_pool_capacity(rng.usize(0..64) << 20),
                _ => {
                    self.squeeze(rng);
                    tally.other("descriptors were scarce");
                }
            }
        }
        reedbed::set_pool_capacity(256 << 20);
    }

    /// Takes nearly all descriptors for some milliseconds.
    fn squeeze(&self, rng: &mut fastrand::Rng) {
        let Ok(null) = File::open("/dev/null") else {
            return;
        };
        let n_left = rng.usize(0..6);
        self.n_squeezes.fetch_add(1, Ordering::SeqCst);
        let mut taken: Vec<OwnedFd> = Vec::new();
        while let Ok(fd) = null.try_clone() {
            taken.push(fd.into());
        }
        taken.truncate(taken.len().saturating_sub(n_left));
        thread::sleep(Duration::from_micros(rng.u64(0..10_000)));
        drop(taken);
        self.n_squeezes.fetch_add(1, Ordering::SeqCst);
    }
}

/// Allows this process, and its workers, fewer descriptors than the system does.
///
/// # Errors
/// The kernel's.
pub fn limit_descriptors() -> std::io::Result<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let current = Some(maximum.map_or(N_DESCRIPTORS, |most| most.min(N_DESCRIPTORS)));
    Ok(setrlimit(Resource::Nofile, Rlimit { current, maximum })?)
}
