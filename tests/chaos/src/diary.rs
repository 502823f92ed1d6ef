//! What a worker writes down of its life, for after its death: a file of two numbers.
//!
//! The first is the point in the life of a call that it got to last; the second, the moment at which it
//! killed itself, or 0. It is a file, and no shared memory of reedbed's, so that it says the truth
//! whatever becomes of that.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use reedbed::failpoint::{self, Point};
use rustix::process::{Signal, getpid, kill_process};
use rustix::time::{ClockId, clock_gettime};

/// The variable that says where a worker's diary is.
pub const VARIABLE: &str = "CHAOS_DIARY";

/// What the line begins with that a worker prints first; its process's number follows.
pub const I_AM: &str = "worker process ";

/// Nanoseconds of the clock that all processes share.
#[must_use]
pub fn now() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    seconds * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap_or_default()
}

/// What is read of a diary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The point that the worker got to last, if it got to one.
    pub last: Option<Point>,
    /// When it killed itself, if it did.
    pub killed_at: Option<u64>,
}

/// The host's view of a diary.
#[derive(Debug)]
pub struct Diary {
    file: File,
}

impl Diary {
    /// Begins a diary.
    ///
    /// # Errors
    /// The file system's.
    pub fn create(path: &Path) -> io::Result<Self> {
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(path)?;
        let diary = Self { file };
        diary.clear()?;
        Ok(diary)
    }

    /// Forgets everything, for the next worker.
    ///
    /// # Errors
    /// The file system's.
    pub fn clear(&self) -> io::Result<()> {
        self.file.write_all_at(&[0; 16], 0)
    }

    /// Reads it.
    ///
    /// # Errors
    /// The file system's.
    pub fn read(&self) -> io::Result<Entry> {
        let mut numbers = [[0; 8]; 2];
        for (number, offset) in numbers.iter_mut().zip([0, 8]) {
            self.file.read_exact_at(number, offset)?;
        }
        let [last, killed_at] = numbers.map(u64::from_le_bytes);
        let last = usize::try_from(last)
            .ok()
            .and_then(|last| last.checked_sub(1));
        Ok(Entry {
            last: last.and_then(|index| Point::ALL.get(index).copied()),
            killed_at: (killed_at > 0).then_some(killed_at),
        })
    }
}

/// The worker's own diary.
static OWN: OnceLock<File> = OnceLock::new();
/// Where it is to kill itself: the place of a point in `Point::ALL`, from 1, and how often it gets there
/// until then.
static ARMED: AtomicU64 = AtomicU64::new(0);
static LEFT: AtomicU64 = AtomicU64::new(0);

/// Has this process, a worker, keep its diary, if it was given one.
pub(crate) fn keep() {
    let Some(path) = std::env::var_os(VARIABLE) else {
        return;
    };
    let Ok(file) = File::options().write(true).open(path) else {
        return;
    };
    if OWN.set(file).is_ok() {
        failpoint::hook(note);
    }
}

/// Has this process kill itself when it gets to `point` for the `nth` time.
pub(crate) fn arm(point: Point, nth: u64) {
    LEFT.store(nth.max(1), Ordering::SeqCst);
    ARMED.store(number(point), Ordering::SeqCst);
}

fn number(point: Point) -> u64 {
    let mut all = Point::ALL.iter().zip(1..);
    all.find(|(other, _)| **other == point)
        .map_or(0, |(_, number)| number)
}

fn note(point: Point) {
    let number = number(point);
    write(number, 0);
    if ARMED.load(Ordering::SeqCst) == number && LEFT.fetch_sub(1, Ordering::SeqCst) == 1 {
        write(now(), 8);
        let _ = kill_process(getpid(), Signal::KILL);
    }
}

fn write(number: u64, offset: u64) {
    if let Some(file) = OWN.get() {
        // A full disk loses the entry; the host then counts the kill as one at an unknown point.
        let _ = file.write_all_at(&number.to_le_bytes(), offset);
    }
}
