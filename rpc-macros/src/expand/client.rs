//! The caller's side: the client, its blocking twin and the schema.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::Ident;

use super::assert::assertions;
use super::method_ident;
use super::types::{self, Outcome};
use crate::lifetime::{self, CALL};
use crate::remote::{Argument, Function, Passing, Remote};

/// `Client`, `BlockingClient` and `MODULE`, which stand in the user's module.
pub(super) fn items(remote: &Remote) -> TokenStream {
    let name = &remote.name;
    let client = format!(" Calls the functions of `{name}` in a worker.");
    let blocking = format!(" Calls the functions of `{name}` in a worker and waits for each.");
    let module = format!(" What a worker serves of `{name}`.");
    let lints = quote_spanned! {Span::mixed_site()=>
        #[allow(dead_code, unreachable_pub, reason = "generated: the other side may be elsewhere")]
    };
    quote_spanned! {Span::mixed_site()=>
        #[doc = #client]
        ///
        /// Every method returns a future; [`Client::blocking`] gives the twin whose methods wait.
        #lints
        #[derive(::core::clone::Clone, ::core::fmt::Debug)]
        pub struct Client {
            caller: ::reedbed::Caller,
        }

        #[doc = #blocking]
        ///
        /// The blocking twin of [`Client`].
        #lints
        #[derive(::core::clone::Clone, ::core::fmt::Debug)]
        pub struct BlockingClient {
            client: Client,
        }

        #[doc = #module]
        #lints
        pub const MODULE: ::reedbed::Module = ::reedbed::Module::of::<Client>();
    }
}

