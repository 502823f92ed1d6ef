//! States what the types must be, at the place where each is written.
//!
//! A type that doesn't fit is wrong in the stub, in the server and in the schema. Each of the
//! three bodies states the same first: within a body, the compiler then keeps quiet about what
//! follows from it, and of equal messages it shows one. So one mistake is one message, below the
//! type, and not a dozen below `#[remote_module]`.

use proc_macro2::TokenStream;
use quote::quote_spanned;
use syn::spanned::Spanned;

use super::types;
use crate::remote::{Argument, Function, Passing};

/// The statements with which each body for the function begins.
pub(super) fn assertions(function: &Function) -> TokenStream {
    let arguments = function.arguments.iter().map(argument);
    let returned = &function.returned;
    let (ty, kind) = (&returned.ty, types::kind(returned));
    quote_spanned! {ty.span()=>
        #(#arguments)*
        let _ = ::reedbed::schema::FunctionSchema::returns::<#ty, #kind>;
    }
}

/// What an argument's type must be.
fn argument(argument: &Argument) -> TokenStream {
    let ty = types::described(argument);
    match &argument.passing {
        Passing::Handle(written) | Passing::NestedHandle(written) => {
            quote_spanned!(written.span()=> ::reedbed::__private::assert_handle::<'static, #ty>();)
        }
        Passing::Value(written) | Passing::Lent(written) => {
            quote_spanned!(written.span()=> ::reedbed::__private::assert_value::<#ty>();)
        }
    }
}
