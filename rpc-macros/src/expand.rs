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
pub(crate) mod types;

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::{Ident, LitStr, parse_quote};

use crate::check;
use crate::errors::Errors;
use crate::parse::{Annotated, Item};
use crate::remote::{Form, Function, Remote};

/// The whole of `#[remote_module]`.
pub(crate) fn remote_module(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let name = name(arguments, &mut errors);
    let annotated = match syn::parse2(item.clone()) {
        Ok(annotated) => annotated,
        Err(error) => {
            errors.push(error);
            let errors = errors.into_compile_errors();
            return quote!(#item #errors);
        }
    };
    let item = match annotated {
        Annotated::Module(mut module) => {
            let remote = check::module(&module, name, &mut errors);
            check::strip(&mut module.items);
            allow(&mut module.items);
            module.with(&remote.as_ref().map(added).unwrap_or_default())
        }
        Annotated::Service(mut service) => {
            let remote = check::service(&service, name, &mut errors);
            check::strip(&mut service.items);
            allow(&mut service.items);
            let added = remote.as_ref().map(added);
            quote!(#service #added)
        }
        Annotated::Interface(mut interface) => {
            let remote = check::interface(&interface, name, &mut errors);
            for item in &mut interface.items {
                if let syn::TraitItem::Fn(function) = item {
                    check::strip_function(&mut function.attrs, &mut function.sig);
                }
            }
            let constant = remote.as_ref().map(client::constant);
            let interface = interface.with(&constant.unwrap_or_default());
            let added = remote.as_ref().map(added);
            quote!(#interface #added)
        }
    };
    let errors = errors.into_compile_errors();
    quote!(#item #errors)
}

/// The name on the wire that `#[remote_module(name = "..")]` gives.
fn name(arguments: TokenStream, errors: &mut Errors) -> Option<String> {
    if arguments.is_empty() {
        return None;
    }
    let misplaced = arguments.clone();
    let argument = syn::parse2::<syn::MetaNameValue>(arguments).ok();
    let value = argument
        .filter(|argument| argument.path.is_ident("name"))
        .and_then(|argument| {
            syn::parse2::<LitStr>(quote::ToTokens::to_token_stream(&argument.value)).ok()
        });
    let Some(value) = value else {
        errors.spanned(
            misplaced,
            "the one argument of `#[remote_module]` is the module's name on the wire: \
             `#[remote_module(name = \"..\")]`",
        );
        return None;
    };
    let name = value.value();
    if syn::parse_str::<Ident>(&name).is_err() {
        errors.spanned(
            value,
            "a module's name on the wire is an identifier, such as `cell_detector`",
        );
        return None;
    }
    Some(name)
}

/// Silences the lints that would have a served function be what it can't be.
fn allow<Other>(items: &mut [Item<Other>]) {
    for item in items {
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

/// What the module, or the place beside the `impl` or the trait, gains.
fn added(remote: &Remote) -> TokenStream {
    let items = client::items(remote);
    let methods = remote
        .functions
        .iter()
        .map(|function| method(remote, function));
    let traits = alias::traits(remote);
    let client = client::impls(remote);
    let server = server::impls(remote);
    let private =
        (!matches!(remote.form, Form::Module)).then(|| quote!(private_bounds, private_interfaces,));
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
            #private
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
