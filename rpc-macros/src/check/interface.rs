//! From a trait to an interface.

use syn::TraitItem;
use syn::ext::IdentExt;

use super::{Subject, can_be_constructed, docs, function};
use crate::errors::Errors;
use crate::names;
use crate::parse::Trait;
use crate::remote::{Form, Remote, Stubs};

/// Checks a trait, which is called `name` on the wire if that isn't its own name. Returns what can
/// be called; nothing if any of it can't, because it is all that a worker has to implement.
pub(crate) fn interface(
    interface: &Trait,
    name: Option<String>,
    errors: &mut Errors,
) -> Option<Remote> {
    let mut is_well = header(interface, errors);
    let stubs = Stubs::beside(&interface.ident, interface.vis.clone());
    let subject = Subject {
        ty: None,
        handle: stubs.instance.clone(),
    };
    let mut functions = Vec::new();
    for item in &interface.items {
        let TraitItem::Fn(declared) = item else {
            is_well = false;
            errors.spanned(item, not_a_function(item));
            continue;
        };
        if let Some(body) = &declared.default {
            is_well = false;
            errors.spanned(
                body,
                "an interface says what can be called, not what is done: end the function with \
                 `;`, and write its body where the worker implements the trait",
            );
        }
        match function(&declared.attrs, &declared.sig, Some(&subject), errors) {
            Some(function) => functions.push(function),
            None => is_well = false,
        }
    }
    if functions.is_empty() && is_well {
        is_well = false;
        errors.spanned(
            &interface.ident,
            "there is nothing to call in this trait: declare a function",
        );
    }
    if is_well {
        is_well = can_be_constructed(&functions, &interface.ident, errors);
    }
    let remote = Remote {
        name: name.unwrap_or_else(|| names::snake_case(&interface.ident.unraw().to_string())),
        form: Form::Interface(interface.ident.clone()),
        stubs,
        docs: docs(&interface.attrs),
        functions,
    };
    is_well.then_some(remote)
}

/// Checks everything before the braces. Says whether all is well.
fn header(interface: &Trait, errors: &mut Errors) -> bool {
    let mut is_well = true;
    let mut refuse = |tokens: &dyn quote::ToTokens, message: &str| {
        is_well = false;
        errors.spanned(tokens.to_token_stream(), message);
    };
    if let Some(token) = &interface.unsafety {
        refuse(
            token,
            "a caller in another process cannot keep an `unsafe` promise: declare a safe trait",
        );
    }
    if !interface.generics.params.is_empty() {
        refuse(
            &interface.generics,
            "an interface cannot be generic, because a worker is compiled before anybody calls it: \
             name the types",
        );
    }
    if !interface.supertraits.is_empty() {
        refuse(
            &interface.supertraits,
            "a host has nothing of what a supertrait declares: declare the functions here",
        );
    }
    if let Some(clause) = &interface.generics.where_clause {
        refuse(
            clause,
            "an interface has nothing for a `where` clause to bound: remove it",
        );
    }
    is_well
}

/// What to say about an item that isn't a function.
fn not_a_function(item: &TraitItem) -> &'static str {
    match item {
        TraitItem::Type(_) => {
            "both processes must agree on one type: name it in the signatures themselves"
        }
        TraitItem::Const(_) => {
            "a host cannot read a constant of a worker's: declare a function that returns it"
        }
        _ => "an interface has functions alone: write them out",
    }
}
