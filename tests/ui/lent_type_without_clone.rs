use reedbed::{Schema, remote_module};
use serde::{Deserialize, Serialize};

#[remote_module]
mod m {
    use super::*;

    #[derive(Serialize, Deserialize, Schema)]
    pub struct Options {
        pub threshold: f64,
    }

    pub fn takes(options: &Options) -> f64 {
        options.threshold
    }
}

fn main() {}
