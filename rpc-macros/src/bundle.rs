//! The derive `Bundle`: a struct or an enum with arrays among its fields.
//!
//! A bundle without a lifetime owns its arrays: it is an argument by value, a result or an error,
//! and the same type on both sides. A bundle with one lends them, so its caller passes another
//! type, of the name with `Arg` behind it, whose fields are what a stub takes for such arrays.

mod check;
mod expand;

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Attribute, DeriveInput, Ident, Member, Type, Visibility};

use crate::errors::Errors;

/// The whole of the derive.
pub(crate) fn derive(item: TokenStream) -> TokenStream {
    let input = match syn::parse2::<DeriveInput>(item) {
        Ok(input) => input,
        Err(error) => return error.into_compile_error(),
    };
    let mut errors = Errors::default();
    let bundle = check::bundle(&input, &mut errors);
    match errors.unless_any(bundle) {
        Ok(bundle) => bundle.as_ref().map(expand::items).unwrap_or_default(),
        Err(errors) => {
            let errors = errors.into_compile_error();
            quote!(#errors)
        }
    }
}

/// A type whose parts can travel.
struct Bundle {
    ident: Ident,
    vis: Visibility,
    /// Whether it has a lifetime, for which its views are lent.
    borrows: bool,
    body: Body,
}

/// What a bundle consists of.
enum Body {
    Struct(Variant),
    Enum(Vec<Variant>),
}

/// A struct, or a variant of an enum.
struct Variant {
    docs: Vec<Attribute>,
    ident: Ident,
    is_tuple: bool,
    fields: Vec<Field>,
}

/// A field of a bundle.
struct Field {
    docs: Vec<Attribute>,
    vis: Visibility,
    member: Member,
    /// The name in the schema.
    name: String,
    /// Its type, with `'_` for the bundle's lifetime.
    ty: Type,
    /// Whether it is an array, or holds some.
    is_handle: bool,
}
