//! Writes out what a bundle implements.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::Ident;
use syn::ext::IdentExt;
use syn::spanned::Spanned;

use super::{Body, Bundle, Field, Variant};
use crate::expand::types;
use crate::lifetime::{self, CALL};

/// Everything that is added beside the type.
pub(super) fn items(bundle: &Bundle) -> TokenStream {
    let sent = bundle.borrows.then(|| sent_type(bundle));
    let argument = argument(bundle);
    let send = send(bundle);
    let give = (!bundle.borrows).then(|| give(bundle));
    quote_spanned! {Span::mixed_site()=>
        #sent
        #[allow(
            clippy::all,
            clippy::pedantic,
            deprecated,
            non_snake_case,
            unused_qualifications,
            reason = "generated: lints on the type itself say it all"
        )]
        const _: () = {
            #argument
            #send
            #give
        };
    }
}

/// The name of what a stub takes.
fn sent_ident(bundle: &Bundle) -> Ident {
    if bundle.borrows {
        format_ident!("{}Arg", bundle.ident.unraw(), span = bundle.ident.span())
    } else {
        bundle.ident.clone()
    }
}

/// What a stub takes, with its lifetime.
fn sent(bundle: &Bundle) -> TokenStream {
    let (ident, call) = (sent_ident(bundle), types::call_lifetime());
    if bundle.borrows {
        quote!(#ident<#call>)
    } else {
        quote!(#ident)
    }
}

/// Declares what a stub takes for a bundle that lends its arrays.
fn sent_type(bundle: &Bundle) -> TokenStream {
    let (ident, sent, vis) = (&bundle.ident, sent(bundle), &bundle.vis);
    let docs = format!(" What a stub takes where the function takes a [`{ident}`].");
    let lints = quote_spanned! {Span::mixed_site()=>
        #[doc = #docs]
        #[allow(
            dead_code,
            missing_debug_implementations,
            unreachable_pub,
            reason = "generated: the caller may be elsewhere"
        )]
    };
    let fields = |variant: &Variant| {
        let fields = variant.fields.iter().map(|field| {
            let (docs, vis, ty) = (&field.docs, &field.vis, sent_field(field));
            match &field.member {
                syn::Member::Named(name) => quote!(#(#docs)* #vis #name: #ty),
                syn::Member::Unnamed(_) => quote!(#(#docs)* #vis #ty),
            }
        });
        match (variant.is_tuple, variant.fields.is_empty()) {
            (_, true) => quote!(),
            (true, false) => quote!((#(#fields),*)),
            (false, false) => quote!({ #(#fields),* }),
        }
    };
    match &bundle.body {
        Body::Struct(variant) => {
            let fields = fields(variant);
            let end = variant.is_tuple.then(|| quote!(;));
            quote!(#lints #vis struct #sent #fields #end)
        }
        Body::Enum(variants) => {
            let variants = variants.iter().map(|variant| {
                let (docs, ident, fields) = (&variant.docs, &variant.ident, fields(variant));
                quote!(#(#docs)* #ident #fields)
            });
            quote!(#lints #vis enum #sent { #(#variants),* })
        }
    }
}

/// What a stub takes for a field.
fn sent_field(field: &Field) -> TokenStream {
    if field.is_handle {
        types::sent(&field.ty)
    } else {
        let ty = &field.ty;
        quote!(#ty)
    }
}

/// The argument as the function takes it.
fn argument(bundle: &Bundle) -> TokenStream {
    let (ident, sent, call) = (&bundle.ident, sent(bundle), types::call_lifetime());
    let of_call = bundle.borrows.then(|| quote!(<#call>));
    let name = ident.unraw().to_string();
    let (describe, bind) = match &bundle.body {
        Body::Struct(variant) => {
            let (fields, parts) = (described(variant), bound(variant, None));
            (
                quote_spanned!(Span::mixed_site()=> writer.structure(#name, #fields);),
                quote_spanned!(Span::mixed_site()=> ::core::result::Result::Ok(Self { #parts })),
            )
        }
        Body::Enum(variants) => {
            let described = variants.iter().map(|variant| {
                let (name, fields) = (variant.ident.unraw().to_string(), described(variant));
                quote_spanned!(Span::mixed_site()=> writer.variant(#name, #fields);)
            });
            let bound = (0u32..).zip(variants).map(|(number, variant)| {
                let ident = &variant.ident;
                let parts = bound(variant, Some(&ident.unraw().to_string()));
                quote_spanned! {Span::mixed_site()=>
                    #number => ::core::result::Result::Ok(Self::#ident { #parts }),
                }
            });
            (
                quote_spanned! {Span::mixed_site()=>
                    writer.enumeration(#name, |writer| { #(#described)* });
                },
                quote_spanned! {Span::mixed_site()=>
                    match incoming.value::<u32>(argument)? {
                        #(#bound)*
                        other => ::core::result::Result::Err(
                            ::reedbed::__private::no_variant(argument, other),
                        ),
                    }
                },
            )
        }
    };
    quote_spanned! {Span::mixed_site()=>
        #[automatically_derived]
        impl<#call> ::reedbed::__private::HandleArg<#call> for #ident #of_call {
            type Sent = #sent;

            fn describe(writer: &mut ::reedbed::schema::SchemaWriter) {
                #describe
            }

            fn bind(
                argument: &str,
                incoming: &mut ::reedbed::__private::Incoming<#call>,
            ) -> ::core::result::Result<Self, ::reedbed::__private::Failure> {
                #bind
            }
        }
    }
}

/// The closure that describes the fields.
fn described(variant: &Variant) -> TokenStream {
    let fields = variant.fields.iter().map(|field| {
        let (name, ty) = (&field.name, lifetime::named(&field.ty, CALL));
        let of = if field.is_handle {
            "handle_field"
        } else {
            "field"
        };
        let of = Ident::new(of, field.ty.span());
        quote_spanned!(Span::mixed_site()=> writer.#of::<#ty>(#name);)
    });
    if variant.fields.is_empty() {
        return quote!(|_| {});
    }
    quote_spanned!(Span::mixed_site()=> |writer| { #(#fields)* })
}

/// Reads the fields.
fn bound(variant: &Variant, within: Option<&str>) -> TokenStream {
    let parts = variant.fields.iter().map(|field| {
        let (member, ty) = (&field.member, lifetime::named(&field.ty, CALL));
        let of = if field.is_handle { "handle" } else { "value" };
        let (of, part) = (Ident::new(of, field.ty.span()), part(field, within));
        quote_spanned!(Span::mixed_site()=> #member: incoming.#of::<#ty>(#part)?,)
    });
    quote!(#(#parts)*)
}

/// The name of a field in errors.
fn part(field: &Field, within: Option<&str>) -> TokenStream {
    let name = match within {
        Some(variant) => format!("{variant}.{}", field.name),
        None => field.name.clone(),
    };
    quote_spanned!(Span::mixed_site()=> &::reedbed::__private::part(argument, #name))
}

/// Takes `self` apart and does something with each variant's fields.
fn taken_apart(
    bundle: &Bundle,
    head: impl Fn(u32) -> TokenStream,
    each: impl Fn(&Field, &Ident, Option<&str>) -> TokenStream,
) -> TokenStream {
    let fields = |variant: &Variant, within: Option<&str>| {
        let (mut places, mut steps) = (Vec::new(), Vec::new());
        for (index, field) in variant.fields.iter().enumerate() {
            let (member, place) = (
                &field.member,
                format_ident!("field_{index}", span = Span::mixed_site()),
            );
            places.push(quote!(#member: #place));
            steps.push(each(field, &place, within));
        }
        (places, steps)
    };
    match &bundle.body {
        Body::Struct(variant) => {
            let (places, steps) = fields(variant, None);
            quote_spanned!(Span::mixed_site()=> let Self { #(#places),* } = self; #(#steps)*)
        }
        Body::Enum(variants) => {
            let arms = (0u32..).zip(variants).map(|(number, variant)| {
                let (ident, head) = (&variant.ident, head(number));
                let (places, steps) = fields(variant, Some(&ident.unraw().to_string()));
                quote_spanned! {Span::mixed_site()=>
                    Self::#ident { #(#places),* } => { #head #(#steps)* }
                }
            });
            quote_spanned!(Span::mixed_site()=> match self { #(#arms)* })
        }
    }
}

/// What a stub takes, as it is sent.
fn send(bundle: &Bundle) -> TokenStream {
    let (sent, call) = (sent(bundle), types::call_lifetime());
    let parts = taken_apart(
        bundle,
        |number| quote_spanned!(Span::mixed_site()=> outgoing.value(argument, &#number);),
        |field, place, within| {
            let part = part(field, within);
            if field.is_handle {
                quote_spanned!(Span::mixed_site()=> outgoing.handle(#part, #place);)
            } else {
                quote_spanned!(Span::mixed_site()=> outgoing.value(#part, &#place);)
            }
        },
    );
    quote_spanned! {Span::mixed_site()=>
        #[automatically_derived]
        impl<#call> ::reedbed::__private::SendArg<#call> for #sent {
            fn send(
                self,
                argument: &str,
                outgoing: &mut ::reedbed::__private::Outgoing<#call>,
            ) -> ::core::result::Result<(), ::reedbed::__private::SendError> {
                #parts
                ::core::result::Result::Ok(())
            }
        }
    }
}

/// An owned bundle as a result, and as an error.
fn give(bundle: &Bundle) -> TokenStream {
    let ident = &bundle.ident;
    let parts = taken_apart(
        bundle,
        |number| quote_spanned!(Span::mixed_site()=> reply.value(&#number)?;),
        |field, place, _| {
            if !field.is_handle {
                return quote_spanned!(Span::mixed_site()=> reply.value(&#place)?;);
            }
            let (ty, kind) = (&field.ty, types::kind_of_field(&field.ty));
            quote_spanned! {Span::mixed_site()=>
                <#ty as ::reedbed::__private::Give<#kind>>::give(#place, reply)?;
            }
        },
    );
    let (own, by_name) = (
        quote!(::reedbed::__private::Give<::reedbed::__private::kind::Handle>),
        quote!(::reedbed::__private::Give<::reedbed::__private::kind::Value>),
    );
    let failure = quote!(::reedbed::__private::Failure);
    quote_spanned! {Span::mixed_site()=>
        #[automatically_derived]
        impl #own for #ident {
            type Received = Self;

            fn describe(writer: &mut ::reedbed::schema::SchemaWriter) {
                writer.handle_part::<Self>();
            }

            fn give(
                self,
                reply: &mut ::reedbed::__private::Reply,
            ) -> ::core::result::Result<(), #failure> {
                #parts
                ::core::result::Result::Ok(())
            }

            fn receive(
                incoming: &mut ::reedbed::__private::Incoming<'_>,
            ) -> ::core::result::Result<Self, #failure> {
                incoming.handle("returned")
            }
        }

        // A name alone doesn't tell a bundle from what serde writes, so it stands for both.
        #[automatically_derived]
        impl #by_name for #ident {
            type Received = Self;

            fn describe(writer: &mut ::reedbed::schema::SchemaWriter) {
                <Self as #own>::describe(writer);
            }

            fn give(
                self,
                reply: &mut ::reedbed::__private::Reply,
            ) -> ::core::result::Result<(), #failure> {
                <Self as #own>::give(self, reply)
            }

            fn receive(
                incoming: &mut ::reedbed::__private::Incoming<'_>,
            ) -> ::core::result::Result<Self, #failure> {
                <Self as #own>::receive(incoming)
            }
        }
    }
}
