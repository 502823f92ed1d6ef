//! The caller's side: clients, handles of instances, their blocking twins and the schema.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::Ident;

use super::assert::assertions;
use super::method_ident;
use super::types::{self, Outcome};
use crate::lifetime::{self, CALL};
use crate::remote::{Argument, Form, Function, Passing, Remote, Role, Stubs};

/// The clients, the handles of instances, and `MODULE`, which stand where the user can name them.
pub(super) fn items(remote: &Remote) -> TokenStream {
    let Remote {
        name,
        stubs:
            Stubs {
                vis,
                client,
                blocking_client,
                ..
            },
        ..
    } = remote;
    let does = if remote.has_instances() {
        format!("Constructs instances of `{name}` in a worker")
    } else {
        format!("Calls the functions of `{name}` in a worker")
    };
    let client_docs = format!(" {does}.");
    let twin = format!(
        " Every method returns a future; [`{client}::blocking`] gives the twin whose methods wait."
    );
    let blocking_docs = format!(" {does} and waits for each.");
    let twin_of = format!(" The blocking twin of [`{client}`].");
    let lints = lints();
    let handles = remote.has_instances().then(|| handles(remote));
    let constant = matches!(remote.form, Form::Module).then(|| constant(remote));
    quote_spanned! {Span::mixed_site()=>
        #[doc = #client_docs]
        ///
        #[doc = #twin]
        #lints
        #[derive(::core::clone::Clone, ::core::fmt::Debug)]
        #vis struct #client {
            caller: ::reedbed::Caller,
        }

        #[doc = #blocking_docs]
        ///
        #[doc = #twin_of]
        #lints
        #[derive(::core::clone::Clone, ::core::fmt::Debug)]
        #vis struct #blocking_client {
            client: #client,
        }

        #handles
        #constant
    }
}

/// Silences the lints about generated items that nobody here uses.
fn lints() -> TokenStream {
    quote_spanned! {Span::mixed_site()=>
        #[allow(dead_code, unreachable_pub, reason = "generated: the other side may be elsewhere")]
    }
}

/// What a constructor's caller receives.
fn handles(remote: &Remote) -> TokenStream {
    let Remote {
        name,
        stubs:
            Stubs {
                vis,
                instance,
                blocking_instance,
                ..
            },
        ..
    } = remote;
    let docs = format!(
        " An instance of `{name}` in a worker, which drops it when the last clone is gone."
    );
    let twin = format!(
        " Every method returns a future; [`{instance}::blocking`] gives the twin whose methods wait."
    );
    let twin_of = format!(" The blocking twin of [`{instance}`].");
    let lints = lints();
    quote_spanned! {Span::mixed_site()=>
        #[doc = #docs]
        ///
        #[doc = #twin]
        #lints
        #[derive(::core::clone::Clone, ::core::fmt::Debug)]
        #vis struct #instance {
            instance: ::reedbed::Instance,
        }

        #[doc = #docs]
        ///
        #[doc = #twin_of]
        #lints
        #[derive(::core::clone::Clone, ::core::fmt::Debug)]
        #vis struct #blocking_instance {
            instance: #instance,
        }
    }
}

/// `MODULE`, which stands in the module, in an `impl` of the service, or in the trait.
pub(super) fn constant(remote: &Remote) -> TokenStream {
    let client = &remote.stubs.client;
    let docs = format!(" What a worker serves of `{}`.", remote.name);
    let lints = lints();
    let (vis, module) = match &remote.form {
        Form::Module | Form::Service(_) => (
            Some(quote!(pub)),
            quote!(::reedbed::Module::of::<#client>()),
        ),
        Form::Interface(_) => (
            None,
            quote!(::reedbed::Module::implemented::<#client, Self>()),
        ),
    };
    quote_spanned! {Span::mixed_site()=>
        #[doc = #docs]
        #lints
        #vis const MODULE: ::reedbed::Module = #module;
    }
}

/// The implementations of the clients and of the handles.
pub(super) fn impls(remote: &Remote) -> TokenStream {
    let Remote {
        name,
        docs,
        functions,
        stubs: Stubs {
            client,
            blocking_client,
            ..
        },
        ..
    } = remote;
    let is_method = |function: &&Function| function.role == Role::Method;
    let schemas = functions.iter().map(schema);
    let of_client = || functions.iter().filter(|function| !is_method(function));
    let stubs = of_client().map(stub);
    let blocking_stubs = of_client().map(|function| blocking_stub(function, remote));
    let handles = remote.has_instances().then(|| handle_impls(remote));
    let constant = match &remote.form {
        Form::Service(ty) => {
            let constant = constant(remote);
            Some(quote!(impl #ty { #constant }))
        }
        Form::Module | Form::Interface(_) => None,
    };
    quote_spanned! {Span::mixed_site()=>
        #constant

        #[automatically_derived]
        impl ::reedbed::Stub for #client {
            const MODULE: &'static str = #name;

            fn schema() -> ::reedbed::schema::ModuleSchema {
                let mut functions = ::std::vec::Vec::new();
                #(#schemas)*
                ::reedbed::schema::ModuleSchema::new(#name, #docs, functions)
            }

            fn from_caller(caller: ::reedbed::Caller) -> Self {
                Self { caller }
            }

            fn caller(&self) -> &::reedbed::Caller {
                &self.caller
            }
        }

        #[automatically_derived]
        impl ::reedbed::BlockingStub for #blocking_client {
            type Async = #client;

            fn from_async(client: #client) -> Self {
                Self { client }
            }

            fn as_async(&self) -> &#client {
                &self.client
            }
        }

        impl #client {
            #(#stubs)*

            /// The blocking twin of this client.
            pub fn blocking(&self) -> #blocking_client {
                #blocking_client { client: ::core::clone::Clone::clone(self) }
            }
        }

        impl #blocking_client {
            #(#blocking_stubs)*
        }

        #handles
    }
}

