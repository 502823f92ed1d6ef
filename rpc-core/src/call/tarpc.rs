//! tarpc's dispatchers in the place of ours, over the same channel.
//!
//! A message of tarpc's travels as the body of a [`Frame::Tarpc`]; announcing segments and giving
//! tensors back stays as it is. What tarpc's dispatchers don't do is acknowledge a cancellation. So
//! that is done below them: an [`Ending`] in the worker sees to it that each request ends with an
//! answer or with [`Frame::Released`], and until then the host counts the call, as it does over
//! Reedbed's own dispatcher. Either ends the request for tarpc's client, too, so that the error which
//! tarpc's server has for a released one is never sent.
//!
//! [`requests`] bounds what a host may ask of a worker at once; [`outstanding`] has what a worker has yet
//! to end.

mod client;
mod ending;
mod outstanding;
mod requests;
mod server;

use std::io;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::channel::mpsc::UnboundedReceiver;
use futures::{Sink, Stream, StreamExt};

pub(crate) use self::client::TarpcDispatch;
pub(super) use self::ending::{Answered, Ending};
pub(crate) use self::server::TarpcServer;
use crate::channel::SendError;
#[cfg(doc)]
use crate::wire::frame::Frame;

/// The deadline that tarpc is given where the caller sets none. Its timers panic beyond two years.
const NO_DEADLINE: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// One end of tarpc's transport: messages of type `M` out, messages of type `T` in.
struct Transport<T, M> {
    arrivals: UnboundedReceiver<T>,
    send: Box<dyn Fn(M) -> Result<(), SendError> + Send>,
}

impl<T, M> Stream for Transport<T, M> {
    type Item = io::Result<T>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.arrivals
            .poll_next_unpin(cx)
            .map(|arrival| arrival.map(Ok))
    }
}

impl<T, M> Sink<M> for Transport<T, M> {
    type Error = io::Error;

    fn poll_ready(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // What finds no room in the socket waits in the channel's own queue.
        Poll::Ready(Ok(()))
    }

    fn start_send(self: Pin<&mut Self>, message: M) -> io::Result<()> {
        (self.send)(message).map_err(io::Error::other)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Locks a list. No critical section here can panic half way through a change.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
