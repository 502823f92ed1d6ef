//! What a worker says that a module consists of.

use crate::by_hand::bytes::{Bytes, Reader};

/// What a module consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of docs/wire.md")]
pub struct Module {
    pub name: String,
    pub docs: String,
    pub functions: Vec<Function>,
}

/// What a function takes and returns.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of docs/wire.md")]
pub struct Function {
    pub name: String,
    pub docs: String,
    pub arguments: Vec<(String, String)>,
    pub returns: String,
}

impl Function {
    /// The signature, as it is hashed.
    #[must_use]
    pub fn signature(&self) -> String {
        let arguments: Vec<_> = self
            .arguments
            .iter()
            .map(|(name, ty)| format!("{name}: {ty}"))
            .collect();
        format!(
            "{}({}) -> {}",
            self.name,
            arguments.join(", "),
            self.returns
        )
    }
}

impl Module {
    /// Writes all of it.
    pub(super) fn write(&self, bytes: Bytes) -> Bytes {
        let bytes = bytes.run(&self.name).run(&self.docs);
        bytes.list(&self.functions, |bytes, function| {
            bytes
                .run(&function.name)
                .run(&function.docs)
                .list(&function.arguments, |bytes, (name, ty)| {
                    bytes.run(name).run(ty)
                })
                .run(&function.returns)
        })
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            name: reader.string(),
            docs: reader.string(),
            functions: reader.list(|reader| Function {
                name: reader.string(),
                docs: reader.string(),
                arguments: reader.list(|reader| (reader.string(), reader.string())),
                returns: reader.string(),
            }),
        }
    }
}
