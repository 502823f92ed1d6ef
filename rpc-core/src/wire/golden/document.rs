//! The examples in the document, and which of them were checked.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::wire::{codec, handshake};

pub(super) const DOCUMENT: &str = include_str!("../../../../docs/wire.md");

/// The examples by name: fenced blocks ```` ```hex name=... ````, without their comments.
pub(super) fn examples() -> BTreeMap<&'static str, Vec<u8>> {
    let mut examples = BTreeMap::new();
    let mut lines = DOCUMENT.lines();
    while let Some(line) = lines.next() {
        let Some(name) = line.strip_prefix("```hex name=") else {
            continue;
        };
        let block = lines.by_ref().take_while(|line| *line != "```");
        let bytes = block.flat_map(|line| {
            let code = line.split('#').next().unwrap_or_default();
            code.split_whitespace()
                .map(|byte| u8::from_str_radix(byte, 16).expect("two hexadecimal digits"))
        });
        let twice = examples.insert(name, bytes.collect());
        assert!(twice.is_none(), "two examples are called {name}");
    }
    examples
}

/// Checks examples one by one, and in the end that none was left out.
pub(super) struct Checks {
    examples: BTreeMap<&'static str, Vec<u8>>,
    checked: BTreeSet<&'static str>,
}

impl Checks {
    pub(super) fn new() -> Self {
        Self {
            examples: examples(),
            checked: BTreeSet::new(),
        }
    }

    pub(super) fn bytes(&mut self, name: &'static str) -> Vec<u8> {
        self.checked.insert(name);
        let example = self.examples.get(name);
        example
            .unwrap_or_else(|| panic!("the document has no example {name}"))
            .clone()
    }

    pub(super) fn value<T>(&mut self, name: &'static str, value: T)
    where
        T: Serialize + DeserializeOwned + PartialEq + Debug,
    {
        let bytes = self.bytes(name);
        assert_eq!(codec::decode::<T>(&bytes).as_ref(), Ok(&value), "{name}");
        assert_eq!(codec::encode(&value).unwrap(), bytes, "{name}");
    }

    pub(super) fn first_message<T>(&mut self, name: &'static str, body: T)
    where
        T: Serialize + DeserializeOwned + PartialEq + Debug,
    {
        let bytes = self.bytes(name);
        assert_eq!(handshake::decode::<T>(&bytes).as_ref(), Ok(&body), "{name}");
        assert_eq!(handshake::encode(&body).unwrap(), bytes, "{name}");
    }

    pub(super) fn finish(self) {
        let all: BTreeSet<_> = self.examples.into_keys().collect();
        assert_eq!(all, self.checked, "examples and checks");
    }
}
