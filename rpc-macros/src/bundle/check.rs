//! From a type to a bundle, with everything that is wrong said at once.

use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::visit_mut::VisitMut;
use syn::{
    Attribute, Data, DeriveInput, Error, Fields, GenericParam, Ident, Lifetime, Member, Result,
    Type,
};

use super::{Body, Bundle, Field, Variant};
use crate::argument;
use crate::errors::Errors;
use crate::inside;

/// Checks a type; nothing, if there is nothing left to expand.
pub(super) fn bundle(input: &DeriveInput, errors: &mut Errors) -> Option<Bundle> {
    no_serde(&input.attrs, errors);
    let lifetime = lifetime(input, errors);
    let variant =
        |ident: &Ident, attrs: &[Attribute], fields: &Fields, errors: &mut Errors| Variant {
            docs: docs(attrs),
            ident: ident.clone(),
            is_tuple: matches!(fields, Fields::Unnamed(_)),
            fields: fields
                .iter()
                .enumerate()
                .filter_map(|(position, given)| field(position, given, lifetime.as_ref(), errors))
                .collect(),
        };
    let body = match &input.data {
        Data::Struct(data) => {
            Body::Struct(variant(&input.ident, &input.attrs, &data.fields, errors))
        }
        Data::Enum(data) => Body::Enum(
            data.variants
                .iter()
                .map(|given| {
                    no_serde(&given.attrs, errors);
                    variant(&given.ident, &given.attrs, &given.fields, errors)
                })
                .collect(),
        ),
        Data::Union(data) => {
            errors.spanned(
                data.union_token,
                "a union does not say which of its fields is the one to send: use an enum",
            );
            return None;
        }
    };
    let is_marked = match &input.data {
        Data::Struct(data) => data.fields.iter().any(is_marked),
        Data::Enum(data) => data
            .variants
            .iter()
            .flat_map(|given| &given.fields)
            .any(is_marked),
        Data::Union(_) => true,
    };
    if !is_marked {
        errors.spanned(
            &input.ident,
            "nothing in this bundle travels by handle: put `#[ndarray]` before the fields that are \
             arrays, or derive `serde::Serialize`, `serde::Deserialize` and `reedbed::Schema` \
             instead",
        );
    }
    Some(Bundle {
        ident: input.ident.clone(),
        vis: input.vis.clone(),
        borrows: lifetime.is_some(),
        body,
    })
}

/// The documentation, which what a stub takes has as well.
fn docs(attrs: &[Attribute]) -> Vec<Attribute> {
    attrs
        .iter()
        .filter(|attr| attr.path().is_ident("doc"))
        .cloned()
        .collect()
}

fn is_marked(field: &syn::Field) -> bool {
    field.attrs.iter().any(argument::is_marker)
}

/// The lifetime of a bundle that lends its arrays; it has no other parameters.
fn lifetime(input: &DeriveInput, errors: &mut Errors) -> Option<Lifetime> {
    let mut lifetime = None;
    for parameter in &input.generics.params {
        match parameter {
            GenericParam::Lifetime(parameter) if lifetime.is_none() => {
                lifetime = Some(parameter.lifetime.clone());
            }
            GenericParam::Lifetime(parameter) => errors.spanned(
                parameter,
                "a bundle is lent for one call: give all its views one lifetime",
            ),
            GenericParam::Type(_) | GenericParam::Const(_) => errors.spanned(
                parameter,
                "a bundle cannot be generic: name the types of its fields",
            ),
        }
    }
    lifetime
}

/// Checks one field.
fn field(
    position: usize,
    given: &syn::Field,
    lifetime: Option<&Lifetime>,
    errors: &mut Errors,
) -> Option<Field> {
    no_serde(&given.attrs, errors);
    let ty = anonymous(&given.ty, lifetime);
    let marker = errors.keep(argument::marker(&given.attrs))?;
    errors.keep(no_pointer(&given.ty))?;
    errors.keep(inside::no_open_type(&given.ty, "name"))?;
    match &marker {
        Some(marker) => errors.keep(argument::by_handle(&given.ty, marker, false))?,
        None => errors.keep(value(&given.ty))?,
    }
    let (member, name) = match &given.ident {
        Some(ident) => (Member::Named(ident.clone()), ident.unraw().to_string()),
        None => (Member::Unnamed(position.into()), position.to_string()),
    };
    Some(Field {
        docs: docs(&given.attrs),
        vis: given.vis.clone(),
        member,
        name,
        ty,
        is_handle: marker.is_some(),
    })
}

/// Checks that a field without a marker can be decoded.
fn value(ty: &Type) -> Result<()> {
    if let Some(family) = inside::first_family(ty) {
        let marker = family.marker();
        argument::by_handle(ty, marker, false)?;
        return Err(Error::new_spanned(
            ty,
            format!("this travels by handle, not serialized: put `#[{marker}]` before the field"),
        ));
    }
    inside::find(ty, |ty| match ty {
        Type::Reference(_) => Some(Error::new_spanned(
            ty,
            "what arrives is decoded into owned values: own this field (`String` for `&str`, \
             `Vec<T>` for `&[T]`), or make it a view of an array, marked `#[ndarray]`",
        )),
        _ => None,
    })?;
    no_lifetime(ty)
}

/// Checks that what is decoded borrows nothing.
fn no_lifetime(ty: &Type) -> Result<()> {
    struct Lifetimes(Option<Lifetime>);
    impl<'ast> Visit<'ast> for Lifetimes {
        fn visit_lifetime(&mut self, lifetime: &'ast Lifetime) {
            if lifetime.ident != "static" {
                self.0.get_or_insert_with(|| lifetime.clone());
            }
            visit::visit_lifetime(self, lifetime);
        }
    }
    let mut lifetimes = Lifetimes(None);
    lifetimes.visit_type(ty);
    lifetimes.0.map_or(Ok(()), |lifetime| {
        Err(Error::new(
            lifetime.span(),
            "a field without a mark is decoded into an owned value and borrows nothing: own it, \
             or mark a bundle or an alias of an array's view `#[ndarray]`",
        ))
    })
}

fn no_pointer(ty: &Type) -> Result<()> {
    inside::find(ty, |ty| match ty {
        Type::Ptr(_) => Some(Error::new_spanned(
            ty,
            "an address means nothing in another process: send what it points to",
        )),
        _ => None,
    })
}

/// Checks that serde is told nothing: it never sees a bundle.
fn no_serde(attrs: &[Attribute], errors: &mut Errors) {
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("serde")) {
        errors.spanned(
            attr,
            "a bundle's fields travel one by one, in order, and serde never sees the whole: remove \
             this, or put what needs it into a type of its own",
        );
    }
}

/// The type with `'_` in the place of the bundle's lifetime.
fn anonymous(ty: &Type, lifetime: Option<&Lifetime>) -> Type {
    struct Anonymous<'a>(&'a Lifetime);
    impl VisitMut for Anonymous<'_> {
        fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
            if lifetime == self.0 {
                *lifetime = Lifetime::new("'_", lifetime.span());
            }
        }
    }
    let mut ty = ty.clone();
    if let Some(lifetime) = lifetime {
        Anonymous(lifetime).visit_type_mut(&mut ty);
    }
    ty
}
