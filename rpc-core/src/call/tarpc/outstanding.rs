//! A host's requests that its worker has yet to end.
//!
//! tarpc's client knows a request by its own number, the worker ends it by that of its call.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use futures::channel::mpsc::UnboundedSender;
use tarpc::Response;

use super::lock;

/// The requests that were sent and not ended, and tarpc's client, which is told of their ends.
pub(super) struct Outstanding {
    /// Their numbers, by those of their calls.
    requests: Mutex<HashMap<u64, u64>>,
    arrivals: UnboundedSender<Response<()>>,
}

impl Outstanding {
    pub(super) fn new(arrivals: UnboundedSender<Response<()>>) -> Self {
        Self {
            requests: Mutex::default(),
            arrivals,
        }
    }

    /// Notes a request, before it is sent: its end may come at once.
    pub(super) fn note(&self, call: u64, request: u64) {
        self.lock().insert(call, request);
    }

    /// The request of a call.
    pub(super) fn request(&self, call: u64) -> Option<u64> {
        self.lock().get(&call).copied()
    }

    /// Ends a request, of which the caller was told what came; `false` if there is none.
    pub(super) fn end(&self, call: u64) -> bool {
        let Some(request_id) = self.lock().remove(&call) else {
            return false;
        };
        let message = Ok(());
        // One that was cancelled is none of tarpc's client's any more, which hears of it in vain.
        let _ = self.arrivals.unbounded_send(Response {
            request_id,
            message,
        });
        true
    }

    /// Ends all requests: the connection has ended. tarpc's dispatcher and the tasks that wait for it,
    /// each of which keeps the others, would never hear of that.
    pub(super) fn close(&self) {
        self.arrivals.close_channel();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, u64>> {
        lock(&self.requests)
    }
}

#[cfg(test)]
mod tests {
    use futures::channel::mpsc;

    use super::*;

    #[test]
    fn a_request_ends_once_and_is_forgotten() {
        let (arrivals, mut ended) = mpsc::unbounded();
        let outstanding = Outstanding::new(arrivals);
        outstanding.note(7, 0);
        outstanding.note(9, 1);
        assert_eq!(outstanding.request(9), Some(1));
        assert!(outstanding.end(9) && !outstanding.end(9) && !outstanding.end(8));
        assert_eq!(outstanding.request(9), None);
        let told = ended.try_recv().expect("tarpc's client is told");
        assert!(told.request_id == 1 && told.message.is_ok());
        assert!(ended.try_recv().is_err(), "once");
        assert_eq!(outstanding.lock().len(), 1);
    }
}
