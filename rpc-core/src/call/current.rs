//! The call that a function is running for.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, PanicHookInfo};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Once, OnceLock};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tracing::Span;

use super::module::Method;
use super::trace;
use crate::guarded::discard;
use crate::wire::frame::{CallFrame, Failure};
use crate::wire::trace::TraceContext;

/// What a function may ask about its call.
#[derive(Debug, Default)]
pub(crate) struct CallState {
    pub(crate) is_cancelled: AtomicBool,
    /// Whether the function was told so. What it returns then is not what it was asked for.
    pub(crate) knows_it: AtomicBool,
    /// Whether the function had its arguments.
    pub(crate) has_begun: AtomicBool,
    pub(crate) deadline: Option<Instant>,
    call: u64,
    trace: Option<TraceContext>,
    span: OnceLock<Box<Span>>,
}

impl CallState {
    /// What the frame of a call says.
    pub(crate) fn of(frame: &CallFrame) -> Self {
        let time_left = frame.time_left_ns.map(Duration::from_nanos);
        let deadline = time_left.and_then(|time| Instant::now().checked_add(time));
        Self {
            deadline,
            call: frame.call,
            trace: frame.trace.as_deref().copied(),
            ..Self::default()
        }
    }

    /// Names the function, for whoever follows the trace.
    pub(crate) fn named(&self, method: &Method) {
        if let Some(span) = trace::running(method, self.call, self.trace) {
            let _ = self.span.set(span);
        }
    }
}

thread_local! {
    static CURRENT: RefCell<Option<Arc<CallState>>> = const { RefCell::new(None) };
    /// The message and the place of the last panic of a function on this thread.
    static LAST_PANIC: Cell<Option<(String, Option<String>)>> = const { Cell::new(None) };
}

/// Tells whether the caller no longer wants the answer of the call that this function is running
/// for: its future was dropped, or its deadline has passed.
///
/// A synchronous function asks now and then and returns early; what it returns after it was told
/// `true` is dropped, and what was lent to it for writing is poisoned. An asynchronous one need not
/// ask, since its future is dropped. Outside a call the answer is `false`.
#[must_use]
pub fn cancelled() -> bool {
    CURRENT.with_borrow(|current| {
        current.as_ref().is_some_and(|call| {
            let is_late = call
                .deadline
                .is_some_and(|deadline| deadline <= Instant::now());
            let is_cancelled = is_late || call.is_cancelled.load(Ordering::Relaxed);
            if is_cancelled {
                call.knows_it.store(true, Ordering::Relaxed);
            }
            is_cancelled
        })
    })
}

/// Returns the moment until which the caller waits for the call that this function is running for,
/// if it set one.
#[must_use]
pub fn deadline() -> Option<Instant> {
    CURRENT.with_borrow(|current| current.as_ref()?.deadline)
}

/// Returns the trace of the call that this function is running for, if its caller had one.
///
/// Calls that the function makes on its own thread or task, of further workers, belong to the same
/// trace without being told.
#[must_use]
pub fn trace_context() -> Option<TraceContext> {
    CURRENT.with_borrow(|current| current.as_ref()?.trace)
}

/// Runs a synchronous function for `call`; a panic becomes its failure.
pub(crate) fn run<T>(
    call: &Arc<CallState>,
    function: impl FnOnce() -> Result<T, Failure>,
) -> Result<T, Failure> {
    let _entered = call.span.get().map(|span| span.enter());
    let before = CURRENT.replace(Some(Arc::clone(call)));
    // Whatever the function left half done is its own: arrays lent for writing are poisoned.
    let returned = std::panic::catch_unwind(AssertUnwindSafe(function));
    CURRENT.replace(before);
    returned.unwrap_or_else(|payload| {
        let failure = take_panic();
        discard(payload);
        Err(failure)
    })
}

/// Runs an asynchronous function for a call, one poll at a time; a panic becomes its failure.
pub(crate) struct Running<F: ?Sized> {
    call: Arc<CallState>,
    function: Pin<Box<F>>,
}

impl<F: ?Sized> Running<F> {
    pub(crate) fn new(call: Arc<CallState>, function: Pin<Box<F>>) -> Self {
        Self { call, function }
    }
}

impl<T, F: Future<Output = Result<T, Failure>> + ?Sized> Future for Running<F> {
    type Output = Result<T, Failure>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { call, function } = &mut *self;
        match run(call, || Ok(function.as_mut().poll(cx))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(returned)) => Poll::Ready(returned),
            Err(panicked) => Poll::Ready(Err(panicked)),
        }
    }
}

fn take_panic() -> Failure {
    let (message, location) = LAST_PANIC
        .take()
        .unwrap_or_else(|| ("a panic without a message".to_owned(), None));
    Failure::Panicked { message, location }
}

/// Has the process note where functions panic, besides whatever it does at a panic already.
pub(crate) fn note_panics() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            note(info);
            before(info);
        }));
    });
}

fn note(info: &PanicHookInfo<'_>) {
    let in_a_call = CURRENT
        .try_with(|current| current.borrow().is_some())
        .unwrap_or(false);
    if in_a_call {
        let message = info
            .payload_as_str()
            .unwrap_or("a panic without a message")
            .to_owned();
        let location = info.location().map(ToString::to_string);
        LAST_PANIC.set(Some((message, location)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guarded::tests::Bomb;

    #[test]
    fn a_function_may_panic_with_what_panics_when_it_is_dropped() {
        note_panics();
        let call = Arc::default();
        let returned = run(&call, || -> Result<(), _> { std::panic::panic_any(Bomb) });
        let Err(Failure::Panicked { message, location }) = returned else {
            panic!("its panic is its failure");
        };
        assert_eq!(message, "a panic without a message");
        assert!(location.is_some_and(|at| at.contains("current.rs")));
    }
}
