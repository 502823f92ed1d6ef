//! The errors, and that there is one for each mistake.

use quote::quote;

use super::messages;
use crate::{expand, schema};

/// Checks that each message begins like the expected one, in order.
#[track_caller]
fn assert_messages(actual: &[String], expected: &[&str]) {
    let matches = actual.len() == expected.len()
        && actual
            .iter()
            .zip(expected)
            .all(|(actual, expected)| actual.starts_with(expected));
    assert!(matches, "expected {expected:#?}, got {actual:#?}");
}

/// What is said of a module with these items.
fn module(items: proc_macro2::TokenStream) -> Vec<String> {
    messages(expand::remote_module(quote!(), quote!(mod m { #items })))
}

#[test]
fn all_at_once() {
    let messages = module(quote! {
        pub fn generic<T>(x: T) -> u8 { 0 }
        pub unsafe fn raw((a, b): (u8, u8), _: &mut u8) -> &'static str { "" }
        pub fn image(image: Array2<u8>, #[ndarray] size: usize) -> ArrayView2<'_, u8> { image }
        struct Client;
    });
    assert_messages(
        &messages,
        &[
            "`#[remote_module]` adds an item of the name `Client`",
            "a remote function cannot be generic",
            "a caller in another process cannot keep an `unsafe` promise",
            "a reference cannot outlive the call in the worker",
            "an argument of a remote function needs a name",
            "an argument of a remote function needs a name",
            "what is written through this reference would stay in the worker",
            "a view of an array cannot outlive the call",
            "`Array2` lives in the memory of its own process: take `#[ndarray] name: ArrayView2",
            "this is not an array",
        ],
    );
}

#[test]
fn the_users_items_are_emitted_all_the_same() {
    let expanded = expand::remote_module(
        quote!(),
        quote!(
            mod m {
                pub fn good(#[ndarray] x: ArrayView1<'_, u8>) {}
                pub fn bad(self) {}
            }
        ),
    );
    let expanded = expanded.to_string();
    assert!(!expanded.contains("ndarray]"), "{expanded}");
    for kept in [
        "pub fn good (x",
        "pub fn bad (self)",
        "pub fn good < 'call >",
        "pub const MODULE",
    ] {
        assert!(expanded.contains(kept), "{kept} is missing: {expanded}");
    }
}

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
    for item in [service, interface] {
        assert_messages(
            &messages(expand::remote_module(quote!(), item)),
            &["an `async fn` is a task among others"],
        );
    }
}

#[test]
fn modules() {
    let item = |item| messages(expand::remote_module(quote!(), item));
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
fn schemas() {
    let item = |item| messages(schema::derive(item));
    assert_messages(
        &item(quote! {
            #[serde(tag = "t", content = "c", rename_all = "x")]
            enum E {
                A { #[serde(flatten)] a: A, #[serde(skip_serializing_if = "Option::is_none")] b: B },
                #[serde(skip)]
                B,
                C(#[serde(with = "x")] u8, #[serde(skip_serializing)] u8, &'static str, *const u8),
                #[schema(opaque = "1")]
                D,
            }
        }),
        &[
            "variants travel as numbers, and only those can be decoded",
            "variants travel as numbers, and only those can be decoded",
            "fields travel in order and without names",
            "a field that is only sometimes written cannot be decoded",
            "variants travel as numbers, and a skipped one",
            "a schema cannot see what this writes",
            "a field that is read but not written cannot be decoded",
            "what arrives is decoded into owned values",
            "an address means nothing in another process",
            "a schema describes or hides a whole type",
        ],
    );
    assert_messages(&item(quote!(union U { a: u8 })), &["a union does not say"]);
    assert_messages(
        &item(quote!(
            #[schema(version = "1")]
            struct S;
        )),
        &["the one form is"],
    );
    assert_messages(
        &item(quote!(
            #[serde(from = "u8")]
            struct S;
        )),
        &["a schema cannot see"],
    );
    assert_messages(
        &item(quote!(
            struct S(#[serde(skip)] u8);
        )),
        &["serde writes the one field of a tuple struct even if it is to be skipped"],
    );
    let none: &[&str] = &[];
    assert_messages(
        &item(quote!(
            #[schema(opaque = "1")]
            #[serde(from = "u8")]
            struct S;
        )),
        none,
    );
    assert_messages(
        &item(quote!(
            struct S {
                #[serde(skip_serializing, skip_deserializing)]
                a: u8,
            }
        )),
        none,
    );
}

/// What is said of an `impl` with these items.
fn service(items: proc_macro2::TokenStream) -> Vec<String> {
    messages(expand::remote_module(
        quote!(),
        quote!(impl Detector { pub fn new() -> Self {} #items }),
    ))
}

#[test]
fn services() {
    let item = |item| messages(expand::remote_module(quote!(), item));
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

#[test]
fn interfaces() {
    let item = |item| messages(expand::remote_module(quote!(), item));
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
