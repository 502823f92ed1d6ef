//! What both sides must agree on before a call: names, arguments, types.
//!
//! The bytes of a call carry no names and no types, so a changed field would be misread in
//! silence. Every type that travels therefore describes itself as text ([`Schema`]), the texts of
//! a function make its signature, and the hash of all signatures is compared when a module is
//! imported. Where it differs, the texts say how.

mod known;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::call::argument::HandleArg;
use crate::call::returned::Return;

/// A type that says what its bytes mean. Derive it with `#[derive(Schema)]`.
///
/// For types whose bytes are made by hand, `#[schema(opaque = "version")]` on the derive names a
/// version that is changed by hand as well.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't travel between processes: it has no schema",
    label = "has no schema",
    note = "derive all three: `#[derive(serde::Serialize, serde::Deserialize, reedbed::Schema)]`; \
            an argument that is an array or a bundle is marked `#[ndarray]` instead, and a function \
            that returns bundles inside something else `#[returns(ndarray)]`"
)]
pub trait Schema {
    /// Writes what the bytes of the type mean.
    fn describe(writer: &mut SchemaWriter);
}

/// Collects the text of a schema.
#[derive(Debug, Default)]
pub struct SchemaWriter {
    text: String,
    /// The types being described, outermost first: a type inside itself isn't described again.
    open: Vec<&'static str>,
    needs_comma: bool,
}

impl SchemaWriter {
    /// Writes a type that has no parts.
    pub fn leaf(&mut self, name: &str) {
        self.text.push_str(name);
    }

    /// Writes a struct; `fields` writes its fields in order. A tuple's fields are `0`, `1`, ...
    pub fn structure(&mut self, name: &str, fields: impl FnOnce(&mut Self)) {
        self.nested("struct", name, fields);
    }

    /// Writes an enum; `variants` writes its variants in order.
    pub fn enumeration(&mut self, name: &str, variants: impl FnOnce(&mut Self)) {
        self.nested("enum", name, variants);
    }

    /// Writes a variant; `fields` writes its fields in order.
    pub fn variant(&mut self, name: &str, fields: impl FnOnce(&mut Self)) {
        self.comma();
        self.text.push_str(name);
        self.braces(fields);
    }

    /// Writes a field.
    pub fn field<T: Schema + ?Sized>(&mut self, name: &str) {
        self.comma();
        self.text.push_str(name);
        self.text.push_str(": ");
        self.part::<T>();
        self.needs_comma = true;
    }

    /// Writes a field that travels by handle.
    pub fn handle_field<'a, T: HandleArg<'a>>(&mut self, name: &str) {
        self.comma();
        self.text.push_str(name);
        self.text.push_str(": ");
        self.unless_open(std::any::type_name::<T>(), T::describe);
        self.needs_comma = true;
    }

    /// Writes a type that is part of another one.
    pub(crate) fn part<T: Schema + ?Sized>(&mut self) {
        self.unless_open(std::any::type_name::<T>(), T::describe);
    }

    /// Writes a type that is part of another one and travels by handle.
    pub fn handle_part<'a, T: HandleArg<'a>>(&mut self) {
        self.unless_open(std::any::type_name::<T>(), T::describe);
    }

    /// Writes the type of this name, unless it is being written.
    fn unless_open(&mut self, name: &'static str, describe: impl FnOnce(&mut Self)) {
        if let Some(depth) = self.open.iter().rev().position(|open| *open == name) {
            // How far out the same type stands, which doesn't depend on where it is defined.
            let _ = write!(self.text, "recursive {depth}");
            return;
        }
        self.open.push(name);
        describe(self);
        self.open.pop();
    }

    /// Writes the type that `W`, which is being described, travels as. A wrapper leaves no trace
    /// in the text, so it isn't counted where a type inside itself is named either.
    pub(crate) fn through<W: ?Sized>(&mut self, name: &'static str, describe: fn(&mut Self)) {
        let wrapper = self.open.pop_if(|open| *open == std::any::type_name::<W>());
        self.unless_open(name, describe);
        self.open.extend(wrapper);
    }

    /// Writes a type whose bytes only its version tells apart.
    pub fn opaque(&mut self, name: &str, version: &str) {
        let _ = write!(self.text, "opaque {name} {version:?}");
    }

    /// Writes what an opaque type, written just before, is applied to; `parameters` writes them as
    /// fields.
    pub fn opaque_parameters(&mut self, parameters: impl FnOnce(&mut Self)) {
        self.braces(parameters);
    }

