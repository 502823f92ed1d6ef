//! `#[derive(Schema)]`.

use quote::quote;

use super::assert_messages;
use crate::schema;
use crate::tests::messages;

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
