//! A call of a function that may run twice.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::error::{CallError, CallFailure, FailureCause};
use super::future::deadline_from_now;
use super::pending::Deadline;
use super::request::{Attempt, Request, Terms};

/// How often a call is made at most, unless its caller says otherwise.
const ATTEMPTS: u32 = 3;

/// A [`Request`] on its way to an answer, made again where its outcome is unknown: see
/// [`Request::repeated`].
///
/// # Cancel safety
/// As [`Call`](crate::Call)'s: dropped, it asks the worker to stop.
#[must_use = "a call does nothing until it is awaited or waited for"]
pub struct Repeated<'a, C, T, E> {
    request: &'a Request<C, T, E>,
    client: &'a C,
    attempt: Option<Attempt<'a, T, E>>,
    /// Why the last attempt has no known outcome.
    unknown: Option<Box<CallFailure>>,
    limit: Option<Duration>,
    /// Counted from the first poll.
    deadline: Option<Deadline>,
    n_left: u32,
}

impl<C: 'static, T: 'static, E: 'static> Request<C, T, E> {
    /// Calls `client`; and again, if its worker ends with the call in flight, so that nobody knows
    /// whether the function ran. That is for functions that may run twice: those that only compute,
    /// or set what they are told. It is made 3 times at most (see
    /// [`attempts`](Repeated::attempts)).
    ///
    /// What a call lends for writing, or gives away, is gone with the worker; a request has no such
    /// arguments. The client's worker needs a
    /// [restart policy](crate::WorkerBuilder::restart_policy), or must be one of a
    /// [crew](crate::Crew), for there to be somebody to call again.
    ///
    /// ```
    /// # #[reedbed::remote_module]
    /// # mod segmentation {
    /// #     use reedbed::ndarray::ArrayView2;
    /// #     pub fn count(#[ndarray] image: ArrayView2<'_, u16>, threshold: u16) -> usize {
    /// #         image.iter().filter(|value| **value > threshold).count()
    /// #     }
    /// # }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> { futures::executor::block_on(async {
    /// # let worker = reedbed::Worker::in_process(&[segmentation::MODULE]).await?;
    /// # let segmentation = worker.import::<segmentation::Client>().await?;
    /// use reedbed::{Request, Tensor, ndarray::array};
    ///
    /// let image = Tensor::from(array![[3, 9], [4, 7]]).freeze().map_err(|(error, _)| error)?;
    /// let count = Request::lending(image, |client: &segmentation::Client, image| client.count(image, 5));
    /// assert_eq!(count.repeated(&segmentation).await?, 2);
    /// # Ok(()) }) }
    /// ```
    ///
    /// # Errors
    /// As a [`Call`](crate::Call)'s. Where the worker ended with one attempt in flight, and the next
    /// could not be made, it is the error of the former: nobody knows whether the function ran.
    pub fn repeated<'a>(&'a self, client: &'a C) -> Repeated<'a, C, T, E> {
        Repeated {
            request: self,
            client,
            attempt: None,
            unknown: None,
            limit: None,
            deadline: None,
            n_left: ATTEMPTS,
        }
    }
}

impl<C: 'static, T: 'static, E: 'static> Repeated<'_, C, T, E> {
    /// Makes it `n` times at most, and at least once.
    pub fn attempts(mut self, n: u32) -> Self {
        self.n_left = n.max(1);
        self
    }

    /// Gives up after `limit`, counted from the first poll, however many attempts were made. Without
    /// it, each has the deadline that its worker [gives](crate::WorkerBuilder::call_deadline).
    pub fn deadline(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Blocks the thread until there is an answer.
    ///
    /// # Errors
    /// As awaiting it.
    ///
    /// # Panics
    /// Inside an executor's `block_on`, as [`futures::executor::block_on`] does.
    pub fn wait(self) -> Result<T, CallError<E>> {
        futures::executor::block_on(self)
    }
}

impl<C, T, E> Future for Repeated<'_, C, T, E>
where
    C: 'static,
    T: 'static,
    E: 'static,
{
    type Output = Result<T, CallError<E>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let deadline = this.limit.map(|limit| {
            *this
                .deadline
                .get_or_insert_with(|| deadline_from_now(Some(limit)))
        });
        loop {
            let attempt = this.attempt.get_or_insert_with(|| {
                this.n_left -= 1;
                let trace = None;
                this.request.make(this.client, Terms { deadline, trace })
            });
            let answer = ready!(attempt.as_mut().poll(cx));
            this.attempt = None;
            match answer {
                Err(CallError::Failed(failure)) => match failure.cause() {
                    FailureCause::WorkerDied { .. } if this.n_left > 0 => {
                        this.unknown = Some(failure);
                    }
                    // That this one has not begun says nothing of the one before.
                    _ if failure.is_retryable() => {
                        let failure = this.unknown.take().unwrap_or(failure);
                        return Poll::Ready(Err(CallError::Failed(failure)));
                    }
                    _ => return Poll::Ready(Err(CallError::Failed(failure))),
                },
                answer => return Poll::Ready(answer),
            }
        }
    }
}

impl<C, T, E> fmt::Debug for Repeated<'_, C, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Repeated")
            .field("request", self.request)
            .field("n_left", &self.n_left)
            .finish_non_exhaustive()
    }
}
