//! No input makes a macro panic: half-written code is an error at most.

use std::fs;
use std::path::Path;

use proc_macro2::{Group, TokenStream, TokenTree};

use crate::{expand, schema};

/// Expands each golden input once for each of its tokens, without that token.
#[test]
fn a_token_is_missing() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut n_expanded = 0;
    for name in [
        "arrays",
        "values",
        "aliases",
        "service",
        "interface",
        "schema_struct",
        "schema_enum",
        "schema_opaque",
    ] {
        let source = fs::read_to_string(folder.join(format!("{name}.rs"))).unwrap();
        let tokens: TokenStream = source.parse().unwrap();
        for position in 0..count(&tokens) {
            let tokens = without(tokens.clone(), &mut { position });
            expand::remote_module(TokenStream::new(), tokens.clone());
            schema::derive(tokens);
            n_expanded += 1;
        }
    }
    assert!(n_expanded > 800);
}

#[test]
fn nothing_is_there() {
    expand::remote_module(TokenStream::new(), TokenStream::new());
    schema::derive(TokenStream::new());
}

/// How many tokens there are, with those in groups; a group counts as one more.
fn count(tokens: &TokenStream) -> usize {
    tokens
        .clone()
        .into_iter()
        .map(|token| match token {
            TokenTree::Group(group) => 1 + count(&group.stream()),
            _ => 1,
        })
        .sum()
}

/// The tokens without the one at `position`, which counts down to it.
fn without(tokens: TokenStream, position: &mut usize) -> TokenStream {
    let mut rest = Vec::new();
    for token in tokens {
        let is_removed = *position == 0;
        *position = position.wrapping_sub(1);
        match token {
            _ if is_removed => {}
            TokenTree::Group(group) => {
                let inner = without(group.stream(), position);
                rest.push(TokenTree::Group(Group::new(group.delimiter(), inner)));
            }
            token => rest.push(token),
        }
    }
    rest.into_iter().collect()
}
