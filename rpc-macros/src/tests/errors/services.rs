//! Services: an `impl` of a type.

use proc_macro2::TokenStream;
use quote::quote;

use super::{assert_messages, item};

/// What is said of an `impl` with these items.
fn service(items: TokenStream) -> Vec<String> {
    item(quote!(impl Detector { pub fn new() -> Self {} #items }))
}

#[test]
fn services() {
    for (items, message) in [
        (
            quote!(
                pub fn f(&mut self) {}
            ),
            "calls of an instance run at the same time",
        ),
        (
            quote!(
                pub fn f(self) {}
            ),
            "an instance stays in its worker, where other calls",
        ),
        (
            quote!(
                pub fn f(mut self) {}
            ),
            "an instance stays in its worker, where other calls",
        ),
        (
            quote!(
                pub fn f(self: Arc<Self>) {}
            ),
            "a method borrows its instance from the worker",
        ),
        (
            quote!(
                pub fn f(&'static self) {}
            ),
            "a method borrows its instance for the call",
        ),
        (
            quote!(
                pub fn f(other: Self) {}
            ),
            "an instance stays in its worker, and only",
        ),
        (
            quote!(
                pub fn f(other: &Detector) {}
            ),
            "an instance stays in its worker, and only",
        ),
        (
            quote!(
                pub fn f(sides: [f32; Self::N]) {}
            ),
            "`Self` is another type in the stub",
        ),
        (
            quote!(
                pub fn f() -> Option<Self> {}
            ),
            "an instance stays in its worker, and only",
        ),
        (
            quote!(
                pub fn f() -> Result<u8, Self> {}
            ),
            "an instance stays in its worker, and only",
        ),
        (
            quote!(
                pub fn f() -> Result<Self, Self> {}
            ),
            "an instance stays in its worker, and only",
        ),
        (
            quote!(
                pub fn f(&self) -> Self {}
            ),
            "a method makes no new instance",
        ),
        (
            quote!(
                pub fn blocking(&self) {}
            ),
            "`Client::blocking` gives",
        ),
        (
            quote!(
                pub const MODULE: u8 = 0;
            ),
            "`#[remote_module]` adds a constant",
        ),
        (
            quote!(
                fn f(#[ndarray] x: ArrayView1<'_, u8>) {}
            ),
            "only a `pub fn`",
        ),
    ] {
        assert_messages(&service(items), &[message]);
    }
    for (whole, message) in [
        (
            quote!(impl Detector {}),
            "there is nothing to call in this `impl`",
        ),
        (
            quote!(impl Detector { pub fn f(&self) {} }),
            "nobody could call its methods",
        ),
        (
            quote!(impl Default for Detector { pub fn f() {} }),
            "`#[remote_module]` stands on a trait",
        ),
        (
            quote!(
                impl<T> Detector<T> {
                    pub fn f() {}
                }
            ),
            "a service cannot be generic",
        ),
        (
            quote!(impl Detector<u8> { pub fn f() {} }),
            "a service is called by its type's name, which",
        ),
        (
            quote!(
                impl (u8, u8) {
                    pub fn f() {}
                }
            ),
            "a service is called by its type's name: wrap",
        ),
        (
            quote!(impl Detector where u8: Copy { pub fn f() {} }),
            "a service has nothing for a `where`",
        ),
    ] {
        assert_messages(&item(whole), &[message]);
    }
    let none: &[&str] = &[];
    for fine in [
        quote!(
            pub fn f(&self, x: u8) -> Result<(), Error> {}
        ),
        quote!(
            pub async fn other() -> io::Result<Self> {}
        ),
        quote!(
            pub fn other() -> Result<Detector, Error> {}
        ),
        quote!(
            pub const N: usize = 1;
            type T = u8;
            fn private(self) -> Self {}
        ),
    ] {
        assert_messages(&service(fine), none);
    }
}
