//! Traits that stand in a stub's signature for what only the compiler knows: types behind aliases.
//!
//! A projection through the traits of `reedbed` would do the same, but where the type is wrong, it
//! is an error in each signature that it stands in, on top of the one that the user can act on.
//! These two hold for every type, so that only bodies are wrong, and those state it once. Their names keep out of the way of the user's types.

use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;

use super::types;
use crate::remote::{Kind, Passing, Remote};

/// The traits that the module's stubs need.
pub(super) fn traits(remote: &Remote) -> TokenStream {
    let mut arguments = remote
        .functions
        .iter()
        .flat_map(|function| &function.arguments);
    let passed = arguments
        .any(|argument| matches!(&argument.passing, Passing::Handle(ty) if types::is_alias(ty)))
        .then(passed);
    let outcome = remote
        .functions
        .iter()
        .any(|function| matches!(function.returned.kind, Kind::Fallible { error: None, .. }))
        .then(outcome);
    quote_spanned!(Span::mixed_site()=> #passed #outcome)
}

/// `__PassedAs`, for arguments.
fn passed() -> TokenStream {
    quote_spanned! {Span::mixed_site()=>
        /// What can be passed where the worker's function takes `T`.
        pub trait __PassedAs<'a, T> {
            /// What is sent.
            fn sent(self) -> <T as ::reedbed::__private::HandleArg<'a>>::Sent
            where
                T: ::reedbed::__private::HandleArg<'a>;
        }

        impl<'a, T, P> __PassedAs<'a, T> for P
        where
            T: ::reedbed::__private::HandleArg<'a>,
            P: ::core::convert::Into<<T as ::reedbed::__private::HandleArg<'a>>::Sent>,
        {
            fn sent(self) -> <T as ::reedbed::__private::HandleArg<'a>>::Sent {
                ::core::convert::Into::into(self)
            }
        }
    }
}

/// `__Outcome`, for what is returned.
fn outcome() -> TokenStream {
    quote_spanned! {Span::mixed_site()=>
        /// What a `Result` is made of.
        pub trait __Outcome {
            /// What is in `Ok`.
            type Value;
            /// What is in `Err`.
            type Error;
        }

        impl<T, E> __Outcome for ::core::result::Result<T, E> {
            type Value = T;
            type Error = E;
        }
    }
}
