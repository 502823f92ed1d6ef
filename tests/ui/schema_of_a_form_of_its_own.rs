use reedbed::Schema;
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize, Schema)]
#[serde(from = "String", into = "String")]
struct Name(String);

impl From<String> for Name {
    fn from(name: String) -> Self {
        Self(name)
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

#[derive(Serialize, Deserialize, Schema)]
#[schema(version = "1")]
struct Misspelt(u8);

#[derive(Serialize, Deserialize, Schema)]
struct OnAField(#[schema(opaque = "1")] u8);

fn main() {}
