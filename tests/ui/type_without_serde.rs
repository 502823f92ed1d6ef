use reedbed::{Schema, remote_module};

#[remote_module]
mod m {
    use super::*;

    #[derive(Schema)]
    pub struct Options {
        pub threshold: f64,
    }

    pub fn takes(options: Options) -> f64 {
        options.threshold
    }
}

fn main() {}
