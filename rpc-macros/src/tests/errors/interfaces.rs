//! Interfaces: traits.

use quote::quote;

use super::{assert_messages, item};

#[test]
fn interfaces() {
    for (whole, message) in [
        (
            quote!(
                trait T {}
            ),
            "there is nothing to call in this trait",
        ),
        (
            quote!(
                trait T {
                    fn f() {}
                }
            ),
            "an interface says what can be called",
        ),
        (
            quote!(
                trait T {
                    fn f();
                    type A;
                }
            ),
            "both processes must agree on one type",
        ),
        (
            quote!(
                trait T {
                    fn f();
                    const N: usize;
                }
            ),
            "a host cannot read a constant",
        ),
        (
            quote!(
                trait T {
                    fn f();
                    more!();
                }
            ),
            "an interface has functions alone",
        ),
        (
            quote!(
                trait T<A> {
                    fn f();
                }
            ),
            "an interface cannot be generic",
        ),
        (
            quote!(
                trait T: Clone {
                    fn f();
                }
            ),
            "a host has nothing of what a supertrait",
        ),
        (
            quote!(
                trait T where
                    u8: Copy,
                {
                    fn f();
                }
            ),
            "an interface has nothing for a `where`",
        ),
        (
            quote!(
                unsafe trait T {
                    fn f();
                }
            ),
            "a caller in another process cannot keep",
        ),
        (
            quote!(
                trait T {
                    fn f(&self);
                }
            ),
            "nobody could call its methods",
        ),
        (
            quote!(
                trait T {
                    fn f(&mut self);
                }
            ),
            "calls of an instance run at the same time",
        ),
        (
            quote!(
                trait T {
                    fn f<A>(a: A);
                }
            ),
            "a remote function cannot be generic",
        ),
        (
            quote!(
                trait T {
                    fn f() -> Option<Self>;
                }
            ),
            "an instance stays in its worker, and only",
        ),
    ] {
        assert_messages(&item(whole), &[message]);
    }
    let none: &[&str] = &[];
    assert_messages(
        &item(quote!(
            pub trait T {
                fn new() -> Result<Self, E>;
                async fn f(&self) -> u8;
                fn g();
            }
        )),
        none,
    );
}
