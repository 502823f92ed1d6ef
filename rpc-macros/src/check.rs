//! From an inline module to what can be called in it, with everything that is wrong said at once.

use std::collections::HashMap;

use syn::ext::IdentExt;
use syn::{
    Attribute, Expr, ExprLit, FnArg, GenericParam, Ident, Lit, Meta, Signature, UseTree, Visibility,
};

use crate::argument;
use crate::errors::Errors;
use crate::parse::{self, Item, Module};
use crate::remote::{Function, Remote};
use crate::returned;

/// What the macro adds to a module.
const ADDED: [&str; 3] = ["Client", "BlockingClient", "MODULE"];

/// Checks a module. Returns the functions that can be called, without those that can't; nothing
/// if the stub would collide with the user's own items.
pub(crate) fn module(module: &Module, errors: &mut Errors) -> Option<Remote> {
    let is_free = names_are_free(module, errors);
    let mut served = Vec::new();
    let mut is_marked = false;
    for item in &module.items {
        let Item::Function(function) = item else {
            continue;
        };
        if is_served(function) {
            served.push(&**function);
        } else {
            is_marked |= !not_marked(function, errors);
        }
    }
    if served.is_empty() {
        if !is_marked {
            errors.spanned(
                &module.ident,
                "there is nothing to call in this module: make a function `pub`",
            );
        }
        return None;
    }
    let duplicates = duplicates(&served, errors);
    let functions = served
        .into_iter()
        .filter_map(|served| {
            let function = function(served, errors)?;
            (!duplicates.contains(&function.name)).then_some(function)
        })
        .collect();
    let remote = Remote {
        name: module.ident.unraw().to_string(),
        docs: docs(&module.attrs),
        functions,
    };
    is_free.then_some(remote)
}

/// Whether the function is one of those that can be called: those that are `pub`.
pub(crate) fn is_served(function: &parse::Function) -> bool {
    matches!(function.vis, Visibility::Public(_))
}

/// Removes the attributes that are the macro's own, so that the compiler doesn't look for them.
pub(crate) fn strip(module: &mut Module) {
    for item in &mut module.items {
        let Item::Function(function) = item else {
            continue;
        };
        function
            .attrs
            .retain(|attr| !attr.path().is_ident(returned::MARKER));
        for input in &mut function.sig.inputs {
            let (FnArg::Receiver(syn::Receiver { attrs, .. })
            | FnArg::Typed(syn::PatType { attrs, .. })) = input;
            attrs.retain(|attr| !argument::is_marker(attr));
        }
    }
}

/// Checks that the module has no items of the names that the macro adds.
fn names_are_free(module: &Module, errors: &mut Errors) -> bool {
    let mut is_free = true;
    let mut taken = |ident: &Ident| {
        if ADDED.iter().any(|added| ident == added) {
            is_free = false;
            errors.spanned(
                ident,
                format!("`#[remote_module]` adds an item of the name `{ident}`: rename this one"),
            );
        }
    };
    for item in &module.items {
        match item {
            Item::Function(function) => taken(&function.sig.ident),
            Item::Other(item) => each_name(item, &mut taken),
        }
    }
    is_free
}

/// Calls `each` with the names that an item declares.
fn each_name(item: &syn::Item, each: &mut impl FnMut(&Ident)) {
    match item {
        syn::Item::Const(item) => each(&item.ident),
        syn::Item::Enum(item) => each(&item.ident),
        syn::Item::Mod(item) => each(&item.ident),
        syn::Item::Static(item) => each(&item.ident),
        syn::Item::Struct(item) => each(&item.ident),
        syn::Item::Trait(item) => each(&item.ident),
        syn::Item::TraitAlias(item) => each(&item.ident),
        syn::Item::Type(item) => each(&item.ident),
        syn::Item::Union(item) => each(&item.ident),
        syn::Item::Use(item) => each_import(&item.tree, each),
        _ => {}
    }
}

/// Calls `each` with the names that a `use` brings in.
fn each_import(tree: &UseTree, each: &mut impl FnMut(&Ident)) {
    match tree {
        UseTree::Path(path) => each_import(&path.tree, each),
        UseTree::Group(group) => group.items.iter().for_each(|tree| each_import(tree, each)),
        UseTree::Name(name) => each(&name.ident),
        UseTree::Rename(rename) => each(&rename.rename),
        UseTree::Glob(_) => {}
    }
}

/// Checks that a private function isn't marked as if it could be called. Says whether that is so.
fn not_marked(function: &parse::Function, errors: &mut Errors) -> bool {
    let on_function = function
        .attrs
        .iter()
        .filter(|attr| attr.path().is_ident(returned::MARKER));
    let on_arguments = function.sig.inputs.iter().flat_map(|input| {
        let (FnArg::Receiver(syn::Receiver { attrs, .. })
        | FnArg::Typed(syn::PatType { attrs, .. })) = input;
        attrs.iter().filter(|attr| argument::is_marker(attr))
    });
    let mut is_unmarked = true;
    for marker in on_function.chain(on_arguments) {
        is_unmarked = false;
        errors.spanned(
            marker,
            "only a `pub fn` can be called from another process: make this function `pub`, or \
             remove the attribute",
        );
    }
    is_unmarked
}

