//! The types that stand in the generated code.
//!
//! Stubs name the plain types, `Arg<'call, u16, Ix2>` and `Tensor<u32, Ix2>`, wherever the
//! written type tells them, because that is what documentation and editors show; only for aliases
//! do they name the trait's projection. Should a name mean something else than it says, the two
//! differ and the stub doesn't compile, so that a wrong guess cannot go unseen.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Ident, Type};

use crate::lifetime::{self, CALL, STATIC};
use crate::names::{self, Family};
use crate::remote::{Argument, Kind, Passing, Returned};
use crate::returned;

/// The first and the last place of some tokens. What is quoted between the two is shown below all
/// of the tokens, because the compiler joins places and a macro can't.
pub(super) fn ends(tokens: impl ToTokens) -> (Span, Span) {
    let mut spans = tokens
        .into_token_stream()
        .into_iter()
        .map(|token| token.span());
    let first = spans.next().unwrap_or_else(Span::call_site);
    (first, spans.last().unwrap_or(first))
}

/// The lifetime of what a call borrows.
pub(crate) fn call_lifetime() -> TokenStream {
    let call = lifetime::new(CALL, Span::call_site());
    quote!(#call)
}

/// The lifetime of a call that borrows nothing.
pub(super) fn static_lifetime() -> TokenStream {
    let r#static = lifetime::new(STATIC, Span::call_site());
    quote!(#r#static)
}

/// What a stub takes.
pub(super) fn parameter(argument: &Argument) -> TokenStream {
    match &argument.passing {
        Passing::Handle(ty) if is_alias(ty) => {
            let lifetime = lent_for(ty);
            let ty = lifetime::named(ty, CALL);
            quote!(impl __PassedAs<#lifetime, #ty>)
        }
        Passing::Handle(ty) => {
            let sent = sent(ty);
            quote_spanned!(ty.span()=> impl ::core::convert::Into<#sent>)
        }
        Passing::NestedHandle(ty) => sent(ty),
        Passing::Value(ty) => {
            let ty = lifetime::named(ty, CALL);
            quote!(#ty)
        }
        Passing::Lent(ty) => {
            let (call, ty) = (call_lifetime(), lifetime::named(ty, CALL));
            quote!(&#call #ty)
        }
    }
}

/// What is sent for an argument that travels by handle.
pub(crate) fn sent(ty: &Type) -> TokenStream {
    let call = call_lifetime();
    if let Some(inner) = names::option(ty) {
        let inner = sent(inner);
        return quote_spanned!(ty.span()=> ::core::option::Option<#inner>);
    }
    if let Some(part) = names::part(ty) {
        let part = syn::Type::Verbatim(sent(part));
        return names::with_part(ty, part).into_token_stream();
    }
    if let Type::Tuple(tuple) = names::bare(ty) {
        let elements = tuple.elems.iter().map(sent);
        return quote_spanned!(ty.span()=> (#(#elements,)*));
    }
    match (Family::of(ty), element_and_dimension(ty)) {
        (Some(Family::ArrayView), Some((a, d))) => {
            quote_spanned!(ty.span()=> ::reedbed::Arg<#call, #a, #d>)
        }
        (Some(Family::ArrayViewMut), Some((a, d))) => {
            quote_spanned!(ty.span()=> ::reedbed::ArgMut<#call, #a, #d>)
        }
        (Some(Family::SegmentView), None) => {
            quote_spanned!(ty.span()=> ::reedbed::SegmentArg<#call>)
        }
        (Some(Family::SegmentViewMut), None) => {
            quote_spanned!(ty.span()=> ::reedbed::SegmentArgMut<#call>)
        }
        (Some(Family::Tensor), Some(_)) | (Some(Family::Segment | Family::SharedCell), None) => {
            quote!(#ty)
        }
        _ => projected(ty),
    }
}

/// Whether the name doesn't tell what is sent for it.
pub(super) fn is_alias(ty: &Type) -> bool {
    Family::of(ty).is_none()
}

/// The lifetime for which an argument is lent.
pub(super) fn lent_for(ty: &Type) -> TokenStream {
    if lifetime::borrows(ty) {
        call_lifetime()
    } else {
        static_lifetime()
    }
}

/// What is sent for an argument that travels by handle, by the trait that says so.
pub(super) fn projected(ty: &Type) -> TokenStream {
    let lifetime = lent_for(ty);
    let (named, (first, last)) = (lifetime::named(ty, CALL), ends(ty));
    let trait_ = quote_spanned!(first=> ::reedbed::__private::HandleArg<#lifetime>);
    let of_type = quote_spanned!(first=> <#named as #trait_>);
    quote_spanned!(last=> #of_type::Sent)
}

/// The type of an argument where no call is going on: in the schema and in assertions.
pub(super) fn described(argument: &Argument) -> TokenStream {
    match &argument.passing {
        Passing::Handle(ty) | Passing::NestedHandle(ty) | Passing::Value(ty) => {
            let ty = lifetime::named(ty, STATIC);
            quote!(#ty)
        }
        Passing::Lent(ty) => decoded(ty),
    }
}

/// What the worker decodes in order to lend a value of the type.
pub(super) fn decoded(ty: &Type) -> TokenStream {
    let (named, (first, last)) = (lifetime::named(ty, STATIC), ends(ty));
    let of_type = quote_spanned!(first=> <#named as ::std::borrow::ToOwned>);
    quote_spanned!(last=> #of_type::Owned)
}

/// The types that a call ends with, at the caller.
pub(super) struct Outcome {
    pub(super) value: TokenStream,
    pub(super) error: TokenStream,
}

/// What a call ends with.
pub(super) fn outcome(returned: &Returned) -> Outcome {
    let ty = &returned.ty;
    match &returned.kind {
        Kind::Fallible {
            ok,
            error: Some(error),
        } => Outcome {
            value: received(ok),
            error: quote!(#error),
        },
        // An alias of `Result`, whose parts only the compiler knows.
        Kind::Fallible { ok, error: None } => Outcome {
            value: match &**ok {
                Kind::Value(_) => part_of(ty, "Value"),
                ok => received(ok),
            },
            error: part_of(ty, "Error"),
        },
        kind => Outcome {
            value: received(kind),
            error: quote_spanned!(ty.span()=> ::core::convert::Infallible),
        },
    }
}

/// What a caller receives for a part of what is returned.
fn received(part: &Kind) -> TokenStream {
    match part {
        Kind::Value(ty) => quote!(#ty),
        Kind::Instance(handle) => quote!(#handle),
        Kind::Handle(ty) => match (Family::of(ty), element_and_dimension(ty)) {
            (Some(Family::Array), Some((a, d))) => {
                quote_spanned!(ty.span()=> ::reedbed::Tensor<#a, #d>)
            }
            (Some(Family::Tensor), Some(_))
            | (Some(Family::Segment | Family::SharedCell), None) => {
                quote!(#ty)
            }
            _ => {
                let (first, last) = ends(ty);
                let kind = kind_of(part, first);
                let of_type = quote_spanned!(first=> <#ty as ::reedbed::__private::Return<#kind>>);
                quote_spanned!(last=> #of_type::Value)
            }
        },
        Kind::Optional(inner) => {
            let inner = received(inner);
            quote!(::core::option::Option<#inner>)
        }
        Kind::Each { ty, part } => {
            let part = syn::Type::Verbatim(received(part));
            names::with_part(ty, part).into_token_stream()
        }
        Kind::Tuple(parts) => {
            let parts = parts.iter().map(received);
            quote!((#(#parts,)*))
        }
        // Only ever at the top, where `outcome` takes it apart.
        Kind::Fallible { ok, .. } => received(ok),
    }
}

/// A part of a `Result`.
fn part_of(ty: &Type, part: &str) -> TokenStream {
    let (first, last) = ends(ty);
    let (of_type, part) = (
        quote_spanned!(first=> <#ty as __Outcome>),
        Ident::new(part, last),
    );
    quote_spanned!(last=> #of_type::#part)
}

/// The marker type of how a value is returned.
pub(super) fn kind(returned: &Returned) -> TokenStream {
    kind_of(&returned.kind, returned.ty.span())
}

/// The marker type of a bundle's field that travels by handle.
pub(crate) fn kind_of_field(ty: &Type) -> TokenStream {
    match returned::kind(ty, true) {
        Ok(kind) => kind_of(&kind, ty.span()),
        // A view, which the compiler refuses where it can't be given away.
        Err(_) => quote_spanned!(ty.span()=> ::reedbed::__private::kind::Handle),
    }
}

/// The marker type of a part, shown where the whole type is written.
fn kind_of(part: &Kind, span: Span) -> TokenStream {
    match part {
        Kind::Value(_) => quote_spanned!(span=> ::reedbed::__private::kind::Value),
        Kind::Handle(_) => quote_spanned!(span=> ::reedbed::__private::kind::Handle),
        Kind::Instance(_) => quote_spanned!(span=> ::reedbed::__private::kind::Instance),
        Kind::Optional(inner) => {
            let inner = kind_of(inner, span);
            quote_spanned!(span=> ::reedbed::__private::kind::Optional<#inner>)
        }
        Kind::Each { part, .. } => {
            let part = kind_of(part, span);
            quote_spanned!(span=> ::reedbed::__private::kind::Each<#part>)
        }
        Kind::Tuple(parts) => {
            let parts = parts.iter().map(|part| kind_of(part, span));
            quote_spanned!(span=> (#(#parts,)*))
        }
        Kind::Fallible { ok, .. } => {
            let ok = kind_of(ok, span);
            quote_spanned!(span=> ::reedbed::__private::kind::Fallible<#ok>)
        }
    }
}

/// The element and dimension types of an array or a tensor, if they are written out.
fn element_and_dimension(ty: &Type) -> Option<(TokenStream, TokenStream)> {
    let segment = names::last_segment(ty)?;
    let name = segment.ident.to_string();
    let mut arguments = names::type_arguments(segment);
    let element = arguments.next()?;
    let dimension = match names::split_rank(&name).1 {
        "" => {
            let dimension = arguments.next()?;
            quote!(#dimension)
        }
        "D" => quote_spanned!(segment.span()=> ::reedbed::ndarray::IxDyn),
        rank => {
            let dimension = Ident::new(&format!("Ix{rank}"), segment.span());
            quote_spanned!(segment.span()=> ::reedbed::ndarray::#dimension)
        }
    };
    arguments
        .next()
        .is_none()
        .then(|| (quote!(#element), dimension))
}