    /// Writes a type with parameters: `name<A, B>`.
    pub(crate) fn generic(&mut self, name: &str, parts: &[fn(&mut Self)]) {
        self.text.push_str(name);
        self.text.push('<');
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                self.text.push_str(", ");
            }
            part(self);
        }
        self.text.push('>');
    }

    fn nested(&mut self, keyword: &str, name: &str, parts: impl FnOnce(&mut Self)) {
        let _ = write!(self.text, "{keyword} {name}");
        self.braces(parts);
    }

    fn braces(&mut self, parts: impl FnOnce(&mut Self)) {
        self.text.push_str(" { ");
        self.needs_comma = false;
        parts(self);
        self.text.push_str(" }");
        self.needs_comma = true;
    }

    fn comma(&mut self) {
        if self.needs_comma {
            self.text.push_str(", ");
        }
    }
}

/// What a module consists of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleSchema {
    /// Its name.
    pub name: String,
    /// Its documentation.
    pub docs: String,
    /// Its functions, sorted by name.
    pub functions: Vec<FunctionSchema>,
}

/// What a function takes and returns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionSchema {
    /// Its name.
    pub name: String,
    /// Its documentation.
    pub docs: String,
    /// Its arguments, in order.
    pub arguments: Vec<ArgumentSchema>,
    /// The text of the type that it returns.
    pub returns: String,
}

/// What an argument is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArgumentSchema {
    /// Its name.
    pub name: String,
    /// The text of its type, such as `read ndarray<u16, 2>`.
    pub ty: String,
}

impl ModuleSchema {
    /// Describes a module.
    #[must_use]
    pub fn new(name: &str, docs: &str, mut functions: Vec<FunctionSchema>) -> Self {
        functions.sort_by(|a, b| a.name.cmp(&b.name));
        Self {
            name: name.to_owned(),
            docs: docs.to_owned(),
            functions,
        }
    }

    /// Returns the number that two modules share if their functions have equal signatures, but for
    /// a chance of one in 2^64. Documentation doesn't count.
    #[must_use]
    pub fn hash(&self) -> u64 {
        let signatures = self
            .functions
            .iter()
            .map(FunctionSchema::signature)
            .collect::<Vec<_>>()
            .join("\n");
        fnv1a(
            signatures.as_bytes(),
            fnv1a(self.name.as_bytes(), FNV_OFFSET),
        )
    }

    /// Returns what keeps a caller that knows `self` from calling a worker that serves `served`,
    /// one line for each function; nothing, if it can. More functions than needed do no harm.
    #[must_use]
    pub fn differences(&self, served: &Self) -> Vec<String> {
        let line = |function: &FunctionSchema| {
            let theirs = served
                .functions
                .iter()
                .find(|other| other.name == function.name);
            match theirs.map(FunctionSchema::signature) {
                None => Some(format!("function `{}` isn't served", function.name)),
                Some(theirs) if theirs == function.signature() => None,
                Some(theirs) => Some(format!(
                    "this program calls `{}`, the worker serves `{theirs}`",
                    function.signature()
                )),
            }
        };
        self.functions.iter().filter_map(line).collect()
    }
}

impl ModuleSchema {
    /// Returns the first function that the module has twice: which of them a number means, nobody
    /// could tell.
    pub(crate) fn named_twice(&self) -> Option<&str> {
        let mut names = BTreeSet::new();
        let mut functions = self.functions.iter().map(|function| function.name.as_str());
        functions.find(|name| !names.insert(*name))
    }
}

impl FunctionSchema {
    /// Describes a function without arguments that returns nothing.
    #[must_use]
    pub fn new(name: &str, docs: &str) -> Self {
        Self {
            name: name.to_owned(),
            docs: docs.to_owned(),
            arguments: Vec::new(),
            returns: "()".to_owned(),
        }
    }

    /// Adds an argument that travels by handle.
    #[must_use]
    pub fn handle<T: HandleArg<'static>>(self, argument: &str) -> Self {
        self.argument(argument, SchemaWriter::handle_part::<T>)
    }

    /// Adds an argument that travels as serde writes it.
    #[must_use]
    pub fn value<T: Schema + ?Sized>(self, argument: &str) -> Self {
        self.argument(argument, SchemaWriter::part::<T>)
    }

    /// Makes it a method: its first argument says of which instance.
    #[must_use]
    pub fn of_instance(self) -> Self {
        self.argument("self", |writer| writer.leaf(INSTANCE))
    }

    /// Says what the function returns.
    #[must_use]
    pub fn returns<R: Return<K>, K>(mut self) -> Self {
        self.returns = text(R::describe);
        self
    }

    fn argument(mut self, name: &str, describe: fn(&mut SchemaWriter)) -> Self {
        self.arguments.push(ArgumentSchema {
            name: name.to_owned(),
            ty: text(describe),
        });
        self
    }

    /// Returns the name, the arguments and what is returned, as one line.
    #[must_use]
    pub fn signature(&self) -> String {
        let arguments: Vec<_> = self
            .arguments
            .iter()
            .map(|argument| format!("{}: {}", argument.name, argument.ty))
            .collect();
        format!(
            "{}({}) -> {}",
            self.name,
            arguments.join(", "),
            self.returns
        )
    }
}

