//! What a function may return, and what its caller receives.
//!
//! [`containers`] hold any number of arrays, and one another.

mod containers;

use std::any::Any;
use std::convert::Infallible;
use std::fmt;
use std::marker::PhantomData;

use ndarray::{Array, Dimension, Ix1};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::argument::{describe_cell, describe_cells, describe_returned};
use super::incoming::{Incoming, no_variant};
use super::instance::InstanceStub;
use super::reply::Reply;
use crate::segment::{Atomic, Segment, SharedCell, SharedCells};
use crate::tensor::{Element, Tensor};
use crate::wire::frame::Failure;
use crate::wire::schema::{INSTANCE, Schema, SchemaWriter};

/// The name of a part of what is returned, in errors.
pub(crate) const RETURNED: &str = "returned";

/// How the parts of a return type travel. The macro reads it off the type's spelling, because a
/// type alone can't say whether it is meant as an array or as a serde value.
pub mod kind {
    use std::marker::PhantomData;

    /// As serde writes it.
    #[derive(Debug)]
    pub struct Value;

    /// By handle.
    #[derive(Debug)]
    pub struct Handle;

    /// By number: it stays in the worker.
    #[derive(Debug)]
    pub struct Instance;

    /// An `Option` of a part.
    #[derive(Debug)]
    pub struct Optional<K>(PhantomData<K>);

    /// A list, a map or a box of such parts.
    #[derive(Debug)]
    pub struct Each<K>(PhantomData<K>);

    /// A `Result` of a part or the function's own error.
    #[derive(Debug)]
    pub struct Fallible<K>(PhantomData<K>);
}

/// A part of what a function returns.
#[diagnostic::on_unimplemented(
    message = "a function can't return `{Self}`",
    label = "can't be returned",
    note = "return an `Array`, a `Tensor`, a `Segment`, a type with \
            `#[derive(serde::Serialize, serde::Deserialize, reedbed::Schema)]`, one that owns \
            arrays and has `#[derive(reedbed::Bundle)]`, or options, tuples, lists, maps and \
            results of these"
)]
pub trait Give<K>: Sized {
    /// What the caller receives.
    type Received;

    /// Whether an instance is made.
    const MAKES: bool = false;

    /// Writes what it is into a schema.
    fn describe(writer: &mut SchemaWriter);

    /// Adds it to a reply.
    ///
    /// # Errors
    /// If it can't be encoded or finds no memory.
    fn give(self, reply: &mut Reply) -> Result<(), Failure>;

    /// Reads it off a reply.
    ///
    /// # Errors
    /// If the worker sent something else.
    fn receive(incoming: &mut Incoming<'_>) -> Result<Self::Received, Failure>;

    /// Reads the number of the instance that was made.
    ///
    /// # Errors
    /// If the worker sent something else.
    fn made(_: &mut Incoming<'_>) -> Result<Option<u64>, Failure> {
        Ok(None)
    }
}

/// All of what a function returns.
#[diagnostic::on_unimplemented(
    message = "a function can't return `{Self}`",
    label = "can't be returned",
    note = "return an `Array`, a `Tensor`, a `Segment`, a type with \
            `#[derive(serde::Serialize, serde::Deserialize, reedbed::Schema)]`, one that owns \
            arrays and has `#[derive(reedbed::Bundle)]`, or options, tuples, lists, maps and \
            results of these; a function is marked `#[returns(ndarray)]` where the name of \
            what it returns is an alias of an array's, or where bundles lie inside something else"
)]
pub trait Return<K>: Sized {
    /// What the caller receives.
    type Value;
    /// The function's own error.
    type Error;

    /// Whether an instance is made.
    const MAKES: bool;

    /// Writes what it is into a schema.
    fn describe(writer: &mut SchemaWriter);

    /// Adds it to a reply.
    ///
    /// # Errors
    /// If it can't be encoded or finds no memory.
    fn send(self, reply: &mut Reply) -> Result<(), Failure>;

