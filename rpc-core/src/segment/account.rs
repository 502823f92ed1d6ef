//! What one worker may have of the shared memory, and calls that wait until there is enough.
//!
//! Two things are counted: *results*, which the worker made and this process has, and *copies*, which
//! this process makes of arguments for calls in flight. Results are the worker's to limit, who knows
//! its budget; here it is only seen to that it does. Copies are made if they find room beside the
//! results, or wait for others to end.
//!
//! Nobody waits for what may never come: a call waits as long as copies of other calls are there,
//! which end with them; not for tensors that somebody keeps, and not for more than there will ever be.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::budget::{self, Earmark, ShmExhausted, Shortage};
use crate::guarded::wake_each;

/// What a call does that finds no shared memory for copies of its arguments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OnExhausted {
    /// It fails with [`Exhausted`](crate::FailureCause::Exhausted). Nothing was sent.
    #[default]
    Fail,
    /// It waits, until its deadline if it has one, for copies of other calls to end. It fails as above
    /// where there are none: what else is in the way may be kept for ever. So may the copies of a call
    /// that is forgotten, or that the waiting task itself has begun and doesn't poll; set a deadline.
    Wait,
}

/// The copies of all calls of this process.
static ALL_COPIES: Mutex<Copying> = Mutex::new(Copying::new());

/// Copies that are there, and calls that wait until one of them ends.
#[derive(Debug)]
struct Copying {
    /// The calls that have some.
    n_calls: usize,
    bytes: u64,
    waiting: VecDeque<Waker>,
}

impl Copying {
    const fn new() -> Self {
        Self {
            n_calls: 0,
            bytes: 0,
            waiting: VecDeque::new(),
        }
    }

    fn begin(&mut self, bytes: u64) {
        self.n_calls += 1;
        self.bytes += bytes;
    }

    /// Returns those that waited, for the caller to wake without the lock.
    fn end(&mut self, bytes: u64) -> VecDeque<Waker> {
        self.n_calls -= 1;
        self.bytes -= bytes;
        std::mem::take(&mut self.waiting)
    }

    fn wait(&mut self, cx: &Context<'_>) {
        if !self.waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
            self.waiting.push_back(cx.waker().clone());
        }
    }
}

/// The shared memory of one worker, counted.
pub(crate) struct Account {
    worker: Arc<str>,
    /// None if it has no budget of its own.
    limit_bytes: Option<u64>,
    on_exhausted: OnExhausted,
    /// The bytes of the worker's segments that are mapped here.
    mapped_bytes: AtomicU64,
    /// The bytes in them that are this process's now.
    result_bytes: AtomicU64,
    copies: Mutex<Copying>,
}

/// What a call needs for copies of its arguments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// The bytes of the copies.
    pub(crate) bytes: u64,
    /// The bytes of the segments that would have to be made for them.
    pub(crate) reserved_bytes: u64,
}

impl Account {
    /// Opens an account for a worker.
    pub(crate) fn new(
        worker: Arc<str>,
        limit_bytes: Option<u64>,
        on_exhausted: OnExhausted,
    ) -> Arc<Self> {
        Arc::new(Self {
            worker,
            limit_bytes,
            on_exhausted,
            mapped_bytes: AtomicU64::new(0),
            result_bytes: AtomicU64::new(0),
            copies: Mutex::new(Copying::new()),
        })
    }

    /// An account without a limit.
    pub(crate) fn unlimited() -> Arc<Self> {
        Self::new("".into(), None, OnExhausted::Fail)
    }

    /// Tells whether a call has to ask for room before it copies.
    pub(crate) fn asks_first(&self) -> bool {
        self.limit_bytes.is_some() || self.on_exhausted == OnExhausted::Wait
    }

    /// Finds room for the copies of a call, now or after those of others have ended.
    ///
    /// # Errors
    /// [`ShmExhausted`], if there will be none.
    pub(crate) fn poll_room(
        self: &Arc<Self>,
        cx: &Context<'_>,
        wanted: Wanted,
    ) -> Poll<Result<Room, ShmExhausted>> {
        if wanted.bytes == 0 {
            return Poll::Ready(Ok(Room::default()));
        }
        {
            let mut copies = lock(&self.copies);
            let results = self.result_bytes.load(Ordering::Relaxed);
            let limit = self.limit_bytes.unwrap_or(u64::MAX);
            let sum = wanted.bytes.saturating_add(results);
            if sum.saturating_add(copies.bytes) > limit {
                let waits = self.on_exhausted == OnExhausted::Wait;
                if waits && sum <= limit && copies.n_calls > 0 {
                    copies.wait(cx);
                    return Poll::Pending;
                }
                return Poll::Ready(Err(self.exhausted(wanted.bytes, results + copies.bytes)));
            }
            copies.begin(wanted.bytes);
        }
        let taken = Taken {
            account: Arc::clone(self),
            bytes: wanted.bytes,
        };
        let (copies, earmark) = match self.on_exhausted {
            OnExhausted::Fail => (Copies::new(taken), None),
            OnExhausted::Wait => match poll_earmark(cx, wanted) {
                Poll::Ready(Ok(earmark)) => (Copies::begun(taken), Some(earmark)),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            },
        };
        Poll::Ready(Ok(Room {
            copies: Some(copies),
            earmark,
        }))
    }

