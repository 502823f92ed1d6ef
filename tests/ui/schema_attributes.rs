use reedbed::Schema;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Schema)]
struct Flat {
    #[serde(flatten)]
    inner: Plain,
}

#[derive(Serialize, Deserialize, Schema)]
struct Plain {
    #[serde(skip_serializing_if = "Option::is_none")]
    sometimes: Option<u8>,
    #[serde(skip_deserializing)]
    one_way: u8,
}

#[derive(Serialize, Deserialize, Schema)]
#[serde(tag = "kind")]
enum Tagged {
    A { a: u8 },
}

#[derive(Serialize, Deserialize, Schema)]
enum Skipping {
    #[serde(skip)]
    A,
    B,
}

#[derive(Serialize, Deserialize, Schema)]
struct Newtype(#[serde(skip)] u8);

fn main() {}
