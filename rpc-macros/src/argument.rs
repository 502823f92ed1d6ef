//! Decides how an argument travels, or says why it can't.

use syn::ext::IdentExt;
use syn::visit::Visit;
use syn::{Attribute, Error, Generics, Ident, Lifetime, Pat, PatType, Result, Type, TypeReference};

use crate::check::Subject;
use crate::errors::Errors;
use crate::inside;
use crate::names::{self, Family};
use crate::remote::{Argument, Passing};

/// The attributes that an argument may carry: it travels by handle.
pub(crate) const MARKERS: [&str; 2] = ["ndarray", "segment"];

/// Said of arrays inside other types.
const INSIDE: &str = "an array travels alone, or in an `Option`, a tuple, a `Vec`, a `[T; N]`, a \
                      `Box`, a `HashMap` or a `BTreeMap`, and in a struct or an enum with \
                      `#[derive(reedbed::Bundle)]`: take one of these";

/// Whether the attribute is one of [`MARKERS`].
pub(crate) fn is_marker(attr: &Attribute) -> bool {
    MARKERS.iter().any(|marker| attr.path().is_ident(marker))
}

/// Checks one argument of a function whose `generics` were refused before, if there are any.
pub(crate) fn check(
    argument: &PatType,
    generics: &Generics,
    subject: Option<&Subject>,
    errors: &mut Errors,
) -> Option<Argument> {
    let ident = errors.keep(name(&argument.pat));
    let marker = errors.keep(marker(&argument.attrs));
    for attr in argument
        .attrs
        .iter()
        .filter(|attr| attr.path().is_ident("cfg"))
    {
        errors.spanned(
            attr,
            "an argument cannot come and go: put the `#[cfg]` on the whole function, and give \
             each of its forms one",
        );
    }
    let passing = errors
        .keep(inside::no_open_type(&argument.ty, "take"))
        .and(errors.keep(inside::no_instance(&argument.ty, subject)))
        .and(marker)
        .and_then(|marker| errors.keep(passing(&argument.ty, marker.as_deref(), generics)));
    let (ident, passing) = (ident?, passing?);
    Some(Argument {
        name: ident.unraw().to_string(),
        ident,
        passing,
    })
}

/// The name of an argument, which its pattern must be.
fn name(pattern: &Pat) -> Result<Ident> {
    match pattern {
        Pat::Ident(name) if name.by_ref.is_none() && name.subpat.is_none() => {
            Ok(name.ident.clone())
        }
        Pat::Wild(_) => Err(Error::new_spanned(
            pattern,
            "an argument of a remote function needs a name, because its stub and its errors use \
             it; `_name` marks it as unused",
        )),
        _ => Err(Error::new_spanned(
            pattern,
            "an argument of a remote function needs a name, because its stub and its errors use \
             it; take the pattern apart in the body: `let (a, b) = name;`",
        )),
    }
}

/// The name of the attribute by which an argument is marked as travelling by handle.
pub(crate) fn marker(attrs: &[Attribute]) -> Result<Option<String>> {
    let mut markers = attrs.iter().filter(|attr| is_marker(attr));
    let Some(first) = markers.next() else {
        return Ok(None);
    };
    first.meta.require_path_only()?;
    if let Some(second) = markers.next() {
        return Err(Error::new_spanned(second, "an argument is marked once"));
    }
    Ok(first.path().get_ident().map(Ident::to_string))
}

/// How an argument of the type travels.
fn passing(ty: &Type, marker: Option<&str>, generics: &Generics) -> Result<Passing> {
    match marker {
        Some(marker) => {
            by_handle(ty, marker, false)?;
            no_named_lifetime(ty, generics)?;
            let is_nested = names::option(ty).is_some()
                || names::part(ty).is_some()
                || matches!(names::bare(ty), Type::Tuple(_));
            Ok(if is_nested {
                Passing::NestedHandle(ty.clone())
            } else {
                Passing::Handle(ty.clone())
            })
        }
        None => serialized(ty, generics),
    }
}

/// How an argument without a marker travels: serialized, if it isn't an array after all.
fn serialized(ty: &Type, generics: &Generics) -> Result<Passing> {
    if let Some(family) = inside::first_family(ty) {
        let marker = family.marker();
        by_handle(ty, marker, false)?;
        let what = family.noun();
        return Err(Error::new_spanned(
            ty,
            format!(
                "{what} travels by handle, not serialized: put `#[{marker}]` before the argument"
            ),
        ));
    }
    match names::bare(ty) {
        Type::Reference(TypeReference {
            mutability: Some(_),
            ..
        }) => Err(Error::new_spanned(
            ty,
            "what is written through this reference would stay in the worker: return the new \
             value, or pass an array as `#[ndarray] name: ArrayViewMut<'_, ..>`",
        )),
        Type::Reference(reference) => {
            if let Some(lifetime) = &reference.lifetime {
                not_named(lifetime, generics)?;
            }
            no_reference(&reference.elem)?;
            Ok(Passing::Lent((*reference.elem).clone()))
        }
        _ => {
            no_reference(ty)?;
            Ok(Passing::Value(ty.clone()))
        }
    }
}