fn text(describe: impl FnOnce(&mut SchemaWriter)) -> String {
    let mut writer = SchemaWriter::default();
    describe(&mut writer);
    writer.text
}

/// The text of an instance of a service.
pub(crate) const INSTANCE: &str = "instance";

/// Returns the text of a type, as it stands alone.
pub(crate) fn text_of<T: Schema + ?Sized>() -> String {
    text(SchemaWriter::part::<T>)
}

/// Returns the number by which calls name a function: the FNV-1a hash (64 bits) of
/// `module.function`.
#[must_use]
pub const fn method_id(module: &str, function: &str) -> u64 {
    let hash = fnv1a(module.as_bytes(), FNV_OFFSET);
    fnv1a(function.as_bytes(), fnv1a(b".", hash))
}

/// The start of an FNV-1a hash (Fowler, Noll and Vo; draft-eastlake-fnv).
const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

/// Continues an FNV-1a hash.
const fn fnv1a(bytes: &[u8], mut hash: u64) -> u64 {
    let mut index = 0;
    while index < bytes.len() {
        hash = (hash ^ bytes[index] as u64).wrapping_mul(FNV_PRIME);
        index += 1;
    }
    hash
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    /// A type inside itself.
    struct Tree;
    impl Schema for Tree {
        fn describe(writer: &mut SchemaWriter) {
            writer.structure("Tree", |writer| {
                writer.field::<u8>("value");
                writer.field::<Vec<Tree>>("children");
            });
        }
    }

    /// A type inside itself, behind wrappers that leave no trace in the text.
    struct Chain;
    impl Schema for Chain {
        fn describe(writer: &mut SchemaWriter) {
            writer.structure("Chain", |writer| {
                writer.field::<Option<Box<std::sync::Arc<Chain>>>>("next");
            });
        }
    }

    /// A type inside another one of the same name.
    struct Pair<T>(std::marker::PhantomData<T>);
    impl<T: Schema> Schema for Pair<T> {
        fn describe(writer: &mut SchemaWriter) {
            writer.structure("Pair", |writer| writer.field::<T>("only"));
        }
    }

    #[test]
    fn texts_are_readable_and_recursion_ends() {
        assert_eq!(
            text(SchemaWriter::part::<Tree>),
            "struct Tree { value: u8, children: list<recursive 1> }"
        );
        assert_eq!(
            text(SchemaWriter::part::<Pair<Pair<u8>>>),
            "struct Pair { only: struct Pair { only: u8 } }"
        );
        assert_eq!(
            text(SchemaWriter::part::<Box<Chain>>),
            "struct Chain { next: option<recursive 1> }"
        );
        assert_eq!(
            text(<(Option<String>, HashMap<u8, [f32; 3]>) as Schema>::describe),
            "tuple<option<string>, map<u8, array 3<f32>>>"
        );
    }

    #[test]
    fn differences_name_function_and_both_signatures() {
        let ours = ModuleSchema::new(
            "m",
            "",
            vec![
                FunctionSchema::new("f", "docs").value::<u8>("x"),
                FunctionSchema::new("g", ""),
                FunctionSchema::new("h", ""),
            ],
        );
        let theirs = ModuleSchema::new(
            "m",
            "",
            vec![
                FunctionSchema::new("h", "other docs"),
                FunctionSchema::new("f", "").value::<u16>("x"),
            ],
        );
        assert_ne!(ours.hash(), theirs.hash());
        assert_eq!(
            ours.differences(&theirs),
            [
                "this program calls `f(x: u8) -> ()`, the worker serves `f(x: u16) -> ()`",
                "function `g` isn't served",
            ]
        );
        assert!(ours.differences(&ours.clone()).is_empty());
    }

    #[test]
    fn method_numbers_are_the_published_hash() {
        // The test vector "foobar" of the FNV draft.
        assert_eq!(fnv1a(b"foobar", FNV_OFFSET), 0x8594_4171_f739_67e8);
        assert_ne!(method_id("a", "b.c"), method_id("b", "c"));
    }
}
