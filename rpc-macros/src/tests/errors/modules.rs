//! Modules, the names in them and on the wire, and how their functions run.

use quote::quote;

use super::{assert_messages, item, module};
use crate::expand;
use crate::tests::messages;

#[test]
fn modules() {
    assert_messages(
        &item(quote!(
            mod m;
        )),
        &["`#[remote_module]` cannot see the functions"],
    );
    assert_messages(
        &item(quote!(
            struct M;
        )),
        &[
            "`#[remote_module]` belongs on an inline module of functions, `mod name { pub fn .. }`, on",
        ],
    );
    assert_messages(
        &item(quote!(
            mod m {}
        )),
        &["there is nothing to call in this module"],
    );
    assert_messages(
        &messages(expand::remote_module(
            quote!(x),
            quote!(
                mod m {
                    pub fn f() {}
                }
            ),
        )),
        &["the one argument of `#[remote_module]` is"],
    );
    assert_messages(
        &module(quote! { pub fn f() {} #[returns(ndarray)] fn g(#[ndarray] x: A) {} }),
        &[
            "only a `pub fn` can be called",
            "only a `pub fn` can be called",
        ],
    );
    assert_messages(
        &module(quote! { use a::{b as Client, c::MODULE}; pub fn blocking() {} }),
        &[
            "`#[remote_module]` adds",
            "`#[remote_module]` adds",
            "`Client::blocking` gives",
        ],
    );
}

#[test]
fn two_functions_of_one_name() {
    assert_messages(
        &module(quote! { #[cfg(a)] pub fn f() {} pub fn f(x: u8) {} pub fn f() {} }),
        &[
            "a function is called by its name alone",
            "a function is called by its name alone",
        ],
    );
    let none: &[&str] = &[];
    assert_messages(
        &module(quote! { #[cfg(a)] pub fn f() {} #[cfg(not(a))] pub fn f(x: u8) {} }),
        none,
    );
}

#[test]
fn how_functions_run() {
    let form = "the one form is `#[reedbed(blocking)]`";
    assert_messages(
        &module(quote! {
            #[reedbed(blocking)] pub fn well() {}
            #[reedbed] pub fn nothing() {}
            #[reedbed(threads = 2)] pub fn something_else() {}
            #[reedbed(blocking)] #[reedbed(blocking)] pub fn twice() {}
            #[reedbed(blocking)] pub async fn task() {}
            #[reedbed(blocking)] fn private() {}
        }),
        &[
            "only a `pub fn` can be called",
            form,
            form,
            "a function is marked once",
            "an `async fn` is a task among others",
        ],
    );
    let service = quote!(impl S { #[reedbed(blocking)] pub async fn wait() {} });
    let interface = quote!(
        trait S {
            #[reedbed(blocking)]
            async fn wait();
        }
    );
    for whole in [service, interface] {
        assert_messages(&item(whole), &["an `async fn` is a task among others"]);
    }
}

#[test]
fn names_on_the_wire() {
    let named = |arguments| {
        messages(expand::remote_module(
            arguments,
            quote!(
                mod m {
                    pub fn f() {}
                }
            ),
        ))
    };
    let none: &[&str] = &[];
    assert_messages(&named(quote!(name = "other")), none);
    assert_messages(
        &named(quote!(name = "two words")),
        &["a module's name on the wire is an identifier"],
    );
    assert_messages(
        &named(quote!(name = 1)),
        &["the one argument of `#[remote_module]` is"],
    );
    assert_messages(
        &named(quote!(name = "a", name = "b")),
        &["the one argument of `#[remote_module]` is"],
    );
    let expanded = expand::remote_module(
        quote!(name = "other"),
        quote!(
            mod m {
                pub fn f() {}
            }
        ),
    );
    assert!(
        expanded
            .to_string()
            .contains("const MODULE : & 'static str = \"other\"")
    );
}
