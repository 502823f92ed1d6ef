//! The worker's side: decodes the arguments, calls the function, encodes what it returns.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::Ident;
use syn::spanned::Spanned;

use super::assert::assertions;
use super::{method_ident, types};
use crate::lifetime::{self, STATIC};
use crate::remote::{Argument, Function, Passing, Remote};

/// The functions that serve, and their list.
pub(super) fn impls(remote: &Remote) -> TokenStream {
    let serves = remote.functions.iter().map(serve);
    let entries = remote.functions.iter().map(entry);
    quote_spanned! {Span::mixed_site()=>
        #(#serves)*

        #[automatically_derived]
        impl ::reedbed::__private::Served for Client {
            fn functions() -> ::std::vec::Vec<::reedbed::__private::Function> {
                let mut functions = ::std::vec::Vec::new();
                #(#entries)*
                functions
            }
        }
    }
}

/// Adds a function to the list.
fn entry(function: &Function) -> TokenStream {
    let cfgs = &function.cfgs;
    let method = method_ident(function);
    let serve = serve_ident(function);
    let handler = if function.is_async {
        quote!(Async)
    } else {
        quote!(Sync)
    };
    quote_spanned! {Span::mixed_site()=>
        #(#cfgs)*
        functions.push(::reedbed::__private::Function::new(
            &#method,
            ::reedbed::__private::Handler::#handler(#serve),
        ));
    }
}

/// Serves one call.
fn serve(function: &Function) -> TokenStream {
    let (ident, cfgs) = (&function.ident, &function.cfgs);
    let serve = serve_ident(function);
    let assertions = assertions(function);
    let decodes = function.arguments.iter().map(decode);
    let passed = function.arguments.iter().map(pass);
    let (ty, kind) = (&function.returned.ty, types::kind(&function.returned));
    let wait = function.is_async.then(|| quote!(.await));
    let body = quote_spanned! {Span::mixed_site()=>
        let mut arguments = call.arguments();
        #(#decodes)*
        arguments.finish()?;
        let returned = self::#ident(#(#passed),*) #wait;
        call.reply::<#ty, #kind>(returned)
    };
    if function.is_async {
        // A future that isn't `Send` is an error below the function's name.
        let future = quote_spanned!(ident.span()=> ::std::boxed::Box::pin(async move { #body }));
        quote_spanned! {Span::mixed_site()=>
            #(#cfgs)*
            fn #serve(call: ::reedbed::__private::ServerCall) -> ::reedbed::__private::BoxFuture {
                #assertions
                #future
            }
        }
    } else {
        quote_spanned! {Span::mixed_site()=>
            #(#cfgs)*
            fn #serve(
                call: &::reedbed::__private::ServerCall,
            ) -> ::core::result::Result<::reedbed::__private::Reply, ::reedbed::__private::Failure>
            {
                #assertions
                #body
            }
        }
    }
}

/// Decodes an argument.
fn decode(argument: &Argument) -> TokenStream {
    let arguments = quote_spanned!(Span::mixed_site()=> arguments);
    let (ident, name) = (&argument.ident, &argument.name);
    let ty = match &argument.passing {
        Passing::Handle(ty) | Passing::NestedHandle(ty) => {
            return quote!(let #ident = #arguments.handle::<#ty>(#name)?;);
        }
        Passing::Value(ty) => quote!(#ty),
        Passing::Lent(ty) => types::decoded(ty),
    };
    quote!(let #ident = #arguments.value::<#ty>(#name)?;)
}

/// Passes an argument on.
fn pass(argument: &Argument) -> TokenStream {
    let ident = &argument.ident;
    match &argument.passing {
        Passing::Handle(_) | Passing::NestedHandle(_) | Passing::Value(_) => quote!(#ident),
        Passing::Lent(ty) => {
            let ty = lifetime::named(ty, STATIC);
            quote_spanned!(ty.span()=> ::core::borrow::Borrow::<#ty>::borrow(&#ident))
        }
    }
}

/// The name of the function that serves a function.
fn serve_ident(function: &Function) -> Ident {
    format_ident!("serve_{}", function.name, span = Span::mixed_site())
}
