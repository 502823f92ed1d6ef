//! Looks at the types inside of a type.

use syn::visit::{self, Visit};
use syn::{Error, Result, Type};

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

/// Checks that no type is left open.
pub(crate) fn no_open_type(ty: &Type, verb: &str) -> Result<()> {
    find(ty, |ty| match ty {
        Type::ImplTrait(_) | Type::TraitObject(_) => Some(Error::new_spanned(
            ty,
            format!("both processes must agree on one type: {verb} a concrete type"),
        )),
        _ => None,
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