/// The names that more than one function has, unless `#[cfg]` may tell them apart.
fn duplicates(served: &[&parse::Function], errors: &mut Errors) -> Vec<String> {
    let mut by_name: HashMap<_, Vec<_>> = HashMap::new();
    for function in served {
        by_name
            .entry(function.sig.ident.unraw().to_string())
            .or_default()
            .push(*function);
    }
    let mut duplicates = Vec::new();
    for function in served {
        let name = function.sig.ident.unraw().to_string();
        let group = by_name.get(&name).map(Vec::as_slice).unwrap_or_default();
        let is_exclusive = group
            .iter()
            .all(|function| function.attrs.iter().any(is_cfg));
        let is_first = group
            .first()
            .is_some_and(|first| std::ptr::eq(*first, *function));
        if is_exclusive || is_first {
            continue;
        }
        errors.spanned(
            &function.sig.ident,
            format!(
                "a function is called by its name alone, and `{name}` is taken: rename this one, \
                 or give each of the two a `#[cfg]` that excludes the other"
            ),
        );
        duplicates.push(name);
    }
    duplicates
}

/// Checks one public function.
fn function(function: &parse::Function, errors: &mut Errors) -> Option<Function> {
    let sig = &function.sig;
    let is_plain = signature(sig, errors);
    let returned = errors.keep(returned::check(sig, &function.attrs));
    let arguments: Vec<_> = sig
        .inputs
        .iter()
        .map(|input| match input {
            FnArg::Typed(typed) => argument::check(typed, &sig.generics, errors),
            FnArg::Receiver(receiver) => {
                errors.spanned(
                    receiver,
                    "a remote function has no `self`: it belongs to a module, not to a value; \
                     pass what it needs as an argument",
                );
                None
            }
        })
        .collect();
    let arguments = arguments.into_iter().collect::<Option<_>>()?;
    is_plain.then_some(())?;
    Some(Function {
        ident: sig.ident.clone(),
        name: sig.ident.unraw().to_string(),
        cfgs: function
            .attrs
            .iter()
            .filter(|attr| is_cfg(attr))
            .cloned()
            .collect(),
        shown: function
            .attrs
            .iter()
            .filter(|attr| is_shown(attr))
            .cloned()
            .collect(),
        docs: docs(&function.attrs),
        is_async: sig.asyncness.is_some(),
        arguments,
        returned: returned?,
    })
}

/// Checks everything in a signature but the types. Says whether all is well.
fn signature(sig: &Signature, errors: &mut Errors) -> bool {
    let mut is_plain = true;
    let mut refuse = |tokens: &dyn quote::ToTokens, message: &str| {
        is_plain = false;
        errors.spanned(tokens.to_token_stream(), message);
    };
    if sig.ident == "blocking" {
        refuse(
            &sig.ident,
            "`Client::blocking` gives the blocking twin of the stub: call this function something \
             else",
        );
    }
    for parameter in &sig.generics.params {
        let message = match parameter {
            GenericParam::Lifetime(_) => {
                "what a remote function borrows, it borrows for the call: declare no lifetime, \
                 and write `'_` where it is used"
            }
            GenericParam::Type(_) | GenericParam::Const(_) => {
                "a remote function cannot be generic, because the worker is compiled before \
                 anybody calls it: name the types"
            }
        };
        refuse(parameter, message);
    }
    if let Some(clause) = &sig.generics.where_clause {
        refuse(
            clause,
            "a remote function has nothing for a `where` clause to bound: remove it",
        );
    }
    if let Some(token) = &sig.unsafety {
        refuse(
            token,
            "a caller in another process cannot keep an `unsafe` promise: serve a safe function \
             that checks its arguments",
        );
    }
    if let Some(abi) = &sig.abi {
        refuse(abi, "calls do not go through a C ABI: remove this");
    }
    if let Some(variadic) = &sig.variadic {
        refuse(
            variadic,
            "a remote function has a fixed number of arguments",
        );
    }
    is_plain
}

fn is_cfg(attr: &Attribute) -> bool {
    attr.path().is_ident("cfg")
}

/// Whether a stub repeats the attribute.
fn is_shown(attr: &Attribute) -> bool {
    attr.path().is_ident("doc") || attr.path().is_ident("deprecated")
}

/// The documentation as one string, without the space that every line starts with.
fn docs(attrs: &[Attribute]) -> String {
    let lines = attrs.iter().filter_map(|attr| match &attr.meta {
        Meta::NameValue(meta) if meta.path.is_ident("doc") => match &meta.value {
            Expr::Lit(ExprLit {
                lit: Lit::Str(line),
                ..
            }) => Some(line.value()),
            _ => None,
        },
        _ => None,
    });
    let lines: Vec<_> = lines
        .map(|line| line.strip_prefix(' ').unwrap_or(&line).to_owned())
        .collect();
    lines.join("\n").trim().to_owned()
}
