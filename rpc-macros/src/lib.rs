//! The macros of `reedbed`: the attribute `#[remote_module]` and the derives `Bundle` and
//! `Schema`.
//!
//! Depend on `reedbed`, which re-exports both; the generated code names nothing else.
//!
//! A module takes three steps, a file each: `parse` turns the tokens into functions and other
//! items, `check` turns those into a `remote::Remote`, which can only describe what can be
//! called, and `expand` writes that out. Checking collects every error before it gives up, and
//! the user's own items are emitted whatever happens, so that one mistake is one message.

#![forbid(unsafe_code)]
#![warn(clippy::print_stdout)]

mod argument;
mod bundle;
mod check;
mod errors;
mod expand;
mod inside;
mod lifetime;
mod names;
mod parse;
mod remote;
mod returned;
mod schema;
#[cfg(test)]
mod tests;

use proc_macro::TokenStream;

/// Makes the functions of an inline module, of an `impl` or of a trait callable from another process.
///
/// Adds a `Client`, a `BlockingClient` and a `MODULE`, or their like beside the `impl` or the trait. The documentation is in `reedbed`.
#[proc_macro_attribute]
pub fn remote_module(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::remote_module(arguments.into(), item.into()).into()
}

/// Describes the serialized form of a struct or an enum. The documentation is in `reedbed`.
#[proc_macro_derive(Schema, attributes(schema, serde))]
pub fn derive_schema(item: TokenStream) -> TokenStream {
    schema::derive(item.into()).into()
}

/// Lets a struct or an enum with arrays among its fields travel. The documentation is in `reedbed`.
#[proc_macro_derive(Bundle, attributes(ndarray, segment, serde))]
pub fn derive_bundle(item: TokenStream) -> TokenStream {
    bundle::derive(item.into()).into()
}
