//! What the compiler says about each misuse, compared with the `.stderr` beside it.
//!
//! The words are partly the compiler's own and change with it: `TRYBUILD=overwrite cargo test
//! --test ui` writes them anew, and the difference wants reading.

#[test]
fn misuse_is_explained() {
    trybuild::TestCases::new().compile_fail("ui/*.rs");
}
