//! Whole expansions: against committed files, for their errors, and that nothing panics.

mod errors;
mod golden;
mod panics;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// The texts of the `compile_error!`s in an expansion.
fn messages(expanded: TokenStream) -> Vec<String> {
    let mut messages = Vec::new();
    let mut is_error = false;
    for token in expanded {
        match token {
            TokenTree::Ident(ident) => is_error = ident == "compile_error",
            TokenTree::Group(group) if is_error && group.delimiter() != Delimiter::None => {
                let message: syn::LitStr = syn::parse2(group.stream()).expect("a string");
                messages.push(message.value());
            }
            _ => {}
        }
    }
    messages
}
