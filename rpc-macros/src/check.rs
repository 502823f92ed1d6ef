//! From what was annotated to what can be called in it, with everything that is wrong said at once.

mod interface;
mod runs;
mod service;

use std::collections::HashMap;

use proc_macro2::Span;
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{
    Attribute, Expr, ExprLit, FnArg, GenericParam, Ident, Lit, Meta, Receiver, Signature, Type,
    UseTree, Visibility, parse_quote_spanned,
};

use crate::argument;
use crate::errors::Errors;
use crate::names;
use crate::parse::{self, Item, Module};
use crate::remote::{Form, Function, Kind, Remote, Role, Stubs};
use crate::returned;

pub(crate) use interface::interface;
pub(crate) use service::service;

/// What the macro adds to a module.
const ADDED: [&str; 3] = ["Client", "BlockingClient", "MODULE"];

/// What a service or an interface is about: the type whose values are its instances.
pub(crate) struct Subject {
    /// The type, where it has a name besides `Self`.
    pub(crate) ty: Option<Type>,
    /// What a constructor's caller receives.
    pub(crate) handle: Ident,
}

impl Subject {
    /// Whether the type is the subject.
    pub(crate) fn is_named_by(&self, ty: &Type) -> bool {
        let is_self = matches!(names::bare(ty), Type::Path(path) if path.path.is_ident("Self"));
        is_self || self.ty.as_ref() == Some(names::bare(ty))
    }

    /// The type that stands for an instance in what a constructor returns.
    pub(crate) fn made(&self, span: Span) -> Type {
        let handle = &self.handle;
        parse_quote_spanned!(span=> ::reedbed::__private::Made<#handle>)
    }
}

/// Checks a module, which is called `name` on the wire if that isn't its own name. Returns the
/// functions that can be called, without those that can't; nothing if the stub would collide with
/// the user's own items.
pub(crate) fn module(module: &Module, name: Option<String>, errors: &mut Errors) -> Option<Remote> {
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
    let remote = Remote {
        name: name.unwrap_or_else(|| module.ident.unraw().to_string()),
        form: Form::Module,
        stubs: Stubs::of_module(Span::mixed_site()),
        docs: docs(&module.attrs),
        functions: functions(&served, None, errors),
    };
    is_free.then_some(remote)
}

/// Checks the functions of an item whose values are `subject`'s; leaves out those that can't be
/// called.
fn functions(
    served: &[&parse::Function],
    subject: Option<&Subject>,
    errors: &mut Errors,
) -> Vec<Function> {
    let duplicates = duplicates(served, errors);
    let check = |served: &&parse::Function| {
        let function = function(&served.attrs, &served.sig, subject, errors)?;
        (!duplicates.contains(&function.name)).then_some(function)
    };
    served.iter().filter_map(check).collect()
}

/// Whether the function is one of those that can be called: those that are `pub`.
pub(crate) fn is_served(function: &parse::Function) -> bool {
    matches!(function.vis, Visibility::Public(_))
}

/// Removes the attributes that are the macro's own, so that the compiler doesn't look for them.
pub(crate) fn strip<Other>(items: &mut [Item<Other>]) {
    for item in items {
        if let Item::Function(function) = item {
            strip_function(&mut function.attrs, &mut function.sig);
        }
    }
}

/// As [`strip`], for one function.
pub(crate) fn strip_function(attrs: &mut Vec<Attribute>, sig: &mut Signature) {
    attrs.retain(|attr| !is_marker(attr));
    for input in &mut sig.inputs {
        let (FnArg::Receiver(Receiver { attrs, .. }) | FnArg::Typed(syn::PatType { attrs, .. })) =
            input;
        attrs.retain(|attr| !argument::is_marker(attr));
    }
}

/// Whether the attribute of a function is the macro's own.
fn is_marker(attr: &Attribute) -> bool {
    attr.path().is_ident(returned::MARKER) || attr.path().is_ident(runs::MARKER)
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
    let on_function = function.attrs.iter().filter(|attr| is_marker(attr));
    let on_arguments = function.sig.inputs.iter().flat_map(|input| {
        let (FnArg::Receiver(Receiver { attrs, .. }) | FnArg::Typed(syn::PatType { attrs, .. })) =
            input;
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
fn function(
    attrs: &[Attribute],
    sig: &Signature,
    subject: Option<&Subject>,
    errors: &mut Errors,
) -> Option<Function> {
    let is_plain = signature(sig, errors);
    let returned = errors.keep(returned::check(sig, attrs, subject));
    let runs = errors.keep(runs::check(sig, attrs));
    let mut is_method = false;
    let mut arguments = Vec::new();
    for input in &sig.inputs {
        match input {
            FnArg::Typed(typed) => {
                arguments.push(argument::check(typed, &sig.generics, subject, errors));
            }
            FnArg::Receiver(receiver) => match refused(receiver, subject) {
                Some(message) => {
                    errors.spanned(receiver, message);
                    arguments.push(None);
                }
                None => is_method = true,
            },
        }
    }
    let arguments = arguments.into_iter().collect::<Option<_>>()?;
    is_plain.then_some(())?;
    let returned = returned?;
    let is_constructor = match &returned.kind {
        Kind::Instance(_) => true,
        Kind::Fallible { ok, .. } => matches!(**ok, Kind::Instance(_)),
        _ => false,
    };
    let role = match (is_method, is_constructor) {
        (false, false) => Role::Plain,
        (false, true) => Role::Constructor,
        (true, false) => Role::Method,
        (true, true) => {
            errors.spanned(
                &sig.output,
                "a method makes no new instance: return what it is made of, and have the caller \
                 pass that to a constructor",
            );
            return None;
        }
    };
    Some(Function {
        ident: sig.ident.clone(),
        name: sig.ident.unraw().to_string(),
        cfgs: attrs.iter().filter(|attr| is_cfg(attr)).cloned().collect(),
        shown: attrs
            .iter()
            .filter(|attr| is_shown(attr))
            .cloned()
            .collect(),
        docs: docs(attrs),
        runs: runs?,
        role,
        arguments,
        returned,
    })
}

/// What is wrong with a receiver, if something is.
fn refused(receiver: &Receiver, subject: Option<&Subject>) -> Option<&'static str> {
    if subject.is_none() {
        return Some(
            "a remote function has no `self`: it belongs to a module, not to a value; pass what it \
             needs as an argument",
        );
    }
    match (&receiver.reference, &receiver.mutability) {
        _ if receiver.colon_token.is_some() => {
            Some("a method borrows its instance from the worker: write `&self`")
        }
        (Some((_, Some(lifetime))), _) if lifetime.ident != "_" => {
            Some("a method borrows its instance for the call and no longer: write `&self`")
        }
        (Some(_), Some(_)) => Some(
            "calls of an instance run at the same time: take `&self`, and keep what changes in a \
             `Mutex`",
        ),
        (Some(_), None) => None,
        (None, _) => Some(
            "an instance stays in its worker, where other calls may use it: take `&self`; what \
             leaves it can be taken out of a `Mutex<Option<..>>`",
        ),
    }
}

/// Checks that whoever can call a method can get an instance.
fn can_be_constructed(functions: &[Function], place: impl ToTokens, errors: &mut Errors) -> bool {
    let has = |role| functions.iter().any(|function| function.role == role);
    let is_well = has(Role::Constructor) || !has(Role::Method);
    if !is_well {
        errors.spanned(
            place,
            "nobody could call its methods: add a constructor, a function that returns `Self` or \
             `Result<Self, E>`",
        );
    }
    is_well
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
