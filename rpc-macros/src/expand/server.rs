//! The worker's side: decodes the arguments, calls the function, encodes what it returns.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::Ident;
use syn::spanned::Spanned;

use super::assert::assertions;
use super::{method_ident, types};
use crate::lifetime::{self, STATIC};
use crate::remote::{Argument, Form, Function, Kind, Passing, Remote, Role, Runs};

/// The functions that serve, and their list.
pub(super) fn impls(remote: &Remote) -> TokenStream {
    let serves = remote
        .functions
        .iter()
        .map(|function| serve(remote, function));
    let entries = remote
        .functions
        .iter()
        .map(|function| entry(remote, function));
    let client = &remote.stubs.client;
    let generics = generics(remote);
    let by = generics.is_some().then(|| quote!(<__Implementor>));
    let make = make(remote);
    quote_spanned! {Span::mixed_site()=>
        #make
        #(#serves)*

        #[automatically_derived]
        impl #generics ::reedbed::__private::Served #by for #client {
            fn functions() -> ::std::vec::Vec<::reedbed::__private::Function> {
                let mut functions = ::std::vec::Vec::new();
                #(#entries)*
                functions
            }
        }
    }
}

/// Adds a function to the list.
fn entry(remote: &Remote, function: &Function) -> TokenStream {
    let cfgs = &function.cfgs;
    let method = method_ident(function);
    let serve = serve_ident(function);
    let handler = match function.runs {
        Runs::Sync => quote!(Sync),
        Runs::Blocking => quote!(Blocking),
        Runs::Async => quote!(Async),
    };
    let new = match function.role {
        Role::Plain | Role::Constructor => quote!(new),
        Role::Method => quote!(of_instance),
    };
    let by = generics(remote).map(|_| quote!(::<__Implementor>));
    quote_spanned! {Span::mixed_site()=>
        #(#cfgs)*
        functions.push(::reedbed::__private::Function::#new(
            &#method,
            ::reedbed::__private::Handler::#handler(#serve #by),
        ));
    }
}

/// Serves one call.
fn serve(remote: &Remote, function: &Function) -> TokenStream {
    let (ident, cfgs) = (&function.ident, &function.cfgs);
    let serve = serve_ident(function);
    let assertions = assertions(function);
    let decodes = function.arguments.iter().map(decode);
    let passed = function.arguments.iter().map(pass);
    let (ty, kind) = (&function.returned.ty, types::kind(&function.returned));
    let is_async = function.runs == Runs::Async;
    let wait = is_async.then(|| quote!(.await));
    let called = match &remote.form {
        Form::Module => quote!(self::#ident),
        Form::Service(ty) => quote!(<#ty>::#ident),
        Form::Interface(name) => quote!(<__Implementor as #name>::#ident),
    };
    let (find, this) = this(remote, function).unzip();
    let made = made(remote, function);
    let generics = generics(remote);
    let body = quote_spanned! {Span::mixed_site()=>
        #find
        let mut arguments = call.arguments();
        #(#decodes)*
        arguments.finish()?;
        let returned = #called(#this #(#passed),*) #wait;
        #made
        call.reply::<#ty, #kind>(returned)
    };
    if is_async {
        // A future that isn't `Send` is an error below the function's name.
        let future = quote_spanned!(ident.span()=> ::std::boxed::Box::pin(async move { #body }));
        quote_spanned! {Span::mixed_site()=>
            #(#cfgs)*
            fn #serve #generics(
                call: ::reedbed::__private::ServerCall,
            ) -> ::reedbed::__private::BoxFuture {
                #assertions
                #future
            }
        }
    } else {
        quote_spanned! {Span::mixed_site()=>
            #(#cfgs)*
            fn #serve #generics(
                call: &::reedbed::__private::ServerCall,
            ) -> ::core::result::Result<::reedbed::__private::Reply, ::reedbed::__private::Failure>
            {
                #assertions
                #body
            }
        }
    }
}

/// The parameter of what serves any implementation of an interface.
fn generics(remote: &Remote) -> Option<TokenStream> {
    match &remote.form {
        Form::Module | Form::Service(_) => None,
        Form::Interface(name) => Some(quote!(<__Implementor: #name>)),
    }
}

/// Finds the instance of a method, and passes it.
fn this(remote: &Remote, function: &Function) -> Option<(TokenStream, TokenStream)> {
    if function.role != Role::Method {
        return None;
    }
    let ty = match &remote.form {
        // A module has no methods.
        Form::Module => return None,
        Form::Service(ty) => quote!(#ty),
        Form::Interface(_) => quote!(__Implementor),
    };
    let find = quote_spanned!(Span::mixed_site()=> let this = call.instance::<#ty>()?;);
    let pass = quote_spanned!(Span::mixed_site()=> this,);
    Some((find, pass))
}

/// `MAKE`, by which every constructor has what it made stay here. It stands alone so that a type
/// that can't is one error, below its name.
fn make(remote: &Remote) -> Option<TokenStream> {
    let Form::Service(ty) = &remote.form else {
        return None;
    };
    let instance = &remote.stubs.instance;
    let make = quote_spanned! {ty.span()=>
        const MAKE: fn(#ty) -> ::reedbed::__private::Made<#instance> =
            ::reedbed::__private::Made::new;
    };
    remote.has_instances().then_some(make)
}

/// Has what a constructor made stay here.
fn made(remote: &Remote, function: &Function) -> Option<TokenStream> {
    let make = match &remote.form {
        Form::Service(_) => quote_spanned!(Span::mixed_site()=> MAKE),
        Form::Module | Form::Interface(_) => {
            quote_spanned!(Span::mixed_site()=> ::reedbed::__private::Made::new)
        }
    };
    let made = match &function.returned.kind {
        Kind::Instance(_) => quote_spanned!(Span::mixed_site()=> #make(returned)),
        Kind::Fallible { ok, .. } if matches!(**ok, Kind::Instance(_)) => {
            quote_spanned!(Span::mixed_site()=> ::core::result::Result::map(returned, #make))
        }
        _ => return None,
    };
    Some(quote_spanned!(Span::mixed_site()=> let returned = #made;))
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