/// The implementations of the handles of instances.
fn handle_impls(remote: &Remote) -> TokenStream {
    let Stubs {
        instance,
        blocking_instance,
        ..
    } = &remote.stubs;
    let methods = || {
        let functions = remote.functions.iter();
        functions.filter(|function| function.role == Role::Method)
    };
    let stubs = methods().map(stub);
    let blocking_stubs = methods().map(|function| blocking_stub(function, remote));
    quote_spanned! {Span::mixed_site()=>
        #[automatically_derived]
        impl ::reedbed::InstanceStub for #instance {
            fn from_instance(instance: ::reedbed::Instance) -> Self {
                Self { instance }
            }
        }

        impl #instance {
            #(#stubs)*

            /// The blocking twin of this handle.
            pub fn blocking(&self) -> #blocking_instance {
                #blocking_instance { instance: ::core::clone::Clone::clone(self) }
            }
        }

        impl #blocking_instance {
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
    let of_instance = (function.role == Role::Method).then(|| quote!(.of_instance()));
    let (ty, kind) = (&function.returned.ty, types::kind(&function.returned));
    quote_spanned! {Span::mixed_site()=>
        #(#cfgs)*
        {
            #assertions
            functions.push(
                ::reedbed::schema::FunctionSchema::new(#name, #docs)
                    #of_instance
                    #(#arguments)*
                    .returns::<#ty, #kind>(),
            );
        }
    }
}

/// A method of the client, or of the handle of an instance.
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
    let (call, callee) = match function.role {
        Role::Plain | Role::Constructor => (quote!(call), quote!(caller)),
        Role::Method => (quote!(call_of), quote!(instance)),
    };
    let call = quote_spanned!(first=> ::reedbed::__private::#call::<#ty, #kind>);
    let call_arguments = quote_spanned! {Span::mixed_site()=>
        &self.#callee,
        &#method,
        move |outgoing| {
            #(#sends)*
            outgoing.finish()
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

/// Its blocking twin.
fn blocking_stub(function: &Function, remote: &Remote) -> TokenStream {
    let Head {
        attrs,
        ident,
        generics,
        parameters,
        outcome: Outcome { value, error },
    } = head(function);
    let names = function.arguments.iter().map(|argument| &argument.ident);
    let twin = match function.role {
        Role::Plain | Role::Method => None,
        Role::Constructor => Some(quote!(.map(|instance| instance.blocking()))),
    };
    let (twice, value) = match function.role {
        Role::Plain => (quote!(client), value),
        Role::Method => (quote!(instance), value),
        Role::Constructor => {
            let blocking_instance = &remote.stubs.blocking_instance;
            (quote!(client), quote!(#blocking_instance))
        }
    };
    quote_spanned! {Span::mixed_site()=>
        #attrs
        pub fn #ident #generics(&self, #(#parameters),*)
            -> ::core::result::Result<#value, ::reedbed::CallError<#error>>
        {
            self.#twice.#ident(#(#names),*).wait() #twin
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
            quote!(#outgoing.handle::<#sent>(#name, #ident);)
        }
        Passing::Value(ty) => {
            let ty = lifetime::named(ty, CALL);
            quote!(#outgoing.value::<#ty>(#name, &#ident);)
        }
        Passing::Lent(ty) => {
            let ty = lifetime::named(ty, CALL);
            quote!(#outgoing.value::<#ty>(#name, #ident);)
        }
    }
}
