//! Writes out what is added to a module.
//!
//! Public items stand in the module itself, so that their paths are short and `super::` in the
//! user's types means what it says; the rest is in a `const _`, out of the way of every name.
//! Everything has mixed-site spans, so that no local variable of ours can meet an argument of the
//! user's, and functions are called as `self::name`, past anything that the `const _` declares.

mod alias;
mod assert;
mod client;
mod server;
mod types;

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::{Ident, parse_quote};

use crate::check;
use crate::errors::Errors;
use crate::parse::{Item, Module};
use crate::remote::{Function, Remote};

/// The whole of `#[remote_module]`.
pub(crate) fn remote_module(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    if !arguments.is_empty() {
        errors.spanned(
            arguments,
            "`#[remote_module]` takes no arguments: remove them",
        );
    }
    let mut module = match syn::parse2::<Module>(item.clone()) {
        Ok(module) => module,
        Err(error) => {
            errors.push(error);
            let errors = errors.into_compile_errors();
            return quote!(#item #errors);
        }
    };
    let remote = check::module(&module, &mut errors);
    check::strip(&mut module);
    allow(&mut module);
    let added = remote.as_ref().map(added).unwrap_or_default();
    let module = module.with(&added);
    let errors = errors.into_compile_errors();
    quote!(#module #errors)
}

/// Silences the lints that would have a served function be what it can't be.
fn allow(module: &mut Module) {
    for item in &mut module.items {
        let Item::Function(function) = item else {
            continue;
        };
        if check::is_served(function) {
            let allow = parse_quote! {
                #[allow(
                    clippy::needless_pass_by_value,
                    unreachable_pub,
                    reason = "a function that is served is `pub` and takes what was sent"
                )]
            };
            function.attrs.insert(0, allow);
        }
    }
}

/// What the module gains.
fn added(remote: &Remote) -> TokenStream {
    let items = client::items(remote);
    let methods = remote
        .functions
        .iter()
        .map(|function| method(remote, function));
    let traits = alias::traits(remote);
    let client = client::impls(remote);
    let server = server::impls(remote);
    quote_spanned! {Span::mixed_site()=>
        #items
        #[allow(
            clippy::all,
            clippy::pedantic,
            dead_code,
            deprecated,
            elided_lifetimes_in_paths,
            non_snake_case,
            non_upper_case_globals,
            single_use_lifetimes,
            unreachable_pub,
            unused_mut,
            unused_qualifications,
            reason = "generated: lints on the functions themselves say it all"
        )]
        const _: () = {
            #(#methods)*
            #traits
            #client
            #server
        };
    }
}

/// The static that identifies a function on the wire.
fn method(remote: &Remote, function: &Function) -> TokenStream {
    let (module, name, cfgs) = (&remote.name, &function.name, &function.cfgs);
    let ident = method_ident(function);
    quote_spanned! {Span::mixed_site()=>
        #(#cfgs)*
        static #ident: ::reedbed::__private::Method =
            ::reedbed::__private::Method::new(#module, #name);
    }
}

/// The name of the static of a function.
fn method_ident(function: &Function) -> Ident {
    format_ident!("METHOD_{}", function.name, span = Span::mixed_site())
}