/// Checks that the type can be that of an argument marked `#[marker]`, as far as names tell. A
/// name that says nothing may be an alias; there the compiler decides.
pub(crate) fn by_handle(ty: &Type, marker: &str, is_nested: bool) -> Result<()> {
    let refuse = |message: String| Err(Error::new_spanned(ty, message));
    let ty = names::bare(ty);
    if let Some(inner) = names::option(ty) {
        return by_handle(inner, marker, true);
    }
    if let Some(part) = names::part(ty).filter(|part| !names::is_plain(part)) {
        return by_handle(part, marker, true);
    }
    if let Some(family) = Family::of(ty) {
        let right = family.marker();
        return match family {
            _ if right != marker => {
                let what = family.noun();
                refuse(format!("{what} is marked `#[{right}]`, not `#[{marker}]`"))
            }
            Family::Array | Family::OtherArray | Family::TensorView => refuse(instead(ty, family)),
            Family::ArrayView
            | Family::ArrayViewMut
            | Family::Tensor
            | Family::Segment
            | Family::SegmentView
            | Family::SegmentViewMut
            | Family::SharedCell => Ok(()),
        };
    }
    match ty {
        Type::Tuple(tuple) if !tuple.elems.is_empty() => tuple
            .elems
            .iter()
            .try_for_each(|element| by_handle(element, marker, true)),
        Type::Reference(reference) => match Family::of(&reference.elem) {
            Some(family) => refuse(instead_of_reference(&reference.elem, family)),
            None if inside::first_family(ty).is_none() => refuse(not_an_array(marker, is_nested)),
            None => refuse(INSIDE.to_owned()),
        },
        Type::Path(_) if inside::first_family(ty).is_some() => refuse(INSIDE.to_owned()),
        Type::Path(_) if !names::is_plain(ty) => Ok(()),
        Type::Macro(_) => Ok(()),
        _ => refuse(not_an_array(marker, is_nested)),
    }
}

/// What to do with something that is marked like an array and isn't one.
fn not_an_array(marker: &str, is_nested: bool) -> String {
    if is_nested {
        "this is not an array: make it an argument of its own, which travels serialized".to_owned()
    } else {
        format!("this is not an array: remove `#[{marker}]`, and it travels serialized")
    }
}

/// What to take instead of an array that a function can't take.
fn instead(ty: &Type, family: Family) -> String {
    let (name, rank) = name_and_rank(ty);
    let reason = match family {
        Family::TensorView => "is what a caller passes",
        _ => "lives in the memory of its own process",
    };
    format!(
        "`{name}` {reason}: take `#[ndarray] name: ArrayView{rank}<'_, ..>` to read it, \
         `ArrayViewMut{rank}<'_, ..>` to write it, or `Tensor<..>` to own it"
    )
}

/// What to take instead of a reference to something that travels by handle.
fn instead_of_reference(ty: &Type, family: Family) -> String {
    let (name, _) = name_and_rank(ty);
    match family {
        Family::ArrayView | Family::ArrayViewMut | Family::SegmentView | Family::SegmentViewMut => {
            format!("a view borrows already: take the `{name}` itself, without `&`")
        }
        Family::Segment => "a segment is lent as a view: take `#[segment] name: SegmentView<'_>` \
                            to read it, `SegmentViewMut<'_>` to write it"
            .to_owned(),
        Family::SharedCell => {
            format!("a cell is shared already: take the `{name}<..>` itself, without `&`")
        }
        Family::Tensor => "a tensor is lent as a view: take `#[ndarray] name: ArrayView<'_, ..>` \
                           to read it, `ArrayViewMut<'_, ..>` to write it"
            .to_owned(),
        Family::Array | Family::OtherArray | Family::TensorView => instead(ty, family),
    }
}

/// `Array2` and its `2`.
fn name_and_rank(ty: &Type) -> (String, String) {
    let name = names::last_segment(ty)
        .map(|segment| segment.ident.to_string())
        .unwrap_or_default();
    let rank = names::split_rank(&name).1.to_owned();
    (name, rank)
}

/// Checks that there is no reference inside of what is decoded.
fn no_reference(ty: &Type) -> Result<()> {
    inside::find(ty, |ty| match ty {
        Type::Reference(reference) => Some(Error::new_spanned(
            reference,
            "the worker decodes an owned value: `&` may stand before the whole type only; own it \
             here (`String` for `&str`, `Vec<T>` for `&[T]`)",
        )),
        _ => None,
    })
}

/// Checks that what is lent to the function is lent for the call.
fn no_named_lifetime(ty: &Type, generics: &Generics) -> Result<()> {
    struct Named<'a>(&'a Generics, Option<Error>);
    impl<'ast> Visit<'ast> for Named<'_> {
        fn visit_lifetime(&mut self, lifetime: &'ast Lifetime) {
            if let Err(error) = not_named(lifetime, self.0) {
                self.1.get_or_insert(error);
            }
        }
    }
    let mut named = Named(generics, None);
    named.visit_type(ty);
    named.1.map_or(Ok(()), Err)
}

/// Checks that a lifetime is anonymous, or was refused where it is declared.
fn not_named(lifetime: &Lifetime, generics: &Generics) -> Result<()> {
    if lifetime.ident == "_"
        || generics
            .lifetimes()
            .any(|declared| declared.lifetime == *lifetime)
    {
        return Ok(());
    }
    Err(Error::new_spanned(
        lifetime,
        format!("an argument is borrowed for the call and no longer: write `'_`, not `{lifetime}`"),
    ))
}