    /// Counts the copies of a call that hasn't asked first.
    pub(crate) fn note_copies(self: &Arc<Self>, bytes: u64) -> Copies {
        lock(&self.copies).begin(bytes);
        Copies::new(Taken {
            account: Arc::clone(self),
            bytes,
        })
    }

    /// Counts what the worker has made and this process has now.
    pub(crate) fn note_result(self: &Arc<Self>, bytes: usize) -> ResultBytes {
        let bytes = bytes as u64;
        self.result_bytes.fetch_add(bytes, Ordering::Relaxed);
        ResultBytes {
            account: Arc::clone(self),
            bytes,
        }
    }

    /// Counts a segment of the worker's that is about to be mapped.
    ///
    /// # Errors
    /// The reason why it must not be: together with those that are mapped it is more than the worker
    /// may make.
    pub(crate) fn admit(self: &Arc<Self>, len_bytes: u64) -> Result<MappedBytes, String> {
        let Some(limit) = self.limit_bytes else {
            return Ok(MappedBytes(None));
        };
        let admitted =
            self.mapped_bytes
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |mapped| {
                    mapped.checked_add(len_bytes).filter(|sum| *sum <= limit)
                });
        match admitted {
            Ok(_) => Ok(MappedBytes(Some((Arc::clone(self), len_bytes)))),
            Err(mapped) => Err(format!(
                "its segments have {mapped} of {limit} bytes (`WorkerBuilder::shared_memory`), and \
                 {len_bytes} more don't fit; drop results, or raise it"
            )),
        }
    }

    fn exhausted(&self, requested_bytes: u64, reserved_bytes: u64) -> ShmExhausted {
        ShmExhausted {
            requested_bytes,
            reserved_bytes,
            budget_bytes: self.limit_bytes.unwrap_or(u64::MAX),
            shortage: Shortage::WorkerBudget(self.worker.to_string()),
        }
    }
}

/// Sets memory of the process aside, now or after copies of others have ended, and counts the copies.
///
/// Both under one lock: whoever finds no memory sees the copies that it is set aside for, and no copy
/// can end unnoticed after that.
fn poll_earmark(cx: &Context<'_>, wanted: Wanted) -> Poll<Result<Earmark, ShmExhausted>> {
    let bytes = wanted.reserved_bytes;
    let earmark =
        |copies: &mut Copying| budget::earmark(bytes).inspect(|_| copies.begin(wanted.bytes));
    if let Ok(earmark) = earmark(&mut lock(&ALL_COPIES)) {
        return Poll::Ready(Ok(earmark));
    }
    // Idle memory must not be the reason why a call finds none.
    super::pool::trim_pool();
    let mut copies = lock(&ALL_COPIES);
    match earmark(&mut copies) {
        Ok(earmark) => Poll::Ready(Ok(earmark)),
        Err(_) if copies.n_calls > 0 && bytes <= budget::memory_budget() => {
            copies.wait(cx);
            Poll::Pending
        }
        Err(error) => Poll::Ready(Err(error)),
    }
}

/// Room for the copies of one call, which are yet to be made.
#[derive(Debug, Default)]
pub(crate) struct Room {
    copies: Option<Copies>,
    earmark: Option<Earmark>,
}

impl Room {
    /// Makes the copies, by `make`, in the memory that was set aside.
    pub(crate) fn spend<T>(self, make: impl FnOnce() -> T) -> (Option<Copies>, T) {
        let made = match self.earmark {
            Some(earmark) => earmark.spend(make),
            None => make(),
        };
        (self.copies, made)
    }
}

/// Bytes that are counted as copies.
struct Taken {
    account: Arc<Account>,
    bytes: u64,
}

impl Drop for Taken {
    fn drop(&mut self) {
        let waiting = lock(&self.account.copies).end(self.bytes);
        wake_each(waiting);
    }
}

/// The copies of a call, shared by the call and, where they are copied back, its future. They count
/// until both have let go.
#[derive(Clone)]
pub(crate) struct Copies {
    _taken: Arc<TakenOfAll>,
}

struct TakenOfAll {
    taken: Option<Taken>,
}

impl Copies {
    fn new(taken: Taken) -> Self {
        lock(&ALL_COPIES).begin(taken.bytes);
        Self::begun(taken)
    }

