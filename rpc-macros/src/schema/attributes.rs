//! Which attributes a schema can follow: those of serde by what they do to the bytes, and our own.
//!
//! Fields are written in order, without names, and variants as numbers. So renaming changes
//! nothing, skipping a field is fine if both sides do it, and everything that needs names in the
//! bytes (`flatten`, `tag`, `untagged`) cannot be decoded at all.

use proc_macro2::Ident;
use syn::meta::ParseNestedMeta;
use syn::{Attribute, LitStr, Result, Token};

use crate::errors::Errors;

/// Said of attributes by which a type gives its own form.
const OPAQUE: &str = "a schema cannot see what this writes: put `#[schema(opaque = \"1\")]` on the \
                      type, and another version there whenever its form changes";

/// The version of a type that declares itself opaque.
pub(super) fn opaque(attrs: &[Attribute]) -> Result<Option<String>> {
    let mut version = None;
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("schema")) {
        attr.parse_nested_meta(|meta| {
            if !meta.path.is_ident("opaque") {
                return Err(meta.error("the one form is `#[schema(opaque = \"version\")]`"));
            }
            version = Some(meta.value()?.parse::<LitStr>()?.value());
            Ok(())
        })?;
    }
    Ok(version)
}

/// Checks the attributes of a struct or an enum that is not opaque.
pub(super) fn container(attrs: &[Attribute], errors: &mut Errors) {
    each(attrs, errors, |meta, name| match name {
        "tag" | "content" | "untagged" => Err(meta.error(
            "variants travel as numbers, and only those can be decoded: remove this attribute",
        )),
        "from" | "try_from" | "into" | "remote" => Err(meta.error(OPAQUE)),
        "field_identifier" | "variant_identifier" => {
            Err(meta.error("names do not travel, so nothing could be decoded: remove this"))
        }
        _ => Ok(()),
    });
}

/// Checks the attributes of a variant.
pub(super) fn variant(attrs: &[Attribute], errors: &mut Errors) {
    own_attributes_belong_to_the_type(attrs, errors);
    each(attrs, errors, |meta, name| match name {
        "skip" | "skip_serializing" | "skip_deserializing" => Err(meta.error(
            "variants travel as numbers, and a skipped one would shift those after it: remove \
             the attribute, or the variant",
        )),
        "untagged" | "other" => Err(meta.error(
            "variants travel as numbers, and only those can be decoded: remove this attribute",
        )),
        "with" | "serialize_with" | "deserialize_with" => Err(meta.error(OPAQUE)),
        _ => Ok(()),
    });
}

/// What the attributes of a field say.
#[derive(Default)]
pub(super) struct Field {
    /// Whether it is neither written nor read.
    pub(super) is_skipped: bool,
}

/// Checks the attributes of a field.
pub(super) fn field(attrs: &[Attribute], errors: &mut Errors) -> Field {
    own_attributes_belong_to_the_type(attrs, errors);
    let (mut written, mut read) = (None, None);
    each(attrs, errors, |meta, name| {
        match name {
            "skip" => (written, read) = (Some(meta.path.clone()), Some(meta.path.clone())),
            "skip_serializing" => written = Some(meta.path.clone()),
            "skip_deserializing" => read = Some(meta.path.clone()),
            "skip_serializing_if" => {
                return Err(meta.error(
                    "a field that is only sometimes written cannot be decoded: remove this \
                     attribute, an `Option` costs one byte",
                ));
            }
            "flatten" => {
                return Err(meta.error(
                    "fields travel in order and without names, so a flattened one cannot be \
                     decoded: remove this attribute",
                ));
            }
            "with" | "serialize_with" | "deserialize_with" | "getter" => {
                return Err(meta.error(OPAQUE));
            }
            _ => {}
        }
        Ok(())
    });
    let is_skipped = match (written, read) {
        (Some(_), Some(_)) => true,
        (None, None) => false,
        (Some(path), None) => {
            errors.spanned(
                path,
                "a field that is read but not written cannot be decoded: write \
                 `#[serde(skip)]`, which does neither",
            );
            false
        }
        (None, Some(path)) => {
            errors.spanned(
                path,
                "a field that is written but not read cannot be decoded: write \
                 `#[serde(skip)]`, which does neither",
            );
            false
        }
    };
    Field { is_skipped }
}

/// Whether a field is neither written nor read, whatever else is wrong with it.
pub(super) fn is_skipped(attrs: &[Attribute]) -> bool {
    field(attrs, &mut Errors::default()).is_skipped
}

/// Refuses `#[schema(..)]` on a part of a type.
fn own_attributes_belong_to_the_type(attrs: &[Attribute], errors: &mut Errors) {
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("schema")) {
        errors.spanned(
            attr,
            "a schema describes or hides a whole type: put `#[schema(opaque = \"version\")]` on \
             the type",
        );
    }
}

/// Calls `check` with each of serde's settings and its name, and skips over the values.
fn each(
    attrs: &[Attribute],
    errors: &mut Errors,
    mut check: impl FnMut(&ParseNestedMeta, &str) -> Result<()>,
) {
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("serde")) {
        let mut found = Errors::default();
        let parsed = attr.parse_nested_meta(|meta| {
            let name = meta
                .path
                .get_ident()
                .map(Ident::to_string)
                .unwrap_or_default();
            found.keep(check(&meta, &name));
            skip_value(&meta)
        });
        // What isn't serde's syntax, serde says itself.
        drop(parsed);
        errors.keep(found.unless_any(()));
    }
}

/// Moves past the value of a setting: `= value` or `(..)`.
fn skip_value(meta: &ParseNestedMeta) -> Result<()> {
    if meta.input.peek(Token![=]) {
        meta.value()?.parse::<syn::Expr>()?;
    } else if meta.input.peek(syn::token::Paren) {
        let content;
        syn::parenthesized!(content in meta.input);
        content.parse::<proc_macro2::TokenStream>()?;
    }
    Ok(())
}
