//! Clients as tarpc's stubs, which can be retried and balanced.

use std::fmt;
use std::io::ErrorKind;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Instant;

use tarpc::client::RpcError;
use tarpc::context::Context;
use tarpc::{ChannelError, ServerError};

use super::error::{CallError, CallFailure, FailureCause};
use super::request::{AsRequest, Terms};
use crate::wire::trace::TraceContext;

/// A client in the form of tarpc's trait [`Stub`](tarpc::client::stub::Stub), so that tarpc's own
/// stubs go on top of it: `RoundRobin` and `ConsistentHash` over several workers, `Retry` over
/// either.
///
/// ```
/// # #[reedbed::remote_module]
/// # mod segmentation {
/// #     use reedbed::ndarray::ArrayView2;
/// #     pub fn count(#[ndarray] image: ArrayView2<'_, u16>, threshold: u16) -> usize {
/// #         image.iter().filter(|value| **value > threshold).count()
/// #     }
/// # }
/// use reedbed::tarpc::client::stub::{Stub as _, load_balance::RoundRobin, retry::Retry};
/// use reedbed::tarpc::context;
/// use reedbed::{Request, TarpcStub, Tensor, Worker, ndarray::array, not_begun};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut stubs = Vec::new();
/// for _ in 0..2 {
///     let worker = Worker::in_process(&[segmentation::MODULE]).await?; // or a process
///     stubs.push(TarpcStub::new(worker.import::<segmentation::Client>().await?));
/// }
/// // One worker after another; and if one is gone, the next.
/// let pool = Retry::new(RoundRobin::new(stubs), |result, n_attempts| {
///     n_attempts < 3 && not_begun(result)
/// });
///
/// let image = Tensor::from(array![[3, 9], [4, 7]]).freeze().map_err(|(error, _)| error)?;
/// let count = Request::lending(image, |client: &segmentation::Client, image| client.count(image, 5));
/// let Ok(n) = pool.call(context::current(), count).await?;
/// assert_eq!(n, 2);
/// # Ok(())
/// # }
/// ```
///
/// A stub answers with what the function returned: its own `Err` is no failure of the call.
///
/// # The context
/// The call has the deadline of the context (tarpc's own default is ten seconds) and belongs to its
/// trace, if it has one. Attempts of one `Retry` share the deadline.
///
/// # Errors
/// - `Send` if the function has certainly not begun: exactly when the [`CallFailure`] inside
///   [is retryable](CallFailure::is_retryable);
/// - `DeadlineExceeded` if it was sent and no answer came in time, or if no time was left to begin with;
/// - `Channel`, with a [`CallFailure`] inside, if the worker ended with the call in flight;
/// - `Server` if the function panicked, or its result could not be sent or understood.
///
/// # Cancel safety
/// As a [`Call`](crate::Call)'s: dropping the future asks the worker to stop.
pub struct TarpcStub<C, Q> {
    client: C,
    requests: PhantomData<fn(Q)>,
}

impl<C, Q> TarpcStub<C, Q> {
    /// Wraps a client, or the handle of an instance.
    #[must_use]
    pub fn new(client: C) -> Self {
        Self {
            client,
            requests: PhantomData,
        }
    }

    /// Returns the client.
    #[must_use]
    pub fn client(&self) -> &C {
        &self.client
    }
}

impl<C, Q> tarpc::client::stub::Stub for TarpcStub<C, Q>
where
    C: 'static,
    Q: AsRequest<Client = C, Value: 'static, Error: 'static>,
{
    type Req = Q;
    type Resp = Result<Q::Value, Q::Error>;

    async fn call(&self, context: Context, request: Q) -> Result<Self::Resp, RpcError> {
        let limit = context.deadline.saturating_duration_since(Instant::now());
        if limit.is_zero() {
            return Err(RpcError::DeadlineExceeded);
        }
        let terms = Terms {
            deadline: Some(Some((context.deadline, limit))),
            trace: TraceContext::of_tarpc(&context.trace_context),
        };
        match request.as_request().make(&self.client, terms).await {
            Ok(value) => Ok(Ok(value)),
            Err(CallError::Returned(error)) => Ok(Err(error)),
            Err(CallError::Failed(failure)) => Err(rpc_error(failure)),
        }
    }
}

/// Tells whether a call of a [`TarpcStub`] failed before the function began, so that repeating it
/// can't do anything twice.
///
/// What stood in its way may stand there still (an argument that can't be encoded, for example), so
/// whoever repeats it counts the attempts.
#[must_use]
pub fn not_begun<R>(result: &Result<R, RpcError>) -> bool {
    matches!(result, Err(RpcError::Send(_)))
}

/// A failure in tarpc's terms.
fn rpc_error(failure: Box<CallFailure>) -> RpcError {
    if failure.is_retryable() {
        return RpcError::Send(failure);
    }
    let kind = match failure.cause() {
        FailureCause::DeadlineExceeded { .. } => return RpcError::DeadlineExceeded,
        FailureCause::WorkerDied { .. } => {
            return RpcError::Channel(ChannelError::Read(Arc::<CallFailure>::from(failure)));
        }
        FailureCause::Protocol { .. } => ErrorKind::InvalidData,
        _ => ErrorKind::Other,
    };
    RpcError::Server(ServerError::new(kind, failure.to_string()))
}

impl<C: Clone, Q> Clone for TarpcStub<C, Q> {
    fn clone(&self) -> Self {
        Self::new(self.client.clone())
    }
}

impl<C: fmt::Debug, Q> fmt::Debug for TarpcStub<C, Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TarpcStub").field(&self.client).finish()
    }
}
