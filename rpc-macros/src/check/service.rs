//! From an `impl` block to a service.

use syn::ext::IdentExt;
use syn::{Ident, ImplItem, PathArguments, Type, Visibility};

use super::{Subject, can_be_constructed, docs, functions, is_served, not_marked};
use crate::errors::Errors;
use crate::names;
use crate::parse::{Impl, Item};
use crate::remote::{Form, Remote, Role, Stubs};

/// Checks an `impl`, which is called `name` on the wire if that isn't its type's name. Returns what
/// can be called; nothing if the block as a whole can't be served.
pub(crate) fn service(service: &Impl, name: Option<String>, errors: &mut Errors) -> Option<Remote> {
    let ident = self_type(service, errors);
    let is_free = name_is_free(service, errors);
    let mut served = Vec::new();
    let mut is_marked = false;
    for item in &service.items {
        let Item::Function(function) = item else {
            continue;
        };
        if is_served(function) {
            served.push(&**function);
        } else {
            is_marked |= !not_marked(function, errors);
        }
    }
    let ident = ident?;
    if served.is_empty() {
        if !is_marked {
            errors.spanned(
                &service.self_ty,
                "there is nothing to call in this `impl`: make a function `pub`",
            );
        }
        return None;
    }
    let stubs = Stubs::beside(ident, Visibility::Public(Default::default()));
    let subject = Subject {
        ty: Some(names::bare(&service.self_ty).clone()),
        handle: stubs.instance.clone(),
    };
    let n_served = served.len();
    let functions = functions(&served, Some(&subject), errors);
    // Of those that were left out, one may have been the constructor.
    if functions.len() == n_served {
        can_be_constructed(&functions, &service.self_ty, errors);
    }
    let mut remote = Remote {
        name: name.unwrap_or_else(|| names::snake_case(&ident.unraw().to_string())),
        form: Form::Service(service.self_ty.clone()),
        stubs,
        docs: docs(&service.attrs),
        functions,
    };
    if !remote.has_instances() {
        remote
            .functions
            .retain(|function| function.role != Role::Method);
    }
    is_free.then_some(remote)
}

/// The name of the type, if it can be served.
fn self_type<'a>(service: &'a Impl, errors: &mut Errors) -> Option<&'a Ident> {
    let mut is_well = true;
    let mut refuse = |tokens: &dyn quote::ToTokens, message: &str| {
        is_well = false;
        errors.spanned(tokens.to_token_stream(), message);
    };
    if let Some((trait_, _)) = &service.trait_ {
        refuse(
            trait_,
            "`#[remote_module]` stands on a trait itself, not on an `impl` of one; a type that \
             implements such a trait is served as it is: `worker_main![Type]`",
        );
    }
    if !service.generics.params.is_empty() {
        refuse(
            &service.generics,
            "a service cannot be generic, because the worker is compiled before anybody calls it: \
             write the `impl` for one type",
        );
    } else if let Some(clause) = &service.generics.where_clause {
        refuse(
            clause,
            "a service has nothing for a `where` clause to bound: remove it",
        );
    }
    let segment = match names::bare(&service.self_ty) {
        Type::Path(path) if path.qself.is_none() => path.path.segments.last(),
        _ => None,
    };
    let ident = match segment {
        Some(segment) if matches!(segment.arguments, PathArguments::None) => Some(&segment.ident),
        // Said of the parameters where they are declared.
        _ if !service.generics.params.is_empty() => None,
        Some(_) => {
            refuse(
                &service.self_ty,
                "a service is called by its type's name, which has no parameters: give this type \
                 a name, `type Name = ..;`, and write `impl Name`",
            );
            None
        }
        None => {
            refuse(
                &service.self_ty,
                "a service is called by its type's name: wrap this in a struct",
            );
            None
        }
    };
    ident.filter(|_| is_well)
}

/// Checks that the `impl` has no `MODULE`, which is added.
fn name_is_free(service: &Impl, errors: &mut Errors) -> bool {
    let mut is_free = true;
    for item in &service.items {
        let ident = match item {
            Item::Function(function) => &function.sig.ident,
            Item::Other(item) => match &**item {
                ImplItem::Const(item) => &item.ident,
                _ => continue,
            },
        };
        if ident == "MODULE" {
            is_free = false;
            errors.spanned(
                ident,
                "`#[remote_module]` adds a constant of the name `MODULE`: rename this one",
            );
        }
    }
    is_free
}
