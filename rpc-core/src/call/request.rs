//! A call that can be made over and over, of one worker or another.

use std::any;
use std::convert::Infallible;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use futures::future::BoxFuture;

use super::error::CallError;
use super::future::Call;
use super::pending::Deadline;
use crate::wire::trace::TraceContext;

/// A call that holds what it needs, for one of tarpc's stubs to make: see
/// [`TarpcStub`](super::stub::TarpcStub).
///
/// It is made of any client of type `C` (a generated client, or the handle of an instance), any
/// number of times. So its arguments are values, or shared: frozen tensors, `Arc<Tensor>`, cells.
/// Arrays that are lent for writing, or passed by value, can't be got from what is shared, so there
/// is no such request. Clones share the arguments.
///
/// ```
/// # #[reedbed::remote_module]
/// # mod segmentation {
/// #     use reedbed::ndarray::ArrayView2;
/// #     pub fn count(#[ndarray] image: ArrayView2<'_, u16>, threshold: u16) -> usize {
/// #         image.iter().filter(|value| **value > threshold).count()
/// #     }
/// #     pub fn version() -> String { "1".to_owned() }
/// # }
/// use reedbed::{Request, Tensor, ndarray::array};
///
/// // Of values alone.
/// let version = Request::new(|client: &segmentation::Client| client.version());
/// // Of arguments that are lent to each call.
/// let image = Tensor::from(array![[3, 9], [4, 7]]).freeze().map_err(|(error, _)| error)?;
/// let count = Request::lending(image, |client: &segmentation::Client, image| client.count(image, 5));
/// # let _: (Request<segmentation::Client, String>, Request<_, usize>) = (version, count);
/// # Ok::<(), reedbed::AccessError>(())
/// ```
pub struct Request<C, T, E = Infallible> {
    make: Arc<dyn Make<C, T, E>>,
    key: u64,
}

impl<C: 'static, T: 'static, E: 'static> Request<C, T, E> {
    /// A request whose calls `make` makes.
    pub fn new(make: impl Fn(&C) -> Call<'static, T, E> + Send + Sync + 'static) -> Self {
        Self::of(Owning(make))
    }

    /// A request whose calls `make` makes of `arguments`, which the request keeps.
    pub fn lending<A, F>(arguments: A, make: F) -> Self
    where
        A: Send + Sync + 'static,
        F: for<'a> Fn(&C, &'a A) -> Call<'a, T, E> + Send + Sync + 'static,
    {
        Self::of(Lending { arguments, make })
    }

    fn of(make: impl Make<C, T, E> + 'static) -> Self {
        Self {
            make: Arc::new(make),
            key: 0,
        }
    }

    /// Makes the call of `client`.
    pub(crate) fn make<'a>(&'a self, client: &C, terms: Terms) -> Attempt<'a, T, E> {
        self.make.make(client, terms)
    }
}

impl<C, T, E> Request<C, T, E> {
    /// Names what the request is about. tarpc's stub `ConsistentHash` sends requests of equal keys to
    /// the same worker, which may still have something of the last one; requests without a key have
    /// one in common.
    #[must_use]
    pub fn keyed(mut self, key: &(impl Hash + ?Sized)) -> Self {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        self.key = hasher.finish();
        self
    }
}

/// What a call gets besides its arguments.
#[derive(Clone, Copy)]
pub(crate) struct Terms {
    /// None for that of its worker's calls.
    pub(crate) deadline: Option<Deadline>,
    pub(crate) trace: Option<TraceContext>,
}

impl Terms {
    fn apply<'a, T, E>(self, call: Call<'a, T, E>) -> Call<'a, T, E> {
        let call = match self.deadline {
            Some(deadline) => call.until(deadline),
            None => call,
        };
        match self.trace {
            Some(trace) => call.trace(trace),
            None => call,
        }
    }
}

/// A call on its way to an answer.
pub(super) type Attempt<'a, T, E> = BoxFuture<'a, Result<T, CallError<E>>>;

/// Makes calls.
trait Make<C, T, E>: Send + Sync {
    fn make<'a>(&'a self, client: &C, terms: Terms) -> Attempt<'a, T, E>;
}

struct Owning<F>(F);

impl<C, T: 'static, E: 'static, F> Make<C, T, E> for Owning<F>
where
    F: Fn(&C) -> Call<'static, T, E> + Send + Sync,
{
    fn make<'a>(&'a self, client: &C, terms: Terms) -> Attempt<'a, T, E> {
        Box::pin(terms.apply((self.0)(client)))
    }
}

struct Lending<A, F> {
    arguments: A,
    make: F,
}

impl<C, A: Send + Sync, T: 'static, E: 'static, F> Make<C, T, E> for Lending<A, F>
where
    F: for<'a> Fn(&C, &'a A) -> Call<'a, T, E> + Send + Sync,
{
    fn make<'a>(&'a self, client: &C, terms: Terms) -> Attempt<'a, T, E> {
        Box::pin(terms.apply((self.make)(client, &self.arguments)))
    }
}

impl<C, T, E> Clone for Request<C, T, E> {
    fn clone(&self) -> Self {
        Self {
            make: Arc::clone(&self.make),
            key: self.key,
        }
    }
}

impl<C, T, E> Hash for Request<C, T, E> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key.hash(state);
    }
}

impl<C, T, E> fmt::Debug for Request<C, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("client", &any::type_name::<C>())
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

impl<C, T, E> tarpc::RequestName for Request<C, T, E> {
    fn name(&self) -> &str {
        any::type_name::<C>()
    }
}

/// What a [`TarpcStub`](super::stub::TarpcStub) takes: a [`Request`], or an `Arc` of one, which is
/// what tarpc's stub `Retry` passes on.
pub trait AsRequest: tarpc::RequestName + sealed::Sealed {
    /// Whom it calls.
    type Client;
    /// What the function returns.
    type Value;
    /// The function's own error.
    type Error;

    /// Returns the request.
    fn as_request(&self) -> &Request<Self::Client, Self::Value, Self::Error>;
}

impl<C, T, E> AsRequest for Request<C, T, E> {
    type Client = C;
    type Value = T;
    type Error = E;

    fn as_request(&self) -> &Self {
        self
    }
}

impl<C, T, E> AsRequest for Arc<Request<C, T, E>> {
    type Client = C;
    type Value = T;
    type Error = E;

    fn as_request(&self) -> &Request<C, T, E> {
        self
    }
}

mod sealed {
    use std::sync::Arc;

    /// Keeps a trait to this crate.
    pub trait Sealed {}

    impl<C, T, E> Sealed for super::Request<C, T, E> {}
    impl<C, T, E> Sealed for Arc<super::Request<C, T, E>> {}
}
