//! The functions of a worker's modules, by number.

use std::collections::HashMap;

use crate::call::module::{Function, Module};
use crate::wire::handshake::ServedModule;
use crate::wire::schema::ModuleSchema;

/// What a worker serves.
#[derive(Debug)]
pub(crate) struct Served {
    pub(super) functions: HashMap<u64, Function>,
    pub(super) schemas: Vec<ModuleSchema>,
}

impl Served {
    /// Lists the functions of all modules.
    ///
    /// # Errors
    /// Two modules of one name, or two functions of one number.
    pub(crate) fn new(modules: &[Module]) -> Result<Self, String> {
        let mut served = Self {
            functions: HashMap::new(),
            schemas: Vec::new(),
        };
        for module in modules {
            if served
                .schemas
                .iter()
                .any(|schema| schema.name == module.name)
            {
                return Err(format!(
                    "two modules are called `{}`; rename one",
                    module.name
                ));
            }
            served.schemas.push((module.schema)());
            for function in (module.functions)() {
                let method = function.method;
                if let Some(other) = served.functions.insert(method.id, function) {
                    return Err(format!(
                        "functions `{}::{}` and `{}::{}` have the same number; rename one",
                        method.module, method.function, other.method.module, other.method.function
                    ));
                }
            }
        }
        Ok(served)
    }

    /// The modules, for the handshake.
    pub(crate) fn list(&self) -> Vec<ServedModule> {
        let entry = |schema: &ModuleSchema| ServedModule {
            name: schema.name.clone(),
            schema: schema.hash(),
        };
        self.schemas.iter().map(entry).collect()
    }
}