    /// Reads it off a reply.
    ///
    /// # Errors
    /// If the worker sent something else.
    fn receive(incoming: &mut Incoming<'_>) -> Result<Result<Self::Value, Self::Error>, Failure>;

    /// Reads the number of the instance that was made, if one was.
    ///
    /// # Errors
    /// If the worker sent something else.
    fn made(incoming: &mut Incoming<'_>) -> Result<Option<u64>, Failure>;
}

impl<K, T: Give<K>> Return<K> for T {
    type Value = T::Received;
    type Error = Infallible;

    const MAKES: bool = T::MAKES;

    fn describe(writer: &mut SchemaWriter) {
        T::describe(writer);
    }

    fn send(self, reply: &mut Reply) -> Result<(), Failure> {
        self.give(reply)
    }

    fn receive(incoming: &mut Incoming<'_>) -> Result<Result<Self::Value, Infallible>, Failure> {
        T::receive(incoming).map(Ok)
    }

    fn made(incoming: &mut Incoming<'_>) -> Result<Option<u64>, Failure> {
        T::made(incoming)
    }
}

impl<K, T, E> Return<kind::Fallible<K>> for Result<T, E>
where
    T: Give<K>,
    // As serde writes it, or a bundle.
    E: Give<kind::Value>,
{
    type Value = T::Received;
    type Error = E::Received;

    const MAKES: bool = T::MAKES;

    fn describe(writer: &mut SchemaWriter) {
        writer.generic("result", &[T::describe, E::describe]);
    }

    fn send(self, reply: &mut Reply) -> Result<(), Failure> {
        // As serde numbers the variants of `Result`.
        match self {
            Ok(value) => {
                reply.value(&0u32)?;
                value.give(reply)
            }
            Err(error) => {
                reply.value(&1u32)?;
                error.give(reply)
            }
        }
    }

    fn receive(incoming: &mut Incoming<'_>) -> Result<Result<Self::Value, Self::Error>, Failure> {
        match incoming.value(RETURNED)? {
            0u32 => incoming.part::<T, K>().map(Ok),
            1 => incoming.part::<E, kind::Value>().map(Err),
            other => Err(no_variant(RETURNED, other)),
        }
    }

    fn made(incoming: &mut Incoming<'_>) -> Result<Option<u64>, Failure> {
        match incoming.value(RETURNED)? {
            0u32 => T::made(incoming),
            _ => Ok(None),
        }
    }
}

impl<T: Serialize + DeserializeOwned + Schema> Give<kind::Value> for T {
    type Received = T;

    fn describe(writer: &mut SchemaWriter) {
        writer.part::<T>();
    }

    fn give(self, reply: &mut Reply) -> Result<(), Failure> {
        reply.value(&self)
    }

    fn receive(incoming: &mut Incoming<'_>) -> Result<T, Failure> {
        incoming.value(RETURNED)
    }
}

impl<A: Element, D: Dimension> Give<kind::Handle> for Tensor<A, D> {
    type Received = Self;

    fn describe(writer: &mut SchemaWriter) {
        describe_returned::<A, D>(writer);
    }

    fn give(self, reply: &mut Reply) -> Result<(), Failure> {
        reply.give(self.located())
    }

    fn receive(incoming: &mut Incoming<'_>) -> Result<Self, Failure> {
        incoming.tensor(RETURNED)
    }
}

impl<A: Element, D: Dimension> Give<kind::Handle> for Array<A, D> {
    type Received = Tensor<A, D>;

    fn describe(writer: &mut SchemaWriter) {
        describe_returned::<A, D>(writer);
    }

    fn give(self, reply: &mut Reply) -> Result<(), Failure> {
        reply.copy_out(&self)
    }

    fn receive(incoming: &mut Incoming<'_>) -> Result<Tensor<A, D>, Failure> {
        incoming.tensor(RETURNED)
    }
}

impl Give<kind::Handle> for Segment {
    type Received = Self;

    fn describe(writer: &mut SchemaWriter) {
        writer.leaf("own segment");
    }

    fn give(self, reply: &mut Reply) -> Result<(), Failure> {
        reply.give(self.located())
    }

    fn receive(incoming: &mut Incoming<'_>) -> Result<Self, Failure> {
        incoming.tensor::<u8, Ix1>(RETURNED).map(Self::from_bytes)
    }
}

impl<T: Atomic> Give<kind::Handle> for SharedCell<T> {
    type Received = Self;

    fn describe(writer: &mut SchemaWriter) {
        describe_cell::<T>(writer);
    }

    fn give(self, reply: &mut Reply) -> Result<(), Failure> {
        reply.share(self.shared(), 0)
    }

    fn receive(incoming: &mut Incoming<'_>) -> Result<Self, Failure> {
        incoming.cell(RETURNED)
    }
}

impl<T: Atomic> Give<kind::Handle> for SharedCells<T> {
    type Received = Self;

    fn describe(writer: &mut SchemaWriter) {
        describe_cells::<T>(writer);
    }

    fn give(self, reply: &mut Reply) -> Result<(), Failure> {
        reply.share(self.shared(), 1)
    }

    fn receive(incoming: &mut Incoming<'_>) -> Result<Self, Failure> {
        incoming.shared(RETURNED, 1).map(Self::from_shared)
    }
}

/// What a constructor made. It stays in the worker, and its caller receives an `H`.
pub struct Made<H> {
    value: Box<dyn Any + Send + Sync>,
    handle: PhantomData<fn() -> H>,
}

impl<H> Made<H> {
    /// Wraps what a constructor returned.
    pub fn new<T: Any + Send + Sync>(value: T) -> Self {
        Self {
            value: Box::new(value),
            handle: PhantomData,
        }
    }
}

impl<H> fmt::Debug for Made<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Made").finish_non_exhaustive()
    }
}

impl<H: InstanceStub> Give<kind::Instance> for Made<H> {
    type Received = H;

    const MAKES: bool = true;

    fn describe(writer: &mut SchemaWriter) {
        writer.leaf(INSTANCE);
    }

    fn give(self, reply: &mut Reply) -> Result<(), Failure> {
        reply.instance(self.value)
    }

    fn receive(incoming: &mut Incoming<'_>) -> Result<H, Failure> {
        incoming.instance(RETURNED).map(H::from_instance)
    }

    fn made(incoming: &mut Incoming<'_>) -> Result<Option<u64>, Failure> {
        incoming.value(RETURNED).map(Some)
    }
}
