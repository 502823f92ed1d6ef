//! Decides how a returned value travels, or says why it can't.

use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{
    Attribute, Error, GenericArgument, Ident, Lifetime, PathArguments, Result, ReturnType,
    Signature, Type, TypeTuple,
};

use crate::check::Subject;
use crate::inside;
use crate::names::{self, Family};
use crate::remote::{Kind, Returned};

/// The attribute of a function which says that an alias names an array.
pub(crate) const MARKER: &str = "returns";

/// Said of what is marked and has no array.
const NO_ARRAY: &str = "this is not an array: remove `#[returns(ndarray)]`";

/// Checks what a function returns.
pub(crate) fn check(
    sig: &Signature,
    attrs: &[Attribute],
    subject: Option<&Subject>,
) -> Result<Returned> {
    let is_marked = is_marked(attrs)?;
    let ty = match &sig.output {
        ReturnType::Default => unit(sig.ident.span()),
        ReturnType::Type(_, ty) => (**ty).clone(),
    };
    if let Some(returned) = constructed(&ty, subject) {
        return Ok(returned);
    }
    inside::no_open_type(&ty, "return")?;
    inside::no_instance(&ty, subject)?;
    no_borrow(&ty)?;
    let kind = match result(&ty) {
        Some(result) => Kind::Fallible {
            ok: Box::new(kind(&result.ok, is_marked)?),
            error: result.error,
        },
        None => kind(&ty, is_marked)?,
    };
    Ok(Returned { ty, kind })
}

/// What a constructor returns: `Self` or a `Result` of it.
fn constructed(ty: &Type, subject: Option<&Subject>) -> Option<Returned> {
    let subject = subject?;
    let instance = Kind::Instance(subject.handle.clone());
    if subject.is_named_by(ty) {
        let (ty, kind) = (subject.made(ty.span()), instance);
        return Some(Returned { ty, kind });
    }
    let Fallible { ok, error } = result(ty)?;
    if !subject.is_named_by(&ok) {
        return None;
    }
    if let Some(error) = &error
        && inside::no_instance(error, Some(subject)).is_err()
    {
        return None;
    }
    let mut ty = ty.clone();
    if let Type::Path(path) = names::bare_mut(&mut ty)
        && let Some(segment) = path.path.segments.last_mut()
        && let PathArguments::AngleBracketed(arguments) = &mut segment.arguments
    {
        let types = arguments
            .args
            .iter_mut()
            .find_map(|argument| match argument {
                GenericArgument::Type(ty) => Some(ty),
                _ => None,
            });
        types
            .into_iter()
            .for_each(|ok| *ok = subject.made(ok.span()));
    }
    let ok = Box::new(instance);
    let kind = Kind::Fallible { ok, error };
    Some(Returned { ty, kind })
}

/// Whether `#[returns(ndarray)]` is there.
fn is_marked(attrs: &[Attribute]) -> Result<bool> {
    let Some(marker) = attrs.iter().find(|attr| attr.path().is_ident(MARKER)) else {
        return Ok(false);
    };
    match marker.parse_args::<Ident>() {
        Ok(name) if name == "ndarray" => Ok(true),
        _ => Err(Error::new_spanned(
            marker,
            "the one form is `#[returns(ndarray)]`: a name in the return type is an alias of an \
             array's, or a bundle's",
        )),
    }
}

/// The type of nothing.
fn unit(span: Span) -> Type {
    Type::Tuple(TypeTuple {
        paren_token: syn::token::Paren(span),
        elems: Default::default(),
    })
}

/// What a `Result` is made of, as far as the source names it.
struct Fallible {
    ok: Type,
    error: Option<Type>,
}

/// Takes a `Result` apart, or an alias of that name.
fn result(ty: &Type) -> Option<Fallible> {
    let segment = names::last_segment(ty).filter(|segment| segment.ident == "Result")?;
    let mut arguments = names::type_arguments(segment).cloned();
    let ok = arguments.next().unwrap_or_else(|| unit(segment.span()));
    let error = arguments.next();
    arguments.next().is_none().then_some(Fallible { ok, error })
}

