//! In which ways a caller waits for a call, or doesn't.

use std::cell::Cell;
use std::future::Future;
use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use reedbed::dynamic::{DynamicCall, Value};
use reedbed::failpoint::Point;
use reedbed::{Call, CallError};

use crate::slot::{DRIVER, Slot, name};

/// What a caller does with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Waits for the answer.
    Wait,
    /// Waits so long at most, by a deadline.
    Deadline(Duration),
    /// Waits so long at most, and drops it.
    Drop(Duration),
    /// Waits so long at most, and forgets it.
    Forget(Duration),
    /// Drops it before it is sent.
    Never,
}

impl Mode {
    /// As this one, but for a call that itself owns something, or is to be answered by something, which
    /// whoever forgets it leaks.
    #[must_use]
    pub fn of_owner(self) -> Self {
        match self {
            Self::Forget(limit) => Self::Drop(limit),
            mode => mode,
        }
    }

    /// A mode for chaos, where so many of a hundred calls are forgotten.
    pub fn random(rng: &mut fastrand::Rng, forgotten: u8) -> Self {
        let limit = Duration::from_micros(rng.u64(0..2_000));
        match rng.u8(0..100) {
            0..10 => Self::Deadline(limit),
            10..20 => Self::Drop(limit),
            20..22 => Self::Never,
            n if n - 22 < forgotten => Self::Forget(limit),
            _ => Self::Wait,
        }
    }
}

/// How a call ended for its caller.
#[derive(Debug)]
pub enum Ended<T, E> {
    /// With this.
    Answered(Result<T, CallError<E>>),
    /// It was dropped or forgotten after it was sent.
    Abandoned,
    /// It was dropped before it was sent.
    Undone,
}

/// A call of either kind.
pub trait Drivable: Future<Output = Result<Self::Value, CallError<Self::Error>>> + Unpin {
    /// What the function returns.
    type Value;
    /// The function's own error.
    type Error;

    /// Gives it a deadline.
    #[must_use]
    fn within(self, limit: Duration) -> Self;

    /// Blocks the thread until it has ended.
    ///
    /// # Errors
    /// As awaiting it.
    fn block(self) -> Self::Output;
}

impl<T, E> Drivable for Call<'_, T, E> {
    type Value = T;
    type Error = E;

    fn within(self, limit: Duration) -> Self {
        self.deadline(limit)
    }

    fn block(self) -> Self::Output {
        self.wait()
    }
}

impl Drivable for DynamicCall<'_> {
    type Value = Value<'static>;
    type Error = Value<'static>;

    fn within(self, limit: Duration) -> Self {
        self.deadline(limit)
    }

    fn block(self) -> Self::Output {
        self.wait()
    }
}

/// Does with a call of a worker what `mode` says.
pub async fn drive<C: Drivable>(
    slot: &Slot,
    mode: Mode,
    is_blocking: bool,
    call: C,
) -> Ended<C::Value, C::Error> {
    let call = match mode {
        Mode::Deadline(limit) => call.within(limit),
        _ => call,
    };
    match mode {
        Mode::Never => {
            drop(call);
            Ended::Undone
        }
        Mode::Wait | Mode::Deadline(_) if is_blocking => {
            Ended::Answered(block(slot, || call.block()))
        }
        Mode::Wait | Mode::Deadline(_) => Ended::Answered(Aimed { slot, call }.await),
        Mode::Drop(limit) | Mode::Forget(limit) => {
            let mut call = ManuallyDrop::new(call);
            let aimed = Aimed {
                slot,
                call: &mut *call,
            };
            match tokio::time::timeout(limit, aimed).await {
                Ok(answer) => {
                    drop(ManuallyDrop::into_inner(call));
                    Ended::Answered(answer)
                }
                Err(_) => {
                    if matches!(mode, Mode::Drop(_)) {
                        block(slot, || drop(ManuallyDrop::into_inner(call)));
                    }
                    Ended::Abandoned
                }
            }
        }
    }
}

thread_local! {
    /// Whose call this thread is at work on.
    static TARGET: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Does something with a call of a worker, which may get to points in the life of one.
pub fn block<T>(slot: &Slot, act: impl FnOnce() -> T) -> T {
    let before = TARGET.replace(Some(slot.index));
    let done = act();
    TARGET.set(before);
    done
}

/// A call that says at each poll whose it is.
struct Aimed<'a, C> {
    slot: &'a Slot,
    call: C,
}

impl<C: Future + Unpin> Future for Aimed<'_, C> {
    type Output = C::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let slot = self.slot;
        block(slot, || Pin::new(&mut self.call).poll(cx))
    }
}

/// Tells the worker at work on whose call this thread has got to a point.
pub fn reached(slots: &[Slot], point: Point) {
    let target = TARGET.get().or_else(|| {
        // The thread that drives a worker is known by its name.
        let thread = std::thread::current();
        let worker = thread.name()?.strip_prefix(DRIVER)?;
        worker.parse().ok()
    });
    if let Some(slot) = target.and_then(|index| slots.get(index)) {
        debug_assert_eq!(name(slot.index), slot.worker.name());
        slot.reached(point);
    }
}
