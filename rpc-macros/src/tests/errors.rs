//! The errors, and that there is one for each mistake.

mod arguments;
mod interfaces;
mod modules;
mod returned;
mod schemas;
mod services;

use proc_macro2::TokenStream;
use quote::quote;

use super::messages;
use crate::expand;

/// Checks that each message begins like the expected one, in order.
#[track_caller]
fn assert_messages(actual: &[String], expected: &[&str]) {
    let matches = actual.len() == expected.len()
        && actual
            .iter()
            .zip(expected)
            .all(|(actual, expected)| actual.starts_with(expected));
    assert!(matches, "expected {expected:#?}, got {actual:#?}");
}

/// What is said of an item that is marked.
fn item(item: TokenStream) -> Vec<String> {
    messages(expand::remote_module(quote!(), item))
}

/// What is said of a module with these items.
fn module(items: TokenStream) -> Vec<String> {
    item(quote!(mod m { #items }))
}

#[test]
fn all_at_once() {
    let messages = module(quote! {
        pub fn generic<T>(x: T) -> u8 { 0 }
        pub unsafe fn raw((a, b): (u8, u8), _: &mut u8) -> &'static str { "" }
        pub fn image(image: Array2<u8>, #[ndarray] size: usize) -> ArrayView2<'_, u8> { image }
        struct Client;
    });
    assert_messages(
        &messages,
        &[
            "`#[remote_module]` adds an item of the name `Client`",
            "a remote function cannot be generic",
            "a caller in another process cannot keep an `unsafe` promise",
            "a reference cannot outlive the call in the worker",
            "an argument of a remote function needs a name",
            "an argument of a remote function needs a name",
            "what is written through this reference would stay in the worker",
            "a view of an array cannot outlive the call",
            "`Array2` lives in the memory of its own process: take `#[ndarray] name: ArrayView2",
            "this is not an array",
        ],
    );
}

#[test]
fn the_users_items_are_emitted_all_the_same() {
    let expanded = expand::remote_module(
        quote!(),
        quote!(
            mod m {
                pub fn good(#[ndarray] x: ArrayView1<'_, u8>) {}
                pub fn bad(self) {}
            }
        ),
    );
    let expanded = expanded.to_string();
    assert!(!expanded.contains("ndarray]"), "{expanded}");
    for kept in [
        "pub fn good (x",
        "pub fn bad (self)",
        "pub fn good < 'call >",
        "pub const MODULE",
    ] {
        assert!(expanded.contains(kept), "{kept} is missing: {expanded}");
    }
}
