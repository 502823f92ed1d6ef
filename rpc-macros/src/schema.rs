//! The derive `Schema`: describes what serde writes for a type.
//!
//! The description only protects anything while it follows the bytes, so attributes that change
//! the bytes are either followed or refused; [`attributes`] knows which. A type that serializes
//! itself in some other way declares itself opaque and carries a version instead.

mod attributes;

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Error, Fields, Generics, Ident, Type, parse_quote};

use crate::errors::Errors;
use crate::inside;

/// The whole of the derive.
pub(crate) fn derive(item: TokenStream) -> TokenStream {
    let input = match syn::parse2::<DeriveInput>(item) {
        Ok(input) => input,
        Err(error) => return error.into_compile_error(),
    };
    let mut errors = Errors::default();
    let body = body(&input, &mut errors);
    // The implementation stands there even on an error, or each use of the type would be another.
    let implementation = implementation(&input.ident, input.generics, &body);
    let errors = errors.into_compile_errors();
    quote!(#implementation #errors)
}

/// The `impl` around a body.
fn implementation(ident: &Ident, mut generics: Generics, body: &TokenStream) -> TokenStream {
    for parameter in generics.type_params_mut() {
        parameter
            .bounds
            .push(parse_quote!(::reedbed::schema::Schema));
    }
    let (parameters, arguments, clause) = generics.split_for_impl();
    quote_spanned! {Span::mixed_site()=>
        #[automatically_derived]
        impl #parameters ::reedbed::schema::Schema for #ident #arguments #clause {
            fn describe(w: &mut ::reedbed::schema::SchemaWriter) {
                #body
            }
        }
    }
}

/// What describes the type: statements over the local variable `w`.
fn body(input: &DeriveInput, errors: &mut Errors) -> TokenStream {
    let name = unraw(&input.ident);
    let w = writer();
    let opaque = errors.keep(attributes::opaque(&input.attrs)).flatten();
    if let Some(version) = opaque {
        return hidden(&name, &version, &input.generics);
    }
    attributes::container(&input.attrs, errors);
    match &input.data {
        Data::Struct(data) => {
            errors.keep(newtype(&data.fields));
            let fields = fields(&data.fields, errors);
            quote!(#w.structure(#name, |#w| { #fields });)
        }
        Data::Enum(data) => {
            let variants: Vec<_> = data
                .variants
                .iter()
                .map(|variant| {
                    attributes::variant(&variant.attrs, errors);
                    let name = unraw(&variant.ident);
                    let fields = fields(&variant.fields, errors);
                    quote!(#w.variant(#name, |#w| { #fields });)
                })
                .collect();
            quote!(#w.enumeration(#name, |#w| { #(#variants)* });)
        }
        Data::Union(data) => {
            errors.spanned(
                data.union_token,
                "a union does not say which of its fields is the one to send: use an enum",
            );
            TokenStream::new()
        }
    }
}

/// Describes an opaque type: by its version and, if it is generic, by what it is applied to.
fn hidden(name: &str, version: &str, generics: &Generics) -> TokenStream {
    let w = writer();
    let opaque = quote!(#w.opaque(#name, #version););
    let parameters = generics.type_params().map(|parameter| {
        let (ident, name) = (&parameter.ident, unraw(&parameter.ident));
        quote!(#w.field::<#ident>(#name);)
    });
    let parameters: Vec<_> = parameters.collect();
    if parameters.is_empty() {
        return opaque;
    }
    quote!(#opaque #w.opaque_parameters(|#w| { #(#parameters)* });)
}

/// Describes fields, in the order in which they are written.
fn fields(fields: &Fields, errors: &mut Errors) -> TokenStream {
    let w = writer();
    let described = fields.iter().enumerate().filter_map(|(position, field)| {
        if attributes::field(&field.attrs, errors).is_skipped {
            return None;
        }
        errors.keep(owned(&field.ty))?;
        let name = field
            .ident
            .as_ref()
            .map_or_else(|| position.to_string(), unraw);
        let ty = &field.ty;
        Some(quote_spanned! {ty.span()=>
            ::reedbed::schema::SchemaWriter::field::<#ty>(#w, #name);
        })
    });
    let described: Vec<_> = described.collect();
    // An empty closure would leave its argument unused.
    quote!(let _ = &#w; #(#described)*)
}

/// Checks that the one field of a tuple struct isn't skipped: serde writes it whatever is said.
fn newtype(fields: &Fields) -> syn::Result<()> {
    let Fields::Unnamed(unnamed) = fields else {
        return Ok(());
    };
    match unnamed.unnamed.first() {
        Some(field) if unnamed.unnamed.len() == 1 && attributes::is_skipped(&field.attrs) => {
            Err(Error::new_spanned(
                field,
                "serde writes the one field of a tuple struct even if it is to be skipped: name \
                 the field, or remove it",
            ))
        }
        _ => Ok(()),
    }
}

/// Checks that a field owns what it holds.
fn owned(ty: &Type) -> syn::Result<()> {
    inside::find(ty, |ty| match ty {
        Type::Reference(_) => Some(Error::new_spanned(
            ty,
            "what arrives is decoded into owned values: own this field (`String` for `&str`, \
             `Vec<T>` for `&[T]`)",
        )),
        Type::Ptr(_) => Some(Error::new_spanned(
            ty,
            "an address means nothing in another process: send what it points to",
        )),
        _ => None,
    })
}

/// The name in the schema.
fn unraw(ident: &Ident) -> String {
    ident.unraw().to_string()
}

/// The local variable that describes.
fn writer() -> Ident {
    format_ident!("w", span = Span::mixed_site())
}
