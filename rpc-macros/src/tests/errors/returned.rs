//! What is returned.

use quote::quote;

use super::{assert_messages, module};

#[test]
fn what_cannot_be_returned() {
    let one = |items, message| assert_messages(&module(items), &[message]);
    one(
        quote!(
            pub fn f() -> impl Iterator<Item = u8> {}
        ),
        "both processes must agree on one type: return",
    );
    one(
        quote!(
            pub fn f() -> VecDeque<Array2<u8>> {}
        ),
        "an array is returned alone",
    );
    one(
        quote!(
            pub fn f() -> Option<Result<Array2<u8>, ()>> {}
        ),
        "an array is returned alone",
    );
    one(
        quote!(
            pub fn f() -> CowArray<'static, u8, Ix2> {}
        ),
        "a view of an array cannot outlive",
    );
    one(
        quote!(
            pub fn f() -> &ArrayView2<u8> {}
        ),
        "a view of an array cannot outlive",
    );
    one(
        quote!(
            pub fn f() -> SegmentView<'_> {}
        ),
        "a view of a segment cannot outlive",
    );
    one(
        quote!(
            pub fn f() -> Cow<'_, str> {}
        ),
        "what a function returns cannot borrow",
    );
    one(
        quote!(
            pub fn f() -> ! {}
        ),
        "a caller waits for a reply",
    );
    one(
        quote!(
            #[returns(array)]
            pub fn f() -> A {}
        ),
        "the one form is `#[returns(ndarray)]`",
    );
    one(
        quote!(
            #[returns(ndarray)]
            pub fn f() -> (String, Vec<u8>) {}
        ),
        "this is not an array",
    );
    one(
        quote!(
            #[returns(ndarray)]
            pub fn f() -> Option<u8> {}
        ),
        "this is not an array",
    );
    let none: &[&str] = &[];
    assert_messages(
        &module(quote!(
            pub fn f() -> Cow<'static, str> {}
        )),
        none,
    );
}
