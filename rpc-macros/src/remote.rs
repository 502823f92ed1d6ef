//! What can be called: the module after every check, in types that can't be wrong.

use proc_macro2::Ident;
use syn::{Attribute, Type};

/// A module whose functions can be served and called.
pub(crate) struct Remote {
    /// The name it has on the wire.
    pub(crate) name: String,
    /// Its documentation as one string.
    pub(crate) docs: String,
    /// What it serves, in the order of the source.
    pub(crate) functions: Vec<Function>,
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
    pub(crate) is_async: bool,
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
    /// The whole type, `()` where nothing is written.
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
    /// An `Option` with a handle somewhere inside.
    Optional(Box<Kind>),
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