    /// Those that are counted among all already.
    fn begun(taken: Taken) -> Self {
        let taken = Some(taken);
        Self {
            _taken: Arc::new(TakenOfAll { taken }),
        }
    }
}

impl Drop for TakenOfAll {
    fn drop(&mut self) {
        let Some(taken) = self.taken.take() else {
            return;
        };
        let bytes = taken.bytes;
        drop(taken);
        let waiting = lock(&ALL_COPIES).end(bytes);
        wake_each(waiting);
    }
}

impl fmt::Debug for Copies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Copies").finish_non_exhaustive()
    }
}

/// Bytes that the worker made and this process has, until it is dropped.
pub(crate) struct ResultBytes {
    account: Arc<Account>,
    bytes: u64,
}

impl Drop for ResultBytes {
    fn drop(&mut self) {
        let results = &self.account.result_bytes;
        results.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Bytes of a segment of the worker's that is mapped, until it is dropped; none if nobody counts.
pub(crate) struct MappedBytes(Option<(Arc<Account>, u64)>);

impl MappedBytes {
    /// Tells whether somebody counts.
    pub(crate) fn is_counted(&self) -> bool {
        self.0.is_some()
    }
}

impl Drop for MappedBytes {
    fn drop(&mut self) {
        if let Some((account, bytes)) = &self.0 {
            account.mapped_bytes.fetch_sub(*bytes, Ordering::Relaxed);
        }
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("worker", &self.worker)
            .field("limit_bytes", &self.limit_bytes)
            .finish_non_exhaustive()
    }
}

fn lock(copies: &Mutex<Copying>) -> MutexGuard<'_, Copying> {
    // No critical section can panic half way.
    copies.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(limit_bytes: u64, on_exhausted: OnExhausted) -> Arc<Account> {
        Account::new("tester".into(), Some(limit_bytes), on_exhausted)
    }

    fn room(account: &Arc<Account>, bytes: u64) -> Poll<Result<Room, ShmExhausted>> {
        let wanted = Wanted {
            bytes,
            reserved_bytes: bytes,
        };
        account.poll_room(&Context::from_waker(Waker::noop()), wanted)
    }

    fn is_granted(found: &Poll<Result<Room, ShmExhausted>>) -> bool {
        matches!(found, Poll::Ready(Ok(_)))
    }

    #[test]
    fn what_does_not_fit_is_refused_with_the_numbers() {
        let account = account(100, OnExhausted::Fail);
        let first = room(&account, 60);
        assert!(is_granted(&first));
        let Poll::Ready(Err(error)) = room(&account, 50) else {
            panic!("there is no room for it");
        };
        let numbers = (
            error.requested_bytes,
            error.reserved_bytes,
            error.budget_bytes,
        );
        assert_eq!(numbers, (50, 60, 100));
        assert!(error.to_string().contains("worker `tester`"), "{error}");
        drop(first);
        assert!(is_granted(&room(&account, 100)));
    }

    #[test]
    fn a_call_waits_for_copies_of_others_and_for_nothing_else() {
        let account = account(100, OnExhausted::Wait);
        let result = account.note_result(70);
        assert!(
            matches!(room(&account, 40), Poll::Ready(Err(_))),
            "nobody copies"
        );
        let first = room(&account, 20);
        assert!(is_granted(&first));
        assert!(room(&account, 30).is_pending());
        let beside_results = room(&account, 31);
        assert!(
            matches!(beside_results, Poll::Ready(Err(_))),
            "there will never be room"
        );
        assert!(matches!(room(&account, 101), Poll::Ready(Err(_))));
        drop(first);
        assert!(is_granted(&room(&account, 30)));
        drop(result);
        assert!(is_granted(&room(&account, 100)));
    }

    #[test]
    fn copies_that_are_copied_back_count_until_that_is_done() {
        let account = account(100, OnExhausted::Wait);
        let Poll::Ready(Ok(found)) = room(&account, 60) else {
            panic!("there is room");
        };
        let (in_call, ()) = found.spend(|| ());
        let in_future = in_call.clone();
        drop(in_call);
        assert!(room(&account, 60).is_pending());
        drop(in_future);
        assert!(is_granted(&room(&account, 60)));
    }

    #[test]
    fn segments_beyond_the_limit_are_not_admitted() {
        let account = account(100, OnExhausted::Fail);
        let first = account.admit(80).ok();
        let reason = account.admit(21).err().unwrap();
        assert!(reason.contains("80 of 100 bytes"), "{reason}");
        assert!(account.admit(u64::MAX).is_err());
        drop(first);
        assert!(account.admit(100).is_ok());
        assert!(Account::unlimited().admit(u64::MAX).is_ok());
    }
}
