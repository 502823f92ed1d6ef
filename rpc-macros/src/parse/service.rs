//! From tokens to an `impl` block of functions and other items.

use proc_macro2::TokenStream;
use quote::{ToTokens, TokenStreamExt};
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Generics, Result, Token, Type, token};

use super::{Item, body, is_outer};

/// An `impl` block, as it was written.
pub(crate) struct Impl {
    /// Outer and inner attributes.
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) unsafety: Option<Token![unsafe]>,
    pub(crate) impl_token: Token![impl],
    pub(crate) generics: Generics,
    /// The trait that is implemented, and `for`.
    pub(crate) trait_: Option<(Type, Token![for])>,
    pub(crate) self_ty: Type,
    pub(crate) brace: token::Brace,
    pub(crate) items: Vec<Item<syn::ImplItem>>,
}

impl Parse for Impl {
    fn parse(input: ParseStream) -> Result<Self> {
        let mut attrs = input.call(Attribute::parse_outer)?;
        let unsafety = input.parse()?;
        let impl_token = input.parse()?;
        let mut generics: Generics = input.parse()?;
        let first: Type = input.parse()?;
        let (trait_, self_ty) = match input.parse::<Option<Token![for]>>()? {
            Some(token) => (Some((first, token)), input.parse()?),
            None => (None, first),
        };
        generics.where_clause = input.parse()?;
        let (brace, items) = body(input, &mut attrs)?;
        Ok(Self {
            attrs,
            unsafety,
            impl_token,
            generics,
            trait_,
            self_ty,
            brace,
            items,
        })
    }
}

impl ToTokens for Impl {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.append_all(self.attrs.iter().filter(|attr| is_outer(attr)));
        self.unsafety.to_tokens(tokens);
        self.impl_token.to_tokens(tokens);
        self.generics.to_tokens(tokens);
        if let Some((trait_, for_token)) = &self.trait_ {
            trait_.to_tokens(tokens);
            for_token.to_tokens(tokens);
        }
        self.self_ty.to_tokens(tokens);
        self.generics.where_clause.to_tokens(tokens);
        self.brace.surround(tokens, |tokens| {
            tokens.append_all(self.attrs.iter().filter(|attr| !is_outer(attr)));
            tokens.append_all(&self.items);
        });
    }
}
