//! What can be called: the module, service or interface after every check, in types that can't be
//! wrong.

use proc_macro2::{Ident, Span};
use syn::ext::IdentExt;
use syn::{Attribute, Type, Visibility};

/// A module whose functions can be served and called.
pub(crate) struct Remote {
    /// The name it has on the wire.
    pub(crate) name: String,
    /// Where its functions are.
    pub(crate) form: Form,
    /// What the generated items are called, and who may see them.
    pub(crate) stubs: Stubs,
    /// Its documentation as one string.
    pub(crate) docs: String,
    /// What it serves, in the order of the source.
    pub(crate) functions: Vec<Function>,
}

/// Where the functions are that are served.
pub(crate) enum Form {
    /// In the module around the generated code.
    Module,
    /// In an `impl` of this type.
    Service(Type),
    /// In whatever implements this trait.
    Interface(Ident),
}

/// The names of what is generated.
pub(crate) struct Stubs {
    pub(crate) vis: Visibility,
    /// Calls what needs no instance.
    pub(crate) client: Ident,
    pub(crate) blocking_client: Ident,
    /// What a constructor's caller receives; calls the methods.
    pub(crate) instance: Ident,
    pub(crate) blocking_instance: Ident,
}

/// What a function needs, and makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Neither takes nor makes an instance.
    Plain,
    /// Makes an instance.
    Constructor,
    /// Takes an instance, as `&self`.
    Method,
}

/// How a worker runs a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Runs {
    /// As an ordinary function, which is soon done.
    Sync,
    /// As an ordinary function that may take long.
    Blocking,
    /// As a task.
    Async,
}

/// A function that can be served and called.
pub(crate) struct Function {
    /// Its name in the module.
    pub(crate) ident: Ident,
    /// The name it has on the wire: the identifier without `r#`.
    pub(crate) name: String,
    /// Its `#[cfg]`s, which everything generated for it repeats.
    pub(crate) cfgs: Vec<Attribute>,
    /// Attributes that the stub repeats: documentation and `#[deprecated]`.
    pub(crate) shown: Vec<Attribute>,
    /// Its documentation as one string.
    pub(crate) docs: String,
    pub(crate) runs: Runs,
    pub(crate) role: Role,
    /// What it takes, in order.
    pub(crate) arguments: Vec<Argument>,
    /// What it returns, or what its future does.
    pub(crate) returned: Returned,
}

/// An argument of a function.
pub(crate) struct Argument {
    /// Its name in the function.
    pub(crate) ident: Ident,
    /// The name it has in errors and in the schema.
    pub(crate) name: String,
    pub(crate) passing: Passing,
}

/// How an argument travels.
pub(crate) enum Passing {
    /// By handle: an array or a segment, which the stub takes as anything that converts.
    Handle(Type),
    /// By handle inside an `Option` or a tuple, where a conversion would leave `None` without a
    /// type: the stub takes the sent form itself.
    NestedHandle(Type),
    /// Serialized, by value.
    Value(Type),
    /// Serialized, by reference: this is what the reference points to. The worker decodes the
    /// owned form and lends it.
    Lent(Type),
}

/// What a function returns.
pub(crate) struct Returned {
    /// The whole type, `()` where nothing is written. What stands for an instance in it is
    /// `reedbed`'s own type for that.
    pub(crate) ty: Type,
    /// How its parts travel.
    pub(crate) kind: Kind,
}

/// How a returned value travels, part by part.
pub(crate) enum Kind {
    /// Serialized.
    Value(Type),
    /// By handle: an array, a tensor or a segment.
    Handle(Type),
    /// By number: it stays in the worker, and its caller receives a handle of this name.
    Instance(Ident),
    /// An `Option` with a handle somewhere inside.
    Optional(Box<Kind>),
    /// A list, a map or a box with a handle somewhere inside.
    Each {
        /// All of it.
        ty: Box<Type>,
        /// What it holds.
        part: Box<Kind>,
    },
    /// A tuple with a handle somewhere inside.
    Tuple(Vec<Kind>),
    /// A `Result` at the top.
    Fallible {
        /// What is in `Ok`.
        ok: Box<Kind>,
        /// The error's type, if the source names it: `io::Result<T>` doesn't.
        error: Option<Type>,
    },
}

impl Remote {
    /// Whether there are instances of it.
    pub(crate) fn has_instances(&self) -> bool {
        self.functions
            .iter()
            .any(|function| function.role == Role::Constructor)
    }
}

impl Stubs {
    /// What is added to a module.
    pub(crate) fn of_module(span: Span) -> Self {
        Self::new("", span, Visibility::Public(Default::default()))
    }

    /// What is added beside a type or a trait, whose name they begin with.
    pub(crate) fn beside(name: &Ident, vis: Visibility) -> Self {
        Self::new(&name.unraw().to_string(), name.span(), vis)
    }

    fn new(name: &str, span: Span, vis: Visibility) -> Self {
        let ident = |before: &str, after: &str| Ident::new(&format!("{before}{name}{after}"), span);
        Self {
            vis,
            client: ident("", "Client"),
            blocking_client: ident("Blocking", "Client"),
            instance: ident("", "Instance"),
            blocking_instance: ident("Blocking", "Instance"),
        }
    }
}
