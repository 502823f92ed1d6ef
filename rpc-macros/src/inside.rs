//! Looks at the types inside of a type.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::visit::{self, Visit};
use syn::{Error, Result, Type, TypeParamBound};

use crate::check::Subject;
use crate::names::Family;

/// The first type inside, or the type itself, that travels by handle.
pub(crate) fn first_family(ty: &Type) -> Option<Family> {
    struct First(Option<Family>);
    impl<'ast> Visit<'ast> for First {
        fn visit_type(&mut self, ty: &'ast Type) {
            self.0 = self.0.or_else(|| Family::of(ty));
            visit::visit_type(self, ty);
        }
    }
    let mut first = First(None);
    first.visit_type(ty);
    first.0
}

/// Checks that there is no instance inside, and nothing that `Self` would mean something else for
/// in the generated code.
pub(crate) fn no_instance(ty: &Type, subject: Option<&Subject>) -> Result<()> {
    let Some(subject) = subject else {
        return Ok(());
    };
    find(ty, |ty| subject.is_named_by(ty).then(|| stays(ty)))?;
    match first_self(ty.to_token_stream()) {
        None => Ok(()),
        Some(span) => Err(Error::new(
            span,
            "`Self` is another type in the stub: name the type itself here",
        )),
    }
}

/// Says that instances don't travel.
fn stays(ty: &Type) -> Error {
    Error::new_spanned(
        ty,
        "an instance stays in its worker, and only a constructor, which returns `Self` or \
         `Result<Self, E>`, hands its caller a handle: pass or return what it is made of",
    )
}

/// Where the first `Self` is.
fn first_self(tokens: TokenStream) -> Option<Span> {
    tokens.into_iter().find_map(|token| match token {
        TokenTree::Ident(ident) => (ident == "Self").then(|| ident.span()),
        TokenTree::Group(group) => first_self(group.stream()),
        _ => None,
    })
}

/// Checks that no type is left open.
pub(crate) fn no_open_type(ty: &Type, verb: &str) -> Result<()> {
    find(ty, |ty| match ty {
        Type::ImplTrait(_) | Type::TraitObject(_) => {
            let any = if is_dyn_error(ty) {
                "; any error becomes a `reedbed::AnyError` by `?`"
            } else {
                ""
            };
            let message =
                format!("both processes must agree on one type: {verb} a concrete type{any}");
            Some(Error::new_spanned(ty, message))
        }
        _ => None,
    })
}

/// Whether a type is `dyn Error`, of any path and with any more bounds.
fn is_dyn_error(ty: &Type) -> bool {
    let Type::TraitObject(object) = ty else {
        return false;
    };
    object.bounds.iter().any(|bound| match bound {
        TypeParamBound::Trait(bound) => {
            (bound.path.segments.last()).is_some_and(|segment| segment.ident == "Error")
        }
        _ => false,
    })
}

/// Reports the first error that `refuse` finds in a type or in one inside it.
pub(crate) fn find(ty: &Type, refuse: impl FnMut(&Type) -> Option<Error>) -> Result<()> {
    struct Find<F>(F, Option<Error>);
    impl<'ast, F: FnMut(&Type) -> Option<Error>> Visit<'ast> for Find<F> {
        fn visit_type(&mut self, ty: &'ast Type) {
            if self.1.is_none() {
                self.1 = (self.0)(ty);
                visit::visit_type(self, ty);
            }
        }
    }
    let mut find = Find(refuse, None);
    find.visit_type(ty);
    find.1.map_or(Ok(()), Err)
}
