//! From tokens to an inline module of functions and other items, and (in [`service`] and
//! [`interface`]) to an `impl` block or a trait.
//!
//! Bodies stay tokens: what is in them is none of the macro's business, and a half-written body
//! must not take the whole module down while somebody types it.

mod interface;
mod service;

use proc_macro2::{Delimiter, Group, TokenStream};
use quote::{ToTokens, TokenStreamExt};
use syn::parse::discouraged::Speculative;
use syn::parse::{Parse, ParseStream};
use syn::{AttrStyle, Attribute, Error, Ident, Result, Signature, Token, Visibility, token};

pub(crate) use interface::Trait;
pub(crate) use service::Impl;

/// What `#[remote_module]` stands on.
pub(crate) enum Annotated {
    /// Functions of a module.
    Module(Module),
    /// A stateful service.
    Service(Box<Impl>),
    /// Functions that a worker implements elsewhere.
    Interface(Trait),
}

impl Parse for Annotated {
    fn parse(input: ParseStream) -> Result<Self> {
        let ahead = input.fork();
        ahead.call(Attribute::parse_outer)?;
        ahead.parse::<Visibility>()?;
        ahead.parse::<Option<Token![unsafe]>>()?;
        if ahead.peek(Token![impl]) {
            input.parse().map(Box::new).map(Self::Service)
        } else if ahead.peek(Token![trait]) {
            input.parse().map(Self::Interface)
        } else {
            input.parse().map(Self::Module)
        }
    }
}

/// An inline module, as it was written.
pub(crate) struct Module {
    /// Outer and inner attributes.
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) mod_token: Token![mod],
    pub(crate) ident: Ident,
    pub(crate) brace: token::Brace,
    pub(crate) items: Vec<Item<syn::Item>>,
}

/// An item of the module or of the `impl`.
pub(crate) enum Item<Other> {
    /// A function, public or not.
    Function(Box<Function>),
    /// Anything else, which is emitted as it is.
    Other(Box<Other>),
}

/// A function with its body unparsed.
pub(crate) struct Function {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) sig: Signature,
    /// `{ .. }`.
    pub(crate) body: Group,
}

impl Parse for Module {
    fn parse(input: ParseStream) -> Result<Self> {
        let mut attrs = input.call(Attribute::parse_outer)?;
        let vis = input.parse()?;
        let Some(mod_token) = input.parse::<Option<Token![mod]>>()? else {
            return Err(input.error(UNSUPPORTED));
        };
        let ident = input.parse::<Ident>()?;
        if input.peek(Token![;]) {
            return Err(Error::new_spanned(
                quote::quote!(#mod_token #ident),
                format!(
                    "`#[remote_module]` cannot see the functions of a module in another file; \
                     write them inline, `mod {ident} {{ .. }}`, and let them call functions of \
                     the file"
                ),
            ));
        }
        let (brace, items) = body(input, &mut attrs)?;
        Ok(Self {
            attrs,
            vis,
            mod_token,
            ident,
            brace,
            items,
        })
    }
}

/// Parses `{ .. }`: inner attributes, which join the outer ones, and items.
fn body<T: Parse>(
    input: ParseStream,
    attrs: &mut Vec<Attribute>,
) -> Result<(token::Brace, Vec<T>)> {
    let content;
    let brace = syn::braced!(content in input);
    attrs.extend(content.call(Attribute::parse_inner)?);
    let mut items = Vec::new();
    while !content.is_empty() {
        items.push(content.parse()?);
    }
    Ok((brace, items))
}

/// What to say about an item of another kind.
const UNSUPPORTED: &str = "`#[remote_module]` belongs on an inline module of functions, `mod name \
                           { pub fn .. }`, on the `impl` of a service, or on a trait";

impl<Other: Parse> Parse for Item<Other> {
    fn parse(input: ParseStream) -> Result<Self> {
        let ahead = input.fork();
        let attrs = ahead.call(Attribute::parse_outer)?;
        let vis = ahead.parse()?;
        if !starts_function(&ahead) {
            return input.parse().map(Box::new).map(Self::Other);
        }
        let sig = ahead.parse()?;
        let body = ahead.parse::<Group>()?;
        if body.delimiter() != Delimiter::Brace {
            return Err(Error::new(
                body.span(),
                "expected the body of a function, `{ .. }`",
            ));
        }
        input.advance_to(&ahead);
        Ok(Self::Function(Box::new(Function {
            attrs,
            vis,
            sig,
            body,
        })))
    }
}

/// Whether a function's signature comes next: qualifiers in the order of the language, then `fn`.
fn starts_function(input: ParseStream) -> bool {
    let ahead = input.fork();
    let qualifiers = || -> Result<()> {
        ahead.parse::<Option<Token![const]>>()?;
        ahead.parse::<Option<Token![async]>>()?;
        ahead.parse::<Option<Token![unsafe]>>()?;
        ahead.parse::<Option<syn::Abi>>()?;
        Ok(())
    };
    qualifiers().is_ok() && ahead.peek(Token![fn])
}

impl Module {
    /// The module with `added` at its end.
    pub(crate) fn with(&self, added: &TokenStream) -> TokenStream {
        let mut tokens = TokenStream::new();
        tokens.append_all(self.attrs.iter().filter(|attr| is_outer(attr)));
        self.vis.to_tokens(&mut tokens);
        self.mod_token.to_tokens(&mut tokens);
        self.ident.to_tokens(&mut tokens);
        self.brace.surround(&mut tokens, |tokens| {
            tokens.append_all(self.attrs.iter().filter(|attr| !is_outer(attr)));
            tokens.append_all(&self.items);
            added.to_tokens(tokens);
        });
        tokens
    }
}

fn is_outer(attr: &Attribute) -> bool {
    matches!(attr.style, AttrStyle::Outer)
}

impl<Other: ToTokens> ToTokens for Item<Other> {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        match self {
            Self::Function(function) => {
                tokens.append_all(&function.attrs);
                function.vis.to_tokens(tokens);
                function.sig.to_tokens(tokens);
                function.body.to_tokens(tokens);
            }
            Self::Other(item) => item.to_tokens(tokens),
        }
    }
}