/// How a value of the type travels. `is_marked` says that a name which says nothing is an array.
pub(crate) fn kind(ty: &Type, is_marked: bool) -> Result<Kind> {
    let whole = || ty.clone();
    match Family::of(ty) {
        Some(Family::Array | Family::Tensor | Family::Segment | Family::SharedCell) => {
            return Ok(Kind::Handle(whole()));
        }
        Some(_) => return Err(owned(ty)),
        None => {}
    }
    if let Some(inner) = names::option(ty) {
        return Ok(match kind(inner, is_marked)? {
            Kind::Value(_) => Kind::Value(whole()),
            inner => Kind::Optional(Box::new(inner)),
        });
    }
    if let Some(part) = names::part(ty) {
        return Ok(match kind(part, is_marked)? {
            Kind::Value(_) => Kind::Value(whole()),
            part => Kind::Each {
                ty: Box::new(whole()),
                part: Box::new(part),
            },
        });
    }
    match names::bare(ty) {
        Type::Tuple(tuple) => {
            let kinds: Vec<_> = tuple
                .elems
                .iter()
                .map(|element| kind(element, is_marked && !names::is_plain(element)))
                .collect::<Result<_>>()?;
            let has_handle = kinds.iter().any(|kind| !matches!(kind, Kind::Value(_)));
            if has_handle {
                return Ok(Kind::Tuple(kinds));
            }
            if is_marked {
                return Err(Error::new_spanned(ty, NO_ARRAY));
            }
            Ok(Kind::Value(whole()))
        }
        Type::Never(_) => Err(Error::new_spanned(
            ty,
            "a caller waits for a reply: return a type that has values, for example `()`",
        )),
        _ if inside::first_family(ty).is_some() => Err(Error::new_spanned(
            ty,
            "an array is returned alone, in an `Option`, a tuple, a `Vec`, a `[T; N]`, a `Box`, a \
             `HashMap`, a `BTreeMap`, a struct or an enum with `#[derive(reedbed::Bundle)]`, or in \
             a `Result` around all of that: return one of these",
        )),
        Type::Path(_) | Type::Macro(_) if is_marked && !names::is_plain(ty) => {
            Ok(Kind::Handle(whole()))
        }
        _ if is_marked => Err(Error::new_spanned(ty, NO_ARRAY)),
        _ => Ok(Kind::Value(whole())),
    }
}

/// Checks that nothing returned is borrowed.
fn no_borrow(ty: &Type) -> Result<()> {
    struct Borrow(Option<Error>);
    impl<'ast> Visit<'ast> for Borrow {
        fn visit_type(&mut self, ty: &'ast Type) {
            if self.0.is_some() {
                return;
            }
            match (ty, Family::of(ty)) {
                (Type::Reference(reference), _) => {
                    self.0 = Some(match inside::first_family(&reference.elem) {
                        Some(_) => owned(ty),
                        None => Error::new_spanned(
                            ty,
                            "a reference cannot outlive the call in the worker: return an owned \
                             value (`String` for `&str`, `Vec<T>` for `&[T]`)",
                        ),
                    });
                }
                (
                    _,
                    None
                    | Some(Family::Array | Family::Tensor | Family::Segment | Family::SharedCell),
                ) => {
                    visit::visit_type(self, ty);
                }
                _ => self.0 = Some(owned(ty)),
            }
        }

        fn visit_lifetime(&mut self, lifetime: &'ast Lifetime) {
            if lifetime.ident != "static" {
                self.0.get_or_insert(Error::new_spanned(
                    lifetime,
                    "what a function returns cannot borrow from its arguments: return an owned \
                     value",
                ));
            }
        }
    }
    let mut borrow = Borrow(None);
    borrow.visit_type(ty);
    borrow.0.map_or(Ok(()), Err)
}

/// What to return instead of a view.
fn owned(ty: &Type) -> Error {
    let is_segment = inside::first_family(ty).is_some_and(Family::is_segment);
    let message = if is_segment {
        "a view of a segment cannot outlive the call: return a `Segment`"
    } else {
        "a view of an array cannot outlive the call: return an owned `Array` or a `Tensor`"
    };
    Error::new_spanned(ty, message)
}
