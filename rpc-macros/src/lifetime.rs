//! Gives anonymous lifetimes a name.
//!
//! The user writes `ArrayView2<'_, u16>`, or leaves the lifetime out. The stub borrows for the
//! call and needs to say so, because an anonymous lifetime can't stand in `impl Into<..>`; the
//! schema describes types, not borrows, and says `'static`.

use proc_macro2::Span;
use syn::visit_mut::{self, VisitMut};
use syn::{AngleBracketedGenericArguments, GenericArgument, Lifetime, PathArguments, Type};

use crate::names;

/// The lifetime of what a call borrows.
pub(crate) const CALL: &str = "'call";
/// The lifetime that stands in where a type is only described.
pub(crate) const STATIC: &str = "'static";

/// A lifetime of the name, shown at `place` but resolved where the macro is called.
pub(crate) fn new(name: &str, place: Span) -> Lifetime {
    Lifetime::new(name, Span::call_site().located_at(place))
}

/// The type with each anonymous and each elided lifetime replaced by `name`.
pub(crate) fn named(ty: &Type, name: &'static str) -> Type {
    let mut ty = ty.clone();
    Named { name, count: 0 }.visit_type_mut(&mut ty);
    ty
}

/// Whether the type has an anonymous or an elided lifetime.
pub(crate) fn borrows(ty: &Type) -> bool {
    let mut named = Named {
        name: STATIC,
        count: 0,
    };
    named.visit_type_mut(&mut ty.clone());
    named.count > 0
}

/// Replaces lifetimes and counts them.
struct Named {
    name: &'static str,
    count: usize,
}

impl Named {
    /// The lifetime to put at `place`.
    fn lifetime(&mut self, place: Span) -> Lifetime {
        self.count += 1;
        new(self.name, place)
    }
}

impl VisitMut for Named {
    fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
        if lifetime.ident == "_" {
            *lifetime = self.lifetime(lifetime.span());
        }
    }

    fn visit_type_mut(&mut self, ty: &mut Type) {
        visit_mut::visit_type_mut(self, ty);
        if !names::elides_lifetime(ty) {
            return;
        }
        let Type::Path(path) = ty else { return };
        let Some(segment) = path.path.segments.last_mut() else {
            return;
        };
        let lifetime = GenericArgument::Lifetime(self.lifetime(segment.ident.span()));
        match &mut segment.arguments {
            PathArguments::AngleBracketed(arguments) => arguments.args.insert(0, lifetime),
            arguments => {
                *arguments = PathArguments::AngleBracketed(AngleBracketedGenericArguments {
                    colon2_token: None,
                    lt_token: Default::default(),
                    args: std::iter::once(lifetime).collect(),
                    gt_token: Default::default(),
                });
            }
        }
    }
}
