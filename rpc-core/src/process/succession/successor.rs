//! The thread that refills a post, for as long as somebody wants that.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Instant;

use tokio::runtime::Handle as Runtime;

use super::Succession;

impl Succession {
    /// Waits until `due`; `false` if the post is to be refilled no more after this burial.
    pub(in crate::process) fn wait_until(&self, due: Instant, number: u64) -> bool {
        self.enter();
        loop {
            let state = self.lock();
            if state.is_over() || !state.is_pending_since(number) {
                return false;
            }
            drop(state);
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            thread::park_timeout(left);
        }
    }

    /// Tells whether the post is still to be refilled after this burial.
    pub(in crate::process) fn is_pending_since(&self, number: u64) -> bool {
        self.lock().is_pending_since(number)
    }

    /// Runs `refill` on this thread; drops it half way, and returns `None`, once nobody wants it.
    pub(in crate::process) fn drive<T>(&self, refill: impl Future<Output = T>) -> Option<T> {
        self.enter();
        let _runtime = self.runtime.as_ref().map(Runtime::enter);
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut cx = Context::from_waker(&waker);
        let mut refill = pin!(refill);
        loop {
            if self.lock().is_over() {
                return None;
            }
            if let Poll::Ready(refilled) = refill.as_mut().poll(&mut cx) {
                return Some(refilled);
            }
            thread::park();
        }
    }

    /// Notes that this is the thread that refills the post.
    fn enter(&self) {
        self.lock().successor = Some(thread::current());
    }

    /// Notes that this thread, or another one that could not be started, refills the post no more
    /// after this burial. If it is still vacant, it stays so, and who waits is told.
    pub(in crate::process) fn leave(&self, number: u64) {
        let mut state = self.lock();
        let own = thread::current().id();
        state.successor.take_if(|thread| thread.id() == own);
        if state.is_pending_since(number) {
            state.is_pending = false;
            self.wake(state);
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
