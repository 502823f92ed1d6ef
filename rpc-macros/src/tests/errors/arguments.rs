//! What is taken: how it is marked, and what can travel.

use quote::quote;

use super::{assert_messages, module};

#[test]
fn arrays_are_marked() {
    let message =
        &["an array travels by handle, not serialized: put `#[ndarray]` before the argument"];
    assert_messages(
        &module(quote!(
            pub fn f(x: ArrayView2<'_, u8>) {}
        )),
        message,
    );
    assert_messages(
        &module(quote!(
            pub fn f(x: ndarray::ArrayViewMutD<u8>) {}
        )),
        message,
    );
    assert_messages(
        &module(quote!(
            pub fn f(x: Option<(Tensor<u8, Ix1>,)>) {}
        )),
        message,
    );
    assert_messages(
        &module(quote!(
            pub fn f(x: SegmentView<'_>) {}
        )),
        &["raw memory travels by handle, not serialized: put `#[segment]` before the argument"],
    );
    assert_messages(
        &module(quote!(
            pub fn f(x: SharedCell<u64>) {}
        )),
        &["a shared cell travels by handle, not serialized: put `#[segment]` before the argument"],
    );
    assert_messages(
        &module(quote!(
            pub fn f(#[ndarray] x: SharedCells<u64>) {}
        )),
        &["a shared cell is marked `#[segment]`, not `#[ndarray]`"],
    );
    assert_messages(
        &module(quote!(
            pub fn f(#[segment] x: &SharedCell<u64>) {}
        )),
        &["a cell is shared already: take the `SharedCell<..>` itself, without `&`"],
    );
}

#[test]
fn names_that_only_look_like_ours_are_values() {
    let none: &[&str] = &[];
    assert_messages(
        &module(quote! {
            pub fn f(a: SegmentError, b: Segmentation, c: Segment<u8>, d: ArrayLength, e: Array7) {}
        }),
        none,
    );
}

#[test]
fn what_cannot_travel_by_handle() {
    assert_messages(
        &module(quote! {
            pub fn f(
                #[ndarray] a: VecDeque<ArrayView1<'_, u8>>,
                #[ndarray] b: Vec<Rc<ArrayView1<'_, u8>>>,
                #[ndarray] c: HashMap<String, Vec<u8>>,
                #[ndarray] d: [Option<u8>; 3],
                e: Vec<ArrayView1<'_, u8>>,
            ) {}
        }),
        &[
            "an array travels alone, or in an `Option`, a tuple",
            "an array travels alone, or in an `Option`, a tuple",
            "this is not an array: remove `#[ndarray]`",
            "this is not an array: remove `#[ndarray]`",
            "an array travels by handle, not serialized: put `#[ndarray]` before the argument",
        ],
    );
    assert_messages(
        &module(quote! {
            pub fn f(
                #[ndarray] a: &ArrayView2<'_, u8>,
                #[segment] b: ArrayView2<'_, u8>,
                #[ndarray] c: SegmentView<'_>,
                #[ndarray] #[ndarray] d: ArrayView2<'_, u8>,
                #[ndarray] e: ArrayView2<'static, u8>,
                #[ndarray] f: (ArrayView2<'_, u8>, u8),
                #[ndarray(2)] g: ArrayView2<'_, u8>,
                #[ndarray] h: TensorView<'_, u8, Ix2>,
            ) {}
        }),
        &[
            "a view borrows already: take the `ArrayView2` itself, without `&`",
            "an array is marked `#[ndarray]`, not `#[segment]`",
            "raw memory is marked `#[segment]`, not `#[ndarray]`",
            "an argument is marked once",
            "an argument is borrowed for the call and no longer: write `'_`, not `'static`",
            "this is not an array",
            "unexpected token in attribute",
            "`TensorView` is what a caller passes: take `#[ndarray] name: ArrayView<",
        ],
    );
}

#[test]
fn what_cannot_be_serialized() {
    assert_messages(
        &module(quote! {
            pub fn f(
                a: Option<&str>,
                b: impl Read,
                c: &'static str,
                d: Vec<Box<dyn Fn(&str)>>,
                #[cfg(unix)] e: u8,
            ) {}
        }),
        &[
            "the worker decodes an owned value",
            "both processes must agree on one type: take a concrete type",
            "an argument is borrowed for the call",
            "both processes must agree on one type: take a concrete type",
            "an argument cannot come and go",
        ],
    );
}
