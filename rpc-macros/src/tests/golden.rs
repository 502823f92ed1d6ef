//! Expansions against committed files. `REEDBED_BLESS=1 cargo test` writes the files anew.

use std::fs;
use std::path::Path;

use proc_macro2::TokenStream;

use crate::{bundle, expand, schema};

#[test]
fn arrays() {
    check("arrays", |item| {
        expand::remote_module(TokenStream::new(), item)
    });
}

#[test]
fn values() {
    check("values", |item| {
        expand::remote_module(TokenStream::new(), item)
    });
}

#[test]
fn aliases() {
    check("aliases", |item| {
        expand::remote_module(TokenStream::new(), item)
    });
}

#[test]
fn containers() {
    check("containers", |item| {
        expand::remote_module(TokenStream::new(), item)
    });
}

#[test]
fn service() {
    check("service", |item| {
        expand::remote_module(TokenStream::new(), item)
    });
}

#[test]
fn interface() {
    check("interface", |item| {
        expand::remote_module(quote::quote!(name = "nuclei"), item)
    });
}

#[test]
fn bundle_lent() {
    check("bundle_lent", bundle::derive);
}

#[test]
fn bundle_owned() {
    check("bundle_owned", bundle::derive);
}

#[test]
fn schema_struct() {
    check("schema_struct", schema::derive);
}

#[test]
fn schema_enum() {
    check("schema_enum", schema::derive);
}

#[test]
fn schema_opaque() {
    check("schema_opaque", schema::derive);
}

/// Expands `name.rs` and compares that with `name.expanded.rs`.
fn check(name: &str, expand: impl FnOnce(TokenStream) -> TokenStream) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let source = fs::read_to_string(folder.join(format!("{name}.rs"))).unwrap();
    let expanded = expand(source.parse().unwrap());
    let expanded = prettyplease::unparse(&syn::parse2(expanded).unwrap());
    let golden = folder.join(format!("{name}.expanded.rs"));
    if std::env::var_os("REEDBED_BLESS").is_some() {
        fs::write(golden, expanded).unwrap();
        return;
    }
    let expected = fs::read_to_string(&golden).unwrap_or_default();
    assert!(
        expected == expanded,
        "{} differs; with REEDBED_BLESS=1 it becomes:\n{expanded}",
        golden.display()
    );
}
