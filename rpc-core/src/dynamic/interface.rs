//! What a module consists of, with its types taken apart.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::parse::{self, MAX_TYPES};
use super::types::Type;
use crate::wire::schema::ModuleSchema;

/// What a module consists of, as its worker describes it.
///
/// Its [`Display`](fmt::Display) form is a listing: the module, and each function with its signature and
/// documentation.
///
/// ```
/// use reedbed::dynamic::{Access, Type};
/// use reedbed::{Worker, remote_module};
///
/// #[remote_module]
/// mod arithmetic {
///     /// Adds the elements up.
///     pub fn sum(#[ndarray] values: reedbed::ndarray::ArrayView1<'_, i64>) -> i64 {
///         values.sum()
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> { futures::executor::block_on(async {
/// let worker = Worker::in_process(&[arithmetic::MODULE]).await?;
/// let interfaces = worker.interfaces().await?;
/// let sum = interfaces[0].function("sum").ok_or("it is served")?;
/// assert_eq!(sum.to_string(), "sum(values: read ndarray<i64, 1>) -> i64");
/// assert_eq!(sum.docs, "Adds the elements up.");
/// assert_eq!(
///     interfaces[0].to_string(),
///     "arithmetic\n  sum(values: read ndarray<i64, 1>) -> i64\n      Adds the elements up.",
/// );
/// assert!(matches!(
///     sum.parameters[0].ty,
///     Type::NdArray { access: Access::Read, rank: Some(1), .. }
/// ));
/// # Ok(()) }) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Interface {
    /// The module's name.
    pub name: String,
    /// Its documentation.
    pub docs: String,
    /// Its functions, sorted by name.
    pub functions: Vec<Signature>,
}

/// What a function takes and returns.
///
/// Its [`Display`](fmt::Display) form is one line: `name(argument: type, ..) -> type`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Signature {
    /// Its name.
    pub name: String,
    /// Its documentation.
    pub docs: String,
    /// What it takes, in order.
    pub parameters: Vec<Parameter>,
    /// What it returns.
    pub returns: Type,
}

/// What a function takes in one place.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Its type.
    pub ty: Type,
}

impl Interface {
    /// Returns the function of this name.
    #[must_use]
    pub fn function(&self, name: &str) -> Option<&Signature> {
        self.functions.iter().find(|function| function.name == name)
    }
}

impl From<&ModuleSchema> for Interface {
    fn from(schema: &ModuleSchema) -> Self {
        let mut n_types = MAX_TYPES;
        let mut parse = |text: &str| parse::parse(text, &mut n_types);
        let functions = schema.functions.iter().map(|function| Signature {
            name: function.name.clone(),
            docs: function.docs.clone(),
            parameters: (function.arguments.iter())
                .map(|argument| Parameter {
                    name: argument.name.clone(),
                    ty: parse(&argument.ty),
                })
                .collect(),
            returns: parse(&function.returns),
        });
        Self {
            name: schema.name.clone(),
            docs: schema.docs.clone(),
            functions: functions.collect(),
        }
    }
}

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name)?;
        for line in self.docs.lines() {
            write!(f, "\n    {line}")?;
        }
        for function in &self.functions {
            write!(f, "\n  {function}")?;
            for line in function.docs.lines() {
                write!(f, "\n      {line}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.name)?;
        for (index, Parameter { name, ty }) in self.parameters.iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            write!(f, "{comma}{name}: {ty}")?;
        }
        write!(f, ") -> {}", self.returns)
    }
}

/// The modules that a worker has described so far. It describes each once.
#[derive(Debug, Default)]
pub(crate) struct Interfaces {
    known: Mutex<HashMap<String, Arc<Interface>>>,
}

impl Interfaces {
    /// What is known of a module.
    pub(crate) fn get(&self, module: &str) -> Option<Arc<Interface>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(module).cloned()
    }

    /// Notes what a worker said of a module; returns what it said first.
    pub(crate) fn note(&self, module: &str, schema: &ModuleSchema) -> Arc<Interface> {
        let interface = Arc::new(Interface::from(schema));
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.entry(module.to_owned()).or_insert(interface))
    }
}