/// The implementations of both clients.
pub(super) fn impls(remote: &Remote) -> TokenStream {
    let Remote {
        name,
        docs,
        functions,
    } = remote;
    let schemas = functions.iter().map(schema);
    let stubs = functions.iter().map(stub);
    let blocking_stubs = functions.iter().map(blocking_stub);
    quote_spanned! {Span::mixed_site()=>
        #[automatically_derived]
        impl ::reedbed::Stub for Client {
            const MODULE: &'static str = #name;

            fn schema() -> ::reedbed::schema::ModuleSchema {
                let mut functions = ::std::vec::Vec::new();
                #(#schemas)*
                ::reedbed::schema::ModuleSchema::new(#name, #docs, functions)
            }

            fn from_caller(caller: ::reedbed::Caller) -> Self {
                Self { caller }
            }
        }

        #[automatically_derived]
        impl ::reedbed::BlockingStub for BlockingClient {
            type Async = Client;

            fn from_async(client: Client) -> Self {
                Self { client }
            }
        }

        impl Client {
            #(#stubs)*

            /// The blocking twin of this client.
            pub fn blocking(&self) -> BlockingClient {
                BlockingClient { client: ::core::clone::Clone::clone(self) }
            }
        }

        impl BlockingClient {
            #(#blocking_stubs)*
        }
    }
}

/// Adds a function to the schema.
fn schema(function: &Function) -> TokenStream {
    let (name, cfgs, docs) = (&function.name, &function.cfgs, &function.docs);
    let assertions = assertions(function);
    let arguments = function.arguments.iter().map(|argument| {
        let (name, ty) = (&argument.name, types::described(argument));
        match argument.passing {
            Passing::Handle(_) | Passing::NestedHandle(_) => quote!(.handle::<#ty>(#name)),
            Passing::Value(_) | Passing::Lent(_) => quote!(.value::<#ty>(#name)),
        }
    });
    let (ty, kind) = (&function.returned.ty, types::kind(&function.returned));
    quote_spanned! {Span::mixed_site()=>
        #(#cfgs)*
        {
            #assertions
            functions.push(
                ::reedbed::schema::FunctionSchema::new(#name, #docs)
                    #(#arguments)*
                    .returns::<#ty, #kind>(),
            );
        }
    }
}

/// A method of `Client`.
fn stub(function: &Function) -> TokenStream {
    let Head {
        attrs,
        ident,
        generics,
        parameters,
        outcome: Outcome { value, error },
    } = head(function);
    let lifetime = if generics.is_some() {
        types::call_lifetime()
    } else {
        types::static_lifetime()
    };
    let assertions = assertions(function);
    let conversions = function.arguments.iter().filter_map(conversion);
    let sends = function.arguments.iter().map(send);
    let method = method_ident(function);
    let (ty, kind) = (&function.returned.ty, types::kind(&function.returned));
    let (first, last) = types::ends(ty);
    let call = quote_spanned!(first=> ::reedbed::__private::call::<#ty, #kind>);
    let call_arguments = quote_spanned! {Span::mixed_site()=>
        &self.caller,
        &#method,
        move |outgoing| {
            #(#sends)*
            ::core::result::Result::Ok(())
        }
    };
    let call = quote_spanned!(last=> #call(#call_arguments));
    quote_spanned! {Span::mixed_site()=>
        #attrs
        pub fn #ident #generics(&self, #(#parameters),*)
            -> ::reedbed::Call<#lifetime, #value, #error>
        {
            #assertions
            #(#conversions)*
            #call
        }
    }
}

/// A method of `BlockingClient`.
fn blocking_stub(function: &Function) -> TokenStream {
    let Head {
        attrs,
        ident,
        generics,
        parameters,
        outcome: Outcome { value, error },
    } = head(function);
    let names = function.arguments.iter().map(|argument| &argument.ident);
    quote_spanned! {Span::mixed_site()=>
        #attrs
        pub fn #ident #generics(&self, #(#parameters),*)
            -> ::core::result::Result<#value, ::reedbed::CallError<#error>>
        {
            self.client.#ident(#(#names),*).wait()
        }
    }
}

/// What the two stubs of a function have in common.
struct Head<'a> {
    attrs: TokenStream,
    ident: &'a Ident,
    generics: Option<TokenStream>,
    parameters: Vec<TokenStream>,
    outcome: Outcome,
}

fn head(function: &Function) -> Head<'_> {
    let (cfgs, shown) = (&function.cfgs, &function.shown);
    let default = function.docs.is_empty().then(|| {
        let docs = format!(" Calls `{}` in the worker.", function.name);
        quote!(#[doc = #docs])
    });
    let parameters = function.arguments.iter().map(|argument| {
        let (ident, ty) = (&argument.ident, types::parameter(argument));
        quote!(#ident: #ty)
    });
    let call = types::call_lifetime();
    let borrows = function
        .arguments
        .iter()
        .any(|argument| match &argument.passing {
            Passing::Handle(ty) | Passing::NestedHandle(ty) | Passing::Value(ty) => {
                lifetime::borrows(ty)
            }
            Passing::Lent(_) => true,
        });
    Head {
        attrs: quote!(#(#cfgs)* #default #(#shown)*),
        ident: &function.ident,
        generics: borrows.then(|| quote!(<#call>)),
        parameters: parameters.collect(),
        outcome: types::outcome(&function.returned),
    }
}

/// Converts an argument into what is sent, before the call borrows it.
fn conversion(argument: &Argument) -> Option<TokenStream> {
    let ident = &argument.ident;
    let Passing::Handle(ty) = &argument.passing else {
        return None;
    };
    let (first, last) = types::ends(ty);
    let convert = if types::is_alias(ty) {
        let (lifetime, ty) = (types::lent_for(ty), lifetime::named(ty, CALL));
        quote_spanned!(first=> __PassedAs::<#lifetime, #ty>::sent)
    } else {
        quote_spanned!(first=> ::core::convert::Into::into)
    };
    let converted = quote_spanned!(last=> #convert(#ident));
    Some(quote_spanned!(first=> let #ident = #converted;))
}

/// Sends an argument.
fn send(argument: &Argument) -> TokenStream {
    let outgoing = quote_spanned!(Span::mixed_site()=> outgoing);
    let (ident, name) = (&argument.ident, &argument.name);
    match &argument.passing {
        Passing::Handle(ty) | Passing::NestedHandle(ty) => {
            let sent = types::projected(ty);
            quote!(#outgoing.handle::<#sent>(#name, #ident)?;)
        }
        Passing::Value(ty) => {
            let ty = lifetime::named(ty, CALL);
            quote!(#outgoing.value::<#ty>(#name, &#ident)?;)
        }
        Passing::Lent(ty) => {
            let ty = lifetime::named(ty, CALL);
            quote!(#outgoing.value::<#ty>(#name, #ident)?;)
        }
    }
}
