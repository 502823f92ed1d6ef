//! An error type for functions that don't need one of their own.

use std::error::Error;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::wire::schema::{Schema, SchemaWriter};

/// Any error of a function, as its messages: for `Result<T, AnyError>` and `?` on whatever fails.
///
/// An error that its caller should tell apart is a type of your own, an enum that derives
/// `Serialize`, `Deserialize` and [`Schema`]. This one is for reading. Like `anyhow::Error` it isn't
/// itself an [`Error`], so that every error can become one by `?`; a
/// [`CallError<AnyError>`](crate::CallError) is.
///
/// ```
/// # use reedbed::{remote_module, Tensor2, blocking::Worker};
/// #[remote_module]
/// mod camera {
///     use reedbed::{AnyError, Tensor, Tensor2};
///
///     pub fn picture(path: &str) -> Result<Tensor2<u8>, AnyError> {
///         let pixels = std::fs::read(path)?;               // an io::Error
///         let mut image = Tensor::zeros((16, 16))?;        // a ShmExhausted
///         image.view_mut()?.iter_mut().zip(pixels).for_each(|(to, from)| *to = from);
///         Ok(image)
///     }
/// }
///
/// let worker = Worker::in_process(&[camera::MODULE])?;
/// let camera: camera::BlockingClient = worker.import()?;
/// let error = camera.picture("/no/such/file").unwrap_err();
/// assert_eq!(error.to_string(), "No such file or directory (os error 2)");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnyError {
    messages: Vec<String>,
}

impl AnyError {
    /// Makes an error of a message.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            messages: vec![message.into()],
        }
    }

    /// Says what was being done, in front of what went wrong.
    #[must_use]
    pub fn context(mut self, message: impl Into<String>) -> Self {
        self.messages.insert(0, message.into());
        self
    }

    /// Returns the messages: the error's, then that of what caused it, and so on.
    #[must_use]
    pub fn messages(&self) -> &[String] {
        &self.messages
    }
}

impl<E: Error> From<E> for AnyError {
    fn from(error: E) -> Self {
        let mut messages = vec![error.to_string()];
        let mut source = error.source();
        while let Some(cause) = source {
            messages.push(cause.to_string());
            source = cause.source();
        }
        Self { messages }
    }
}

impl fmt::Display for AnyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.messages.join(": "))
    }
}

impl fmt::Debug for AnyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Schema for AnyError {
    fn describe(writer: &mut SchemaWriter) {
        writer.structure("AnyError", |writer| {
            writer.field::<Vec<String>>("messages");
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_causes_are_told_in_order() {
        let io = std::io::Error::other(crate::AccessError::Poisoned {
            by: "a call".into(),
        });
        let error = AnyError::from(io).context("reading the image");
        assert_eq!(error.messages()[0], "reading the image");
        assert!(
            error
                .to_string()
                .starts_with("reading the image: the tensor is poisoned: a call")
        );
        assert_eq!(format!("{error:?}"), error.to_string());
    }
}
