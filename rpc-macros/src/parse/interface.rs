//! From tokens to a trait of functions.

use proc_macro2::TokenStream;
use quote::{ToTokens, TokenStreamExt, quote, quote_spanned};
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{
    Attribute, Generics, Ident, Result, ReturnType, Token, TraitItem, TypeParamBound, Visibility,
    parse_quote_spanned, token,
};

use super::{body, is_outer};

/// A trait, as it was written.
pub(crate) struct Trait {
    /// Outer and inner attributes.
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) unsafety: Option<Token![unsafe]>,
    pub(crate) trait_token: Token![trait],
    pub(crate) ident: Ident,
    pub(crate) generics: Generics,
    pub(crate) supertraits: Punctuated<TypeParamBound, Token![+]>,
    pub(crate) brace: token::Brace,
    pub(crate) items: Vec<TraitItem>,
}

impl Parse for Trait {
    fn parse(input: ParseStream) -> Result<Self> {
        let mut attrs = input.call(Attribute::parse_outer)?;
        let vis = input.parse()?;
        let unsafety = input.parse()?;
        let trait_token = input.parse()?;
        let ident = input.parse()?;
        let mut generics: Generics = input.parse()?;
        let mut supertraits = Punctuated::new();
        if input.parse::<Option<Token![:]>>()?.is_some() {
            while !input.peek(token::Brace) && !input.peek(Token![where]) {
                supertraits.push_value(input.parse()?);
                if !input.peek(Token![+]) {
                    break;
                }
                supertraits.push_punct(input.parse()?);
            }
        }
        generics.where_clause = input.parse()?;
        let (brace, items) = body(input, &mut attrs)?;
        Ok(Self {
            attrs,
            vis,
            unsafety,
            trait_token,
            ident,
            generics,
            supertraits,
            brace,
            items,
        })
    }
}

impl Trait {
    /// The trait with `added` at its end. Whoever implements it is served, so it is asked for what
    /// that takes; and what an asynchronous function returns moves between threads.
    pub(crate) fn with(&self, added: &TokenStream) -> TokenStream {
        let mut tokens = TokenStream::new();
        tokens.append_all(self.attrs.iter().filter(|attr| is_outer(attr)));
        self.vis.to_tokens(&mut tokens);
        self.unsafety.to_tokens(&mut tokens);
        self.trait_token.to_tokens(&mut tokens);
        self.ident.to_tokens(&mut tokens);
        self.generics.to_tokens(&mut tokens);
        let supertraits = self.supertraits.iter();
        tokens.append_all(quote! {
            : ::core::marker::Sized
                + ::core::marker::Send
                + ::core::marker::Sync
                + 'static
                #(+ #supertraits)*
        });
        self.generics.where_clause.to_tokens(&mut tokens);
        self.brace.surround(&mut tokens, |tokens| {
            tokens.append_all(self.attrs.iter().filter(|attr| !is_outer(attr)));
            tokens.append_all(self.items.iter().map(sendable));
            added.to_tokens(tokens);
        });
        tokens
    }
}

/// The item, where an `async fn` is one whose future is `Send`.
fn sendable(item: &TraitItem) -> TokenStream {
    let TraitItem::Fn(function) = item else {
        return item.to_token_stream();
    };
    let (Some(asyncness), None) = (&function.sig.asyncness, &function.default) else {
        return item.to_token_stream();
    };
    let mut function = function.clone();
    let output = match &function.sig.output {
        ReturnType::Default => quote_spanned!(asyncness.span()=> ()),
        ReturnType::Type(_, ty) => ty.to_token_stream(),
    };
    function.sig.asyncness = None;
    function.sig.output = parse_quote_spanned! {asyncness.span()=>
        -> impl ::core::future::Future<Output = #output> + ::core::marker::Send
    };
    function.to_token_stream()
}
