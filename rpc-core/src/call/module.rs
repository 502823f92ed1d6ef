//! What `#[remote_module]` makes of a module: a stub to call it, and a table to serve it.

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::pin::Pin;

use super::connection::Caller;
use super::reply::Reply;
use super::server_call::ServerCall;
use crate::wire::frame::Failure;
use crate::wire::schema::{ModuleSchema, method_id};

/// A generated client of a module: `Client` of a module marked `#[remote_module]`.
///
/// ```
/// # #[reedbed::remote_module]
/// # mod filters { pub fn nothing() {} }
/// # fn main() -> Result<(), Box<dyn std::error::Error>> { futures::executor::block_on(async {
/// # let worker = reedbed::Worker::in_process(&[filters::MODULE]).await?;
/// use reedbed::Stub;
///
/// // No call of this client ever copies an array.
/// let filters = worker.import::<filters::Client>().await?.forbid_copies();
/// # filters.nothing().await?;
/// # Ok(()) }) }
/// ```
pub trait Stub: Sized {
    /// The module's name.
    const MODULE: &'static str;

    /// Describes the module as this program knows it.
    fn schema() -> ModuleSchema;

    /// Makes the client of a worker that serves the module.
    fn from_caller(caller: Caller) -> Self;

    /// Returns what the client calls the worker by.
    fn caller(&self) -> &Caller;

    /// Makes all calls fail, before anything is sent, that would have to copy an array argument.
    #[must_use]
    fn forbid_copies(self) -> Self {
        Self::from_caller(self.caller().clone().forbid_copies())
    }
}

/// A generated blocking client of a module: `BlockingClient` of a module marked
/// `#[remote_module]`.
///
/// Its methods wait. A call with a deadline, or with a report, is one of its asynchronous twin, waited
/// for; that needs no runtime either:
///
/// ```
/// # #[reedbed::remote_module]
/// # mod filters { pub fn count(limit: u64) -> u64 { limit } }
/// # use reedbed::blocking::Worker;
/// # let worker = Worker::in_process(&[filters::MODULE])?;
/// use std::time::Duration;
/// use reedbed::BlockingStub;
///
/// let filters: filters::BlockingClient = worker.import()?;
/// assert_eq!(filters.count(7)?, 7);
/// let limit = Duration::from_secs(60);
/// let (n, report) = filters.as_async().count(8).deadline(limit).reported().wait()?;
/// assert_eq!((n, report.copied_bytes), (8, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait BlockingStub: Sized {
    /// The asynchronous client.
    type Async: Stub;

    /// Makes the blocking twin of `client`.
    fn from_async(client: Self::Async) -> Self;

    /// Returns the asynchronous client.
    fn as_async(&self) -> &Self::Async;
}

/// A function that is called by its number.
#[derive(Clone, Debug)]
pub struct Method {
    /// The module's name.
    pub module: Cow<'static, str>,
    /// The function's name.
    pub function: Cow<'static, str>,
    /// The number.
    pub id: u64,
}

impl Method {
    /// Names a function.
    #[must_use]
    pub const fn new(module: &'static str, function: &'static str) -> Self {
        Self {
            module: Cow::Borrowed(module),
            function: Cow::Borrowed(function),
            id: method_id(module, function),
        }
    }
}

/// What an asynchronous function becomes.
pub type BoxFuture = Pin<Box<dyn Future<Output = Result<Reply, Failure>> + Send>>;

/// How a function is run.
#[derive(Clone, Copy, Debug)]
pub enum Handler {
    /// On the thread that reads calls, or on another one where it would keep others waiting.
    Sync(fn(&ServerCall) -> Result<Reply, Failure>),
    /// On a thread of its own, because it may take long: it is marked `#[reedbed(blocking)]`.
    Blocking(fn(&ServerCall) -> Result<Reply, Failure>),
    /// As a task.
    Async(fn(ServerCall) -> BoxFuture),
}

/// A function that a worker serves.
#[derive(Clone, Copy, Debug)]
pub struct Function {
    pub(crate) method: &'static Method,
    pub(crate) handler: Handler,
    /// Whether the body begins with the number of an instance.
    pub(crate) takes_instance: bool,
}

impl Function {
    /// Serves `method` by `handler`.
    #[must_use]
    pub const fn new(method: &'static Method, handler: Handler) -> Self {
        Self {
            method,
            handler,
            takes_instance: false,
        }
    }

    /// Serves `method` of an instance by `handler`.
    #[must_use]
    pub const fn of_instance(method: &'static Method, handler: Handler) -> Self {
        Self {
            method,
            handler,
            takes_instance: true,
        }
    }
}

/// A module that can be served, `By` itself or, if it is an interface, by a type that implements it.
pub trait Served<By = ()>: Stub {
    /// Its functions.
    fn functions() -> Vec<Function>;
}

/// A module for a worker to serve: `MODULE` of a module marked `#[remote_module]`.
#[derive(Clone, Copy)]
pub struct Module {
    pub(crate) name: &'static str,
    pub(crate) schema: fn() -> ModuleSchema,
    pub(crate) functions: fn() -> Vec<Function>,
}

impl Module {
    /// Names the module that `S` calls.
    #[must_use]
    pub const fn of<S: Served>() -> Self {
        Self {
            name: S::MODULE,
            schema: S::schema,
            functions: S::functions,
        }
    }

    /// Names the interface that `S` calls, as `By` implements it.
    #[must_use]
    pub const fn implemented<S: Served<By>, By>() -> Self {
        Self {
            name: S::MODULE,
            schema: S::schema,
            functions: <S as Served<By>>::functions,
        }
    }
}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Module")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
