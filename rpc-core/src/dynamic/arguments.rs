//! What is passed to a function that is called without a stub.

use super::encode::Encoder;
use super::interface::Signature;
use super::mismatch::Mismatch;
use super::place;
use super::value::Value;
use crate::call::error::SendError;
use crate::call::instance::Instance;
use crate::call::outgoing::Outgoing;

/// The arguments of a call without a stub: by place, by name, or first some by place and then some
/// by name. [`args!`](crate::args) makes them in one expression.
#[derive(Debug, Default)]
pub struct Arguments<'a> {
    values: Vec<(Option<String>, Value<'a>)>,
}

impl<'a> Arguments<'a> {
    /// Makes an empty list of arguments.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the next argument.
    #[must_use]
    pub fn then(mut self, value: impl Into<Value<'a>>) -> Self {
        self.values.push((None, value.into()));
        self
    }

    /// Adds the argument of this name.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value<'a>>) -> Self {
        let name = name.strip_prefix("r#").unwrap_or(name);
        self.values.push((Some(name.to_owned()), value.into()));
        self
    }

    /// The instance whose method is called, if one is among them.
    pub(super) fn instance(&self) -> Option<&Instance> {
        self.values.iter().find_map(|(_, value)| match value {
            Value::Instance(instance) => Some(instance),
            _ => None,
        })
    }

    /// Adds them to a call of a function.
    pub(super) fn send(
        self,
        signature: &Signature,
        outgoing: &mut Outgoing<'a>,
    ) -> Result<(), SendError> {
        let n_parameters = signature.parameters.len();
        let mut places: Vec<Option<Value<'a>>> = (0..n_parameters).map(|_| None).collect();
        self.assign(signature, &mut places, outgoing);
        for (parameter, place) in signature.parameters.iter().zip(&mut places) {
            match place {
                Some(value) => {
                    Encoder::new(outgoing, &parameter.name).argument(value, &parameter.ty);
                }
                None => outgoing.note(Err(SendError::from(Mismatch::Missing {
                    argument: parameter.name.clone(),
                    expected: parameter.ty.summary(),
                }))),
            }
        }
        outgoing.finish()
    }

    /// Finds the place of each.
    fn assign(
        self,
        signature: &Signature,
        places: &mut [Option<Value<'a>>],
        outgoing: &mut Outgoing<'a>,
    ) {
        let parameters = &signature.parameters;
        for (index, (name, mut value)) in self.values.into_iter().enumerate() {
            let place = match &name {
                None => Some(index).filter(|index| *index < parameters.len()),
                Some(name) => parameters.iter().position(|found| found.name == *name),
            };
            let argument = match (&name, place) {
                (Some(name), _) => name.clone(),
                (None, Some(place)) => parameters[place].name.clone(),
                (None, None) => format!("number {}", index + 1),
            };
            let mismatch = match place.map(|place| &mut places[place]) {
                Some(empty @ None) => {
                    *empty = Some(value);
                    continue;
                }
                Some(Some(_)) => Mismatch::Twice {
                    argument: argument.clone(),
                },
                None => Mismatch::Surplus {
                    argument: match name {
                        Some(name) => format!("`{name}`"),
                        None => argument.clone(),
                    },
                    takes: parameters.iter().map(|found| found.name.clone()).collect(),
                },
            };
            place::give_back(&mut value, &argument, outgoing);
            outgoing.note(Err(mismatch.into()));
        }
    }

    /// Hands back what was to be given away, for a call that isn't sent.
    pub(super) fn give_back(self, outgoing: &mut Outgoing<'a>) {
        for (index, (name, mut value)) in self.values.into_iter().enumerate() {
            let name = name.unwrap_or_else(|| format!("number {}", index + 1));
            place::give_back(&mut value, &name, outgoing);
        }
    }
}

/// Makes the [`Arguments`] of a call without a stub: by place, `args![&image, 7]`, or by name,
/// `args!{ image: &image, threshold: 7 }`.
#[macro_export]
macro_rules! args {
    () => {
        $crate::dynamic::Arguments::new()
    };
    ($($name:ident: $value:expr),+ $(,)?) => {
        $crate::dynamic::Arguments::new()$(.with(stringify!($name), $value))+
    };
    ($($value:expr),+ $(,)?) => {
        $crate::dynamic::Arguments::new()$(.then($value))+
    };
}
